"""Losses of M/EEG decoders against what they are made of, worked out by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neurodecode.errors import DataError
from neurodecode.train.losses import clip_loss
from neurodecode.train.meeg_losses import ImageLoss, SpeechLoss, left_out


class Says(nn.Module):
    """A network that says what it was given."""

    def __init__(self, *, tower: float = 1.0) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        return signal

    def embed(self, targets: Tensor) -> Tensor:
        return self.tower * targets


class Two(NamedTuple):
    clip: Tensor
    mse: Tensor


class SaysTwice(nn.Module):
    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Two:
        return Two(signal.flatten(1), 2 * signal.flatten(1))


def batch(n: int = 6, stimulus: list[int] | None = None, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    signal, targets = (torch.randn(n, 3, 4, generator=generator) for _ in range(2))
    ids = torch.tensor(stimulus if stimulus is not None else list(range(n)))
    return {"signal": signal, "positions": torch.zeros(n, 3, 2), "subject": torch.zeros(n), "targets": targets, "stimulus": ids}


class TestSpeech:
    def test_by_hand(self) -> None:
        given = batch()
        z, y = (given[name].flatten(1).double().numpy() for name in ("signal", "targets"))
        scores = z @ (y / np.linalg.norm(y, axis=1)[:, None]).T
        expected = -np.mean(np.diag(scores) - np.log(np.exp(scores).sum(axis=1)))
        assert SpeechLoss()(Says(), given, 0.0).item() == pytest.approx(expected, rel=1e-5)

    def test_the_length_of_targets_means_nothing_and_that_of_predictions_does(self) -> None:
        given = batch()
        loss = SpeechLoss()
        assert loss(Says(tower=7.0), given, 0.0).item() == pytest.approx(loss(Says(), given, 0.0).item(), rel=1e-5)
        assert loss(Says(), {**given, "signal": 7 * given["signal"]}, 0.0).item() != pytest.approx(
            loss(Says(), given, 0.0).item(), rel=1e-2
        )

    def test_samples_of_one_stimulus_are_no_negatives(self) -> None:
        same = batch(stimulus=[0, 0, 1, 2, 3, 4])
        z, y = (same[name].flatten(1) for name in ("signal", "targets"))
        mask = same["stimulus"][:, None] == same["stimulus"][None, :]
        expected = clip_loss(z, y, temperature=1.0, normalize="y", symmetric=False, positive_mask=mask)
        assert SpeechLoss()(Says(), same, 0.0).item() == pytest.approx(expected.item(), rel=1e-6)
        assert SpeechLoss(mask_duplicates=False)(Says(), same, 0.0) > SpeechLoss()(Says(), same, 0.0)

    def test_few_negatives(self) -> None:
        given = batch()
        z, y = (given[name].flatten(1).double() for name in ("signal", "targets"))
        scores = z @ (y / y.norm(dim=1, keepdim=True)).T
        rows = [scores[i, [i, (i + 1) % 6, (i + 2) % 6]] for i in range(6)]
        expected = -np.mean([(row[0] - row.logsumexp(0)).item() for row in rows])
        assert SpeechLoss(n_negatives=2)(Says(), given, 0.0).item() == pytest.approx(expected, rel=1e-5)
        assert SpeechLoss(n_negatives=5)(Says(), given, 0.0).item() == pytest.approx(SpeechLoss()(Says(), given, 0.0).item())

    @pytest.mark.parametrize(("kind", "expected"), [("mse", "square"), ("l1", "abs")])
    def test_regression(self, kind: str, expected: str) -> None:
        given = batch()
        error = getattr(given["signal"] - given["targets"], expected)().mean()
        assert SpeechLoss(kind)(Says(), given, 0.0).item() == pytest.approx(error.item(), rel=1e-6)

    def test_unknown(self) -> None:
        with pytest.raises(DataError, match="kind"):
            SpeechLoss("hinge")


class TestPairsThatAreLeftOut:
    def test_a_band_that_begins_anew(self) -> None:
        found = left_out(4, 1, None)
        assert (~found).int().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]]

    def test_nothing(self) -> None:
        assert left_out(4, None, None) is None
        assert left_out(4, 3, None) is None

    def test_together_with_duplicates(self) -> None:
        same = torch.eye(4, dtype=torch.bool)
        same[0, 1] = True
        assert left_out(4, 1, same)[0].tolist() == [True, True, True, True]


class TestImages:
    def test_each_part_reads_its_own_head(self) -> None:
        given = batch()
        given["targets"] = given["targets"].flatten(1)
        found = ImageLoss(0.75, temperature=0.5)(SaysTwice(), given, 0.0)
        z, y = given["signal"].flatten(1), given["targets"]
        contrast, squared = clip_loss(z, y, temperature=0.5), (2 * z - y).square().mean()
        assert found["clip"].item() == pytest.approx(contrast.item(), rel=1e-6)
        assert found["mse"].item() == pytest.approx(squared.item(), rel=1e-6)
        assert found["loss"].item() == pytest.approx((0.75 * contrast + 0.25 * squared).item(), rel=1e-6)
        assert not found["mse"].requires_grad

    def test_the_temperature_learns(self) -> None:
        loss = ImageLoss()
        given = batch()
        given["targets"] = given["targets"].flatten(1)
        loss(SaysTwice(), given, 0.0)["loss"].backward()
        assert loss.scale.log_scale.grad != 0
        assert list(ImageLoss(temperature=0.1).parameters()) == []

    def test_one_direction(self) -> None:
        given = batch()
        given["targets"] = given["targets"].flatten(1)
        one = ImageLoss(1.0, temperature=0.5, symmetric=False)(SaysTwice(), given, 0.0)["loss"]
        expected = clip_loss(given["signal"].flatten(1), given["targets"], temperature=0.5, symmetric=False)
        assert one.item() == pytest.approx(expected.item(), rel=1e-6)
