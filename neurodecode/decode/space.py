"""Where a target can be decoded: in the sphere around each unit, and in each region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_columns, check_positive
from neurodecode.decode.evaluation import Problem, one_thread, outputs_of, overall_score, permuted_labels
from neurodecode.decode.linear import LinearDecoder
from neurodecode.decode.parallel import over_shares
from neurodecode.decode.result import RoiResult, SearchlightResult
from neurodecode.decode.validation import Setup, check_permutations
from neurodecode.errors import DataError
from neurodecode.metrics import maximum_statistic_p_values, permutation_p_value

_Floats = NDArray[np.float64]


def searchlight(
    responses: Responses,
    target: str = "trial_type",
    groups: str | Sequence[str] = "run",
    *,
    radius_mm: float = 10.0,
    decoder: LinearDecoder | None = None,
    n_permutations: int = 0,
    n_splits: int | None = None,
    gap: float | None = None,
    jobs: int = 1,
) -> SearchlightResult:
    """Decode from the sphere around each voxel (Kriegeskorte et al. 2006).

    A high score says that the sphere holds information, not that its centre does.

    Parameters
    ----------
    responses : Responses
        Units with x, y, z in mm, or with i, j, k and an affine in ``meta["space"]``.
    target : str
        Column of `samples` to decode.
    groups : str or sequence of str
        Columns whose groups are held out, as in `LinearDecoder.cross_validate`.
    radius_mm : float
        Radius of the sphere in mm; units at exactly this distance belong to it.
    decoder : LinearDecoder, optional
        By default the shrinkage discriminant.
    n_permutations : int
        Permutations for p values corrected over spheres by the maximum statistic; each repeats the whole searchlight.
    n_splits : int, optional
        Number of folds, as in `LinearDecoder.cross_validate`.
    gap : float, optional
        Gap of the blocks of a single run in s, as in `LinearDecoder.cross_validate`.
    jobs : int
        Processes that share the spheres.

    Returns
    -------
    SearchlightResult
        One score per unit, NaN for units marked bad.

    Raises
    ------
    DataError
        If units have no positions in mm, or as in `LinearDecoder.cross_validate`.
    SplitLeakError
        As in `LinearDecoder.cross_validate`.

    References
    ----------
    Kriegeskorte, Goebel and Bandettini (2006), PNAS 103, 3863.
    """
    setup = _set_up(responses, target, groups, decoder, n_permutations, n_splits, gap)
    spheres = neighbours(positions_mm(responses)[setup.units], radius_mm)
    found, null = _score_parts(setup, spheres, n_permutations, jobs)
    sizes = [len(s) for s in spheres]
    note = f"spheres of {radius_mm:g} mm hold {min(sizes)} to {max(sizes)} units, {np.median(sizes):g} in the middle"
    p_values = maximum_statistic_p_values(found, null) if n_permutations else None
    return SearchlightResult(
        scores=_at_units(found, setup.units),
        metric=setup.metric,
        chance=setup.chance,
        units=responses.units,
        space=responses.meta.get("space"),
        p_values=None if p_values is None else _at_units(p_values, setup.units),
        split=setup.folds.sentence,
        target=target,
        radius_mm=float(radius_mm),
        notes=[*setup.notes, note],
    )


def roi(
    responses: Responses,
    target: str = "trial_type",
    groups: str | Sequence[str] = "run",
    *,
    regions: str = "region",
    decoder: LinearDecoder | None = None,
    n_permutations: int = 199,
    n_splits: int | None = None,
    gap: float | None = None,
    jobs: int = 1,
) -> RoiResult:
    """Decode from each region alone.

    Parameters
    ----------
    responses : Responses
        Units with a column of region names.
    target : str
        Column of `samples` to decode.
    groups : str or sequence of str
        Columns whose groups are held out, as in `LinearDecoder.cross_validate`.
    regions : str
        Column of `units`; units without a value belong to no region.
    decoder : LinearDecoder, optional
        By default logistic regression for classification.
    n_permutations : int
        Permutations; the same for all regions, so that p can be corrected over them.
    n_splits : int, optional
        Number of folds, as in `LinearDecoder.cross_validate`.
    gap : float, optional
        Gap of the blocks of a single run in s, as in `LinearDecoder.cross_validate`.
    jobs : int
        Processes that share the regions.

    Returns
    -------
    RoiResult
        One row per region, in order of name. Regions of more units may score higher for that alone.

    Raises
    ------
    DataError
        If the column is missing or empty, or as in `LinearDecoder.cross_validate`.
    SplitLeakError
        As in `LinearDecoder.cross_validate`.
    """
    check_columns(responses.units, [regions], "units")
    setup = _set_up(responses, target, groups, decoder or LinearDecoder(), n_permutations, n_splits, gap)
    names = responses.units[regions][setup.units].reset_index(drop=True)
    named = names[names.notna() & ~names.astype(str).isin(["", "n/a"])].astype(str)
    if not len(named):
        raise DataError(f"no unit has a value in column {regions!r}: label units by an atlas first")
    members = {name: np.flatnonzero((names.astype(str) == name).to_numpy()) for name in sorted(named.unique())}
    found, null = _score_parts(setup, list(members.values()), n_permutations, jobs)
    table = pd.DataFrame({"roi": list(members), "score": found, "chance": setup.chance, "p": np.nan, "p_corrected": np.nan})
    if n_permutations:
        single = [permutation_p_value(score, column) for score, column in zip(found, null.T, strict=True)]
        table = table.assign(p=single, p_corrected=maximum_statistic_p_values(found, null))
    table = table.assign(n_units=[len(m) for m in members.values()])
    return RoiResult(table, setup.metric, setup.chance, setup.folds.sentence, target, setup.notes)


def neighbours(positions: _Floats, radius_mm: float) -> list[NDArray[np.int64]]:
    """Units within a radius of each unit, itself among them.

    Parameters
    ----------
    positions : array of shape (n_units, 3)
        Positions in mm.
    radius_mm : float
        Radius in mm.

    Returns
    -------
    list of array
        Indices in increasing order, one array per unit.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(positions)
    reach = check_positive("radius_mm", radius_mm) * (1 + 1e-6)  # a voxel at exactly the radius is inside, whatever its rounding
    return [np.sort(np.asarray(found, np.int64)) for found in tree.query_ball_point(positions, reach)]


