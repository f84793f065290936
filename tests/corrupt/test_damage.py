"""A damaged file ends in one of our errors that names it: never in other numbers, a crash, a hang or a full memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from corrupt.cases import CASES
from corrupt.experiment import Row, counts, experiment
from corrupt.worker import Worker

LOG = logging.getLogger(__name__)  # --log-cli-level=INFO shows the counts
WITH_HEADER = [name for name, case in CASES.items() if case.header]
HARMLESS = {"error", "same", "noted"}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """The process that reads."""
    worker = Worker()
    yield worker
    worker.stop()


@pytest.fixture
def data() -> Path | None:
    """Folder of the real recordings, if there is one."""
    root = os.environ.get("NEURODECODE_TEST_DATA")
    return Path(root).resolve() if root else None


def run(case: str, kind: str, n: int, data: Path | None, folder: Path, worker: Worker, known: str = "") -> list[Row]:
    if isinstance(CASES[case].copy, tuple) and data is None:
        pytest.skip("NEURODECODE_TEST_DATA is not set: it names the folder of real recordings")
    rows = experiment(case, kind, range(n), data, folder, worker, known)
    LOG.info("%s, %s%s: %s", case, kind, f", sha256 in a {known}" if known else "", counts(rows))
    return rows


def only(rows: list[Row], allowed: set[str]) -> None:
    wrong = [row for row in rows if row.outcome not in allowed]
    assert not wrong, "\n".join(f"seed {row.seed}, {row.what}: {row.outcome} {row.text[:300]}" for row in wrong)


def check_cut(case: str, rows: list[Row]) -> None:
    """Every cut is an error where the format states a length; elsewhere it may give fewer rows or samples."""
    only(rows, HARMLESS if CASES[case].states_length else {*HARMLESS, "silent"})


@pytest.mark.parametrize("case", CASES)
def test_cut_short(case: str, data: Path | None, tmp_path: Path, worker: Worker) -> None:
    check_cut(case, run(case, "truncate", 8, data, tmp_path, worker))


@pytest.mark.parametrize("case", WITH_HEADER)
def test_header_that_contradicts_the_file(case: str, data: Path | None, tmp_path: Path, worker: Worker) -> None:
    only(run(case, "header", 8, data, tmp_path, worker), HARMLESS)


@pytest.mark.parametrize("case", ["stored array", "stored marker"])
def test_every_changed_bit_of_a_stored_object_is_found(case: str, tmp_path: Path, worker: Worker) -> None:
    rows = run(case, "flip", 100, None, tmp_path, worker)
    only(rows, {"error"})
    assert all(row.text.startswith("CorruptFileError") for row in rows)


@pytest.mark.parametrize("case", CASES)
def test_a_known_sha256_finds_everything(case: str, data: Path | None, tmp_path: Path, worker: Worker) -> None:
    for i, (kind, known) in enumerate([("truncate", "sidecar"), ("flip", "lock"), ("flip", "sidecar"), ("header", "lock")]):
        if kind != "header" or CASES[case].header:
            only(run(case, kind, 2, data, tmp_path / str(i), worker, known), {"error"})


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_hundred_cuts(case: str, data: Path | None, tmp_path: Path, worker: Worker) -> None:
    check_cut(case, run(case, "truncate", 100, data, tmp_path, worker))


@pytest.mark.slow
@pytest.mark.parametrize("case", WITH_HEADER)
def test_a_hundred_contradictions(case: str, data: Path | None, tmp_path: Path, worker: Worker) -> None:
    only(run(case, "header", 100, data, tmp_path, worker), HARMLESS)


@pytest.mark.slow
@pytest.mark.parametrize("known", ["sidecar", "lock"])
@pytest.mark.parametrize("case", CASES)
def test_a_known_sha256_finds_a_hundred_of_each(case: str, known: str, data: Path | None, tmp_path: Path, worker: Worker) -> None:
    for kind in ("truncate", "flip", *(["header"] if CASES[case].header else [])):
        only(run(case, kind, 100, data, tmp_path / kind, worker, known), {"error"})
