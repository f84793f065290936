"""A tensor in any form, its parts, and how long it is correlated with itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from connectome_data import built, separable

from neurodecode.analysis.connectome import SeparableAffinity, affinity_tensor
from neurodecode.analysis.connectome.subsets import Cells, as_cells, correlation_time
from neurodecode.errors import DataError

TRACES = np.cumsum(np.random.default_rng(0).standard_normal((3, 6, 80)), axis=2)
TRACES[1, 2] = np.nan


def test_every_form_gives_the_same_cells() -> None:
    affinity = separable(missing=0.3)
    dense, implicit = as_cells(built(affinity)), as_cells(affinity)
    assert dense.shape == implicit.shape == (60, 3, 66)
    assert dense.mask.all()
    i, j = np.triu_indices(12, 1)
    assert affinity.observed is not None
    np.testing.assert_array_equal(implicit.mask, affinity.observed[:, i] & affinity.observed[:, j])
    samples, pairs = np.array([0, 2, 1]), np.array([3, 65, 0])
    np.testing.assert_allclose(implicit.courses(samples, pairs), dense.courses(samples, pairs), rtol=1e-6)
    np.testing.assert_array_equal(dense.courses(samples, pairs)[:, 1], built(affinity)[:, 2, 65])


@pytest.mark.parametrize("path", ["dense", "implicit"])
def test_an_affinity_tensor_brings_its_mask(path: str) -> None:
    found = affinity_tensor(TRACES, sfreq=4.0, path=path)
    cells = as_cells(found)
    assert isinstance(cells.source, SeparableAffinity) == (path == "implicit")
    np.testing.assert_array_equal(cells.mask, found.mask)
    assert (~cells.mask).sum() == 5
    narrower = as_cells(found, found.pairs[:, 0] != 0)
    np.testing.assert_array_equal(narrower.mask, found.mask & (found.pairs[:, 0] != 0))


@pytest.mark.parametrize("form", ["dense", "implicit"])
def test_parts_are_times_and_samples(form: str) -> None:
    affinity = separable(missing=0.3)
    cells = as_cells(affinity if form == "implicit" else built(affinity), np.arange(66) > 4)
    part = cells.part(times=np.array([5, 50]), samples=np.array([2, 0]))
    assert part.shape == (2, 2, 66)
    np.testing.assert_array_equal(part.mask, cells.mask[[2, 0]])
    everywhere = np.repeat([0, 1], 66), np.tile(np.arange(66), 2)
    np.testing.assert_allclose(part.courses(*everywhere), built(affinity)[[5, 50]][:, [2, 0]].reshape(2, -1), rtol=1e-6)
    assert cells.part(slice(10, 20)).shape == (10, 3, 66)


def test_names_without_a_mask_stay_so() -> None:
    part = as_cells(separable()).part(samples=np.array([1]))
    assert part.source.observed is None
    assert part.mask.all()


@pytest.mark.parametrize(
    ("tensor", "mask", "message"),
    [
        (np.ones((4, 5)), None, r"modes time, sample and pair, got shape \(4, 5\)"),
        (np.ones((4, 5, 3)), np.ones((4, 5, 3), bool), r"\(n_samples, n_pairs\) = \(5, 3\), got shape \(4, 5, 3\)"),
        (np.ones((4, 5, 3)), np.ones((3, 5), bool), r"got shape \(3, 5\)"),
        (np.ones((4, 5, 3)), np.full((5, 3), 2), "mask must be of truth values"),
        (np.ones((4, 5, 3)), np.ones((5, 3)), "mask must be of truth values"),
        (separable(), np.ones((5, 3), bool), r"= \(3, 66\), got shape \(5, 3\)"),
    ],
)
def test_refusals(tensor: Any, mask: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_cells(tensor, mask)


def smoothed(width: int, n_times: int = 4000) -> Cells:
    """White noise under a moving average: its autocorrelation falls as 1 - lag / width."""
    noise = np.random.default_rng(0).standard_normal((n_times + width - 1, 60))
    total = np.cumsum(np.vstack([np.zeros(60), noise]), axis=0)
    return as_cells((total[width:] - total[:-width]).reshape(n_times, 4, 15))


@pytest.mark.parametrize("width", [1, 10, 30])
def test_the_correlation_time_of_a_moving_average_is_known(width: int) -> None:
    expected = int(np.floor(width * (1 - 1 / np.e))) + 1
    assert correlation_time(smoothed(width)) == pytest.approx(expected, abs=1 if width > 1 else 0)


def test_the_correlation_time_is_that_of_a_loop_over_lags() -> None:
    courses = np.cumsum(np.random.default_rng(0).standard_normal((120, 2, 6)), axis=0).cumsum(axis=0)
    flat = (courses - courses.mean(axis=0)).reshape(120, -1)
    alike = [(flat[: 120 - lag] * flat[lag:]).sum() for lag in range(31)]
    assert correlation_time(as_cells(courses)) == next(lag for lag, value in enumerate(alike) if value < alike[0] / np.e)


def test_the_correlation_time_ends_at_a_quarter_of_the_recording() -> None:
    assert correlation_time(as_cells(np.ones((40, 2, 3)))) == 10
    assert correlation_time(as_cells(np.ones((2, 1, 3)))) == 1


def test_masked_cells_do_not_count_for_the_correlation_time() -> None:
    tensor, mask = np.random.default_rng(0).standard_normal((400, 2, 30)), np.ones((2, 30), bool)
    tensor[:, 1] = 100 * np.sin(np.linspace(0, 6, 400))[:, None]
    mask[1] = False
    assert correlation_time(as_cells(tensor)) > 20
    assert correlation_time(as_cells(tensor, mask)) == 1
