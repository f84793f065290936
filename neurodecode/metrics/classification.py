"""Scores of predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError


def accuracy(true: ArrayLike, predicted: ArrayLike) -> float:
    """Share of samples whose class was predicted right.

    Chance 1 / n_classes for classes of equal size (the share of the largest class otherwise), best 1.

    Parameters
    ----------
    true, predicted : array_like of shape (n_samples,)
        Class of each sample.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    DataError
        If the two differ in length or are empty.
    """
    t, p = _pair(true, predicted)
    return float(np.mean(t == p))


def balanced_accuracy(true: ArrayLike, predicted: ArrayLike) -> Any:
    """Mean over classes of the share of their samples that was predicted right.

    Chance 1 / n_classes whatever the class sizes, best 1. Classes that do not occur in `true` do not count.

    Parameters
    ----------
    true : array_like of shape (n_samples,)
        Class of each sample.
    predicted : array_like of shape (n_samples, ...)
        Predicted classes; further axes are scored one by one.

    Returns
    -------
    float or array
        Of shape ``predicted.shape[1:]``, between 0 and 1.

    Raises
    ------
    DataError
        If the two differ in length or are empty.
    """
    t, p = np.asarray(true), np.asarray(predicted)
    if t.ndim != 1 or p.ndim < 1 or len(p) != len(t) or not len(t):
        raise DataError(f"true must be (n_samples,) and predicted (n_samples, ...), got shapes {t.shape} and {p.shape}")
    recalls = [np.mean(p[t == label] == label, axis=0) for label in np.unique(t)]
    return np.mean(recalls, axis=0)


def roc_auc(positive: ArrayLike, scores: ArrayLike) -> Any:
    """Area under the receiver operating characteristic.

    The probability that a sample of the positive class scores above one of the other class, ties counting one half
    (Mann-Whitney). Counted exactly. Chance 0.5, best 1.

    Parameters
    ----------
    positive : array_like of bool, shape (n_samples,)
        Whether each sample belongs to the positive class.
    scores : array_like of shape (n_samples, ...)
        Score of each sample, higher for the positive class; further axes are scored one by one.

    Returns
    -------
    float or array
        Of shape ``scores.shape[1:]``; NaN if only one of the two classes occurs.

    Raises
    ------
    DataError
        If lengths differ or scores hold NaN.
    """
    mask, values = np.asarray(positive, bool), np.asarray(scores, float)
    if mask.ndim != 1 or values.ndim < 1 or len(values) != len(mask):
        raise DataError(f"positive must be (n_samples,) and scores (n_samples, ...), got shapes {mask.shape} and {values.shape}")
    if np.isnan(values).any():
        raise DataError(f"scores hold {int(np.isnan(values).sum())} NaN of {values.size}: leave those samples out first")
    if mask.all() or not mask.any():
        return np.full(values.shape[1:], np.nan)[()]
    positives = np.ascontiguousarray(values[mask].reshape(int(mask.sum()), -1).T)
    negatives = np.sort(values[~mask].reshape(int((~mask).sum()), -1).T, axis=1)
    below = [
        n.searchsorted(p, "left").sum() + n.searchsorted(p, "right").sum() for p, n in zip(positives, negatives, strict=True)
    ]
    return (np.array(below) / (2 * positives.shape[1] * negatives.shape[1])).reshape(values.shape[1:])[()]


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: Sequence[Any]) -> NDArray[np.int64]:
    """Count samples by true and predicted class.

    At chance all rows have the same profile; at best all counts stand on the diagonal.

    Parameters
    ----------
    true, predicted : array_like of shape (n_samples,)
        Class of each sample.
    classes : sequence
        Classes in the order of rows and columns.

    Returns
    -------
    array of shape (n_classes, n_classes)
        Rows true, columns predicted.

    Raises
    ------
    DataError
        If a sample has a class that is not listed.
    """
    t, p = _pair(true, predicted)
    position = {label: i for i, label in enumerate(classes)}
    unknown = [label for label in [*t.tolist(), *p.tolist()] if label not in position]
    if unknown:
        raise DataError(f"class {unknown[0]!r} is not among the classes {list(classes)}")
    k = len(position)
    cells = [position[a] * k + position[b] for a, b in zip(t.tolist(), p.tolist(), strict=True)]
    return np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.int64)


def _pair(true: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    t, p = np.asarray(true), np.asarray(predicted)
    if t.ndim != 1 or t.shape != p.shape or not t.size:
        raise DataError(f"true and predicted must be two lists of one length above 0, got shapes {t.shape} and {p.shape}")
    return t, p
