"""Image metrics and retrieval equal to independent code: scikit-image, torch, scikit-learn, and the published loops."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from retrieval_data import images, noisy, trials

from neurodecode.metrics import n_way_top_k, retrieval_report, ssim, two_way_identification
from neurodecode.metrics._resize import resize


def grey(image: NDArray) -> NDArray:
    return pytest.importorskip("skimage.color").rgb2gray(image)


@pytest.mark.parametrize(("protocol", "options"), [("2d", {}), ("columns", {"channel_axis": -1})])
@pytest.mark.parametrize("shape", [(24, 24), (40, 33)])
def test_ssim_is_that_of_scikit_image(
    rng: np.random.Generator, protocol: str, options: dict[str, int], shape: tuple[int, int]
) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    true = rng.random((6, *shape, 3))
    made = np.clip(true + 0.3 * rng.standard_normal(true.shape), 0, 1)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    expected = [metrics.structural_similarity(grey(t), grey(m), **wang, **options) for t, m in zip(true, made, strict=True)]
    np.testing.assert_allclose(ssim(true, made, protocol), expected, rtol=0, atol=1e-7)


def test_smooth_noise_differs_between_the_forms(rng: np.random.Generator) -> None:
    """The same pairs score up to twice as much by columns."""
    filters = pytest.importorskip("scipy.ndimage")
    smooth = filters.gaussian_filter(rng.standard_normal((8, 100, 100, 1)), (0, 2, 2, 0))
    unit = (smooth - smooth.min()) / np.ptp(smooth)
    flat, columns = ssim(unit[:4], unit[4:]).mean(), ssim(unit[:4], unit[4:], "columns").mean()
    assert columns > 1.5 * flat > 0


@pytest.mark.parametrize("size", [425, 60, 17])
def test_resizing_is_that_of_torch(rng: np.random.Generator, size: int) -> None:
    torch = pytest.importorskip("torch")
    pixels = rng.random((2, 40, 30, 3))
    ours = resize(pixels, size)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(pixels.transpose(0, 3, 1, 2)), size=ours.shape[1:3], mode="bilinear", antialias=True, align_corners=False
    )
    np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), rtol=0, atol=1e-12)


def test_ssim_at_425_pixels(rng: np.random.Generator) -> None:
    """The whole published chain: resize in torch, grey and SSIM in scikit-image."""
    torch, metrics = pytest.importorskip("torch"), pytest.importorskip("skimage.metrics")
    true = images(rng, n=2, side=64)
    made = noisy(true, rng)
    pairs = [torch.from_numpy(v.transpose(0, 3, 1, 2) / 255.0) for v in (true, made)]
    large = [torch.nn.functional.interpolate(v, size=(425, 425), mode="bilinear", antialias=True) for v in pairs]
    expected = [
        metrics.structural_similarity(
            *(grey(v.permute(1, 2, 0).numpy()) for v in pair),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )
        for pair in zip(*large, strict=True)
    ]
    np.testing.assert_allclose(ssim(true, made, size=425), expected, rtol=0, atol=1e-7)


def test_identification_is_the_published_loop(rng: np.random.Generator) -> None:
    """The correlation matrix of numpy, one column at a time."""
    true = rng.standard_normal((30, 50))
    made = true + 4 * rng.standard_normal(true.shape)
    n = len(true)
    r = np.corrcoef(true, made)[:n, n:]
    congruent = np.diag(r)
    success = r < congruent
    published = np.mean(success.sum(axis=0)) / (n - 1)
    assert two_way_identification(true, made).mean() == pytest.approx(published)


def test_n_way_is_top_k_of_torch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    true, made = rng.standard_normal((2, 5, 40))
    made += true
    found = []
    for t, m in zip(torch.from_numpy(true), torch.from_numpy(made), strict=True):
        right = t.topk(3).indices.tolist()
        others = np.setdiff1d(np.arange(40), right)
        hits = 0
        for _ in range(1500):
            drawn = rng.choice(others, 9, replace=False)
            hits += any(0 in m[[c, *drawn]].topk(2).indices.tolist() for c in right)
        found.append(hits / 1500)
    np.testing.assert_allclose(n_way_top_k(true, made, n=10, k=2), found, atol=4 * 0.5 / np.sqrt(1500))


@pytest.mark.parametrize("k", [1, 5, 10])
def test_top_k_is_that_of_scikit_learn(k: int) -> None:
    top_k = pytest.importorskip("sklearn.metrics").top_k_accuracy_score
    predicted, targets, ids = trials(n=30, repeats=3)
    gallery = targets[:30]
    alike = predicted @ gallery.T / np.linalg.norm(predicted, axis=1)[:, None] / np.linalg.norm(gallery, axis=1)
    found = retrieval_report(predicted, targets, ids, k=k, n_bootstrap=0)
    assert found.top_k["brain_to_stimulus"][k] == pytest.approx(top_k(ids, alike, k=k, labels=np.arange(30)))
    mean = np.stack([predicted[ids == i].mean(axis=0) for i in range(30)])
    other = gallery @ mean.T / np.linalg.norm(mean, axis=1)
    assert found.top_k["stimulus_to_brain"][k] == pytest.approx(top_k(np.arange(30), other, k=k))


def test_interval_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    predicted, targets, _ = trials(n=80, repeats=1, noise=1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = retrieval_report(predicted, targets, k=1, n_bootstrap=4000)
    alike = predicted @ targets.T / np.linalg.norm(predicted, axis=1)[:, None] / np.linalg.norm(targets, axis=1)
    hits = (alike.argmax(axis=1) == np.arange(80)).astype(float)
    peer = stats.bootstrap((hits,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0))
    assert found.ci["brain_to_stimulus"][1] == pytest.approx(tuple(peer.confidence_interval), abs=0.02)
