"""Several starts per rank: sorted by error, in the order of the best one, each with a seed of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from connectome_data import built, noisy, random_factors, separable

from neurodecode.analysis.connectome import NTF, Ensemble, factor_match_score, fit_ensemble
from neurodecode.analysis.connectome.ensemble import align
from neurodecode.errors import DataError

TENSOR, FACTORS = noisy((40, 8, 30), 3)


@pytest.fixture(scope="module")
def found() -> Ensemble:
    """Four starts of two and of three components on a tensor of three."""
    return fit_ensemble(TENSOR, [3, 2, 3], 4)


def test_components_are_brought_into_the_order_of_another_fit() -> None:
    factors = random_factors((20, 5, 12), 4)
    reference, order = NTF(np.array([4.0, 3.0, 2.0, 1.0]), factors, 0.1), [2, 0, 3, 1]
    mixed = NTF(reference.weights[order], [factor[:, order] for factor in factors], 0.2)
    back = align(mixed, reference)
    np.testing.assert_array_equal(back.weights, reference.weights)
    for mode, expected in zip(back.factors, factors, strict=True):
        np.testing.assert_array_equal(mode, expected)
    assert back.error == 0.2


def test_other_modes_cannot_be_aligned() -> None:
    a, b = (NTF(np.ones(2), random_factors(shape, 2), 0.1) for shape in ((6, 5, 4), (6, 5, 3)))
    with pytest.raises(DataError, match="same modes of the same length"):
        align(a, b)


def test_ranks_are_sorted_and_fitted_once(found: Ensemble) -> None:
    assert found.ranks == [2, 3]
    assert [len(run) for run in found.fits] == [4, 4]
    assert [len(fit.weights) for run in found.fits for fit in run] == [2] * 4 + [3] * 4


def test_the_best_fit_comes_first(found: Ensemble) -> None:
    assert (np.diff(found.errors, axis=1) >= 0).all()
    np.testing.assert_array_equal(found.errors, [[fit.error for fit in run] for run in found.fits])
    assert found.best(3) is found.fits[1][0]
    assert found.best(3).error < found.best(2).error
    with pytest.raises(DataError, match=r"rank 4 was not fitted, these were: \[2, 3\]"):
        found.best(4)


def test_agreement_is_the_product_of_cosines_with_the_best(found: Ensemble) -> None:
    for k, run in enumerate(found.fits):
        alike = np.array(
            [np.prod([(a * b).sum(axis=0) for a, b in zip(run[0].factors, fit.factors, strict=True)], axis=0) for fit in run]
        )
        np.testing.assert_allclose(found.similarity[k], alike.mean(axis=1), rtol=1e-6)
        np.testing.assert_allclose(found.component_similarity[k], alike[1:].mean(axis=0), rtol=1e-6)
        assert found.stability[k] == pytest.approx(alike[1:].mean())
    np.testing.assert_allclose(found.similarity[:, 0], 1.0)


def test_starts_agree_on_what_is_there(found: Ensemble) -> None:
    assert factor_match_score(FACTORS, found.best(3)) > 0.98
    assert found.stability[1] > 0.98
    assert 0 < found.chance[1] < 0.5


def test_starts_on_noise_do_not_agree() -> None:
    noise = np.random.default_rng(0).gamma(1.0, 1.0, (40, 8, 30))
    assert fit_ensemble(noise, 6, 4).stability[0] < 0.8


def test_a_start_does_not_depend_on_the_others(found: Ensemble) -> None:
    """Its seed is drawn from the seed of all, its rank and its number."""
    alone = fit_ensemble(TENSOR, 3, 2)
    assert set(alone.errors[0]) <= set(found.errors[1])
    assert not set(fit_ensemble(TENSOR, 3, 2, random_state=1).errors[0]) & set(found.errors[1])


def test_an_executor_gives_the_same_numbers(found: Ensemble) -> None:
    with ThreadPoolExecutor(2) as executor:
        parallel = fit_ensemble(TENSOR, [2, 3], 4, executor=executor)
    np.testing.assert_array_equal(parallel.errors, found.errors)
    np.testing.assert_array_equal(parallel.chance, found.chance)
    np.testing.assert_array_equal(parallel.best(3).factors[2], found.best(3).factors[2])


def test_masked_cells_have_no_say() -> None:
    mask = np.random.default_rng(0).random((8, 30)) < 0.8
    wild = np.where(mask, TENSOR, 1e3)
    a, b = (fit_ensemble(tensor, 3, 2, mask=mask) for tensor in (TENSOR, wild))
    np.testing.assert_allclose(a.errors, b.errors, rtol=1e-9)
    assert factor_match_score(FACTORS, b.best(3)) > 0.97


def test_traces_do_as_well_as_their_tensor() -> None:
    affinity = separable(missing=0.2, dtype=np.float64)
    mask = affinity.observed[:, np.triu_indices(12, 1)].all(axis=1)  # type: ignore[index]
    dense, implicit = fit_ensemble(built(affinity), 2, 3, mask=mask, tol=1e-9), fit_ensemble(affinity, 2, 3, tol=1e-9)
    assert implicit.best(2).error == pytest.approx(dense.best(2).error, rel=1e-4)


def test_sweeps_and_tolerance_reach_the_solver() -> None:
    short, long = (fit_ensemble(TENSOR, 3, 2, max_sweeps=n, tol=0.0).best(3).error for n in (1, 60))
    assert short > long * (1 + 1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_restarts": 1}, r"two starts or more, got \[3\] and 1"),
        ({"ranks": []}, r"one rank or more .* got \[\]"),
        ({"ranks": [0]}, "rank must be a whole number from 1 up, got 0"),
        ({"backend": "jax"}, "jax"),
        ({"mask": np.ones((3, 3), bool)}, "does not fit"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_ensemble(TENSOR, **{"ranks": 3, "n_restarts": 2, **options})
