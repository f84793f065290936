"""Batches, schedules, samples and the table of metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from neurodecode.data import Responses
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.train import ArrayDataset, mixco_then_soft_clip, read_curve
from neurodecode.train.log import MetricLog
from neurodecode.train.sampler import BatchSampler, even_batches, own_share
from neurodecode.train.schedules import anneal, rate_factor


class TestSampler:
    def test_each_sample_once_in_an_order_of_its_own_for_each_epoch(self) -> None:
        sampler = BatchSampler(20, 5, seed=1)
        epochs = [np.concatenate(sampler.epoch(number)) for number in range(3)]
        assert all(sorted(epoch.tolist()) == list(range(20)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) == 3
        assert np.array_equal(np.concatenate(sampler.epoch(1)), epochs[1]), "an epoch does not depend on those before"
        assert not np.array_equal(np.concatenate(BatchSampler(20, 5, seed=2).epoch(0)), epochs[0])

    @pytest.mark.parametrize(
        ("options", "sizes"),
        [({}, [8, 8]), ({"drop_last": False}, [8, 8, 4]), ({"limit": 1}, [8]), ({"drop_last": False, "limit": 9}, [8, 8, 4])],
    )
    def test_sizes(self, options: dict[str, Any], sizes: list[int]) -> None:
        sampler = BatchSampler(20, 8, **options)
        assert [len(batch) for batch in sampler.epoch(0)] == sizes
        assert len(sampler) == len(sizes)

    def test_unshuffled(self) -> None:
        assert np.concatenate(BatchSampler(6, 2, shuffle=False).epoch(3)).tolist() == list(range(6))

    def test_shares_are_the_batch(self) -> None:
        batch = np.arange(12)
        assert np.array_equal(np.concatenate([own_share(batch, rank, 3) for rank in range(3)]), batch)
        with pytest.raises(DataError, match="12 samples cannot be shared equally by 5 processes"):
            own_share(batch, 0, 5)

    @pytest.mark.parametrize(("n", "size", "sizes"), [(21, 16, [21]), (40, 16, [20, 20]), (3, 64, [3]), (50, 16, [17, 17, 16])])
    def test_even_batches(self, n: int, size: int, sizes: list[int]) -> None:
        batches = even_batches(n, size)
        assert [len(batch) for batch in batches] == sizes
        assert np.concatenate(batches).tolist() == list(range(n))

    @pytest.mark.parametrize("size", [0, 21])
    def test_no_batch(self, size: int) -> None:
        with pytest.raises(DataError, match=f"one batch of {size}"):
            BatchSampler(20, size)


class TestSchedules:
    def test_constant(self) -> None:
        assert [rate_factor(step, 8) for step in range(8)] == [1.0] * 8
        np.testing.assert_allclose([rate_factor(step, 8, warmup=0.5) for step in range(6)], [0.2, 0.4, 0.6, 0.8, 1, 1])

    def test_cosine_with_warmup(self) -> None:
        values = [rate_factor(step, 100, "cosine", 0.1) for step in range(100)]
        assert np.argmax(values) == 10
        assert values[10] == 1.0
        assert values[55] == pytest.approx(0.5)
        assert 0 < values[-1] < 1e-3
        assert (np.diff(values[:11]) > 0).all()
        assert (np.diff(values[10:]) < 0).all()

    def test_anneal(self) -> None:
        assert [anneal(2.0, 4.0, progress) for progress in (-1, 0, 0.5, 1, 2)] == pytest.approx([2, 2, 3, 4, 4])

    def test_from_mixtures_to_soft_labels(self) -> None:
        phases = [mixco_then_soft_clip(progress) for progress in (0.0, 0.33, 0.34, 2 / 3, 1.0)]
        assert [phase.loss for phase in phases] == ["bimixco"] * 2 + ["soft_clip"] * 3
        temperatures = [phase.temperature for phase in phases]
        assert temperatures[:2] == [0.006] * 2
        assert temperatures[2:] == pytest.approx([0.004, 0.00575, 0.0075], abs=1e-5)

    @pytest.mark.parametrize(("options", "message"), [({"schedule": "cos"}, "did you mean 'cosine'"), ({"warmup": 1}, "got 1")])
    def test_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            rate_factor(0, 10, **options)


class TestArrays:
    def test_batches_are_tensors_by_name(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
        responses = Responses(np.arange(8.0).reshape(4, 2), {"stimulus": list("abcd")}, pd.DataFrame({"name": ["u", "v"]}))
        data = ArrayDataset(
            "train",
            mapped=np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False),
            responses=responses,
            double=np.arange(4.0),
            ids=np.arange(4),
            tensor=torch.arange(4) * 10,
        )
        batch = data.batch(np.array([3, 1]))
        assert len(data) == 4
        assert batch["mapped"].tolist() == [[9, 10, 11], [3, 4, 5]]
        assert batch["responses"].tolist() == [[6, 7], [2, 3]]
        assert batch["tensor"].tolist() == [30, 10]
        assert (batch["double"].dtype, batch["ids"].dtype) == (torch.float32, torch.int64)


class TestCurve:
    def test_a_rewound_file_holds_each_step_once(self, tmp_path: Path) -> None:
        log = MetricLog(tmp_path)
        log.rewind(0)
        for step in range(1, 6):
            log.write({"step": step, "epoch": 0, "loss": 1 / 3 / step, "lr": 0.1})
        with open(tmp_path / "metrics.jsonl", "a") as file:
            file.write('{"step": 6, "ep')  # killed in mid-line
        assert read_curve(tmp_path)["step"].tolist() == [1, 2, 3, 4, 5]
        again = MetricLog(tmp_path)
        again.rewind(3)
        again.write({"step": 4, "epoch": 0, "loss": 0.5, "lr": 0.1, "validation_loss": 2.0})
        curve = read_curve(tmp_path)
        assert curve["step"].tolist() == [1, 2, 3, 4]
        assert curve["loss"].tolist() == [1 / 3, 1 / 6, 1 / 9, 0.5], "numbers survive bit by bit"
        assert list(curve) == ["step", "epoch", "loss", "lr", "validation_loss"]
        assert curve.equals(again.curve())

    def test_damaged_and_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="metrics.jsonl"):
            read_curve(tmp_path)
        (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n')
        with pytest.raises(CorruptFileError, match="line 2 of 3"):
            read_curve(tmp_path)
