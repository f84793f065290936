"""The linear decoders beside each network: ridge from the whole window for images, lagged backward ridge for speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.decode.meeg_inputs import Scaling, Targets, Windows
from neurodecode.errors import DataError
from neurodecode.linear import Delayer, RidgeCV

_LEAST = 4  # stimuli of a subject below which no penalty can be chosen
_AT_ONCE = (
    2**28
)  # values of lagged responses held at once (1 GB); beyond, the ridge is fitted on every second time, or third, ...


@dataclass(frozen=True, eq=False)
class SubjectRidge:
    """Ridge weights of each subject, and the mean of all for a subject that is not known.

    Parameters
    ----------
    subjects : list of str
        Subjects.
    coef : array of shape (n_subjects, n_inputs, n_features)
        Weights.
    intercept : array of shape (n_subjects, n_features)
        Offsets.
    lags : array of shape (n_lags,) or None
        Samples by which the response follows speech; None where the whole window is one vector.
    """

    subjects: list[str]
    coef: NDArray[np.float32]
    intercept: NDArray[np.float32]
    lags: NDArray[np.int64] | None = None

    def predict(self, windows: Windows, index: NDArray[np.int64], n_times: int) -> NDArray[np.float32]:
        """Predict standardised targets of some samples.

        Parameters
        ----------
        windows : Windows
            Responses.
        index : array of shape (n,)
            Sample numbers.
        n_times : int
            Times of the targets (speech).

        Returns
        -------
        array of shape (n, n_features[, n_times])
            Predictions.

        Raises
        ------
        DataError
            If the number of channels is another.
        """
        inputs = _inputs(windows, index, self.lags, np.arange(n_times))
        if inputs.shape[-1] != self.coef.shape[1]:
            raise DataError(f"windows give {inputs.shape[-1]} inputs, the ridge was fitted on {self.coef.shape[1]}")
        names = windows.subjects[index]
        found = np.empty((*inputs.shape[:-1], self.coef.shape[2]), np.float32)
        for name in np.unique(names.astype(str)):
            rows, own = names == name, [i for i, s in enumerate(self.subjects) if s == name] or slice(None)
            found[rows] = inputs[rows] @ self.coef[own].mean(axis=0) + self.intercept[own].mean(axis=0)
        return found if found.ndim == 2 else np.ascontiguousarray(found.transpose(0, 2, 1))


def fit_subject_ridge(
    windows: Windows, targets: Targets, scaling: Scaling, *, lags: tuple[float, float] | None = None, n_times: int = 0
) -> SubjectRidge:
    r"""Fit a ridge for each subject, its penalties chosen on folds of whole stimuli.

    Images: :math:`z = W\,\mathrm{vec}(X) + b`. Speech: :math:`y(t) = \sum_{l} W_l x(t + l) + b`, the backward model.

    Parameters
    ----------
    windows : Windows
        Training responses.
    targets : Targets
        Of the stimuli.
    scaling : Scaling
        Of the targets.
    lags : tuple of float, optional
        First and last lag in s by which the response follows speech; None for images.
    n_times : int
        Times of the targets (speech).

    Returns
    -------
    SubjectRidge
        Weights.

    Raises
    ------
    DataError
        If a subject has too few samples.

    References
    ----------
    Crosse et al., Frontiers in Human Neuroscience 10:604 (2016), for the backward model.
    """
    names, rows = windows.subjects, targets.rows(windows.samples["stimulus"])
    steps = None if lags is None else Delayer.fir(lags[0], lags[1], sfreq=windows.sfreq).steps_
    subjects = sorted(set(names))
    fits = [_fit_one(windows, np.flatnonzero(names == name), rows, targets, scaling, steps, n_times) for name in subjects]
    coef, intercept = (np.stack([fit[i] for fit in fits]).astype(np.float32) for i in (0, 1))
    return SubjectRidge(subjects, coef, intercept, steps)


def _fit_one(
    windows: Windows,
    index: NDArray[np.int64],
    rows: NDArray[np.int64],
    targets: Targets,
    scaling: Scaling,
    lags: NDArray[np.int64] | None,
    n_times: int,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights and offsets of one subject."""
    if len(np.unique(rows[index])) < _LEAST:
        name = windows.subjects[index[0]]
        raise DataError(
            f"subject {name!r} has {len(np.unique(rows[index]))} training stimuli, the ridge beside the network needs {_LEAST}: "
            "record more, or pass baseline=False"
        )
    groups, wanted = rows[index], scaling.apply(np.asarray(targets.data[rows[index]]))
    if lags is None:
        fitted = RidgeCV(search="coarse").fit(_inputs(windows, index, None, np.arange(0)), wanted, groups=groups)
        return fitted.coef_, fitted.intercept_
    size = len(index) * n_times * len(lags) * windows.n_channels
    times = np.arange(0, n_times, -(-size // _AT_ONCE))
    x = _inputs(windows, index, lags, times).reshape(len(index) * len(times), -1)
    y = wanted[:, :, times].transpose(0, 2, 1).reshape(len(x), -1)
    fitted = RidgeCV(search="coarse").fit(x, y, groups=np.repeat(groups, len(times)))
    return fitted.coef_, fitted.intercept_


def _inputs(
    windows: Windows, index: NDArray[np.int64], lags: NDArray[np.int64] | None, times: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Whole windows (n, n_channels * n_times), or what follows each time by each lag (n, n_times, n_lags * n_channels)."""
    signal, _ = windows.read(index)
    if lags is None:
        return signal.reshape(len(signal), -1)
    delayed = np.zeros((len(signal), len(times), len(lags), signal.shape[1]), np.float32)
    for k, lag in enumerate(lags):
        inside = (times + lag >= 0) & (times + lag < signal.shape[2])
        delayed[:, inside, k] = signal[:, :, times[inside] + lag].transpose(0, 2, 1)
    return delayed.reshape(len(signal), len(times), -1)
