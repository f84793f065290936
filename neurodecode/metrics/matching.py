"""Similarity of the tuning of single units: soft matching and partial soft matching by optimal transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import as_number, check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.metrics._pairs import Folds, centred, comparison_folds, paired, weighted_mean
from neurodecode.metrics._transport import EXACT_SIZE, transport

Floats = NDArray[np.float64]
_CURVE = 20  # masses at which the cost is looked at
_CORNER = 0.05  # a curve that bends less than this share of its height has no corner


@dataclass(frozen=True, eq=False)
class SoftMatch:
    """Which unit of one representation goes with which of the other; `float` of it is the similarity.

    Parameters
    ----------
    similarity : float
        Mean correlation of matched units on held-out samples. Chance 0, best 1.
    fitted_similarity : float
        The same on the samples that were matched, the published measure: above 0 by chance, as the best partners are picked.
    distance : float
        ``sqrt(2 - 2 fitted_similarity)``: root mean squared distance of matched tuning curves of unit norm.
    mass : float
        Share of the units that was matched.
    plan : NDArray[np.float64]
        Shape (n_units_x, n_units_y), summing to `mass`: row sums at most 1 / n_units_x, column sums at most 1 / n_units_y.
        Fitted on all samples.
    correlations : NDArray[np.float64]
        Shape (n_units_x, n_units_y): correlation of the tuning of each pair of units over all samples.
    fold_similarities : NDArray[np.float64]
        Shape (n_folds,).
    curve : NDArray[np.float64]
        Shape (2, n_masses): masses tried, and the least cost ``sum P (1 - r)`` of each; empty where the mass was given.
    solver : str
        ``exact`` or ``sinkhorn``.
    """

    similarity: float
    fitted_similarity: float
    distance: float
    mass: float
    plan: NDArray[np.float64]
    correlations: NDArray[np.float64]
    fold_similarities: NDArray[np.float64]
    curve: NDArray[np.float64]
    solver: str

    def __float__(self) -> float:
        return self.similarity

    @property
    def matched_x(self) -> NDArray[np.float64]:
        """Share of each unit of X that was matched, shape (n_units_x,)."""
        return np.asarray(self.plan.sum(axis=1) * self.plan.shape[0])

    @property
    def matched_y(self) -> NDArray[np.float64]:
        """Share of each unit of Y that was matched, shape (n_units_y,)."""
        return np.asarray(self.plan.sum(axis=0) * self.plan.shape[1])

    @property
    def alignment_x(self) -> NDArray[np.float64]:
        """Correlation of each unit of X with its partners times its matched share, shape (n_units_x,)."""
        return np.asarray((self.plan * self.correlations).sum(axis=1) * self.plan.shape[0])

    @property
    def alignment_y(self) -> NDArray[np.float64]:
        """Correlation of each unit of Y with its partners times its matched share, shape (n_units_y,)."""
        return np.asarray((self.plan * self.correlations).sum(axis=0) * self.plan.shape[1])


def soft_match(
    X: Responses | ArrayLike,
    Y: Responses | ArrayLike,
    mass: float | Literal["l_curve"] = 1.0,
    *,
    folds: Folds = 5,
    groups: ArrayLike | None = None,
    gap: int | None = None,
    solver: Literal["auto", "exact", "sinkhorn"] = "auto",
    blur: float = 0.005,
) -> SoftMatch:
    r"""Similarity of the tuning of single units, each matched softly with units of the other representation.

    .. math:: s = \max_P \sum_{ij} P_{ij}\, r_{ij} / m, \qquad P \geq 0,\; P 1 \leq 1/p,\; P^\top 1 \leq 1/q,\; 1^\top P 1 = m

    with :math:`r_{ij}` the correlation of units i and j over samples. With :math:`m = 1` all units are matched and
    :math:`d = \sqrt{2 - 2 s}` is the soft matching distance, a Wasserstein distance between tuning curves (Khosla and
    Williams 2023, arXiv:2311.09466), there without the scaling of curves to unit norm. With :math:`m < 1` units without a
    partner are dropped (Kapoor, Williams and Khosla 2026, arXiv:2602.19331). Changed if units are mixed, unlike
    `neurodecode.metrics.cka`; not if they are permuted.

    Two things are done otherwise than in the published code of the partial measure. Its score is :math:`1 - \sum P (1 - r)`,
    which tends to 1 as nothing is matched; here the mean is over what is matched. Its mass is where the curvature by finite
    differences is largest; here it is where the curve of least cost over mass lies farthest below its chord, which for a
    convex curve is a corner too and takes no derivatives of noise.

    Parameters
    ----------
    X : Responses or array_like of shape (n_samples, n_units_x)
        One representation. NaN is refused; units that do not vary correlate 0 with all.
    Y : Responses or array_like of shape (n_samples, n_units_y)
        The other one, of the same samples in the same order.
    mass : float or "l_curve"
        Share of the units to match, above 0 to 1; ``"l_curve"`` chooses it, once, on all samples.
    folds : int, sequence of (train, test), or None
        As in `neurodecode.metrics.procrustes`: units are matched on training samples, and the matched pairs correlated on
        held-out ones. Chance is then 0. None scores the samples that were matched, and chance is above 0.
    groups : array_like of shape (n_samples,), optional
        As in `neurodecode.metrics.procrustes`.
    gap : int, optional
        As in `neurodecode.metrics.procrustes`.
    solver : {"auto", "exact", "sinkhorn"}
        ``exact`` is an assignment where all units of equally many are matched and a linear programme otherwise, for up to
        about 2000 x 2000 units. ``sinkhorn`` blurs the plan by entropy, so its similarity is a little too low. ``auto``
        takes it beyond that size.
    blur : float
        Weight of the entropy, in units of correlation: the similarity is lower by less than that.

    Returns
    -------
    SoftMatch
        Chance 0 on held-out samples, best 1 (``float(result)``), with the plan and the alignment of each unit.

    Raises
    ------
    DataError
        If shapes do not fit, a value is not finite, the mass is out of its range, or folds are too small.
    SplitLeakError
        If a row stands on both sides of a fold of your own.
    """
    x, y = paired(X, Y, 3)
    rows = comparison_folds(len(x), folds, groups, gap)
    used, blur = _solver(solver, x.shape[1] * y.shape[1]), check_positive("blur", blur)
    everything = _correlations(x, y)
    curve = _curve(everything, used, blur) if isinstance(mass, str) else np.zeros((2, 0))
    share = _check_mass(mass, curve)
    plan = transport(1 - everything, share, used, blur)
    scores = []
    for train, test in rows:
        part = plan if folds is None else transport(1 - _correlations(x[train], y[train]), share, used, blur)
        scores.append(float(np.vdot(part, _correlations(x[test], y[test]))) / share)
    fitted = float(np.vdot(plan, everything)) / share
    value, distance = weighted_mean(scores, rows), float(np.sqrt(max(2 - 2 * fitted, 0.0)))
    return SoftMatch(value, fitted, distance, share, plan, everything, np.array(scores), curve, used)


def _solver(solver: str, size: int) -> str:
    check_option("solver", solver, ("auto", "exact", "sinkhorn"))
    return solver if solver != "auto" else ("exact" if size <= EXACT_SIZE else "sinkhorn")


def _check_mass(mass: Any, curve: Floats) -> float:
    if isinstance(mass, str):
        check_option("mass", mass, ("l_curve",))
        return l_curve_corner(curve[0], curve[1])
    number = as_number(mass)
    if not 0 < number <= 1:
        raise DataError(f"mass is the share of units to match, above 0 to 1, or 'l_curve', got {mass!r}")
    return number


def _correlations(x: NDArray[Any], y: NDArray[Any]) -> Floats:
    """Correlation of each unit of x with each of y, shape (p, q); 0 where one does not vary."""
    a, b = (_unit_norm(side) for side in (x, y))
    return np.asarray(np.clip(a.T @ b, -1.0, 1.0))


def _unit_norm(values: NDArray[Any]) -> Floats:
    curves = centred(values)
    norm, size = np.linalg.norm(curves, axis=0), np.abs(values).max(axis=0)
    return curves / np.where(norm > 1e-7 * size, norm, np.inf)  # float32 leaves rounding of a constant unit


def _curve(correlations: Floats, solver: str, blur: float) -> Floats:
    """Masses, and the least cost of each."""
    from tqdm.auto import tqdm

    masses, cost = np.linspace(1 / _CURVE, 1.0, _CURVE), 1 - correlations
    shown = tqdm(masses, desc="partial matching", disable=cost.size < 10**5, leave=False)
    return np.array([masses, [float(np.vdot(transport(cost, float(m), solver, blur), cost)) for m in shown]])


def l_curve_corner(masses: ArrayLike, costs: ArrayLike) -> float:
    """Mass beyond which further units are matched at a much higher cost.

    Parameters
    ----------
    masses : array_like of shape (n_masses,)
        Increasing, the last one 1.
    costs : array_like of shape (n_masses,)
        Least cost of each.

    Returns
    -------
    float
        The mass whose cost lies farthest below the chord from the origin to the last point; 1 where the curve hardly bends,
        as all units are then matched equally well.
    """
    m, cost = np.asarray(masses, np.float64), np.asarray(costs, np.float64)
    below = cost[-1] * m / m[-1] - cost
    return float(m[int(np.argmax(below))]) if below.max() > _CORNER * max(float(cost[-1]), 1e-3) else float(m[-1])
