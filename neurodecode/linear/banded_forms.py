"""The two forms in which a banded ridge is solved: through kernels of samples, or through products of features.

Products are kept in double precision whatever that of the data: where features outnumber what they vary in, rounding of single
precision is as large as a small penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import check_option
from neurodecode.linear.backend import Backend
from neurodecode.linear.bands import Band

_Array = Any  # numpy or torch
_SAMPLED = 64  # training samples on which operators of features are compared
_Rows = NDArray[np.int64]
_Floats = NDArray[np.float64]


class System(NamedTuple):
    """Ridge of one mixture on one fold: ``prediction = cross scale (gram + alpha I)^-1 scale known``."""

    gram: _Array
    """Products of what was trained on, scaled, (size, size)."""
    cross: _Array
    """Products of held-out and trained on, scaled, (n_test, size)."""
    scale: _Array | None = None
    """Factor of each direction, (size,); None for 1."""
    samples: _Array | None = None
    """From solutions to some training samples, (size, n_sampled); None where solutions are of samples."""


class Form(Protocol):
    """What the search and the fit need of the bands, whichever form they are solved in."""

    @property
    def name(self) -> str:
        """``"dual"`` or ``"primal"``."""

    @property
    def dtype(self) -> Any:
        """Precision of the data."""

    def to(self, backend: Backend) -> Form:
        """Bring the bands to a device.

        Parameters
        ----------
        backend : Backend
            Who does the algebra.

        Returns
        -------
        Form
            The same there.
        """

    def take(self, rows: _Rows) -> Form:
        """Cut to some samples.

        Parameters
        ----------
        rows : array of shape (n_rows,)
            Which, ascending.

        Returns
        -------
        Form
            Of these.
        """

    def pick(self, bands: Sequence[int]) -> Form:
        """Cut to some bands.

        Parameters
        ----------
        bands : sequence of int
            Which, ascending.

        Returns
        -------
        Form
            Of these.
        """

    def n_columns(self) -> int:
        """Number of columns of all bands."""

    def all_rows(self) -> _Rows:
        """Numbers of the samples."""

    def trace(self) -> float:
        """Trace of the centred kernel of all bands alike."""

    def mix(self, gamma: _Floats) -> _Array:
        """Weigh the bands.

        Parameters
        ----------
        gamma : array of shape (n_bands,)
            Weights.

        Returns
        -------
        array
            For `system`: the sum of kernels (n_samples, n_samples), or the factor of each column (n_columns,).
        """

    def system(self, mixed: _Array, train: _Rows, test: _Rows) -> System:
        """Set up the equations of one fold, centred in the space of features by the mean of the training samples.

        Parameters
        ----------
        mixed : array
            Of `mix`.
        train, test : array of shape (n_train,), (n_test,)
            Samples.

        Returns
        -------
        System
            The equations.
        """

    def known(self, y: _Array, train: _Rows) -> _Array:
        """What operators act on.

        Parameters
        ----------
        y : array of shape (n_samples, n_targets)
            Targets about the mean of their training samples.
        train : array of shape (n_train,)
            Training samples.

        Returns
        -------
        array of shape (size, n_targets)
            The targets themselves (dual), or their products with features (primal).
        """

    def parts(self, weights: _Array, gammas: _Floats, train: _Rows, test: _Rows) -> list[_Array]:
        """What each band predicts about the mean of the training samples.

        Parameters
        ----------
        weights : array of shape (size, n_targets)
            Weights of the training samples (dual) or of columns (primal).
        gammas : array of shape (n_bands, n_targets)
            Weights of the bands.
        train, test : array of shape (n_train,), (n_test,)
            Samples.

        Returns
        -------
        list of array of shape (n_test, n_targets)
            One per band.
        """


class _DualForm(NamedTuple):
    """Kernels of samples: ``K(gamma) = sum_i gamma_i K_i``, whatever the number of features."""

    kernels: Sequence[_Array]
    """One kernel per band, (n_samples, n_samples) each, in double precision."""
    widths: Sequence[int]
    """Number of columns behind each kernel."""
    dtype: Any
    """Precision of the data."""
    name: str = "dual"
    """Of the form."""

    def to(self, backend: Backend) -> _DualForm:
        """Bring the kernels to a device."""
        return self._replace(kernels=[backend.asarray(k, np.float64) for k in self.kernels])

    def take(self, rows: _Rows) -> _DualForm:
        """Cut to some samples."""
        return self if len(rows) == len(self.kernels[0]) else self._replace(kernels=[k[rows][:, rows] for k in self.kernels])

    def n_columns(self) -> int:
        """Number of columns of all bands."""
        return int(sum(self.widths))

    def all_rows(self) -> _Rows:
        """Numbers of the samples."""
        return np.arange(len(self.kernels[0]))

    def pick(self, bands: Sequence[int]) -> _DualForm:
        """Cut to some bands."""
        return _DualForm([self.kernels[i] for i in bands], [self.widths[i] for i in bands], self.dtype)

    def mix(self, gamma: _Floats) -> _Array:
        """Weigh the bands: the sum of kernels, shape (n_samples, n_samples)."""
        used = [(float(g), kernel) for g, kernel in zip(gamma, self.kernels, strict=True) if g > 0]
        total = used[0][0] * used[0][1]
        for g, kernel in used[1:]:
            total += g * kernel
        return total

    def system(self, mixed: _Array, train: _Rows, test: _Rows) -> System:
        """Kernels of one fold, centred in the space of features by the mean of the training samples."""
        gram, cross = mixed[train][:, train], mixed[test][:, train]
        mean = gram.mean(0)
        cross = cross - mean - (cross.mean(1) - mean.mean())[:, None]
        return System(gram - mean - mean[:, None] + mean.mean(), cross)

    def known(self, y: _Array, train: _Rows) -> _Array:
        """Centred targets of the training samples, (n_train, n_targets)."""
        return y[train]

    def parts(self, weights: _Array, gammas: _Floats, train: _Rows, test: _Rows) -> list[_Array]:
        """What each band predicts, from weights of the training samples: (n_test, n_targets) each."""
        crosses = (self.system(kernel, train, test).cross.astype(weights.dtype) for kernel in self.kernels)
        return [cross @ (weights * gamma.astype(weights.dtype)) for cross, gamma in zip(crosses, gammas, strict=True)]

    def trace(self) -> float:
        """Mean squared distance from the mean times the number of samples, all bands alike: the trace of the centred kernel."""
        traces = [float(k.diagonal().sum(dtype=float)) - float(k.sum(dtype=float)) / len(k) for k in self.kernels]
        return sum(traces) / len(traces)


class _PrimalForm(NamedTuple):
    """Products of features: cheaper where all bands together have fewer features than there are samples."""

    features: _Array
    """Columns of all bands, (n_samples, n_columns), in double precision."""
    light: _Array
    """The same in the precision of the data."""
    widths: Sequence[int]
    """Number of columns of each band."""
    dtype: Any
    """Precision of the data."""
    name: str = "primal"
    """Of the form."""

    def to(self, backend: Backend) -> _PrimalForm:
        """Bring the columns to a device."""
        both = backend.asarray(self.features, np.float64), backend.asarray(self.light, self.dtype)
        return _PrimalForm(*both, self.widths, self.dtype)

    def take(self, rows: _Rows) -> _PrimalForm:
        """Cut to some samples."""
        if len(rows) == len(self.features):
            return self
        return self._replace(features=self.features[rows], light=self.light[rows])

    def n_columns(self) -> int:
        """Number of columns of all bands."""
        return int(sum(self.widths))

    def all_rows(self) -> _Rows:
        """Numbers of the samples."""
        return np.arange(len(self.features))

    def pick(self, bands: Sequence[int]) -> _PrimalForm:
        """Cut to some bands."""
        columns = np.isin(np.repeat(np.arange(len(self.widths)), self.widths), bands)
        widths = [self.widths[i] for i in bands]
        return _PrimalForm(self.features[:, columns], self.light[:, columns], widths, self.dtype)

    def mix(self, gamma: _Floats) -> _Array:
        """Weigh the bands: the factor ``sqrt(gamma)`` of each column, shape (n_columns,)."""
        factors = self.features[0] * 0 + 1  # of the same kind of array, on the same device
        ends = np.cumsum(self.widths)
        for weight, width, end in zip(np.sqrt(gamma), self.widths, ends, strict=True):
            factors[end - width : end] = float(weight)
        return factors

    def system(self, mixed: _Array, train: _Rows, test: _Rows) -> System:
        """Products of one fold, of features centred by the mean of the training samples."""
        mean = self.features[train].mean(0)
        x = (self.features[train] - mean) * mixed
        return System(x.T @ x, (self.features[test] - mean) * mixed, mixed, x[:: max(1, len(train) // _SAMPLED)].T)

    def known(self, y: _Array, train: _Rows) -> _Array:
        """Products of features and centred targets of the training samples, (n_columns, n_targets)."""
        return self.light[train].T @ y[train]

    def parts(self, weights: _Array, gammas: _Floats, train: _Rows, test: _Rows) -> list[_Array]:
        """What each band predicts, from weights of features: (n_test, n_targets) each."""
        x = (self.features[test] - self.features[train].mean(0)).astype(weights.dtype)
        ends = np.cumsum(self.widths)
        return [x[:, b - w : b] @ weights[b - w : b] for w, b in zip(self.widths, ends, strict=True)]

    def trace(self) -> float:
        """Trace of the centred kernel of all bands alike."""
        x = self.features - self.features.mean(0)
        return float(np.einsum("ij,ij->", x, x, dtype=float)) / len(self.widths)


def make_form(bands: Sequence[Band], form: str, n_train: int) -> Form:
    """Prepare bands for the search.

    Parameters
    ----------
    bands : sequence of Band
        Feature spaces, centred as far as their numbers go well together in single precision.
    form : str
        ``"primal"``, ``"dual"``, or ``"auto"``: primal where all columns together are fewer than training samples.
    n_train : int
        Samples of the smallest training part.

    Returns
    -------
    Form
        Over all samples.

    Raises
    ------
    DataError
        If `form` is unknown.
    """
    check_option("form", form, ("auto", "primal", "dual"))
    widths, dtype = [band.width for band in bands], bands[0].features.dtype
    if form == "primal" or (form == "auto" and sum(widths) < n_train):
        light = np.concatenate([band.matrix() for band in bands], axis=1)
        return _PrimalForm(light.astype(np.float64), light, widths, dtype)
    return _DualForm([band.gram() for band in bands], widths, dtype)
