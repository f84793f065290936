"""Soft matching: permutations, plans, partial matching of planted units, and its solvers."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.metrics import SoftMatch, cka, soft_match
from neurodecode.metrics._transport import _rounded
from neurodecode.metrics.matching import l_curve_corner

N, SHARED = 200, 12


def planted(rng: np.random.Generator, p: int = 24, q: int = 20, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """The first 12 units of both sides share their tuning, the others have none in common."""
    latent = rng.standard_normal((N, SHARED))
    sides = [np.hstack([latent + noise * rng.standard_normal((N, SHARED)), rng.standard_normal((N, k - SHARED))]) for k in (p, q)]
    return sides[0], sides[1]


def check_plan(found: SoftMatch) -> None:
    p, q = found.plan.shape
    assert found.plan.min() >= 0
    assert found.plan.sum() == pytest.approx(found.mass)
    assert found.plan.sum(axis=1).max() <= 1 / p + 1e-12
    assert found.plan.sum(axis=0).max() <= 1 / q + 1e-12


@pytest.mark.parametrize("folds", [5, None])
def test_identical_up_to_order_scale_and_offset_is_one(folds: int | None, rng: np.random.Generator) -> None:
    x = rng.standard_normal((60, 9))
    order = rng.permutation(9)
    found = soft_match(x, 2 * x[:, order] - 7, folds=folds)
    assert float(found) == pytest.approx(1.0)
    assert found.distance == pytest.approx(0.0, abs=1e-6)
    assert np.argmax(found.plan, axis=0).tolist() == order.tolist()
    check_plan(found)


def test_order_of_units_does_not_matter_but_mixing_does(rng: np.random.Generator) -> None:
    x, y = planted(rng)
    found, turned = soft_match(x, y), np.linalg.qr(rng.standard_normal((20, 20)))[0]
    assert soft_match(x[:, rng.permutation(24)], y[:, rng.permutation(20)]).similarity == pytest.approx(found.similarity)
    assert soft_match(y, x).similarity == pytest.approx(found.similarity)
    assert soft_match(x, y @ turned).similarity < 0.6 * found.similarity
    assert cka(x, y @ turned) == pytest.approx(cka(x, y)), "which does not see it"


def test_equal_numbers_of_units_are_matched_one_to_one(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 30, 5))
    r = np.corrcoef(x.T, y.T)[:5, 5:]
    best = max(np.mean([r[i, j] for i, j in enumerate(order)]) for order in permutations(range(5)))
    found = soft_match(x, y, folds=None)
    assert found.similarity == pytest.approx(best)
    assert found.distance == pytest.approx(np.sqrt(2 - 2 * best))
    np.testing.assert_allclose(np.sort(found.plan.ravel())[-5:], 1 / 5)
    np.testing.assert_allclose(found.correlations, r)


def test_a_unit_twice_takes_half_of_each(rng: np.random.Generator) -> None:
    """Two units against their four copies: each goes to both of its copies."""
    x = rng.standard_normal((50, 2))
    found = soft_match(x, x[:, [0, 1, 0, 1]], folds=None)
    assert found.similarity == pytest.approx(1.0)
    np.testing.assert_allclose(found.plan, [[0.25, 0, 0.25, 0], [0, 0.25, 0, 0.25]], atol=1e-12)


def test_distance_is_that_of_unit_norm_tuning_curves(rng: np.random.Generator) -> None:
    """d² = min sum P |x_i - y_j|² = 2 - 2 s."""
    x, y = planted(rng, 15, 20)
    found = soft_match(x, y, folds=None)
    a, b = ((side - side.mean(axis=0)) / np.linalg.norm(side - side.mean(axis=0), axis=0) for side in (x, y))
    squared = np.sum((a[:, :, None] - b[:, None, :]) ** 2, axis=0)
    assert found.distance**2 == pytest.approx(np.sum(found.plan * squared))
    assert np.all(np.sum(found.plan * squared) <= np.mean(squared) + 1e-12), "the product of the margins is a plan, too"


def test_held_out_samples_take_chance_away(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((2, 60, 40))
    found = soft_match(x, y)
    assert abs(found.similarity) < 0.05
    assert found.fitted_similarity > 0.2
    assert soft_match(x, y, folds=None).similarity == found.fitted_similarity


@pytest.mark.parametrize(("p", "q"), [(24, 20), (20, 20)])
def test_partial_matching_recovers_the_planted_units(p: int, q: int, rng: np.random.Generator) -> None:
    x, y = planted(rng, p, q)
    found = soft_match(x, y, SHARED / max(p, q))
    check_plan(found)
    assert found.matched_x[SHARED:].max() < 1e-9
    assert found.matched_y[SHARED:].max() < 1e-9
    assert found.plan[:SHARED, :SHARED][~np.eye(SHARED, dtype=bool)].max() < 1e-9, "each with its own partner"
    assert found.similarity == pytest.approx(1 / 1.09, abs=0.03)
    assert soft_match(x, y).similarity < found.similarity - 0.2
    assert set(np.argsort(-found.alignment_x)[:SHARED]) == set(range(SHARED))
    assert set(np.argsort(-found.alignment_y)[:SHARED]) == set(range(SHARED))


@pytest.mark.parametrize(("p", "q"), [(24, 24), (40, 40), (24, 20)])
def test_the_curve_finds_the_share_of_planted_units(p: int, q: int, rng: np.random.Generator) -> None:
    found = soft_match(*planted(rng, p, q), "l_curve")
    share = SHARED / max(p, q)
    assert share - 0.051 <= found.mass <= share + 0.051
    assert found.curve.shape == (2, 20)
    assert (np.diff(found.curve[1], 2) > -1e-9).all(), "least costs are convex in the mass"
    assert found.matched_x[SHARED:].mean() < 0.1


@pytest.mark.parametrize("seed", [0, 1])
def test_the_curve_keeps_all_where_all_are_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, 20))
    assert soft_match(x, x[:, ::-1], "l_curve").mass == 1.0
    assert soft_match(x, x + rng.standard_normal((N, 20)), "l_curve").mass >= 0.9


@pytest.mark.parametrize(
    ("masses", "costs", "corner"),
    [([0.25, 0.5, 0.75, 1], [0, 0, 1, 2], 0.5), ([0.25, 0.5, 0.75, 1], [0, 0, 0, 0], 1.0), ([0.5, 1], [1, 2], 1.0)],
)
def test_corner_by_hand(masses: list[float], costs: list[float], corner: float) -> None:
    assert l_curve_corner(masses, costs) == corner


def test_less_mass_is_never_matched_worse(rng: np.random.Generator) -> None:
    x, y = planted(rng)
    found = [soft_match(x, y, mass, folds=None).similarity for mass in (0.2, 0.5, 0.8, 1.0)]
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("mass", [0.6, 1.0])
@pytest.mark.parametrize("q", [20, 24])
def test_sinkhorn_comes_near_the_exact_plan(mass: float, q: int, rng: np.random.Generator) -> None:
    x, y = planted(rng, 24, q)
    exact, blurred = (soft_match(x, y, mass, folds=None, solver=s) for s in ("exact", "sinkhorn"))  # type: ignore[arg-type]
    check_plan(blurred)
    assert (exact.solver, blurred.solver) == ("exact", "sinkhorn")
    assert exact.similarity - 0.01 < blurred.similarity <= exact.similarity + 1e-12
    wide = soft_match(x, y, mass, folds=None, solver="sinkhorn", blur=0.3)
    assert wide.similarity < blurred.similarity


@pytest.mark.parametrize("mass", [0.5, 1.0])
def test_sinkhorn_of_many_alike_units(mass: float, rng: np.random.Generator) -> None:
    """Nearly equal partners are what slows its convergence down."""
    latent = rng.standard_normal((100, 5))
    x, y = (latent @ rng.standard_normal((5, k)) + 2 * rng.standard_normal((100, k)) for k in (200, 150))
    exact, blurred = (soft_match(x, y, mass, folds=None, solver=s).similarity for s in ("exact", "sinkhorn"))  # type: ignore[arg-type]
    assert exact - 0.003 < blurred <= exact


def test_the_solver_follows_the_size(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = planted(rng)
    assert soft_match(x, y, folds=None).solver == "exact"
    monkeypatch.setattr("neurodecode.metrics.matching.EXACT_SIZE", 100)
    assert soft_match(x, y, folds=None).solver == "sinkhorn"


def test_a_plan_that_does_not_stay_finite_is_refused() -> None:
    with pytest.raises(DataError, match=r"of \(2, 3\) units did not stay finite: use a larger blur"):
        _rounded(np.full((2, 3), np.nan), np.full(2, 1 / 2), np.full(3, 1 / 3))


def test_constant_units_match_nobody(rng: np.random.Generator) -> None:
    x, y = planted(rng)
    x[:, 20:] = np.float32(0.1)
    found = soft_match(x.astype(np.float32), y, 0.5)
    assert not found.correlations[20:].any()
    assert found.matched_x[20:].max() < 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mass": 0.0}, "above 0 to 1, or 'l_curve', got 0.0"),
        ({"mass": 1.5}, "got 1.5"),
        ({"mass": "curve"}, "did you mean 'l_curve'"),
        ({"solver": "exakt"}, "did you mean 'exact'"),
        ({"blur": 0.0}, "blur must be a finite number above 0"),
    ],
)
def test_guards(arguments: dict[str, Any], message: str, rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match=message):
        soft_match(*planted(rng), **arguments)
