"""Networks of M/EEG against a second, plain writing of their equations; the ridges beside them against MNE on the same split."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import erf, pi, sqrt
from typing import Any

import meeg_worlds as mw
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from torch import Tensor, nn
from torch.nn import functional

from neurodecode.decode import SpeechDecoder, meeg_ridge, retrieval_over_time
from neurodecode.linear import RidgeCV
from neurodecode.models import NICE, MelTower, meeg_conv
from neurodecode.train.meeg_losses import ImageLoss, SpeechLoss

Weights = dict[str, np.ndarray]
SIZES: dict[str, Any] = {"channels": 6, "attention_channels": 5, "n_blocks": 2, "fourier": 3, "margin": 0.3}
PENALTY = 20.0


# --- networks: numpy, one sample, one channel and one time after the other ---------------------------------------------


def gelu(values: np.ndarray) -> np.ndarray:
    """x times the probability that a normal variable is below x."""
    return np.asarray(values * (1 + np.vectorize(erf)(values / sqrt(2))) / 2)


def embedded(place: np.ndarray, n: int, margin: float) -> np.ndarray:
    """Cosines, then sines, of 2 pi (k (x + m) + l (y + m)) / (1 + 2 m)."""
    x, y = place
    phases = [2 * pi * (k * (x + margin) + j * (y + margin)) / (1 + 2 * margin) for k in range(n) for j in range(n)]
    return np.concatenate([np.cos(phases), np.sin(phases)])


def attended(signal: np.ndarray, places: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Softmax over sensors of inner products; sensors without a place do not take part."""
    known = [c for c in range(len(places)) if np.isfinite(places[c]).all()]
    mixed = np.zeros((len(heads), signal.shape[1]))
    for o, head in enumerate(heads):
        scores = np.array([head @ embedded(places[c], SIZES["fourier"], SIZES["margin"]) for c in known])
        weights = np.exp(scores) / np.exp(scores).sum()
        for weight, c in zip(weights, known, strict=True):
            mixed[o] += weight * signal[c]
    return mixed


def convolved(signal: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int = 1) -> np.ndarray:
    """Convolution over time, zeros around it: y[o, t] = b[o] + sum of w[o, :, i] x[:, t + (i - centre) d]."""
    out = np.repeat(bias[:, None], signal.shape[1], axis=1).astype(float)
    for t in range(signal.shape[1]):
        for i in range(weight.shape[2]):
            s = t + (i - weight.shape[2] // 2) * dilation
            if 0 <= s < signal.shape[1]:
                out[:, t] += weight[:, :, i] @ signal[:, s]
    return out


def normed(w: Weights, name: str, values: np.ndarray) -> np.ndarray:
    """BatchNorm with the statistics that it keeps."""
    scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + 1e-5)
    return np.asarray((values - w[f"{name}.running_mean"][:, None]) * scale[:, None] + w[f"{name}.bias"][:, None])


def stacked(w: Weights, signal: np.ndarray, n_blocks: int) -> np.ndarray:
    """Block k: dilations 2^(2k mod 5) and 2^((2k + 1) mod 5), residual where channels allow, then a gate."""
    for k in range(n_blocks):
        for half in (0, 1):
            name, dilation = f"stack.layers.{4 * k + half}", 2 ** ((2 * k + half) % 5)
            found = convolved(signal, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], dilation)
            found = gelu(normed(w, f"{name}.norm", found))
            signal = found + signal if found.shape == signal.shape else found
        name = f"stack.layers.{4 * k + 2}"
        values, gates = np.split(convolved(signal, w[f"{name}.weight"], w[f"{name}.bias"]), 2)
        signal = values / (1 + np.exp(-gates))
    return signal


def headed(w: Weights, signal: np.ndarray) -> np.ndarray:
    """Two 1x1 convolutions with a GELU between."""
    return convolved(gelu(convolved(signal, w["head.0.weight"], w["head.0.bias"])), w["head.2.weight"], w["head.2.bias"])


