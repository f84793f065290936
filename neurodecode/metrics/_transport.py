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


def transport(cost: Floats, mass: float, solver: str, blur: float) -> Floats:
    """Plan of shape (p, q), rows at most 1 / p, columns at most 1 / q, `mass` in all."""
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
    ot: Any = require("ot", "soft matching of units", "compare")
    if solver == "exact":
        plan, log = ot.emd(rows, columns, cost, numItermax=_STEPS, log=True)
        if log["warning"]:
            raise DataError(f"optimal transport of {cost.shape} units failed: {log['warning']}; use solver='sinkhorn'")
        return np.asarray(plan)
    settings = {"method": "sinkhorn_stabilized", "numItermax": 2000, "stopThr": 1e-7, "warn": False}
    return _rounded(np.asarray(ot.sinkhorn(rows, columns, cost - cost.min(), blur, **settings)), rows, columns)


def _rounded(plan: Floats, rows: Floats, columns: Floats) -> Floats:
    """The nearest plan with exactly these margins, so that its cost is never below the optimum (Altschuler et al. 2017)."""
    if not np.isfinite(plan).all():
        raise DataError(f"Sinkhorn iterations of {plan.shape} units did not stay finite: use a larger blur")
    plan = plan * np.minimum(rows / np.maximum(plan.sum(axis=1), 1e-300), 1.0)[:, None]
    plan = plan * np.minimum(columns / np.maximum(plan.sum(axis=0), 1e-300), 1.0)
    left_rows, left_columns = rows - plan.sum(axis=1), columns - plan.sum(axis=0)
    return np.asarray(plan + np.outer(left_rows, left_columns) / max(left_rows.sum(), 1e-300))
