"""Channel quality of M/EEG: which channels are flat, noisy or unlike the others, and what is done about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.convert import from_mne, to_mne
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_positive, require
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import (
    DATA_KINDS,
    MEG_KINDS,
    SIGNAL_KINDS,
    line_frequency,
    names_of,
    need_rows,
    put_rows,
    rows_of_kind,
    valid_slices,
)
from neurodecode.preprocess.meeg_filter import psd

FLAT_SPAN = {"V": 1e-7, "T": 1e-15, "T/m": 1e-13}  # a span below this within a second is no signal
_LEAST_CHANNELS = 4  # of one kind, for a comparison with the others
_LEAST_SPREAD = 0.1  # in log amplitude and in Fisher's z: channels that agree closely are no reason to reject any


def quality(recording: Recording) -> pd.DataFrame:
    """How good each channel is, over the valid stretches.

    Parameters
    ----------
    recording : Recording
        Any M/EEG or iEEG recording.

    Returns
    -------
    DataFrame
        One row per channel that carries a signal (no stim, no misc): ``name``, ``kind``, ``unit``, ``std`` (in that unit, NaN
        samples left out), ``nan_fraction``, ``flat_fraction`` (of 1 s windows, see `find_bad_channels`),
        ``line_noise_ratio`` (highest power within 1 Hz of the mains frequency over the mean power 3 to 8 Hz away from it,
        spectra of 2 s windows; NaN where the mains frequency is not known) and ``bad``.

    Raises
    ------
    DataError
        If there is no such channel or no valid sample.
    """
    rows = need_rows(recording, SIGNAL_KINDS, "quality", good=False)
    data = read_signal(recording.data)
    signal = np.concatenate([data[rows, part] for part in valid_slices(recording)], axis=1)
    finite = np.isfinite(signal)
    table = recording.channels.iloc[rows][["name", "kind", "unit"]].reset_index(drop=True)
    return table.assign(
        std=_std(signal, finite),
        nan_fraction=1 - finite.mean(axis=1),
        flat_fraction=flat_fraction(recording, rows),
        line_noise_ratio=line_noise_ratio(recording, rows),
        bad=recording.channels["bad"].to_numpy()[rows],
    )


def find_bad_channels(
    recording: Recording, *, max_flat: float = 0.1, amplitude_z: float = 5.0, correlation_z: float = 5.0
) -> Recording:
    """Mark data channels as bad that are flat, far too large or small, or unlike all others.

    The signal is looked at in windows of 1 s of the valid stretches, each kind (eeg, mag, ...) by itself. A channel is bad if

    - it holds NaN or infinite values, or
    - in more than `max_flat` of the windows it spans less than 0.1 microvolt (1 fT, 0.1 pT/m), or
    - the robust z of its log amplitude (median over windows of the standard deviation within a window) is beyond
      `amplitude_z` on either side, or
    - the robust z of its correlation (Fisher's z of the median over windows of its largest absolute correlation with another
      channel) is below minus `correlation_z`.

    Robust z is the distance from the median of the good channels in units of 1.4826 times their median absolute deviation,
    taken as at least 0.1. It needs four channels of the kind; with fewer only the first two criteria are used.

    Parameters
    ----------
    recording : Recording
        Any M/EEG or iEEG recording, best after a high-pass filter.
    max_flat : float
        Largest fraction of flat windows.
    amplitude_z, correlation_z : float
        Thresholds on robust z.

    Returns
    -------
    Recording
        ``bad`` is set, what was marked before stays; ``status_description`` says why. The step names the channels.

    Raises
    ------
    DataError
        If there is no data channel or no valid sample.
    """
    check_positive("amplitude_z", amplitude_z)
    check_positive("correlation_z", correlation_z)
    rows = need_rows(recording, DATA_KINDS, "find_bad_channels", good=False)
    reasons = _dead_channels(recording, rows, max_flat)
    for kind in recording.channels["kind"].iloc[rows].unique():
        usable = np.array([r for r in rows_of_kind(recording, [kind], good=True) if r not in reasons], np.intp)
        if len(usable) >= _LEAST_CHANNELS:
            reasons |= _outliers(recording, usable, amplitude_z, correlation_z)
    parameters = {"max_flat": max_flat, "amplitude_z": amplitude_z, "correlation_z": correlation_z}
    return mark_bad(recording, reasons, "meeg.find_bad_channels", parameters)


def drop_bads(recording: Recording) -> Recording:
    """Leave the bad channels out.

    Parameters
    ----------
    recording : Recording
        Any recording.

    Returns
    -------
    Recording
        Good channels only; the step names those left out.

    Raises
    ------
    DataError
        If every channel is bad.
    """
    bad = recording.channels["bad"].to_numpy()
    if bad.all():
        raise DataError(f"all {len(bad)} channels are marked bad: nothing would be left")
    return recording.pick(~bad).with_step("meeg.drop_bads", {"dropped": recording.channels.loc[bad, "name"].tolist()})


def interpolate_bads(recording: Recording, *, origin: str | Sequence[float] = "auto") -> Recording:
    """Replace bad EEG and MEG channels by what their neighbours say, as `mne.io.Raw.interpolate_bads` does.

    Spherical splines for EEG (Perrin et al. 1989), minimum-norm field mapping for MEG. Bad channels of other kinds stay bad.

    Parameters
    ----------
    recording : Recording
        With positions of the EEG channels (x, y, z in m); MEG needs the sensor description in ``meta["mne_info"]``.
    origin : "auto" or (float, float, float)
        Centre of the head sphere in m in the head frame; "auto" fits it to the digitised head, or to the EEG positions.

    Returns
    -------
    Recording
        Interpolated channels are good again; the step names them.

    Raises
    ------
    DataError
        If positions are not known, or MNE cannot interpolate from what there is; its reason is in the message.
    """
    kinds = ("eeg", *MEG_KINDS)
    rows = rows_of_kind(recording, kinds)
    bad = rows[recording.channels["bad"].to_numpy()[rows]]
    parameters = {"interpolated": names_of(recording, bad)}
    if not bad.size:
        return recording.with_step("meeg.interpolate_bads", parameters)
    _need_positions(recording, rows)
    sensors = recording.pick(rows).replace(events=None, valid=None)
    filled = _interpolated(sensors.replace(data=np.nan_to_num(read_signal(sensors.data))), origin)
    signal = np.where(recording.channels["bad"].to_numpy()[rows, None], filled, read_signal(recording.data)[rows])
    channels = recording.channels.assign(bad=recording.channels["bad"] & ~recording.channels.index.isin(bad))
    return recording.with_step("meeg.interpolate_bads", parameters, data=put_rows(recording, rows, signal), channels=channels)


def _interpolated(sensors: Recording, origin: str | Sequence[float]) -> NDArray[np.float32]:
    """Data in which MNE has filled in the bad channels; the sphere is fitted to the EEG positions where nothing else is known."""
    mne = require("mne", "interpolating channels", "meeg")
    raw = to_mne(sensors)
    eeg = sensors.channels[sensors.channels["kind"] == "eeg"]
    if raw.info["dig"] is None and len(eeg):
        places = dict(zip(eeg["name"], eeg[["x", "y", "z"]].to_numpy(float), strict=True))
        raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), verbose="error")
    try:
        raw.interpolate_bads(reset_bads=True, origin=origin if isinstance(origin, str) else tuple(origin), verbose="error")
    except (ValueError, RuntimeError) as error:
        bad = sensors.channels.loc[sensors.channels["bad"], "name"].tolist()
        raise DataError(f"{', '.join(bad)} cannot be interpolated: {error}. Give an origin or use drop_bads") from error
    return np.asarray(from_mne(raw).data)


def mark_bad(recording: Recording, reasons: Mapping[int, str], step: str, parameters: Mapping[str, Any]) -> Recording:
    """Mark rows as bad with a reason each; the step lists names and reasons."""
    channels = recording.channels.copy()
    described = channels.get("status_description", pd.Series(None, index=channels.index)).astype(object)
    for row, reason in reasons.items():
        described.iloc[row] = reason
    marked = channels["bad"] | channels.index.isin(list(reasons))
    named = {recording.names[row]: reason for row, reason in reasons.items()}
    table = channels.assign(bad=marked, status_description=described) if reasons else channels
    return recording.with_step(step, {**parameters, "marked_bad": named}, channels=table)


def flat_fraction(recording: Recording, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Fraction of the valid 1 s windows in which each channel spans less than `FLAT_SPAN`, shape (n_rows,)."""
    least = np.array([FLAT_SPAN.get(unit, 0.0) for unit in recording.channels["unit"].iloc[rows]])
    flat = [np.ptp(window, axis=1) <= least for window in _windows(recording, rows)]
    return np.asarray(np.mean(flat, axis=0))


