"""Image metrics and retrieval on photographs of 92 objects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from neurodecode.metrics import (
    feature_distance,
    image_report,
    n_way_chance,
    n_way_top_k,
    pixcorr,
    retrieval_report,
    ssim,
    two_way_identification,
)


@pytest.fixture(scope="module")
def photographs(real: Callable[..., Path]) -> NDArray[np.uint8]:
    """Shape (92, height, width, n_colours)."""
    with np.load(real("objects92", "objects92.npz"), allow_pickle=False) as file:
        found = np.asarray(file["images"])
    return found if found.ndim == 4 else found[..., None]


def features(images: NDArray, width: int = 60) -> NDArray:
    """Random projections of the pixels keep identification meaningful without weights of a network."""
    weights = np.random.default_rng(0).standard_normal((images[0].size, width))
    return images.reshape(len(images), -1) / 255.0 @ weights


def test_identity_is_best(photographs: NDArray[np.uint8]) -> None:
    seen = features(photographs)
    assert (two_way_identification(seen, seen) == 1).all()
    np.testing.assert_allclose(pixcorr(photographs, photographs), 1)
    np.testing.assert_allclose(ssim(photographs, photographs), 1)
    np.testing.assert_allclose(feature_distance(seen, seen), 0, atol=1e-12)
    assert (n_way_top_k(seen, seen) == 1).all()
    found = retrieval_report(seen, seen, n_bootstrap=0)
    assert found.top_k == {direction: {1: 1.0, 5: 1.0, 10: 1.0} for direction in found.top_k}


@pytest.mark.parametrize("direction", ["reconstruction", "truth"])
def test_shuffled_is_at_chance(photographs: NDArray[np.uint8], rng: np.random.Generator, direction: str) -> None:
    seen = features(photographs)
    orders = [rng.permutation(92) for _ in range(30)]
    found = [two_way_identification(seen, seen[order], direction).mean() for order in orders]
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)
    retrieved = [retrieval_report(seen[order], seen, n_bootstrap=0).top_k["brain_to_stimulus"][5] for order in orders]
    assert np.mean(retrieved) == pytest.approx(5 / 92, abs=0.02)


def test_photographs_resemble_each_other(photographs: NDArray[np.uint8]) -> None:
    """Wrong pairs of blurred photographs score far above the chance of unrelated images, which only the null shows."""
    true = photographs[::3]
    made = np.rint(gaussian_filter(true.astype(float), (0, 4, 4, 0))).astype(np.uint8)
    found = image_report(true, made, {"random": features}, classifiers={"classes": features}, n_null=100, n_bootstrap=100)
    table = found.to_dataframe().set_index("metric")
    assert table.loc["ssim", "null"] > 0.4
    assert table.loc["random", "null"] == pytest.approx(0.5, abs=0.03)
    assert (table["score"] > table["null_high"]).all()
    assert (table["score"] > table["baseline"]).loc[["pixcorr", "random"]].all()
    assert table.loc["classes", "chance"] == pytest.approx(n_way_chance())
