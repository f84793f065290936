"""What each score means: its chance level and its best value."""

from __future__ import annotations

from typing import NamedTuple

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError


class Metric(NamedTuple):
    """Reading help for one score."""

    title: str
    """Name for axes and tables."""
    chance: float | None
    """Value without any information; None where it depends on the number of classes or candidates (1 / n), or on the data."""
    best: float
    """Value with all information."""
    chance_from: str | None = None
    """Function of `neurodecode.metrics` that computes chance from the data, where it depends on them."""


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", None, 1.0),
    "balanced_accuracy": Metric("balanced accuracy", None, 1.0),
    "roc_auc": Metric("area under the ROC curve", 0.5, 1.0),
    "r": Metric("Pearson correlation", 0.0, 1.0),
    "r2": Metric("explained variance R²", 0.0, 1.0),
    "pixcorr": Metric("pixel correlation", 0.0, 1.0),
    "ssim": Metric("structural similarity SSIM", 0.0, 1.0),
    "two_way_identification": Metric("two-way identification", 0.5, 1.0),
    "feature_distance": Metric("correlation distance of features", 1.0, 0.0),
    "n_way_top_k": Metric("50-way top-1 accuracy, three right classes", 3 / 52, 1.0),
    "retrieval": Metric("top-1 retrieval among n candidates", None, 1.0),
    "cc_norm": Metric("normalised correlation", 0.0, 1.0),
    "cka": Metric("centred kernel alignment", 0.0, 1.0),
    "procrustes": Metric("Procrustes similarity", 0.0, 1.0),
    "cca": Metric("canonical correlation", 0.0, 1.0),
    "soft_match": Metric("soft matching correlation", 0.0, 1.0),
    "adjusted_rand_index": Metric("adjusted Rand index", 0.0, 1.0),
    "normalized_mutual_information": Metric("normalised mutual information", None, 1.0, "mutual_information_chance"),
    "factor_match_score": Metric("factor match score", None, 1.0, "factor_match_chance"),
}


def chance_level(name: str, n_classes: int | None = None) -> float:
    """Value that a score has without any information.

    Parameters
    ----------
    name : str
        One of `METRICS`.
    n_classes : int, optional
        Number of classes or candidates, for the scores whose chance level is 1 / n_classes.

    Returns
    -------
    float
        The chance level. For plain accuracy it holds for classes of equal size only.

    Raises
    ------
    DataError
        If the name is unknown, the number of classes is needed and missing, or chance has to be computed from the data.
    """
    check_option("metric", name, list(METRICS))
    chance, source = METRICS[name].chance, METRICS[name].chance_from
    if source is not None:
        raise DataError(f"the chance level of {name!r} depends on the data: compute it by neurodecode.metrics.{source}")
    if chance is not None:
        return chance
    if n_classes is None or n_classes < 2:
        raise DataError(f"the chance level of {name!r} needs n_classes of at least 2, got {n_classes}")
    return 1.0 / n_classes
