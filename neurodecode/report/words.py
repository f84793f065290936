"""Words for metrics and units, the same in figures, sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_METRICS = {
    "roc_auc": "ROC-AUC",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "pixcorr": "Pixel correlation",
    "two_way_identification": "Two-way identification",
    "two_way_pixels": "Two-way identification (pixels)",
    "ssim": "SSIM",
    "r": "Correlation r",
    "r2": "Explained variance R²",
    "r2_pooled": "Explained variance R² (pooled)",
    "R2": "Explained variance R²",
    "r_normalised": "Correlation over ceiling r/√ρ",
    "R2_normalised": "Explained variance over ceiling R²/ρ",
    "spearman": "Rank correlation (Spearman)",
    "pearson": "Linear correlation (Pearson)",
    "rho_a": "Spearman's rho-a",
    "tau_a": "Kendall's tau-a",
}
_SCALES = {
    "V": (1e6, "Amplitude (µV)"),
    "T": (1e15, "Field (fT)"),
    "T/m": (1e13, "Gradient (fT/cm)"),
    "percent": (1.0, "Signal change (%)"),
}


def number(value: Any) -> str:
    """A number as text with three significant digits (four from 100 on), "n/a" where it is missing."""
    if value is None or not np.isfinite(float(value)):
        return "n/a"
    return f"{float(value):.{3 if abs(float(value)) < 100 else 4}g}" if abs(float(value)) < 1e4 else f"{float(value):.3g}"


def score_text(value: Any) -> str:
    """A score with three decimals, so that scores stand under each other; "n/a" where it is missing."""
    return f"{float(value):.3f}" if value is not None and np.isfinite(float(value)) else "n/a"


def best_index(values: Any) -> int:
    """Flat index of the highest value, NaN counting as the lowest."""
    return int(np.argmax(np.nan_to_num(np.asarray(values, float), nan=-np.inf)))


def short(name: Any, most: int = 22) -> str:
    """A name that fits on an axis: one line, shortened in the middle."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def metric_label(metric: str) -> str:
    """The name of a metric on an axis."""
    if metric.startswith("retrieval_top_"):
        return f"Top-{metric.rsplit('_', 1)[1]} retrieval"
    return _METRICS.get(metric, metric.replace("_", " ").capitalize())


def metric_name(metric: str) -> str:
    """The name of a metric inside a sentence."""
    label = metric_label(metric)
    is_name = label.split()[0].isupper() or ("-" in label and not label.startswith("Top-"))
    return label if is_name else label[0].lower() + label[1:]


def scaled(units: pd.DataFrame) -> tuple[float, str]:
    """Factor and axis label of the amplitudes of these channels; mixed units stay as they are."""
    kinds = set(units["unit"].astype(str)) if "unit" in units else set()
    return _SCALES.get(kinds.pop(), (1.0, "Amplitude (a.u.)")) if len(kinds) == 1 else (1.0, "Amplitude (a.u.)")


def as_sentence(text: Any) -> str:
    """A text with a capital at its start and a full stop at its end."""
    words = str(text).strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) or not words else ".")


def plural(n: int, noun: str) -> str:
    """A number with its noun, e.g. 1 fold, 8 folds."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def p_equals(p_value: float) -> str:
    """A p value as text that no line break tears apart."""
    return f"p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{number(p_value)}"


def without_shared_parts(names: Sequence[str], separator: str) -> list[str]:
    """Names without the parts that all of them share, e.g. run 01 and run 02 of one subject.

    Parameters
    ----------
    names : sequence of str
        Names made of parts.
    separator : str
        What stands between the parts.

    Returns
    -------
    list of str
        Shorter names; a name of which nothing would be left stays whole.
    """
    parts = [str(name).split(separator) for name in names]
    shared = set(parts[0]).intersection(*parts[1:]) if len(set(names)) > 1 else set()
    return [separator.join(p for p in row if p not in shared) or str(name) for row, name in zip(parts, names, strict=True)]


def verdict(score: float, chance: float, p_value: float | None) -> tuple[str, str]:
    """A few words on whether a score beats chance, and their class of colour."""
    if p_value is None or not np.isfinite(p_value):
        return "not tested against chance", "open"
    if p_value <= 0.05 and score > chance:
        return f"above chance, {p_equals(p_value)}", "good"
    return f"not distinguishable from chance, {p_equals(p_value)}", "none"


def fold_noun(result: Any) -> str:
    """What the values in `fold_scores` stand for: folds, or subjects where results of several were combined."""
    return "subject" if "subject" in result.class_counts.columns else "fold"


def interval_text(result: Any) -> str:
    """The confidence interval in a sentence."""
    low, high = result.confidence_interval
    over = plural(len(result.fold_scores), fold_noun(result))
    if not np.isfinite([low, high]).all():
        return f"There is no confidence interval over {over}."
    span = f"{score_text(low)} to {score_text(high)}"
    return f"The 95 % interval of the mean over {over} is {span} (t distribution)."


def p_text(result: Any) -> str:
    """The permutation test in a sentence, with how it was counted."""
    if result.p_value is None or result.null_scores is None:
        return "No permutation test was run, so whether this could be luck was not tested."
    n = len(result.null_scores)
    reached = int(np.sum(np.asarray(result.null_scores) >= result.score))
    floor = ", the smallest value that so many permutations can give" if result.p_value <= 1 / (n + 1) + 1e-12 else ""
    return (
        f"The whole analysis was repeated with shuffled labels: {reached} of {plural(n, 'permutation')} reached this score, "
        f"{p_equals(result.p_value)}{floor}."
    )
