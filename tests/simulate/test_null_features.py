"""Features without any stimulus: orthogonal between runs, smooth within."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from neurodecode.errors import DataError
from neurodecode.simulate import ar_features, oasm


def test_oasm_is_a_smoothed_identity() -> None:
    np.testing.assert_allclose(oasm(30), gaussian_filter1d(np.eye(30), 2.0, axis=0))
    assert np.argmax(oasm(30), axis=0).tolist()[5:25] == list(range(5, 25))


def test_oasm_is_orthogonal_between_groups() -> None:
    groups = np.array(["b", "a", "b", "b", "a"] * 4)
    features = oasm(20, groups, sigma=1.0)
    gram = features @ features.T
    assert (gram[groups[:, None] != groups] == 0).all()
    assert (gram[groups[:, None] == groups] >= 0).all()
    alone = oasm(12, sigma=1.0)
    np.testing.assert_allclose(features[np.ix_(groups == "b", groups == "b")], alone)


@pytest.mark.parametrize(("sigma", "neighbour"), [(0.1, 0.0), (1.0, np.exp(-0.25)), (2.0, np.exp(-1 / 16))])
def test_neighbours_are_as_alike_as_sigma_says(sigma: float, neighbour: float) -> None:
    """Two Gaussians that lie d apart have a cosine of exp(-d^2 / 4 sigma^2)."""
    rows = oasm(60, sigma=sigma)[29:31]
    cosine = rows[0] @ rows[1] / np.prod(np.linalg.norm(rows, axis=1))
    assert cosine == pytest.approx(neighbour, abs=0.01)


def test_a_group_of_one_sample_is_a_constant() -> None:
    np.testing.assert_allclose(oasm(3, [0, 1, 2]), np.eye(3))


def test_ar_features_have_their_autocorrelation_within_groups_only() -> None:
    groups = np.repeat([0, 1], 300)
    x = ar_features(600, 400, coefficients=0.7, groups=groups)
    together = [np.corrcoef(x[t], x[t + 1])[0, 1] for t in (100, 298, 299, 300)]
    assert together == pytest.approx([0.7, 0.7, 0.0, 0.7], abs=0.15)
    assert x.std() == pytest.approx(1.0, abs=0.02)


def test_ar_features_are_seeded() -> None:
    first, same, other = (ar_features(20, 3, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    drawn = ar_features(20, 3, random_state=np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, first)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: oasm(0), "at least one"),
        (lambda: oasm(5, [0, 1]), "each of 5 samples"),
        (lambda: oasm(5, sigma=0.0), "sigma must be"),
        (lambda: ar_features(5, 0), "n_features must be 1 or more"),
        (lambda: ar_features(5, 2, coefficients=1.1), "grow without bound"),
        (lambda: ar_features(5, 2, groups=[0]), "each of 5 samples"),
    ],
)
def test_refuses(call, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()
