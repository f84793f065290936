"""Noise covariance, whitening (multivariate noise normalisation) and robust scaling, all fitted on training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_columns, check_finite, check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import (
    DATA_KINDS,
    joined,
    names_of,
    need_rows,
    put_rows,
    rows_of_names,
    valid_signal,
)

Signal = TypeVar("Signal", Recording, Responses)
_REMEDY = "Leave those samples or units out, or interpolate them."


@dataclass(frozen=True, eq=False)
class NoiseCovariance:
    """Covariance of the noise between channels.

    Parameters
    ----------
    names : list of str
        Channels.
    covariance : array of shape (n_channels, n_channels)
        In units squared.
    shrinkage : float
        Weight of the diagonal target, 0 to 1 (mean over time points where there are several).
    n_samples : int
        Samples it was estimated from.
    """

    names: list[str]
    covariance: NDArray[np.float64]
    shrinkage: float
    n_samples: int

    def whitener(self) -> NDArray[np.float64]:
        r"""The matrix W that whitens this noise, :math:`W \Sigma W^\top = I`, shape (n_channels, n_channels).

        :math:`W = C^{-1/2} S^{-1}` with the standard deviations S and the correlations C. It equals the
        :math:`\Sigma^{-1/2}` of Guggenmos et al. but for a rotation, and does not depend on the units of the channels, so that
        EEG, magnetometers and gradiometers may stand side by side. Directions without noise are left out.
        """
        std = np.sqrt(np.diag(self.covariance))
        scale = np.where(std > 0, 1 / np.where(std > 0, std, 1), 0)
        values, vectors = np.linalg.eigh(self.covariance * scale * scale[:, None])
        used = values > values[-1] * len(values) * np.finfo(float).eps
        root: NDArray[np.float64] = (vectors[:, used] / np.sqrt(values[used])) @ vectors[:, used].T * scale
        return root


@dataclass(frozen=True, eq=False)
class RobustScale:
    """Centre and spread of each channel.

    Parameters
    ----------
    names : list of str
        Channels.
    center : array of shape (n_channels,)
        Medians.
    spread : array of shape (n_channels,)
        Interquartile ranges.
    """

    names: list[str]
    center: NDArray[np.float64]
    spread: NDArray[np.float64]


def noise_covariance(train: Recording | Sequence[Recording] | Responses, *, by: str | None = "trial_type") -> NoiseCovariance:
    """Estimate the noise covariance with Ledoit-Wolf shrinkage towards the diagonal.

    Of `Responses`, the noise is what is left of each sample after the mean of its condition is taken off. The covariance of
    these residuals is shrunk at each time point and averaged over time points (the "epoch" method of Guggenmos et al.). They
    shrink each condition by itself and average; here the residuals of all conditions are pooled first, which also works with
    two samples per condition. Of a `Recording` (a rest or empty-room run), it is the covariance over the valid samples.

    Parameters
    ----------
    train : Recording, sequence of Recording, or Responses
        Training data only. Of recordings the good data channels are used.
    by : str, optional
        Column of `samples` that names the condition; None takes the mean of all samples off.

    Returns
    -------
    NoiseCovariance
        Arrays only.

    Raises
    ------
    DataError
        If the training data hold NaN, or no condition has two samples.

    References
    ----------
    Guggenmos, Sterzer and Cichy (2018), Multivariate pattern analysis for MEG: a comparison of dissimilarity measures,
    NeuroImage 173. Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices,
    Journal of Multivariate Analysis 88.
    """
    if isinstance(train, Responses):
        names, noise = train.units["name"].tolist(), _residuals(train, by)
    else:
        runs = joined(train, "noise_covariance")
        rows = need_rows(runs, DATA_KINDS, "noise_covariance")
        signal = valid_signal(runs, rows, "noise_covariance")
        names, noise = names_of(runs, rows), (signal - signal.mean(axis=1, keepdims=True)).T[:, :, None]
    std = np.sqrt(np.mean(noise**2, axis=(0, 2)))
    scaled = noise / np.where(std > 0, std, 1)[:, None]
    shrunk = [shrunk_covariance(scaled[:, :, t]) for t in range(scaled.shape[2])]
    covariance = np.mean([c for c, _ in shrunk], axis=0) * std * std[:, None]
    return NoiseCovariance(names, covariance, float(np.mean([s for _, s in shrunk])), noise.shape[0] * noise.shape[2])


def whiten(signal: Signal, noise: NoiseCovariance) -> Signal:
    """Multivariate noise normalisation: make the noise of all channels uncorrelated and of variance 1.

    Parameters
    ----------
    signal : Recording or Responses
        With the channels of `noise`.
    noise : NoiseCovariance
        From `noise_covariance` on training data.

    Returns
    -------
    Recording or Responses
        Of the same type; whitened channels have no unit. Channels that `noise` does not know stay as they are in a Recording.

    Raises
    ------
    DataError
        If channels are missing (of Responses: or differ) or hold NaN.
    """
    root = noise.whitener()
    parameters = {"shrinkage": noise.shrinkage, "n_samples": noise.n_samples}
    if isinstance(signal, Responses):
        data = _responses_data(signal, noise.names, "whiten")
        return signal.with_step(
            "meeg.whiten", parameters, data=np.einsum("ij,sj...->si...", root, data), units=signal.units.assign(unit="n/a")
        )
    rows = rows_of_names(signal, noise.names, "whiten")
    whitened = root @ read_signal(signal.data)[rows].astype(np.float64)
    return signal.with_step("meeg.whiten", parameters, data=put_rows(signal, rows, whitened), channels=_unitless(signal, rows))


def fit_robust_scale(train: Recording | Sequence[Recording] | Responses, *, flat: str = "raise") -> RobustScale:
    """Median and interquartile range of each channel of training data.

    Parameters
    ----------
    train : Recording, sequence of Recording, or Responses
        Training data only. Of recordings the valid samples of the good data channels are used.
    flat : {"raise", "unit"}
        What a channel that does not vary is: an error, or left on its scale (a spread of 1).

    Returns
    -------
    RobustScale
        Arrays only.

    Raises
    ------
    DataError
        If a channel holds NaN, or does not vary.
    """
    check_option("flat", flat, ["raise", "unit"])
    if isinstance(train, Responses):
        names = train.units["name"].tolist()
        values = np.moveaxis(_responses_data(train, names, "fit_robust_scale"), 1, 0).reshape(len(names), -1)
    else:
        runs = joined(train, "fit_robust_scale")
        rows = need_rows(runs, DATA_KINDS, "fit_robust_scale")
        names, values = names_of(runs, rows), valid_signal(runs, rows, "fit_robust_scale")
    low, center, high = np.percentile(values, [25, 50, 75], axis=1)
    still = np.flatnonzero(high <= low)
    if still.size and flat == "raise":
        raise DataError(
            f"fit_robust_scale: channel {names[still[0]]!r} has an interquartile range of 0 ({still.size} of {len(names)} have): "
            "mark it bad, leave it out, or pass flat='unit'"
        )
    return RobustScale(names, center, np.where(high > low, high - low, 1.0))


def robust_scale(signal: Signal, scale: RobustScale, clamp: float | None = 20.0) -> Signal:
    """Centre each channel at its median, divide by its interquartile range, and clamp what is still far out.

    Parameters
    ----------
    signal : Recording or Responses
        With the channels of `scale`.
    scale : RobustScale
        From `fit_robust_scale` on training data.
    clamp : float, optional
        Values beyond plus or minus this are set to it; None clamps nothing.

    Returns
    -------
    Recording or Responses
        Of the same type; scaled channels have no unit. Channels that `scale` does not know stay as they are in a Recording.

    Raises
    ------
    DataError
        If channels are missing (of Responses: or differ) or hold NaN.

    References
    ----------
    Défossez et al. (2023), Decoding speech perception from non-invasive brain recordings, Nature Machine Intelligence 5.
    """
    limit = np.inf if clamp is None else check_positive("clamp", clamp)
    if isinstance(signal, Responses):
        data = _responses_data(signal, scale.names, "robust_scale")
        shape = (-1, 1) if data.ndim == 3 else (-1,)
        scaled = np.clip((data - scale.center.reshape(shape)) / scale.spread.reshape(shape), -limit, limit)
        return signal.with_step("meeg.robust_scale", {"clamp": clamp}, data=scaled, units=signal.units.assign(unit="n/a"))
    rows = rows_of_names(signal, scale.names, "robust_scale")
    scaled = (read_signal(signal.data)[rows] - scale.center[:, None]) / scale.spread[:, None]
    data = put_rows(signal, rows, np.clip(scaled, -limit, limit))
    return signal.with_step("meeg.robust_scale", {"clamp": clamp}, data=data, channels=_unitless(signal, rows))


def shrunk_covariance(noise: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Ledoit-Wolf covariance of centred noise (n_samples, n_channels), and the shrinkage."""
    from sklearn.covariance import ledoit_wolf

    covariance, shrinkage = ledoit_wolf(noise, assume_centered=True)
    return covariance, float(shrinkage)


