"""Similarity of every row of one matrix with every row of another, in blocks that fit into memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError

Floats = NDArray[np.float64]
SIMILARITIES = ("cosine", "correlation", "dot")
TIE = 1e-10  # similarities that differ by less, beside the largest, are equal but for rounding
_BLOCK = 2**23  # values of a block of features in float64: 64 MB
_FLAT = 1e-12  # deviation, beside the largest value, below which what varies is rounding


def as_rows(values: ArrayLike, name: str) -> NDArray[Any]:
    """Lay items out as rows.

    Parameters
    ----------
    values : array_like of shape (n_items, ...)
        Real numbers; further axes are features.
    name : str
        What they are, for the message.

    Returns
    -------
    array of shape (n_items, n_features)
        A view where possible.

    Raises
    ------
    DataError
        If there is no item, or a value is no finite number.
    """
    array = np.asarray(values)
    if array.ndim < 2 or not array.size or array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be numbers of shape (n_items, n_features), got {array.dtype} of shape {array.shape}")
    rows = array.reshape(len(array), -1)
    bad = [i for i, row in enumerate(rows) if not np.isfinite(row).all()] if rows.dtype.kind == "f" else []
    if bad:
        raise DataError(f"{name}: item {bad[0]} holds NaN or infinite values ({len(bad)} of {len(rows)} do): leave them out")
    return rows


def as_pairs(true: ArrayLike, made: ArrayLike, names: tuple[str, str], least: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lay two sets of items out as rows that belong together.

    Parameters
    ----------
    true, made : array_like of shape (n_items, ...)
        Real numbers in one order.
    names : tuple of two str
        What they are, for the message.
    least : int
        Items that are needed.

    Returns
    -------
    tuple of two arrays
        Each of shape (n_items, n_features).

    Raises
    ------
    DataError
        If shapes differ, there are too few items, or a value is no finite number.
    """
    shapes = np.shape(true), np.shape(made)
    if shapes[0] != shapes[1] or not shapes[0] or shapes[0][0] < least:
        raise DataError(
            f"{names[0]} and {names[1]} must have one shape of at least {least} items, got {shapes[0]} and {shapes[1]}"
        )
    return as_rows(true, names[0]), as_rows(made, names[1])


def similarity(a: NDArray[Any], b: NDArray[Any], kind: str = "correlation") -> Floats:
    """Compare every row of `a` with every row of `b`.

    A row without length (cosine) or without variance (correlation) has similarity 0 with everything: it knows nothing.
    Products and norms are accumulated in float64, over blocks of features, so that one block of 64 MB is held beside the inputs
    and the result.

    Parameters
    ----------
    a : array of shape (n_a, n_features)
        Rows.
    b : array of shape (n_b, n_features)
        Rows.
    kind : str
        ``"cosine"``, ``"correlation"`` (Pearson) or ``"dot"``.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_a, n_b).
    """
    offsets = [m.mean(axis=1, dtype=np.float64) if kind == "correlation" else np.zeros(len(m)) for m in (a, b)]
    products, squares = np.zeros((len(a), len(b))), [np.zeros(len(a)), np.zeros(len(b))]
    width = max(1, _BLOCK // (len(a) + len(b)))
    for start in range(0, a.shape[1], width):
        parts = [m[:, start : start + width] - offset[:, None] for m, offset in zip((a, b), offsets, strict=True)]
        products += parts[0] @ parts[1].T
        for total, part in zip(squares, parts, strict=True):
            total += np.einsum("ij,ij->i", part, part)
    if kind == "dot":
        return products
    scales = [_inverse_norm(total, m) for total, m in zip(squares, (a, b), strict=True)]
    return np.asarray(products * scales[0][:, None] * scales[1])


def paired_similarity(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """Pearson correlation of each row of `a` with the same row of `b`.

    Parameters
    ----------
    a, b : array of shape (n_items, n_features)
        Rows.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_items,); 0 where a row has no variance.
    """
    step = max(1, _BLOCK // a.shape[1])
    found = []
    for start in range(0, len(a), step):
        parts = [m[start : start + step] - m[start : start + step].mean(axis=1, keepdims=True, dtype=np.float64) for m in (a, b)]
        norms = [_inverse_norm(np.einsum("ij,ij->i", p, p), m[start : start + step]) for p, m in zip(parts, (a, b), strict=True)]
        found.append(np.einsum("ij,ij->i", *parts) * norms[0] * norms[1])
    return np.concatenate(found)


def _inverse_norm(squares: Floats, rows: NDArray[Any]) -> Floats:
    """1 / norm of each row; 0 where there is none but rounding."""
    largest = np.maximum(np.abs(rows.max(axis=1).astype(np.float64)), np.abs(rows.min(axis=1).astype(np.float64)))
    norm = np.sqrt(squares)
    known = norm > _FLAT * largest * np.sqrt(rows.shape[1])
    return np.asarray(np.where(known, 1 / np.where(known, norm, 1.0), 0.0))
