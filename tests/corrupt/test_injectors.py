"""The injectors themselves: the same seed gives the same damage, and an unprotected reader is caught."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corrupt import headers
from corrupt.cases import CASES, Case, fingerprint
from corrupt.experiment import counts, experiment
from corrupt.injectors import KINDS, damage
from corrupt.worker import STATM, Worker

from neurodecode.data import load
from neurodecode.errors import CorruptFileError


def _array(folder: Path) -> None:
    np.save(folder / "x.npy", np.arange(1000.0))


def _sleep(path: Path) -> Any:
    time.sleep(60 if path.stat().st_size != 8128 else 0)
    return _plain(path)


def _crash(path: Path) -> Any:
    if path.stat().st_size != 8128:
        os.kill(os.getpid(), signal.SIGSEGV)
    return _plain(path)


def _greedy(path: Path) -> Any:
    return np.zeros(2**30 if path.stat().st_size != 8128 else 3), np.zeros(1)


def _plain(path: Path) -> Any:
    return (np.fromfile(path)[16:],)


def _nameless(path: Path) -> Any:
    if path.stat().st_size != 8128:
        raise CorruptFileError("somewhere", "it is damaged", "Copy it again")
    return _plain(path)


READERS: dict[str, Callable[[Path], Any]] = {
    "silent": _plain,
    "foreign": lambda path: (np.load(path, allow_pickle=False),),
    "hang": _sleep,
    "crash": _crash,
    "unnamed": _nameless,
}


def install() -> None:
    """Add the unprotected readers to the cases, in the worker too."""
    for name, read in READERS.items():
        CASES[f"unprotected {name}"] = Case(_array, "x.npy", "x.npy", read, headers.npy)
    CASES["unprotected greedy"] = Case(_array, "x.npy", "x.npy", _greedy, headers.npy)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(seconds=1.0, prepare="corrupt.test_injectors")
    install()
    yield worker
    worker.stop()
    for name in [name for name in CASES if name.startswith("unprotected")]:
        del CASES[name]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_damage(kind: str, tmp_path: Path) -> None:
    found = []
    for seed in (0, 0, 1):
        _array(tmp_path)
        damage(tmp_path / "x.npy", kind, seed, headers.npy)
        found.append((tmp_path / "x.npy").read_bytes())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("kind", KINDS)
def test_damage_says_what_it_did(kind: str, tmp_path: Path) -> None:
    _array(tmp_path)
    before = (tmp_path / "x.npy").read_bytes()
    assert damage(tmp_path / "x.npy", kind, 3, headers.npy)
    assert (tmp_path / "x.npy").read_bytes() != before


def test_unprotected_readers_are_caught(tmp_path: Path, worker: Worker) -> None:
    for name in READERS:
        rows = experiment(f"unprotected {name}", "truncate", range(2), None, tmp_path / name, worker)
        assert counts(rows) == {name: 2}, rows


@pytest.mark.skipif(not STATM.exists(), reason="this system cannot limit the memory of a process")
def test_a_reader_that_takes_too_much_memory_is_caught(tmp_path: Path, worker: Worker) -> None:
    rows = experiment("unprotected greedy", "truncate", range(1), None, tmp_path / "greedy", worker)
    assert counts(rows) == {"foreign": 1}
    assert "MemoryError" in rows[0].text


def test_the_store_without_its_check_is_caught(tmp_path: Path) -> None:
    """With the protection switched off, flipped bits come through."""
    CASES["stored array"].place(None, tmp_path)
    before = fingerprint(load(tmp_path / "stored"))
    damage(tmp_path / "stored" / "data.npy", "flip", 0)
    assert fingerprint(load(tmp_path / "stored", verify=False)) != before
    with pytest.raises(CorruptFileError, match=r"data\.npy"):
        load(tmp_path / "stored")


def test_fingerprints_see_every_value() -> None:
    signal_ = np.zeros((2, 5), np.float32)
    other = signal_.copy()
    other[1, 4] = 1e-30
    assert fingerprint((signal_,)) == fingerprint((signal_.copy(),)) != fingerprint((other,))
