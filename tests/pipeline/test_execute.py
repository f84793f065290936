"""Items on executors."""

import pytest
from worker_jobs import Job, bug, die, double

from neurodecode.errors import DataError
from neurodecode.pipeline.execute import ItemStatus, map_items, one_line
from neurodecode.pipeline.executors import make_executor

JOBS = [Job(f"job {i}", i) for i in range(5)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs: int):
    with make_executor(jobs) as pool:
        statuses = map_items(double, JOBS, executor=pool)
    assert [s.reason for s in statuses] == ["0", "2", "4", "6", "8"]
    assert all(s.state == "done" and s.seconds >= 0 for s in statuses)


def test_every_item_is_reported_once():
    seen: list[ItemStatus] = []
    with make_executor(1) as pool:
        map_items(double, JOBS, executor=pool, report=seen.append)
    assert sorted(s.name for s in seen) == [job.name for job in JOBS]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_one_status_and_the_others_go_on(jobs: int):
    items = [Job("good", 1), Job("bad", -3), Job("good too", 2)]
    with make_executor(jobs) as pool:
        statuses = map_items(double, items, executor=pool, on_error="continue")
    assert [s.state for s in statuses] == ["done", "failed", "done"]
    assert statuses[1].reason == "-3 is negative"
    assert isinstance(statuses[1].error, DataError)


def test_a_dead_worker_is_a_failure_with_a_remedy():
    with make_executor(2) as pool:
        statuses = map_items(die, [Job("a", 1), Job("b", 2)], executor=pool, on_error="continue")
    assert any(s.state == "failed" and "max_memory" in s.reason for s in statuses)


def test_a_bug_is_not_hidden():
    with make_executor(1) as pool, pytest.raises(ZeroDivisionError):
        map_items(bug, JOBS[:1], executor=pool)


def test_one_line_never_breaks_and_is_never_empty():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(MemoryError()) == "MemoryError"
