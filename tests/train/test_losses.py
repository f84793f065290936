"""Losses against cases that are computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from neurodecode.errors import DataError
from neurodecode.train import losses as L

X = torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
Y = torch.tensor([[1.0, 0.0, 0.0], [4.0, 0.0, 3.0], [0.0, 0.0, 2.0]])
# cosines of X with Y, written down: row is the prediction, column the target
COSINES = torch.tensor([[1.0, 0.8, 0.0], [0.0, 0.0, 0.0], [0.0, 0.6, 1.0]])


def by_hand(logits: np.ndarray, axis: int) -> float:
    """Mean of -log softmax on the diagonal, with a loop."""
    rows = logits if axis == 1 else logits.T
    return float(np.mean([-row[i] + math.log(sum(math.exp(value) for value in row)) for i, row in enumerate(rows)]))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 5, generator=generator), torch.randn(6, 5, generator=generator)


class TestClip:
    def test_three_by_three(self) -> None:
        logits = COSINES.numpy() / 0.5
        one_way, other_way = by_hand(logits, 1), by_hand(logits, 0)
        assert abs(one_way - other_way) > 0.05, "the case tells directions apart"
        assert float(L.clip_loss(X, Y, temperature=0.5, symmetric=False)) == pytest.approx(one_way, abs=1e-6)
        assert float(L.clip_loss(Y, X, temperature=0.5, symmetric=False)) == pytest.approx(other_way, abs=1e-6)
        assert float(L.clip_loss(X, Y, temperature=0.5)) == pytest.approx((one_way + other_way) / 2, abs=1e-6)

    @pytest.mark.parametrize(
        ("normalize", "logits"),
        [
            ("xy", COSINES),
            ("y", COSINES * torch.tensor([[3.0], [2.0], [1.0]])),
            ("x", COSINES * torch.tensor([1.0, 5.0, 2.0])),
            (None, X @ Y.T),
        ],
    )
    def test_which_side_is_normalised(self, normalize: L.Normalize, logits: torch.Tensor) -> None:
        value = L.clip_loss(X, Y, temperature=1, normalize=normalize, symmetric=False)
        assert float(value) == pytest.approx(by_hand(logits.numpy(), 1), abs=1e-5)

    def test_without_information_it_is_the_logarithm_of_the_candidates(self) -> None:
        assert float(L.clip_loss(torch.ones(7, 2), torch.ones(7, 2))) == pytest.approx(math.log(7), abs=1e-5)

    def test_equal_stimuli_are_no_negatives(self) -> None:
        mask = L.same_stimulus(torch.tensor([4, 4, 9]))
        assert mask.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
        logits = COSINES.numpy().copy()
        logits[0, 1] = logits[1, 0] = -np.inf
        value = L.clip_loss(X, Y, temperature=1, symmetric=False, positive_mask=mask)
        assert float(value) == pytest.approx(by_hand(logits, 1), abs=1e-6)
        assert bool(mask[0, 0]), "the mask is left as it was"

    def test_further_axes_are_flattened(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        x, y = (side.repeat(1, 4) for side in batch)
        assert torch.equal(L.clip_loss(x.reshape(6, 4, 5), y.reshape(6, 4, 5)), L.clip_loss(x, y))

    def test_a_learned_temperature_gets_a_gradient(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        temperature = torch.tensor(0.5, requires_grad=True)
        L.clip_loss(*batch, temperature=temperature).backward()
        step = 1e-3
        up, down = (float(L.clip_loss(*(side.double() for side in batch), temperature=0.5 + s)) for s in (step, -step))
        assert float(temperature.grad) == pytest.approx((up - down) / (2 * step), rel=1e-3)

    def test_float32_under_autocast(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        whole = L.clip_loss(*batch, temperature=0.006)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(L.clip_loss(*batch, temperature=0.006), whole)
        assert L.clip_loss(*(side.bfloat16() for side in batch)).dtype == torch.float32

    def test_zero_predictions_have_a_finite_gradient(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        x = torch.zeros(6, 5, requires_grad=True)
        L.clip_loss(x, batch[1]).backward()
        assert torch.isfinite(x.grad).all()


class TestSpeech:
    """The loss of Défossez et al. is `clip_loss` of unit targets, without temperature, from the brain to speech."""

    OPTIONS: ClassVar[dict[str, Any]] = {"normalize": "y", "temperature": 1.0, "symmetric": False}
    PREDICTED = torch.tensor([[[5.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]])  # 2 samples, 2 features, 2 times
    TARGETS = torch.tensor([[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [2.0, 0.0]]])  # of norm 5 and 2

    def test_two_by_two(self) -> None:
        """Scores by hand: 3 and 1 in the first row, 4 and 0 in the second."""
        expected = (math.log(1 + math.exp(1 - 3)) + math.log(1 + math.exp(4 - 0))) / 2
        assert L.clip_loss(self.PREDICTED, self.TARGETS, **self.OPTIONS).item() == pytest.approx(expected, rel=1e-6)

    def test_the_scale_of_the_targets_alone_means_nothing(self) -> None:
        loss = L.clip_loss(self.PREDICTED, self.TARGETS, **self.OPTIONS)
        scale = torch.tensor([0.1, 30.0])[:, None, None]
        torch.testing.assert_close(L.clip_loss(self.PREDICTED, scale * self.TARGETS, **self.OPTIONS), loss)
        assert abs(L.clip_loss(scale * self.PREDICTED, self.TARGETS, **self.OPTIONS) - loss) > 0.1

    def test_the_order_of_the_batch_means_nothing(self) -> None:
        generator = torch.Generator().manual_seed(0)
        predicted, targets = (torch.randn(5, 3, 4, generator=generator) for _ in range(2))
        order = torch.tensor([3, 1, 4, 0, 2])
        torch.testing.assert_close(
            L.clip_loss(predicted[order], targets[order], **self.OPTIONS), L.clip_loss(predicted, targets, **self.OPTIONS)
        )


class TestSiglip:
    def test_three_by_three(self) -> None:
        logits = 10 * COSINES.numpy() - 10
        signs = 2 * np.eye(3) - 1
        expected = np.log1p(np.exp(-signs * logits)).sum() / 3
        assert float(L.siglip_loss(X, Y, duplicate_cosine=None)) == pytest.approx(float(expected), rel=1e-6)

    def test_duplicates_are_positives_by_mask_or_by_cosine(self) -> None:
        targets = Y[[0, 0, 2]]
        signs = np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]])
        logits = 10 * L.similarity(X, targets).numpy() - 10
        expected = float(np.log1p(np.exp(-signs * logits)).sum() / 3)
        assert float(L.siglip_loss(X, targets)) == pytest.approx(expected, rel=1e-6)
        mask = L.same_stimulus(torch.tensor([1, 1, 2]))
        assert float(L.siglip_loss(X, targets, positive_mask=mask)) == pytest.approx(expected, rel=1e-6)
        assert float(L.siglip_loss(X, targets, duplicate_cosine=None)) != pytest.approx(expected, rel=1e-2)


class TestMixed:
    def test_the_definition(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        x, y = batch
        partner, weight = torch.tensor([1, 0, 2, 5, 3, 4]), torch.tensor([0.7, 0.2, 0.5, 1.0, 0.0, 0.9])
        log_p = (L.similarity(x, y) / 0.3).log_softmax(1)
        terms = [weight[i] * log_p[i, i] + (1 - weight[i]) * log_p[i, partner[i]] for i in range(6)]
        value = L.mixco(x, y, partner, weight, temperature=0.3)
        assert float(value) == pytest.approx(-float(sum(terms)) / 6, rel=1e-6)

    def test_the_other_direction_weighs_every_prediction_by_its_part(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        x, y = batch
        partner, weight = torch.tensor([1, 2, 0, 3, 3, 3]), torch.tensor([0.7, 0.2, 0.5, 1.0, 0.25, 0.9])
        log_q = (L.similarity(x, y) / 0.3).log_softmax(0)
        back = sum(weight[i] * log_q[i, i] + (1 - weight[i]) * log_q[i, partner[i]] for i in range(6))
        forth = L.mixco(x, y, partner, weight, temperature=0.3)
        value = L.bimixco(x, y, partner, weight, temperature=0.3)
        assert float(value) == pytest.approx((float(forth) - float(back) / 6) / 2, rel=1e-6)

    @pytest.mark.parametrize("symmetric", [False, True])
    def test_unmixed_it_is_infonce(self, batch: tuple[torch.Tensor, torch.Tensor], symmetric: bool) -> None:
        partner = torch.tensor([3, 1, 2, 0, 5, 4])
        value = L.mixco(*batch, partner, torch.ones(6), temperature=0.1, symmetric=symmetric)
        torch.testing.assert_close(value, L.clip_loss(*batch, temperature=0.1, symmetric=symmetric))

    def test_mixing(self) -> None:
        inputs = torch.randn(400, 3, 2, generator=torch.Generator().manual_seed(1))
        before = inputs.clone()
        mixed = L.mix_samples(inputs, share=0.5, generator=torch.Generator().manual_seed(0))
        assert torch.equal(inputs, before)
        assert int((mixed.weight < 1).sum()) == pytest.approx(200, abs=20)  # weights of Beta(.15, .15) may round to 1
        weight = mixed.weight[:, None, None]
        torch.testing.assert_close(mixed.inputs, weight * inputs + (1 - weight) * inputs[mixed.partner])
        assert sorted(mixed.partner.tolist()) == list(range(400))
        again = L.mix_samples(inputs, share=0.5, generator=torch.Generator().manual_seed(0))
        assert all(torch.equal(a, b) for a, b in zip(mixed, again, strict=True))
        assert torch.equal(L.mix_samples(inputs, share=0).inputs, inputs)

    def test_weights_follow_the_beta_distribution(self) -> None:
        weight = L.mix_samples(torch.zeros(20000, 1), beta=0.5, share=1, generator=torch.Generator().manual_seed(0)).weight
        assert float(weight.mean()) == pytest.approx(0.5, abs=0.01)
        assert float(weight.var()) == pytest.approx(1 / 8, abs=0.003)  # of Beta(a, a): 1 / (4 (2 a + 1))


class TestSoftClip:
    def test_the_definition(self) -> None:
        labels = (L.similarity(Y, Y) / 0.5).softmax(1)
        forth = -(labels * (COSINES / 0.5).log_softmax(1)).sum(1).mean()
        back = -(labels * (COSINES.T / 0.5).log_softmax(1)).sum(1).mean()
        assert float(L.soft_clip(X, Y, temperature=0.5, symmetric=False)) == pytest.approx(float(forth), rel=1e-6)
        assert float(L.soft_clip(X, Y, temperature=0.5)) == pytest.approx(float(forth + back) / 2, rel=1e-6)

    def test_orthogonal_targets_give_infonce_as_the_temperature_falls(self) -> None:
        predicted = torch.eye(4) + 0.02 * torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
        gaps = []
        for temperature in (1.0, 0.2, 0.05):
            pair = [f(predicted, torch.eye(4), temperature=temperature) for f in (L.soft_clip, L.clip_loss)]
            gaps.append(abs(float(pair[0] - pair[1])))
        assert gaps[0] > gaps[1] > gaps[2]
        assert gaps[2] < 1e-6

    def test_its_least_value_is_the_entropy_of_the_labels(self) -> None:
        labels = (L.similarity(Y, Y) / 0.5).softmax(1)
        entropy = float(-(labels * labels.log()).sum(1).mean())
        assert float(L.soft_clip(Y, Y, temperature=0.5)) == pytest.approx(entropy, rel=1e-6)
        assert float(L.soft_clip(X, Y, temperature=0.5)) > entropy


class TestSquares:
    def test_weighted_sum(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        x, y = batch
        mse, clip = (x - y).square().mean(), L.clip_loss(x, y, temperature=0.2)
        torch.testing.assert_close(L.mse_clip(x, y, weight=0.25, temperature=0.2), 0.25 * clip + 0.75 * mse)
        torch.testing.assert_close(L.mse_clip(x, y, weight=0.25, temperature=0.2, reconstructed=y), 0.25 * clip)

    def test_masked(self) -> None:
        x, y = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [1.0, float("nan")]])
        mask = torch.tensor([[1, 1], [1, 0]])
        assert float(L.masked_mse(x, y, mask)) == pytest.approx((1 + 0 + 4) / 3)
        assert float(L.masked_mse(x, y, mask.bool())) == pytest.approx(5 / 3)
        assert float(L.masked_mse(x, y, torch.tensor([[2.0, 0.0], [1.0, 0.0]]))) == pytest.approx((2 * 1 + 4) / 3)
        assert float(L.masked_mse(x, y, torch.zeros(2, 2))) == 0.0
        assert float(L.masked_mse(x[:, :1], y[:, :1], torch.tensor([[1], [0]]))) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.clip_loss(X, Y[:2]), r"\(3, 3\) and \(2, 3\)"),
        (lambda: L.clip_loss(X[:0], Y[:0]), "at least one row"),
        (lambda: L.clip_loss(X, Y, normalize="z"), "normalize='z'"),  # type: ignore[arg-type]
        (lambda: L.clip_loss(X, Y, temperature=0), "above 0, got 0"),
        (lambda: L.clip_loss(X, Y, positive_mask=torch.ones(2, 2)), r"\(3, 3\).*got \(2, 2\)"),
        (lambda: L.siglip_loss(X, Y, positive_mask=torch.ones(3)), r"got \(3,\)"),
        (lambda: L.mse_clip(X, Y, weight=1.5), "got 1.5"),
        (lambda: L.mse_clip(X, Y, reconstructed=X[:, :2]), r"\(3, 2\)"),
        (lambda: L.masked_mse(X, Y[:2], X), r"\(2, 3\)"),
        (lambda: L.mix_samples(X, share=2), "got 2"),
        (lambda: L.mix_samples(X, beta=0), "beta"),
    ],
)
def test_refused(call: Callable[[], torch.Tensor], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()
