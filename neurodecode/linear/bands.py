"""Feature spaces with their delays: scalar products and predictions without laying the delayed copies out in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_finite
from neurodecode.errors import DataError
from neurodecode.linear.delays import Delayer, delayed_kernel

_AT_ONCE = 4096  # features copied in double precision
_Array = NDArray[Any]


class Band(NamedTuple):
    """One feature space of a model, with its delays."""

    features: _Array
    """Features without delays, (n_samples, n_features), float32 or float64."""
    source: NDArray[np.int64] | None = None
    """Row that each row of each delayed copy is taken from, (n_delays, n_samples), -1 for none; None without delays."""

    @property
    def width(self) -> int:
        """Number of columns, delays included."""
        return int(self.features.shape[1] * (1 if self.source is None else len(self.source)))

    def matrix(self) -> _Array:
        """Lay the columns out.

        Returns
        -------
        array of shape (n_samples, width)
            Blocks of features, one per delay.
        """
        if self.source is None:
            return self.features
        return np.concatenate([_take(self.features, rows) for rows in self.source], axis=1)

    def gram(self, other: Band | None = None) -> _Array:
        """Scalar products of rows, at the cost of the features without delays.

        Parameters
        ----------
        other : Band, optional
            The same feature space on other samples; by default this one.

        Returns
        -------
        array of shape (n_samples, n_other)
            Kernel, in double precision.
        """
        right = self if other is None else other
        plain = np.zeros((len(self.features), len(right.features)))
        for start in range(0, self.features.shape[1], _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            plain += self.features[:, part].astype(np.float64) @ right.features[:, part].T
        if self.source is None or right.source is None:
            return plain
        return delayed_kernel(plain, self.source, right.source)

    def dot(self, coef: _Array) -> _Array:
        """Columns times weights.

        Parameters
        ----------
        coef : array of shape (width, n_targets)
            Weights.

        Returns
        -------
        array of shape (n_samples, n_targets)
            What this band predicts.
        """
        if self.source is None:
            return np.asarray(self.features @ coef)
        p = self.features.shape[1]
        return sum(
            (_take(self.features @ coef[k * p : (k + 1) * p], rows) for k, rows in enumerate(self.source)),
            start=np.zeros((len(self.features), coef.shape[1]), coef.dtype),
        )

    def transpose_dot(self, weights: _Array, rows: NDArray[np.int64]) -> _Array:
        """Transposed columns times weights of samples.

        Parameters
        ----------
        weights : array of shape (n_rows, n_targets)
            Weights of samples.
        rows : array of shape (n_rows,)
            The samples they belong to.

        Returns
        -------
        array of shape (width, n_targets)
            Sums over samples.
        """
        if self.source is None:
            return np.asarray(self.features[rows].T @ weights)
        return np.concatenate([_take(self.features, source[rows]).T @ weights for source in self.source])


def make_bands(
    spaces: Any, sizes: Sequence[int] | None, delays: Any, groups: ArrayLike | None
) -> tuple[list[Band], NDArray[np.bool_]]:
    """Check feature spaces and bring them into one form.

    Parameters
    ----------
    spaces : sequence of (array or Responses) of shape (n_samples, n_features), or one of them
        Feature spaces; one array is cut into `sizes`.
    sizes : sequence of int or None
        Numbers of columns of the bands of a single array; None for one band.
    delays : None, Delayer, or a sequence of them
        Delays of all bands, or of each.
    groups : array_like of shape (n_samples,) or None
        Run of each sample, which delays do not leave.

    Returns
    -------
    bands : list of Band
        float64 where any of them is, float32 otherwise.
    valid : array of bool of shape (n_samples,)
        Rows whose delays lie inside their run in all bands.

    Raises
    ------
    DataError
        If shapes do not fit each other, or features are not finite.
    """
    arrays = [_features(x, i) for i, x in enumerate(_cut(spaces, sizes))]
    lengths = [len(x) for x in arrays]
    if len(set(lengths)) != 1:
        raise DataError(f"all bands need one number of samples, got {lengths}")
    dtype = np.result_type(np.float32, *arrays) if all(x.dtype.kind == "f" for x in arrays) else np.dtype(np.float64)
    delayers = delays if isinstance(delays, (list, tuple)) else [delays] * len(arrays)
    if len(delayers) != len(arrays):
        raise DataError(f"delays must be one Delayer, or one per band: got {len(delayers)} for {len(arrays)} bands")
    valid = np.ones(lengths[0], bool)
    bands = []
    for x, delayer in zip(arrays, delayers, strict=True):
        bands.append(Band(x.astype(dtype, copy=False), _source(delayer, lengths[0], groups)))
        if delayer is not None:
            valid &= delayer.valid(lengths[0], groups)
    return bands, valid


def _source(delayer: Any, n_samples: int, groups: ArrayLike | None) -> NDArray[np.int64] | None:
    if delayer is None:
        return None
    if not isinstance(delayer, Delayer):
        raise DataError(f"delays must be a Delayer, or one per band, got {type(delayer).__name__}: {delayer!r:.80}")
    return delayer.source_rows(n_samples, groups)


def _cut(spaces: Any, sizes: Sequence[int] | None) -> list[Any]:
    """Feature spaces as a list."""
    if isinstance(spaces, (list, tuple)):
        if not spaces:
            raise DataError(f"give at least one feature space, got {spaces!r}")
        if sizes is not None and len(sizes) != len(spaces):
            raise DataError(f"bands names {len(sizes)} sizes for {len(spaces)} feature spaces")
        return list(spaces)
    if sizes is None:
        return [spaces]
    x = spaces.matrix() if isinstance(spaces, Responses) else np.asarray(spaces)
    if x.ndim != 2 or min(sizes, default=0) < 1 or sum(sizes) != x.shape[1]:
        raise DataError(f"bands must be numbers of columns that add up to those of X {x.shape}, got {list(sizes)}")
    return list(np.split(x, np.cumsum(sizes)[:-1], axis=1))


def _features(x: Any, number: int) -> _Array:
    """Features of one band, checked."""
    array = x.matrix() if isinstance(x, Responses) else np.asarray(x)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiub":
        raise DataError(
            f"band {number} must be real numbers of shape (n_samples, n_features), got {array.dtype} of shape {array.shape}"
        )
    names = [f"row {row}" for row in range(len(array))]
    check_finite(array, names, f"features of band {number}", "Fill or drop these samples first.")
    return array


def _take(values: _Array, rows: NDArray[np.int64]) -> _Array:
    """Rows of an array; zeros where the row is -1."""
    taken = values[rows]
    taken[rows < 0] = 0
    return np.asarray(taken)
