"""What the parts of the page about comparisons share: targets, regions and medians in words and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.report.words import number, plural

SIGNIFICANT = 0.05  # of a p value that is corrected over targets
_COLUMNS = ("region", "roi")  # of units, in this order
_SENSORS = {"eeg", "meg", "mag", "grad", "ecog", "seeg"}
_CORRECTIONS = {
    "bh": "false discovery rate over targets (Benjamini-Hochberg)",
    "by": "false discovery rate over targets under any dependence (Benjamini-Yekutieli)",
    "max": "maximum statistic over targets",
}
_CEILINGS = {
    "ncsnr": "variance of the signal against that of the noise over repeats (ncsnr)",
    "split_half": "split halves of the repeats, Spearman-Brown corrected",
    "schoppe": "power of the signal over repeats (Schoppe et al.)",
    "explainable_variance": "explainable variance over repeats",
    "cross_subject": "prediction from the other subjects",
    "given": "handed to the analysis",
}


def middle(values: Any) -> float:
    """Median of the finite values, NaN where there is none."""
    finite = known(values)
    return float(np.median(finite)) if finite.size else float("nan")


def known(values: Any) -> NDArray[np.float64]:
    """The finite values in one row."""
    flat = np.asarray(values, np.float64).ravel()
    return flat[np.isfinite(flat)]


def quartiles(values: Any) -> tuple[float, float]:
    """First and third quartile of the finite values, NaN where there is none."""
    finite = known(values)
    low, high = np.quantile(finite, [0.25, 0.75]) if finite.size else (float("nan"), float("nan"))
    return float(low), float(high)


def reach(result: Any) -> NDArray[np.float64] | None:
    """The largest score that the noise allows, per target, in the unit of the score: sqrt(rho) for r, rho for R2.

    Parameters
    ----------
    result : ComparisonResult
        A result.

    Returns
    -------
    array per target or None
        None without a ceiling.
    """
    if result.ceiling is None:
        return None
    rho = np.clip(np.asarray(result.ceiling, np.float64), 0, None)
    return np.sqrt(rho) if result.metric == "r" else rho


def ratio_name(result: Any) -> str:
    """How a score was normalised, as a formula."""
    return "r/√ρ" if result.metric == "r" else "R²/ρ"


def unit_noun(units: pd.DataFrame) -> str:
    """What one unit is: a voxel, a sensor, or simply a unit."""
    if {"i", "j", "k"} <= set(units.columns):
        return "voxel"
    kinds = set(units["kind"].astype(str).str.lower()) if "kind" in units else set()
    return "sensor" if kinds and kinds <= _SENSORS else "unit"


def targets_text(units: pd.DataFrame, times: Any) -> str:
    """How many targets of which kind, e.g. 64 sensors at 120 times."""
    text = plural(len(units), unit_noun(units))
    return text if times is None else f"{text} at {plural(len(times), 'time')}"


def region_column(units: pd.DataFrame) -> str | None:
    """The column that names the region of a unit, where there is one and at least one unit has a region."""
    return next((name for name in _COLUMNS if name in units and units[name].notna().any()), None)


def n_significant(q: Any) -> int:
    """Number of targets that pass the corrected test."""
    return int(np.sum(np.asarray(q, float) < SIGNIFICANT))


def correction_text(correction: str | None) -> str:
    """The correction over targets in words."""
    return _CORRECTIONS.get(str(correction), f"corrected over targets ({correction})")


def ceiling_text(name: str | None) -> str:
    """Where the ceiling comes from, in words."""
    return _CEILINGS.get(str(name), str(name))


def percent(part: float, whole: float = 1.0) -> str:
    """A share in per cent, "n/a" of nothing."""
    return f"{number(100 * part / whole)} %" if whole else "n/a"
