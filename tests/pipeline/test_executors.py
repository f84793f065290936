"""Executors: a dead worker costs one item, and every executor gives the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest
from crash.injectors import outputs
from worker_jobs import CountedJob, count_or_die

from neurodecode.errors import ConfigError, MissingDependencyError
from neurodecode.pipeline import load_config, run_pipeline
from neurodecode.pipeline.execute import map_items
from neurodecode.pipeline.executors import (
    ClusterConfig,
    SerialExecutor,
    chosen_executor,
    load_cluster,
    make_cluster,
    make_executor,
)


def begun(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def test_only_the_item_that_kills_its_worker_is_failed(tmp_path: Path) -> None:
    jobs = [CountedJob(f"{i}", str(tmp_path), dies=9 if i == 2 else 0) for i in range(7)]
    with make_executor(2) as pool:
        statuses = map_items(count_or_die, jobs, executor=pool, on_error="continue")
    assert [s.state for s in statuses] == ["done", "done", "failed", "done", "done", "done", "done"]
    assert "max_memory" in statuses[2].reason
    assert isinstance(statuses[2].error, BrokenExecutor)
    assert begun(tmp_path)["2"] == 2, "it is tried once more"
    assert sum(begun(tmp_path).values()) <= len(jobs) + 2, "only what was at work is tried again"


def test_an_item_that_lost_its_worker_by_chance_is_done(tmp_path: Path) -> None:
    with make_executor(2) as pool:
        statuses = map_items(
            count_or_die, [CountedJob("a", str(tmp_path), dies=1), CountedJob("b", str(tmp_path))], executor=pool
        )
    assert [s.state for s in statuses] == ["done", "done"]
    assert begun(tmp_path)["a"] == 2


def test_the_rest_is_dropped_when_the_first_failure_ends_the_run(tmp_path: Path) -> None:
    jobs = [CountedJob("0", str(tmp_path), dies=9), *(CountedJob(f"{i}", str(tmp_path)) for i in range(1, 9))]
    with make_executor(1, "processes") as pool:
        statuses = map_items(count_or_die, jobs, executor=pool, on_error="abort")
    assert [s.state for s in statuses] == ["failed"]
    assert list(begun(tmp_path)) == ["0"]


def broken_step(job: CountedJob) -> tuple[str, str]:
    """A step whose own processes died."""
    raise BrokenExecutor(job.name)


def test_a_step_that_lost_its_own_processes_is_failed(tmp_path: Path) -> None:
    statuses = map_items(broken_step, [CountedJob("a", str(tmp_path))], executor=SerialExecutor(), on_error="continue")
    assert [s.state for s in statuses] == ["failed"]
    assert "fewer jobs" in statuses[0].reason


# --- what the command line may choose -------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "jobs", "expected"), [(None, 3, 3), ("serial", 3, 1), ("processes", 2, 2)])
def test_choices_that_need_no_cluster(kind: str | None, jobs: int, expected: int) -> None:
    with chosen_executor(kind, jobs, None) as (pool, n):
        assert (pool, n) == (None, expected)


@pytest.mark.parametrize(
    ("kind", "cluster", "message"),
    [
        ("desk", None, "executor 'desk' is unknown.*dask"),
        ("processes", "tcp://host:8786", r"a cluster \(tcp://host:8786\) needs the executor dask"),
        ("dask", "host", "expected an address like tcp://host:8786 or a YAML file, got 'host'"),
        ("dask", "nowhere.yaml", "nowhere.yaml: cannot be read"),
    ],
)
def test_wrong_choices_are_refused(kind: str, cluster: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message), chosen_executor(kind, 1, cluster):
        pytest.fail("the block must not run")


def test_dask_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"--executor dask.*neurodecode\[cluster\]"), make_executor(1, "dask"):
        pytest.fail("the block must not run")


def test_a_cluster_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "slurm.yaml"
    path.write_text("kind: slurm\ncores: 4\nmemory: 16GB\nwalltime: '08:00:00'\nqueue: long\nextra: [--constraint=avx2]\n")
    assert load_cluster(path).queue == "long"
    assert load_cluster("tcp://10.0.0.1:8786") == ClusterConfig(kind="address", address="tcp://10.0.0.1:8786")
    assert load_cluster(None).kind == "local"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: pbs", "kind: .*'pbs'"),
        ("cores: 0", "cores: .*got 0"),
        ("memory: lots", "memory"),
        ("quue: long", "quue"),
        ("kind: address", "an address needs kind: address"),
        ("[1, 2]", "cluster.yaml"),
        ("a: [", "cannot be read as YAML"),
        ("!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
    ],
)
def test_a_wrong_cluster_file_is_one_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_cluster(path)


def test_a_job_of_slurm_asks_for_what_the_file_says() -> None:
    pytest.importorskip("dask_jobqueue", reason="needs neurodecode[cluster]")
    config = ClusterConfig(kind="slurm", cores=4, memory="16GB", walltime="08:00:00", queue="long", extra=("--constraint=avx2",))
    with make_cluster(config, jobs=0) as cluster:
        script = cluster.job_script()
    for line in ("-p long", "--cpus-per-task=4", "--mem=15G", "-t 08:00:00", "--constraint=avx2"):
        assert f"#SBATCH {line}" in script, script


# --- the same bytes -------------------------------------------------------------------------------------------------


def test_every_executor_gives_the_same_bytes(real: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs neurodecode[cluster]")
    config = load_config("haxby_objects", ["decode.n_permutations=3", "input.runs=['01','02']"])
    for kind in ("serial", "processes", "dask"):
        with make_executor(2, kind) as pool:  # type: ignore[arg-type]
            statuses = run_pipeline(config, real("haxby2001"), tmp_path / kind, executor=pool).statuses
        assert [s.state for s in statuses] == ["done"] * 3
    serial = outputs(tmp_path / "serial")
    assert len(serial) > 10
    assert outputs(tmp_path / "processes") == serial
    assert outputs(tmp_path / "dask") == serial