def _residuals(responses: Responses, by: str | None) -> NDArray[np.float64]:
    """Samples minus the mean of their condition, corrected for the means taken, shape (n_samples, n_units, n_times)."""
    data = _responses_data(responses, responses.units["name"].tolist(), "noise_covariance")
    data = data.reshape(*data.shape[:2], -1)
    labels = np.zeros(len(data), np.int64)
    if by is not None:
        check_columns(responses.samples, [by], "samples")
        labels = responses.groups([by])
    counts = np.bincount(labels)
    if len(data) <= len(counts):
        raise DataError(
            f"noise_covariance needs a condition with two samples: {len(data)} samples of {len(counts)} values of {by!r}"
        )
    means = np.stack([data[labels == k].mean(axis=0) for k in range(len(counts))])
    return np.asarray((data - means[labels]) * np.sqrt(len(data) / (len(data) - len(counts))))


def _responses_data(responses: Responses, names: Sequence[str], where: str) -> NDArray[np.float64]:
    """The data in float64, if the units are the ones expected and all values are finite."""
    held = responses.units["name"].tolist()
    if held != list(names):
        other = [n for n in held if n not in set(names)] or [n for n in names if n not in set(held)] or held
        raise DataError(
            f"{where} was fitted on {len(names)} units, these responses have {len(held)}, and they differ, e.g. in {other[0]!r}"
        )
    data = np.asarray(responses.data)
    check_finite(np.moveaxis(data, 1, 0), held, where, _REMEDY)
    return data.astype(np.float64)


def _unitless(recording: Recording, rows: NDArray[np.intp]) -> pd.DataFrame:
    units: Any = recording.channels["unit"].copy()
    units.iloc[rows] = "n/a"
    return recording.channels.assign(unit=units)