def encoded(w: Weights, signal: np.ndarray, places: np.ndarray, subject: int) -> np.ndarray:
    """Attention, 1x1 convolution, matrix of the subject, blocks."""
    mixed = w["sensors.mix.weight"] @ attended(signal, places, w["sensors.attention.heads"]) + w["sensors.mix.bias"][:, None]
    return stacked(w, w["sensors.subjects.weight"][subject] @ mixed, SIZES["n_blocks"])


def pictured(w: Weights, signal: np.ndarray, places: np.ndarray, subject: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks, two 1x1 convolutions with a GELU between, an affine map over time, and two heads."""
    hidden = gelu(convolved(encoded(w, signal, places, subject), w["hidden.0.weight"], w["hidden.0.bias"]))
    wide = w["widen.weight"] @ hidden + w["widen.bias"][:, None]
    pooled = wide @ w["pool.time.weight"][0] + w["pool.time.bias"][0]
    clip, mse = (w[f"heads.{i}.weight"] @ pooled + w[f"heads.{i}.bias"] for i in (0, 1))
    return clip, mse


def drawn(network: nn.Module) -> tuple[nn.Module, Weights]:
    """A network in double precision with random statistics of its norms, and its weights as arrays."""
    torch.manual_seed(0)
    for name, values in network.double().eval().state_dict().items():
        if name.endswith(("norm.bias", "running_mean")):
            values.normal_()
        elif name.endswith(("norm.weight", "running_var")):
            values.uniform_(0.5, 2.0)
    return network, {name: values.numpy() for name, values in network.state_dict().items()}


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    """Windows of three subjects under two montages, one sensor without a place."""
    torch.manual_seed(1)
    places = torch.rand(4, 7, 2, dtype=torch.float64)
    places[2:], places[1, 3] = places[0], torch.nan
    signal = torch.randn(4, 7, 30, dtype=torch.float64)
    return {"signal": signal, "positions": places, "subject": torch.tensor([2, 0, 1, 2])}


def one_by_one(plain: Callable[..., Any], w: Weights, inputs: dict[str, Tensor]) -> list[Any]:
    """The plain function on each sample."""
    arrays = [values.numpy() for values in inputs.values()]
    return [plain(w, *sample) for sample in zip(*arrays, strict=True)]


def test_network_of_speech(inputs: dict[str, Tensor]) -> None:
    network, w = drawn(meeg_conv.speech(3, 4, **SIZES))
    plain = one_by_one(lambda *given: headed(w, encoded(*given)), w, inputs)
    assert_allclose(network(**inputs).detach(), plain, rtol=0, atol=1e-10)
    single = {name: v.float() if v.is_floating_point() else v for name, v in inputs.items()}
    assert_allclose(network.float()(**single).detach(), plain, rtol=0, atol=1e-5)


def test_network_of_images(inputs: dict[str, Tensor]) -> None:
    network, w = drawn(meeg_conv.image(3, 4, n_times=30, n_heads=2, width=11, **SIZES))
    found = network(**inputs)
    for head, plain in zip(found, zip(*one_by_one(pictured, w, inputs), strict=True), strict=True):
        assert_allclose(head.detach(), plain, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_blocks", [0, 1, 2])
def test_tower_of_speech(inputs: dict[str, Tensor], n_blocks: int) -> None:
    network, w = drawn(MelTower(7, 4, channels=7, n_blocks=n_blocks))
    plain = [headed(w, stacked(w, sample, n_blocks)) for sample in inputs["signal"].numpy()]
    assert_allclose(network(features=inputs["signal"]).detach(), plain, rtol=0, atol=1e-10)


def test_nice_as_the_paper_lists_its_layers() -> None:
    """Torch calls in the order of the table, weights by their order alone."""
    network, _ = drawn(NICE(8, 5, 90, n_filters=4))
    signal = torch.randn(3, 5, 90, dtype=torch.float64)
    w = list(network.parameters())
    plain = functional.avg_pool2d(functional.conv2d(signal[:, None], w[0], w[1]), (1, 51), (1, 5))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    plain = functional.elu(norms[0](plain))
    plain = functional.elu(norms[1](functional.conv2d(plain, w[4], w[5])))
    plain = functional.conv2d(plain, w[8], w[9]).flatten(1)
    plain = functional.linear(plain, w[10], w[11])
    plain = plain + functional.linear(functional.gelu(plain), w[12], w[13])
    assert_allclose(network(signal=signal).detach(), functional.layer_norm(plain, (8,), w[14], w[15]).detach(), atol=1e-10)


# --- losses ------------------------------------------------------------------------------------------------------------


class Given(nn.Module):
    """A network that predicts what it was given."""

    def __init__(self, predicted: Any) -> None:
        super().__init__()
        self.predicted = predicted

    def forward(self, **_: Tensor) -> Any:
        """Predictions."""
        return self.predicted

    def embed(self, targets: Tensor) -> Tensor:
        """Targets as they are."""
        return targets


def batch_of(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, dict[str, Any]]:
    """Predictions, and a batch of targets in which the first stimulus comes twice."""
    generator = torch.Generator().manual_seed(seed)
    predicted, targets = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    targets[3] = targets[0]
    unused = {"signal": predicted, "positions": predicted, "subject": predicted}
    return predicted, {**unused, "targets": targets, "stimulus": torch.tensor([0, 1, 2, 0, 4])}


def cross_entropy(scores: np.ndarray, ids: np.ndarray, masked: bool) -> float:
    """Mean of -log of the share of the right one among all that are no copies of it."""
    losses = []
    for i in range(len(scores)):
        rivals = [j for j in range(len(scores)) if j == i or not masked or ids[j] != ids[i]]
        losses.append(np.log(sum(np.exp(scores[i, j]) for j in rivals)) - scores[i, i])
    return float(np.mean(losses))


@pytest.mark.parametrize("masked", [True, False])
def test_contrast_of_speech(masked: bool) -> None:
    predicted, batch = batch_of((5, 3, 6))
    z, y = predicted.numpy(), batch["targets"].numpy()
    scores = np.array([[(a * b).sum() / np.sqrt((b * b).sum()) for b in y] for a in z])
    found = SpeechLoss("clip", mask_duplicates=masked)(Given(predicted), batch, 0.0)
    assert float(found) == pytest.approx(cross_entropy(scores, batch["stimulus"].numpy(), masked), abs=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.75, 1.0])
def test_loss_of_images(weight: float) -> None:
    clip, batch = batch_of((5, 6))
    mse, _ = batch_of((5, 6), seed=1)
    z, y, ids = clip.numpy(), batch["targets"].numpy(), batch["stimulus"].numpy()
    cosines = np.array([[a @ b / np.sqrt((a @ a) * (b @ b)) for b in y] for a in z])
    contrast = (cross_entropy(cosines / 0.1, ids, True) + cross_entropy(cosines.T / 0.1, ids, True)) / 2
    expected = weight * contrast + (1 - weight) * np.mean((mse.numpy() - y) ** 2)
    found = ImageLoss(weight, temperature=0.1)(Given(meeg_conv.Heads(clip, mse)), batch, 0.0)["loss"]
    assert float(found) == pytest.approx(expected, abs=1e-5)


# --- the ridges beside the networks, at one penalty --------------------------------------------------------------------


@pytest.fixture
def one_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No choice of penalties, which `RidgeCV` is compared for elsewhere."""
    monkeypatch.setattr(meeg_ridge, "RidgeCV", lambda **options: RidgeCV(alphas=[PENALTY], **options))


def of_subject(world: mw.World, subject: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Responses of a subject in double precision, and the targets of their stimuli."""
    own = world.responses.select(subject=subject, split=split)
    row = {name: i for i, name in enumerate(world.targets.samples["stimulus"])}
    return own.data.astype(float), world.targets.data[[row[s] for s in own.samples["stimulus"]]].astype(float)


class WithOffset(RegressorMixin, BaseEstimator):
    """Ridge with an offset that MNE does not know of: else it fills what lies beyond the ends with means, and we with zeros."""

    fit_intercept = False

    def fit(self, x: np.ndarray, y: np.ndarray) -> WithOffset:
        """Fit."""
        self.ridge_ = Ridge(PENALTY).fit(x, y)
        self.coef_ = self.ridge_.coef_
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict."""
        return np.asarray(self.ridge_.predict(x))


@pytest.mark.usefixtures("one_penalty")
def test_backward_ridge_equals_the_receptive_field_of_mne() -> None:
    """MNE counts lags from input to output: speech comes before the response, so that they are negative there."""
    from mne.decoding import ReceptiveField

    world = mw.speech()
    decoder = SpeechDecoder("ridge", lag=0.0, baseline_lags=(0.0, 0.3), clamp=None)
    decoder.fit(world.split("train"), world.targets)
    scaling = decoder.members_["speech"].scaling
    for subject in ("01", "02"):
        x, y = of_subject(world, subject, "train")
        peer = ReceptiveField(-0.3, 0.0, mw.SFREQ, estimator=WithOffset())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.fit(x.transpose(2, 0, 1), scaling.apply(y).transpose(2, 0, 1).astype(float))
        held, _ = of_subject(world, subject, "test")
        expected = scaling.undo(peer.predict(held.transpose(2, 0, 1)).transpose(1, 2, 0))
        assert_allclose(decoder.predict(world.split("test").select(subject=subject)), expected, rtol=0, atol=1e-4)


def cosine_ranks(predicted: np.ndarray, candidates: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Candidates that are nearer than the right one."""
    scores = (predicted @ candidates.T) / np.linalg.norm(candidates, axis=1)
    return (scores > scores[np.arange(len(right)), right][:, None]).sum(axis=1)


@pytest.mark.usefixtures("one_penalty")
@pytest.mark.parametrize("width", [1, 4])
def test_sliding_ridge_equals_the_sliding_estimator_of_mne(width: int) -> None:
    """Windows of one sample, and of several, which MNE is given as more channels; it takes one target at a time."""
    from mne.decoding import SlidingEstimator

    world = mw.images(noise=2.0)
    course = retrieval_over_time(world.responses, world.targets, width=width / mw.SFREQ, stride=1 / mw.SFREQ, k=3, n_bootstrap=0)
    candidates = world.candidates().data.astype(float)
    _, known = of_subject(world, "01", "train")
    mean, scale = known.mean(axis=0), known.std(axis=0)
    hits = []
    for subject in ("01", "02"):
        x, y = of_subject(world, subject, "train")
        held, peer = slid(of_subject(world, subject, "test")[0], width), SlidingEstimator(Ridge(PENALTY), verbose=False)
        found = np.stack([peer.fit(slid(x, width), each).predict(held) for each in ((y - mean) / scale).T], axis=2)
        right = np.arange(len(found))
        hits.append([cosine_ranks(found[:, t], (candidates - mean) / scale, right) < 3 for t in range(found.shape[1])])
    assert_allclose(course.accuracy, np.concatenate(hits, axis=1).mean(axis=1), rtol=0, atol=1e-9)


def slid(x: np.ndarray, width: int) -> np.ndarray:
    """Windows as channels, (n_trials, n_channels * width, n_windows)."""
    seen = np.lib.stride_tricks.sliding_window_view(x, width, axis=2)
    return np.asarray(seen.transpose(0, 1, 3, 2).reshape(len(x), -1, seen.shape[2]))
