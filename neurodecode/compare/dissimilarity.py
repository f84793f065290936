"""Representational dissimilarity matrices: how different the patterns of each pair of conditions are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_design import (
    Cells,
    Design,
    Floats,
    all_patterns,
    cells_by_condition,
    cells_by_run,
    check_units,
    design_of,
    mean_patterns,
    unit_batches,
    without_missing_units,
)
from neurodecode.compare.rdm_noise import METHODS, noise_precision, pattern_residuals, precision_root
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Dissimilarity = Literal["correlation", "euclidean", "mahalanobis", "crossnobis"]
_WITH_NOISE = ("mahalanobis", "crossnobis")
_FLAT = 1e-24  # variance of a pattern below this share of its mean square is rounding


def rdm(
    data: Responses | ArrayLike,
    method: Dissimilarity = "correlation",
    conditions: str | ArrayLike | None = None,
    runs: str | ArrayLike | None = None,
    *,
    noise: str | ArrayLike | None = None,
    missing: Literal["raise", "drop"] = "raise",
) -> Floats:
    r"""Representational dissimilarity matrix.

    Rows of one condition are averaged first (for crossnobis: those of one run). With mean patterns x over P units:

    - ``"correlation"``: :math:`1 - r(x_i, x_j)`, from 0 to 2;
    - ``"euclidean"``: the squared distance per unit, :math:`|x_i - x_j|^2 / P`;
    - ``"mahalanobis"``: the same in whitened patterns, :math:`(x_i - x_j)^T \Sigma^{-1} (x_i - x_j) / P`. It grows with the
      noise of the means: two equal conditions are apart;
    - ``"crossnobis"``: the mean over pairs of runs m, n of :math:`(x_i^m - x_j^m)^T \Sigma^{-1} (x_i^n - x_j^n) / P`. Noise of
      different runs is independent, so it is 0 on average for equal conditions and may be negative. Balanced designs are computed
      as :math:`G = (S S^T - \sum_m W_m W_m^T) / (M (M - 1))`, S the sum of the whitened patterns W of M runs, and
      :math:`d_{ij} = (G_{ii} + G_{jj} - 2 G_{ij}) / P`.

    Where conditions are missing in some runs, crossnobis averages over the pairs of runs that hold both conditions, and is NaN
    for conditions that no two runs share. Each pair of runs weighs the same, whatever its numbers of repeats.

    `noise` is never fitted on what it is applied to: named estimators take, for the products with run m, the residuals of all
    runs but m, which leaves crossnobis unbiased. Mahalanobis, which has no test part, takes those of all rows.

    Parameters
    ----------
    data : Responses or array_like of shape (n_samples, n_units)
        Responses. Of Responses with a time axis, each unit at each time is a unit of the pattern: cut the window first.
    method : {"correlation", "euclidean", "mahalanobis", "crossnobis"}
        Dissimilarity.
    conditions : str or array_like of shape (n_samples,), optional
        Column of `samples`, or the condition of each row. By default ``stimulus``, else ``trial_type``; of arrays, each row is a
        condition.
    runs : str or array_like of shape (n_samples,), optional
        Column of `samples`, or the run of each row, for crossnobis. By default ``run`` (unique within subject and session).
    noise : {"ledoit_wolf", "shrunk_diagonal", "diagonal"} or array_like of shape (n_units, n_units) or (n_units,), optional
        How the noise precision is estimated (see `noise_precision`), or that precision or its diagonal. By default crossnobis
        takes responses as whitened already.
    missing : {"raise", "drop"}
        What to do about units with NaN or infinite values: refuse them, or leave them out of all rows.

    Returns
    -------
    array of shape (n_conditions, n_conditions)
        Float64, symmetric, zero diagonal. Conditions are sorted (see `conditions_of`); rows without names keep their order.
        Of a pattern that does not vary over units, correlation distances are NaN.

    Raises
    ------
    DataError
        If values are missing, shapes do not fit, or there are too few conditions, units or runs.

    References
    ----------
    Kriegeskorte, Mur and Bandettini (2008), Frontiers in Systems Neuroscience 2:4. Walther et al. (2016), NeuroImage 137:188.
    """
    check_option("method", method, ("correlation", "euclidean", *_WITH_NOISE))
    check_option("missing", missing, ("raise", "drop"))
    design = _checked(design_of(data, conditions, runs), method, noise)
    if missing == "drop":
        design = without_missing_units(design)
    found = {"correlation": _correlation, "euclidean": _squared, "mahalanobis": _mahalanobis, "crossnobis": _crossnobis}[method](
        design, noise
    )
    if not np.isfinite(found).all():
        check_units(design)
    np.fill_diagonal(found, 0.0)
    return found


def _checked(design: Design, method: str, noise: Any) -> Design:
    if design.n_conditions < 2:
        raise DataError(f"an RDM needs at least two conditions, got {design.labels.tolist()}")
    if method == "correlation" and design.n_units < 2:
        raise DataError(f"patterns of {design.n_units} unit have no correlation: choose method='euclidean'")
    if isinstance(noise, str):
        check_option("noise", noise, METHODS)
    if method == "mahalanobis" and noise is None:
        raise DataError("method='mahalanobis' needs noise, got None: responses that are whitened take method='euclidean'")
    if method not in _WITH_NOISE and noise is not None:
        raise DataError(f"method={method!r} takes no noise: choose one of {list(_WITH_NOISE)}")
    return design


def _correlation(design: Design, noise: None) -> Floats:
    """1 - r; two passes over the units, since means must be known before products are summed."""
    cells = cells_by_condition(design)
    mean = np.zeros(design.n_conditions)
    for _, rows in mean_patterns(design, cells):
        mean += rows.sum(axis=1) / design.n_units
    gram = np.zeros((design.n_conditions, design.n_conditions))
    for _, rows in mean_patterns(design, cells):
        rows -= mean[:, None]
        gram += rows @ rows.T
    power = gram.diagonal().copy()
    varies = power > _FLAT * (power + design.n_units * mean**2)
    norm = np.sqrt(np.where(varies, power, np.nan))
    return np.asarray(np.clip(1 - gram / (norm * norm[:, None]), 0, 2), np.float64)


def _squared(design: Design, noise: None) -> Floats:
    return _distances_per_unit(design, None)


def _mahalanobis(design: Design, noise: Any) -> Floats:
    if isinstance(noise, str):
        residuals, dof = pattern_residuals(design.data, design.condition, design.run)
        noise = noise_precision(residuals, noise, dof=dof)  # type: ignore[arg-type]
    return _distances_per_unit(design, precision_root(noise, design.n_units))


def _distances_per_unit(design: Design, root: Floats | None) -> Floats:
    """Squared distances; each unit is centred over conditions, which leaves distances as they are and rounding small."""
    gram = np.zeros((design.n_conditions, design.n_conditions))
    for rows in _whitened(design, cells_by_condition(design), root):
        rows -= rows.mean(axis=0)
        gram += rows @ rows.T
    return np.maximum(_distances(gram) / design.n_units, 0)


def _distances(gram: Floats) -> Floats:
    power = gram.diagonal()
    return np.asarray(power + power[:, None] - (gram + gram.T), np.float64)


def _whitened(design: Design, cells: Cells, root: Floats | None) -> Iterator[Floats]:
    """Mean patterns times the root of the precision, in batches of (whitened) units; full matrices need all units at once."""
    if root is None or root.ndim == 1:
        yield from (rows for _, rows in mean_patterns(design, cells, root))
        return
    patterns = all_patterns(design, cells)
    for units in unit_batches(design.n_units, cells.n_cells):
        yield patterns @ root[:, units]


def _crossnobis(design: Design, noise: Any) -> Floats:
    cells = cells_by_run(design)
    held = np.isin(np.arange(cells.n_cells), cells.held).reshape(design.n_conditions, -1)
    n_pairs = _shared_pairs(held)
    if isinstance(noise, str):
        total = _trained_products(design, cells, held, noise)
    else:
        root = None if noise is None else precision_root(noise, design.n_units)
        batches = _whitened(design, cells, root)
        total = _balanced_products(batches, held) if held.all() else _pair_products(batches, held)
    return np.asarray(total / np.where(n_pairs > 0, n_pairs, np.nan) / design.n_units, np.float64)


def _shared_pairs(held: NDArray[np.bool_]) -> Floats:
    """Ordered pairs of different runs that hold both conditions, shape (n_conditions, n_conditions)."""
    both = held.astype(np.float64) @ held.T
    n_pairs = np.asarray(both * (both - 1), np.float64)
    if not n_pairs[np.triu_indices_from(n_pairs, 1)].any():
        raise DataError(
            f"no two conditions share two runs ({held.shape[0]} conditions, {held.shape[1]} runs): crossnobis needs conditions "
            "that are repeated together"
        )
    return n_pairs


def _balanced_products(batches: Iterator[Floats], held: NDArray[np.bool_]) -> Floats:
    """Sum over ordered pairs of runs of products of differences: of the sum of runs, minus that of each run with itself."""
    gram = np.zeros((len(held), len(held)))
    for rows in batches:
        patterns = rows.reshape(*held.shape, -1)
        patterns -= patterns.mean(axis=0)
        total, each = patterns.sum(axis=1), patterns.reshape(len(held), -1)
        gram += total @ total.T
        gram -= each @ each.T
    return _distances(gram)


def _pair_products(batches: Iterator[Floats], held: NDArray[np.bool_]) -> Floats:
    """The same where conditions are missing in some runs: each pair of runs by itself, on the conditions that both hold."""
    total = np.zeros((len(held), len(held)))
    for rows in batches:
        patterns = rows.reshape(*held.shape, -1)
        for a, b in combinations(range(held.shape[1]), 2):
            total += 2 * _product(patterns[:, a], patterns[:, b], held[:, a] & held[:, b])
    return total


def _product(left: Floats, right: Floats, shared: NDArray[np.bool_]) -> Floats:
    """(l_i - l_j) (r_i - r_j), symmetric in i and j, for the conditions that are shared, and 0 elsewhere."""
    rows = np.flatnonzero(shared)
    found = np.zeros((len(shared), len(shared)))
    if len(rows) > 1:
        here, there = left[rows], right[rows]
        found[np.ix_(rows, rows)] = _distances((here - here.mean(axis=0)) @ (there - there.mean(axis=0)).T)
    return found


def _trained_products(design: Design, cells: Cells, held: NDArray[np.bool_], method: str) -> Floats:
    """Products of each run with the others, whitened by the noise of the others; needs all units at once."""
    runs = np.asarray(design.run)
    patterns = all_patterns(design, cells).reshape(*held.shape, -1)
    total = np.zeros((len(held), len(held)))
    for test in range(held.shape[1]):
        train = runs != test
        residuals, dof = pattern_residuals(design.data[train], design.condition[train], runs[train])
        precision = noise_precision(residuals, method, dof=dof)  # type: ignore[arg-type]
        left = patterns[:, test] * precision if precision.ndim == 1 else patterns[:, test] @ precision
        for other in np.flatnonzero(np.arange(held.shape[1]) != test):
            total += _product(left, patterns[:, other], held[:, test] & held[:, other])
    return total
