"""Rates of neurons to affinities of pairs, and pairs folded to a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import as_number, check_option
from neurodecode.errors import DataError

SEPARABLE: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {"geomean": np.sqrt, "product": lambda g: g}
KINDS = (*SEPARABLE, "min", "gauss")
_AT_ONCE = 2**22  # affinities that are computed at once


def pair_affinity(
    rates: ArrayLike, *, kind: str = "geomean", clip: float | None = 99.9, width: float = 1.0
) -> NDArray[np.float32]:
    r"""Affinity of each pair of neurons at each time: high where both rise or both fall, 0 where one rises and one falls.

    ======= ===============================================
    geomean :math:`\sqrt{g_i g_j}`
    product :math:`g_i g_j`
    min     :math:`\min(|g_i|, |g_j|)`
    gauss   :math:`e^{-(g_i - g_j)^2 / 2 s^2}\,\min(|g_i|, |g_j|)`
    ======= ===============================================

    Clipping acts on :math:`|g|` of each neuron before pairs are formed, so that the first two stay products.

    Parameters
    ----------
    rates : array_like of shape (n_times, n_names)
        Rates of change g.
    kind : str
        ``"geomean"``, ``"product"``, ``"min"`` or ``"gauss"``.
    clip : float, optional
        Percentile of a neuron's :math:`|g|` beyond which it is clipped; None for no clipping.
    width : float
        s of ``"gauss"``.

    Returns
    -------
    array of shape (n_times, n_pairs)
        At least 0, pairs in the order of ``numpy.triu_indices(n_names, 1)``.

    Raises
    ------
    DataError
        If the kind is unknown, or the rates are no finite matrix of two names or more.
    """
    check_option("kind", kind, KINDS)
    g = clipped_rates(rates, clip)
    i, j = np.triu_indices(g.shape[1], 1)
    found = np.empty((len(g), len(i)), np.float32)
    step = max(_AT_ONCE // max(len(i), 1), 1)
    for start in range(0, len(g), step):
        part = g[start : start + step]
        found[start : start + step] = _affinity(part, i, j, kind, width)
    return found


def split_rates(
    rates: ArrayLike, *, kind: str = "geomean", clip: float | None = 99.9
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Values of neurons whose products are the affinities: ``h_plus[i] h_plus[j] + h_minus[i] h_minus[j]``.

    Parameters
    ----------
    rates : array_like of shape (n_times, n_names)
        Rates of change.
    kind : str
        ``"geomean"`` or ``"product"``; the other affinities are no products.
    clip : float, optional
        As in `pair_affinity`.

    Returns
    -------
    h_plus, h_minus : array of shape (n_times, n_names)
        What rises and what falls, at least 0.

    Raises
    ------
    DataError
        If the affinity is no product, or the rates are no finite matrix of two names or more.
    """
    check_option("kind", kind, KINDS)
    if kind not in SEPARABLE:
        raise DataError(f"the affinity {kind!r} is no product of two neurons: choose from {list(SEPARABLE)}, or build the tensor")
    g = clipped_rates(rates, clip)
    return SEPARABLE[kind](np.maximum(g, 0)), SEPARABLE[kind](np.maximum(-g, 0))


def clipped_rates(rates: ArrayLike, clip: float | None) -> NDArray[np.float32]:
    """Clip the absolute rate of each neuron at a percentile of its own.

    Parameters
    ----------
    rates : array_like of shape (n_times, n_names)
        Rates of change.
    clip : float or None
        Percentile above 0, at most 100; None for no clipping.

    Returns
    -------
    array of shape (n_times, n_names)
        Clipped rates.

    Raises
    ------
    DataError
        If the rates are no finite matrix of two names or more, or the percentile is out of its range.
    """
    g = np.asarray(rates, np.float32)
    if g.ndim != 2 or g.shape[1] < 2 or not len(g):
        raise DataError(f"rates must be (n_times, n_names) with two names or more, got shape {g.shape}")
    if not np.isfinite(g).all():
        raise DataError(f"rates must be finite, got NaN or infinite values of {int((~np.isfinite(g)).any(axis=0).sum())} names")
    if clip is None:
        return g
    if not 0 < as_number(clip) <= 100:
        raise DataError(f"clip is a percentile above 0, at most 100, or None, got {clip!r}")
    most = np.percentile(np.abs(g), clip, axis=0).astype(np.float32)
    return np.clip(g, -most, most)


def fold_pairs(values: ArrayLike, n_names: int, fill: float = 0.0) -> NDArray[Any]:
    """Fold values of pairs to symmetric matrices.

    Parameters
    ----------
    values : array_like of shape (..., n_pairs)
        Values in the order of ``numpy.triu_indices(n_names, 1)``.
    n_names : int
        Neurons.
    fill : float
        Diagonal.

    Returns
    -------
    array of shape (..., n_names, n_names)
        Symmetric matrices.

    Raises
    ------
    DataError
        If the number of pairs is another one.
    """
    given = np.asarray(values)
    i, j = np.triu_indices(n_names, 1)
    if given.ndim < 1 or given.shape[-1] != len(i):
        raise DataError(f"{n_names} names have {len(i)} pairs, got values of shape {given.shape}")
    folded = np.full((*given.shape[:-1], n_names, n_names), fill, dtype=given.dtype)
    folded[..., i, j] = folded[..., j, i] = given
    return folded


def _affinity(g: NDArray[np.float32], i: NDArray[np.intp], j: NDArray[np.intp], kind: str, width: float) -> NDArray[np.float32]:
    if kind in SEPARABLE:
        sides = (SEPARABLE[kind](np.maximum(sign * g, 0)) for sign in (1, -1))
        return np.asarray(sum(side[:, i] * side[:, j] for side in sides))
    rise, fall = np.maximum(g, 0), np.maximum(-g, 0)
    least = np.minimum(rise[:, i], rise[:, j]) + np.minimum(fall[:, i], fall[:, j])
    if kind == "min":
        return least
    return np.asarray(np.exp(-np.square(g[:, i] - g[:, j]) / np.float32(2 * width**2)) * least)
