"""Plans that move a given mass between units at the lowest cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import require
from neurodecode.errors import DataError

Floats = NDArray[np.float64]
EXACT_SIZE = 2000**2
"""Pairs of units beyond which the exact programme takes minutes."""
_STEPS = 10_000_000
_SWEEPS, _PER_SWEEP = 60, 30
_CLOSE = 1e-4  # share of the mass that is still misplaced; what is left is put right at the end
_TINY = 1e-300


def transport(cost: Floats, mass: float, solver: str, blur: float) -> Floats:
    """Find the plan that moves a mass between units at the lowest cost.

    Parameters
    ----------
    cost : NDArray[np.float64]
        Shape (p, q): cost of a unit of mass.
    mass : float
        Mass to move, above 0 to 1.
    solver : str
        ``exact`` or ``sinkhorn``.
    blur : float
        Weight of the entropy, for ``sinkhorn``.

    Returns
    -------
    NDArray[np.float64]
        Shape (p, q): rows sum to at most 1 / p, columns to at most 1 / q, all to `mass`.

    Raises
    ------
    DataError
        If the solver fails.
    """
    p, q = cost.shape
    if solver == "exact" and mass == 1.0 and p == q:
        return _assignment(cost)
    rows, columns = np.full(p, 1 / p), np.full(q, 1 / q)
    if mass == 1.0:
        return _plan(rows, columns, cost, solver, blur)
    wide = np.zeros((p + 1, q + 1))  # what is left over goes to a unit that costs nothing, but not from one such to the other
    wide[:p, :q], wide[p, q] = cost, 2 * cost.max() + 1
    return _plan(np.append(rows, 1 - mass), np.append(columns, 1 - mass), wide, solver, blur)[:p, :q]


def _assignment(cost: Floats) -> Floats:
    """As many units on both sides: the best plan is a permutation (Birkhoff)."""
    from scipy.optimize import linear_sum_assignment

    plan = np.zeros_like(cost)
    plan[linear_sum_assignment(cost)] = 1 / len(cost)
    return plan


def _plan(rows: Floats, columns: Floats, cost: Floats, solver: str, blur: float) -> Floats:
    if solver == "sinkhorn":
        return _rounded(_sinkhorn(rows, columns, cost, blur), rows, columns)
    ot: Any = require("ot", "soft matching of units", "compare")
    plan, log = ot.emd(rows, columns, cost, numItermax=_STEPS, log=True)
    if log["warning"]:
        raise DataError(f"optimal transport of {cost.shape} units failed: {log['warning']}; use solver='sinkhorn'")
    return np.asarray(plan)


def _sinkhorn(rows: Floats, columns: Floats, cost: Floats, blur: float) -> Floats:
    """Plan of the entropic problem, from a strong blur down to the wanted one.

    Potentials are taken into the kernel after each sweep (Schmitzer 2019), so that nothing over- or underflows, and the
    exponential, which costs most, is taken once per sweep only.
    """
    f, g, strength = np.zeros(len(rows)), np.zeros(len(columns)), max(float(np.ptp(cost)), blur)
    for _ in range(_SWEEPS):
        kernel = np.exp((f[:, None] + g - cost) / strength)
        v = np.ones(len(columns))
        for _ in range(_PER_SWEEP):
            u = rows / np.maximum(kernel @ v, _TINY)
            v = columns / np.maximum(kernel.T @ u, _TINY)
        plan = u[:, None] * kernel * v
        if strength == blur and np.abs(plan.sum(axis=1) - rows).sum() < _CLOSE:
            break
        f, g = f + strength * np.log(np.maximum(u, _TINY)), g + strength * np.log(np.maximum(v, _TINY))
        strength = max(strength / 2, blur)
    return np.asarray(plan)


def _rounded(plan: Floats, rows: Floats, columns: Floats) -> Floats:
    """The nearest plan with exactly these margins, so that its cost is never below the optimum (Altschuler et al. 2017)."""
    if not np.isfinite(plan).all():
        raise DataError(f"Sinkhorn iterations of {plan.shape} units did not stay finite: use a larger blur")
    plan = plan * np.minimum(rows / np.maximum(plan.sum(axis=1), _TINY), 1.0)[:, None]
    plan = plan * np.minimum(columns / np.maximum(plan.sum(axis=0), _TINY), 1.0)
    left_rows, left_columns = (np.maximum(margin, 0.0) for margin in (rows - plan.sum(axis=1), columns - plan.sum(axis=0)))
    return np.asarray(plan + np.outer(left_rows, left_columns) / max(left_rows.sum(), _TINY))