def positions_mm(responses: Responses) -> _Floats:
    """Positions of the units in mm, shape (n_units, 3).

    Raises
    ------
    DataError
        If units have none, or have them in another unit of length.
    """
    units, space = responses.units, responses.meta.get("space") or {}
    if space.get("type") in ("sensors", "surface"):
        raise DataError(
            f"a searchlight needs voxel positions in mm; the units are in a space of type {space['type']!r}: use roi with a "
            "column that names neighbourhoods"
        )
    if {"x", "y", "z"} <= set(units) and np.isfinite(units[["x", "y", "z"]].to_numpy(float)).all():
        return units[["x", "y", "z"]].to_numpy(float)
    if {"i", "j", "k"} <= set(units) and "affine" in space:
        affine = np.asarray(space["affine"], float)
        return np.asarray(units[["i", "j", "k"]].to_numpy(float) @ affine[:3, :3].T + affine[:3, 3])
    raise DataError(
        "a searchlight needs columns x, y, z (mm) of units, or i, j, k with meta['space']['affine']; units have "
        f"{list(units.columns)}"
    )


def part_scores(
    problem: Problem, parts: list[NDArray[np.int64]], labels: NDArray[Any], pooled: bool, indices: NDArray[np.int64]
) -> _Floats:
    """Scores (n_indices, n_labels) of some parts of the units under each label vector."""
    scores = np.zeros((len(indices), len(labels)))
    with one_thread():
        for row, i in enumerate(indices):
            part = replace(problem, x=problem.x[:, parts[i]].reshape(len(problem.x), -1))
            values = outputs_of(part, labels)
            scores[row] = [overall_score(part, y, out, pooled) for y, out in zip(labels, values, strict=True)]
    return scores


def _set_up(
    responses: Responses,
    target: str,
    groups: str | Sequence[str],
    decoder: LinearDecoder | None,
    n_permutations: int,
    n_splits: int | None,
    gap: float | None,
) -> Setup:
    check_permutations(n_permutations)
    used = decoder or LinearDecoder("classification", estimator="lda")
    return used.set_up(responses, target, groups, n_splits=n_splits, gap=gap, flat=False)


def _score_parts(setup: Setup, parts: list[NDArray[np.int64]], n_permutations: int, jobs: int) -> tuple[_Floats, _Floats]:
    """Scores (n_parts,) of the labels as they are, and (n_permutations, n_parts) of permuted ones."""
    problem = setup.problem
    labels = np.stack([problem.y, *(permuted_labels(problem, k) for k in range(n_permutations))])
    scores = over_shares(part_scores, len(parts), jobs, problem, parts, labels, setup.pooled)
    return scores[:, 0], scores[:, 1:].T


def _at_units(values: _Floats, units: NDArray[np.bool_]) -> _Floats:
    full = np.full(len(units), np.nan)
    full[units] = values
    return full