def line_noise_ratio(recording: Recording, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Power at the mains frequency over the power beside it, see `quality`; NaN where the frequency is not known or too high."""
    if not recording.meta.get("line_freq"):
        return np.full(len(rows), np.nan)
    line = line_frequency(recording)
    spectrum = psd(recording.pick(rows), picks=names_of(recording, rows))
    distance = np.abs(spectrum.freqs - line)
    peak, beside = distance <= 1, (distance >= 3) & (distance <= 8)
    if not peak.any() or line + 1 > recording.sfreq / 2:
        return np.full(len(rows), np.nan)
    level = spectrum.power[:, beside].mean(axis=1)
    return np.asarray(spectrum.power[:, peak].max(axis=1) / np.where(level > 0, level, np.nan))


def robust_z(values: NDArray[np.float64], least_spread: float = _LEAST_SPREAD) -> NDArray[np.float64]:
    """Distance from the median in units of 1.4826 times the median absolute deviation (at least `least_spread`)."""
    distance = values - np.median(values)
    return np.asarray(distance / max(1.4826 * float(np.median(np.abs(distance))), least_spread))


def _windows(recording: Recording, rows: NDArray[np.intp]) -> Iterator[NDArray[np.float32]]:
    """The valid stretches in pieces of 1 s, shape (n_rows, n_times); a shorter rest is left out unless it is all there is."""
    data, width = read_signal(recording.data), max(2, round(recording.sfreq))
    slices = valid_slices(recording)
    whole = [slice(a, a + width) for s in slices for a in range(s.start, s.stop - width + 1, width)]
    for part in whole or slices:
        yield data[rows, part]


def _std(signal: NDArray[np.float32], finite: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Standard deviation of the finite samples of each row in float64; NaN where there is none."""
    return np.array([np.std(x[ok], dtype=np.float64) if ok.any() else np.nan for x, ok in zip(signal, finite, strict=True)])


def _dead_channels(recording: Recording, rows: NDArray[np.intp], max_flat: float) -> dict[int, str]:
    """Channels with NaN, and flat ones, with the reason."""
    data = read_signal(recording.data)
    broken = [not all(np.isfinite(data[row, part]).all() for part in valid_slices(recording)) for row in rows]
    reasons = {int(row): "NaN or infinite values" for row, is_broken in zip(rows, broken, strict=True) if is_broken}
    share = flat_fraction(recording, rows)
    flat = {int(row): f"flat in {s:.0%} of the windows" for row, s in zip(rows, share, strict=True) if s > max_flat}
    return flat | reasons


def _outliers(recording: Recording, rows: NDArray[np.intp], amplitude_z: float, correlation_z: float) -> dict[int, str]:
    amplitude, correlation = zip(*map(_describe, _windows(recording, rows)), strict=True)
    z_amplitude = robust_z(np.log(np.median(amplitude, axis=0)))
    z_correlation = robust_z(np.arctanh(np.minimum(np.median(correlation, axis=0), 1 - 1e-6)))
    unlike = {int(r): f"correlation z {z:.1f}" for r, z in zip(rows, z_correlation, strict=True) if z < -correlation_z}
    size = {int(r): f"amplitude z {z:.1f}" for r, z in zip(rows, z_amplitude, strict=True) if abs(z) > amplitude_z}
    return unlike | size


def _describe(window: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard deviation of each channel in a window, and its largest absolute correlation with another one."""
    centred = window - window.mean(axis=1, keepdims=True, dtype=np.float64)
    size = np.maximum(np.sqrt((centred**2).sum(axis=1)), np.finfo(float).tiny)
    correlation = np.abs((centred / size[:, None]) @ (centred / size[:, None]).T)
    np.fill_diagonal(correlation, 0)
    return size / np.sqrt(window.shape[1]), correlation.max(axis=1)


def _need_positions(recording: Recording, rows: NDArray[np.intp]) -> None:
    table = recording.channels.iloc[rows]
    known = table.reindex(columns=["x", "y", "z"]).notna().all(axis=1) | table["kind"].isin(MEG_KINDS)
    if not known.all():
        raise DataError(
            f"interpolate_bads needs positions, {int((~known).sum())} of {len(table)} channels have none, e.g. "
            f"{table.loc[~known, 'name'].iloc[0]!r}: add x, y, z (m), or use drop_bads"
        )
    if table["kind"].isin(MEG_KINDS).any() and not recording.meta.get("mne_info"):
        raise DataError(
            f"interpolating {table['name'].iloc[0]!r} needs the coils of MEG sensors in meta['mne_info'], which is missing"
        )
