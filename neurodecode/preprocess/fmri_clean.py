"""Cleaning of BOLD runs: confounds, drifts, filters and scale, all in one regression."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_length, check_option, check_positive, require
from neurodecode.errors import DataError
from neurodecode.preprocess._runs import blocks, check_bold, check_good_finite, name_of

log = logging.getLogger(__name__)

HIGH_PASS = 1 / 128  # Hz; the field's default, also that of SPM and of fMRIPrep's aCompCor
_FLAT = 1e-6  # a residual smaller than this part of the signal is rounding, not signal


def clean(
    recording: Recording,
    *,
    confounds: pd.DataFrame | None = None,
    high_pass: float | None = HIGH_PASS,
    low_pass: float | None = None,
    detrend: Literal[False, "linear"] = False,
    standardise: Literal["zscore", "psc"] | None = "zscore",
    allow_raw: bool = False,
) -> Recording:
    r"""Take confounds and slow drifts out of one BOLD run and put it on a common scale.

    Confounds :math:`C` and drifts :math:`D` (discrete cosines up to `high_pass`) leave in one projection
    :math:`Y - QQ^TY`, :math:`Q` an orthonormal basis of :math:`[D\ C]`, since a filter and a regression one after the other
    bring back what the first one took out (Lindquist et al. 2019, Human Brain Mapping 40:2358). With `low_pass`, signal and
    confounds pass the same Butterworth filter first, which has the same effect.

    Parameters
    ----------
    recording : Recording
        One run, data (n_channels, n_times), after fMRIPrep or the like.
    confounds : DataFrame of shape (n_times, n_confounds), optional
        Nuisance signals, e.g. from `select_confounds`.
    high_pass : float or None
        Slowest frequency in Hz to keep, by default 1/128; None keeps all.
    low_pass : float, optional
        Fastest frequency in Hz to keep.
    detrend : False or "linear"
        Take a straight line out. With `high_pass` it is hardly needed; both together are done, and noted in the step.
    standardise : {"zscore", "psc"} or None
        Mean 0 and standard deviation 1 over the run (n - 1 in the denominator), percent signal change about the mean of the
        run, or the residuals as they are (on the mean of the signal).
    allow_raw : bool
        Take raw BOLD (``meta["preprocessed"]`` is False) as well.

    Returns
    -------
    Recording
        Same channels and times. A channel that is constant, before or after the regression, becomes zero and is marked bad;
        the step counts them. A bad channel that holds NaN stays as it is.

    Raises
    ------
    DataError
        If BOLD is raw and not allowed to be, a good channel or a confound holds NaN, the confounds have another length or
        hold drifts besides `high_pass`, or nothing is left to estimate from.
    """
    _check_raw(recording, allow_raw)
    _check_filters(recording, high_pass, low_pass)
    check_option("detrend", detrend, (False, "linear"))
    check_option("standardise", standardise, ("zscore", "psc", None))
    table = check_confounds(confounds, recording, high_pass)
    data = read_signal(recording.data)
    check_good_finite(recording, data, "clean")
    nuisance = table if low_pass is not None else np.hstack([drifts(recording, high_pass), table])
    _check_degrees(recording, nuisance.shape[1] + bool(detrend) + 1)
    options: dict[str, Any] = {"detrend": bool(detrend), "standardize": None, "t_r": 1 / recording.sfreq, "filter": False}
    if low_pass is not None:
        options |= {"filter": "butterworth", "low_pass": low_pass, "high_pass": high_pass}
    cleaned = np.empty(data.shape, np.float32)
    for part in blocks(recording.n_channels):
        cleaned[part] = _clean_block(data[part].astype(np.float64), nuisance, options, standardise)
    flat = ~cleaned.any(axis=1)
    parameters = {
        "confounds": [] if confounds is None else [str(name) for name in confounds.columns],
        "high_pass": high_pass,
        "low_pass": low_pass,
        "detrend": detrend,
        "standardise": standardise,
        "allow_raw": allow_raw,
        "n_constant": int(flat.sum()),
        "notes": _notes(recording, high_pass, detrend),
    }
    channels = recording.channels.assign(bad=recording.channels["bad"].to_numpy() | flat)
    return recording.with_step("fmri.clean", parameters, data=cleaned, channels=channels)


def drifts(recording: Recording, high_pass: float | None) -> NDArray[np.float64]:
    """Discrete cosines slower than `high_pass` (Hz) at the volumes of a run.

    Built apart from ``nilearn.signal.clean``, which leaves its own cosines out when a confound looks like one: a slow head
    movement does.

    Parameters
    ----------
    recording : Recording
        One run.
    high_pass : float or None
        Cut-off in Hz.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times, n_cosines), without the constant.

    Raises
    ------
    DataError
        If the run is too short to hold half a period of `high_pass`.
    """
    if high_pass is None:
        return np.zeros((recording.n_times, 0))
    first_level = require("nilearn.glm.first_level", "drift models", "fmri")
    times = np.arange(recording.n_times) / recording.sfreq
    cosines = first_level.make_first_level_design_matrix(times, drift_model="cosine", high_pass=high_pass).to_numpy()[:, :-1]
    if not cosines.shape[1]:
        raise DataError(
            f"{name_of(recording)} lasts {recording.duration:g} s, less than half a period of high_pass={high_pass:g} Hz: "
            "nothing would be filtered. Pass high_pass=None, with detrend='linear' if it drifts"
        )
    return np.asarray(cosines, np.float64)


def check_confounds(confounds: pd.DataFrame | None, recording: Recording, high_pass: float | None) -> NDArray[np.float64]:
    """Confounds as a matrix that fits a run.

    Parameters
    ----------
    confounds : DataFrame of shape (n_times, n_confounds) or None
        Nuisance signals.
    recording : Recording
        The run.
    high_pass : float or None
        Cut-off in Hz of the high-pass that goes with them; cosine columns besides it are refused.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times, n_confounds).

    Raises
    ------
    DataError
        If the number of rows differs, a value is missing, or the drifts stand there twice.
    """
    if confounds is None:
        return np.zeros((recording.n_times, 0))
    check_length(f"confounds of {name_of(recording)}", len(confounds), recording.n_times, "volume")
    cosines = [name for name in map(str, confounds.columns) if name.startswith("cosine")]
    if cosines and high_pass is not None:
        raise DataError(
            f"the confounds hold the drifts {cosines[:3]} besides high_pass={high_pass:g} Hz: one high-pass only. "
            "Leave the cosine columns out, or pass high_pass=None"
        )
    values = confounds.to_numpy(dtype=np.float64)
    lost = np.argwhere(~np.isfinite(values))
    if lost.size:
        row, column = lost[0]
        raise DataError(
            f"confound {confounds.columns[column]!r} of {name_of(recording)} holds {values[row, column]} in row {row}: "
            "select_confounds fills the first row as fMRIPrep's users do; fill or leave out the others"
        )
    return values


def _check_raw(recording: Recording, allow_raw: bool) -> None:
    check_bold(recording)
    if recording.meta.get("preprocessed") is False and not allow_raw:
        raise DataError(
            f"{name_of(recording)} is raw BOLD (meta['preprocessed'] is False): run fMRIPrep and read its desc-preproc_bold with "
            "the confounds, or pass allow_raw=True if head motion and distortion do not matter here"
        )


def _check_filters(recording: Recording, high_pass: float | None, low_pass: float | None) -> None:
    nyquist = recording.sfreq / 2
    for name, value in (("high_pass", high_pass), ("low_pass", low_pass)):
        if value is not None and check_positive(name, value) >= nyquist:
            raise DataError(f"{name} must lie below {nyquist:g} Hz, half the volumes per second, got {value:g} Hz")
    if high_pass is not None and low_pass is not None and high_pass >= low_pass:
        raise DataError(f"high_pass must lie below low_pass, got {high_pass:g} and {low_pass:g} Hz")


def _check_degrees(recording: Recording, n_regressors: int) -> None:
    if n_regressors >= recording.n_times:
        raise DataError(
            f"{n_regressors} nuisance regressors (confounds, drifts, mean) explain all {recording.n_times} volumes of "
            f"{name_of(recording)}: take fewer confounds, e.g. select_confounds(table, 'motion6'), or a lower high_pass"
        )


def _notes(recording: Recording, high_pass: float | None, detrend: Any) -> list[str]:
    if not (detrend and high_pass):
        return []
    note = f"linear detrend and high-pass {high_pass:g} Hz were both applied; the second alone removes slow drifts"
    log.warning("%s: %s", name_of(recording), note)
    return [note]


def _clean_block(
    data: NDArray[np.float64], nuisance: NDArray[np.float64], options: dict[str, Any], standardise: str | None
) -> NDArray[np.float64]:
    """Clean some channels (n_channels, n_times); those with NaN stay, constant ones become zero."""
    signal = require("nilearn.signal", "cleaning BOLD", "fmri")
    mean, spread = data.mean(axis=1, keepdims=True), data.std(axis=1)
    usable = np.isfinite(spread) & (spread > _FLAT * np.abs(mean[:, 0]))
    result = np.where(np.isfinite(spread)[:, None], 0.0, data)
    if not usable.any():
        return result
    mean = mean[usable]
    residual = signal.clean((data[usable] - mean).T, confounds=nuisance if nuisance.shape[1] else None, **options).T
    residual -= residual.mean(axis=1, keepdims=True)
    residual[residual.std(axis=1) <= _FLAT * spread[usable]] = 0.0
    result[usable] = _scaled(residual, mean, standardise)
    return result


def _scaled(residual: NDArray[np.float64], mean: NDArray[np.float64], standardise: str | None) -> NDArray[np.float64]:
    """Residuals of mean 0 (n_channels, n_times) as z-scores, percent of the mean, or back on the mean."""
    left = residual.any(axis=1, keepdims=True)
    if standardise == "zscore":
        return residual / np.where(left, residual.std(axis=1, ddof=1, keepdims=True), 1.0)
    if standardise is None:
        return np.where(left, residual + mean, 0.0)
    if (mean <= residual.std(axis=1, keepdims=True)).any():
        raise DataError(
            f"percent signal change needs the mean of the scanner's signal, but a channel has mean {mean.min():.3g}: it was "
            "demeaned or lies outside the brain. Mask it out, or use standardise='zscore'"
        )
    return 100.0 * residual / mean
