"""Checkpoints: whole or not there, every byte checked, old ones removed, nothing pickled."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.train import load_checkpoint, random_state, save_checkpoint
from neurodecode.train.checkpoint import checkpoint_steps
from neurodecode.train.ema import copy_of, update_ema, using
from neurodecode.train.signals import watching

TENSORS = {"model": {"weight": torch.arange(6.0).reshape(2, 3)}, "optimizer": {"0.step": torch.tensor(3)}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints."""
    for step in (10, 20):
        save_checkpoint(tmp_path / "c", step, TENSORS, {"epoch": step // 10})
    return tmp_path / "c"


def test_what_is_written_is_read(folder: Path) -> None:
    found = load_checkpoint(folder)
    assert (found.step, found.state) == (20, {"epoch": 2})
    assert set(found.tensors) == {"model", "optimizer"}
    assert torch.equal(found.tensors["model"]["weight"], TENSORS["model"]["weight"])
    assert found.tensors["optimizer"]["0.step"].dtype == torch.int64
    assert load_checkpoint(folder, 10).state == {"epoch": 1}


def test_only_tensors_and_json(folder: Path) -> None:
    assert (folder / "latest").read_text() == "step-000000020\n"
    names = sorted(path.name for path in (folder / "step-000000020").iterdir())
    assert names == ["model.safetensors", "optimizer.safetensors", "state.json"]


@pytest.mark.parametrize(("best", "left"), [(None, [40, 50]), (20, [20, 40, 50]), (50, [40, 50])])
def test_the_last_two_and_the_best_are_kept(tmp_path: Path, best: int | None, left: list[int]) -> None:
    for step in (10, 20, 30, 40, 50):
        save_checkpoint(tmp_path, step, TENSORS, best=best)
    assert checkpoint_steps(tmp_path) == left


def test_shared_weights(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    save_checkpoint(tmp_path, 1, {"model": model.state_dict()})
    model.load_state_dict(load_checkpoint(tmp_path).tensors["model"])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("member", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", [cut, flip, os.unlink])
def test_a_damaged_one_gives_way_to_the_one_before(folder: Path, member: str, damage: Any) -> None:
    damage(folder / "step-000000020" / member)
    with pytest.warns(UserWarning, match=f"{member}.*going on from step 10"):
        assert load_checkpoint(folder).step == 10
    with pytest.raises(CorruptFileError, match=member):
        load_checkpoint(folder, 20)
    damage(folder / "step-000000010" / member)
    with pytest.raises(CorruptFileError, match="step-000000020"):
        load_checkpoint(folder)


def test_a_member_outside_is_refused(folder: Path) -> None:
    from neurodecode.data.hashing import sha256_json

    marker = folder / "step-000000020" / "state.json"
    header = json.loads(marker.read_text())
    del header["seal"]
    header["sha256"] = {"../step-000000010/model.safetensors": "0"}
    marker.write_text(json.dumps({**header, "seal": sha256_json(header)}))
    with pytest.raises(CorruptFileError, match="missing or differs"):
        load_checkpoint(folder, 20)


def test_a_newer_version_is_refused(folder: Path) -> None:
    from neurodecode.data.hashing import sha256_json

    marker = folder / "step-000000020" / "state.json"
    header = {**json.loads(marker.read_text()), "version": 2}
    del header["seal"]
    marker.write_text(json.dumps({**header, "seal": sha256_json(header)}))
    with pytest.raises(FormatError, match="Update neurodecode"):
        load_checkpoint(folder, 20)


@pytest.mark.parametrize("pointer", [None, "step-000000099\n", "\udcff"])
def test_without_a_pointer_the_newest_counts(folder: Path, pointer: str | None) -> None:
    (folder / "latest").unlink()
    if pointer is not None:
        (folder / "latest").write_bytes(pointer.encode(errors="surrogateescape"))
    assert load_checkpoint(folder).step == 20


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda folder: load_checkpoint(folder, 30), FormatError, r"steps \[10, 20\]"),
        (lambda folder: load_checkpoint(folder.parent / "none"), FormatError, "no checkpoint"),
        (lambda folder: load_checkpoint(folder, "newest"), DataError, "'newest'"),
        (lambda folder: load_checkpoint(folder, -1), DataError, "-1"),
        (lambda folder: save_checkpoint(folder, 30, {"../x": {}}), DataError, "../x"),
        (lambda folder: save_checkpoint(folder, -1, {}), DataError, "-1"),
        (lambda folder: save_checkpoint(folder, 30, TENSORS, keep=0), DataError, "0"),
    ],
)
def test_refused(folder: Path, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(folder)
    assert checkpoint_steps(folder) == [10, 20]


class TestRandomStates:
    @staticmethod
    def draw() -> list[float]:
        legacy = np.random.standard_normal()  # noqa: NPY002
        return [random.random(), random.gauss(0, 1), float(legacy), float(torch.randn(()))]

    def test_they_survive_json(self) -> None:
        with random_state.seeded(3):
            self.draw()  # an odd number of normal draws leaves half a pair in the stream
            state = json.loads(json.dumps(random_state.capture()))
            first = self.draw()
            self.draw()
            random_state.restore(state)
            assert self.draw() == first

    def test_every_seed_and_process_has_its_own(self) -> None:
        drawn = []
        for seed, rank in ((0, 0), (0, 1), (1, 0), (0, 0)):
            with random_state.seeded(seed, rank):
                drawn.append(tuple(self.draw()))
        assert drawn[0] == drawn[3]
        assert len({value for draws in drawn[:3] for value in draws}) == 12


class TestAverages:
    def test_early_updates_forget_faster_and_counters_are_copied(self) -> None:
        model = nn.BatchNorm1d(2)
        average = copy_of(model)
        model.weight.data.fill_(3.0)
        model.num_batches_tracked.fill_(7)
        update_ema(average, model, decay=0.9, n_updates=0)
        torch.testing.assert_close(average["weight"], torch.full((2,), 0.1 * 1 + 0.9 * 3))
        update_ema(average, model, decay=0.9, n_updates=10**6)
        torch.testing.assert_close(average["weight"], torch.full((2,), 0.9 * 2.8 + 0.1 * 3))
        assert int(average["num_batches_tracked"]) == 7

    def test_other_weights_for_a_while(self) -> None:
        model = nn.Linear(2, 1)
        own = copy_of(model)
        with pytest.raises(KeyError), using(model, {name: value + 1 for name, value in own.items()}):
            assert torch.equal(model.bias, own["bias"] + 1)
            raise KeyError
        assert torch.equal(model.bias, own["bias"])


def test_signals_elsewhere_than_in_the_main_thread() -> None:
    from concurrent.futures import ThreadPoolExecutor

    def look() -> int:
        with watching() as request:
            return request.signal

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() == 0
