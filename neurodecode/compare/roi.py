"""Scores by region: what a table in a paper holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError

if TYPE_CHECKING:
    from neurodecode.compare.result import ComparisonResult

_Floats = NDArray[np.float64]


def roi_summary(
    result: ComparisonResult,
    column: str = "region",
    which: str = "score",
    *,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Summarise a map by region.

    The interval is that of the median over the units of this region, units drawn with replacement. Units are neighbours and not
    independent draws: it says how homogeneous a region is, and nothing about other subjects.

    Parameters
    ----------
    result : ComparisonResult
        Scores per target.
    column : str
        Column of ``result.units`` that names the region; units without a region are left out.
    which : str
        One of ``result.map_names``.
    n_bootstrap : int
        Draws behind the interval; 0 leaves it out.
    level : float
        Its coverage, between 0 and 1.
    random_state : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        One row per region in order of appearance (and per time): ``roi``, ``time``, ``which``, ``n_units``, ``median``,
        ``mean``, ``ci_low``, ``ci_high``, ``chance``, ``baseline``, ``ceiling`` (median rho), ``normalised`` (median),
        ``coverage`` (fraction of units with a ceiling above the floor) and ``fraction_significant`` (q < 0.05). NaN where the
        result has no ceiling or no permutations; ``chance`` and ``baseline`` are those of the score and stand there alone.

    Raises
    ------
    DataError
        If there is no such column or map, no unit has a region, or the level lies outside (0, 1).
    """
    check_columns(result.units, [column], "units")
    if not 0 < level < 1:
        raise DataError(f"level must lie between 0 and 1, got {level}")
    named = result.units[column].to_numpy(object)
    regions = list(dict.fromkeys(value for value in named if not pd.isna(value)))
    if not regions:
        raise DataError(f"none of the {len(named)} units has a value in {column!r}: name their regions first")
    rng = np.random.default_rng(random_state)
    rows: list[dict[str, Any]] = []
    for region in regions:
        units = np.flatnonzero(named == region)
        for time in range(1 if result.times is None else len(result.times)):
            rows.append({"roi": region, **_row(result, which, units, time, (n_bootstrap, level), rng)})
    return pd.DataFrame(rows)


def _row(
    result: ComparisonResult,
    which: str,
    units: NDArray[np.int64],
    time: int,
    bootstrap: tuple[int, float],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The figures of one region at one time."""

    def part(name: str) -> _Floats:
        known = name in result.map_names
        return _column(result.map(name), time)[units] if known else np.full(len(units), np.nan)

    values = _finite(_column(result.map(which), time)[units])
    low, high = _interval(values, *bootstrap, rng)
    scored, q, normalised = which == "score", part("q"), part("normalised")
    return {
        **({} if result.times is None else {"time": float(result.times[time])}),
        "which": which,
        "n_units": len(units),
        "median": _median(values),
        "mean": float(values.mean()) if values.size else float("nan"),
        "ci_low": low,
        "ci_high": high,
        "chance": result.chance if scored else float("nan"),
        "baseline": _median(_finite(part("baseline"))) if scored else float("nan"),
        "ceiling": _median(_finite(part("ceiling"))),
        "normalised": _median(_finite(normalised)),
        "coverage": float("nan") if result.normalised is None else float(np.isfinite(normalised).mean()),
        "fraction_significant": float("nan") if result.q is None else float((q < 0.05).mean()),
    }


def _column(values: _Floats, time: int) -> _Floats:
    return values if values.ndim == 1 else values[:, time]


def _finite(values: _Floats) -> _Floats:
    return values[np.isfinite(values)]


def _median(values: _Floats) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _interval(values: _Floats, n_bootstrap: int, level: float, rng: np.random.Generator) -> tuple[float, float]:
    """Percentile interval of the median over units drawn with replacement; draws come in parts so that memory stays small."""
    if values.size < 2 or n_bootstrap < 1:
        return float("nan"), float("nan")
    step = max(1, 2**22 // values.size)
    sizes = [min(step, n_bootstrap - start) for start in range(0, n_bootstrap, step)]
    medians = np.concatenate([np.median(values[rng.integers(0, values.size, (n, values.size))], axis=1) for n in sizes])
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
