"""Marks on intracranial EEG: interictal spikes and flat contacts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.validate import check_positive
from neurodecode.preprocess._channels import IEEG_KINDS, need_rows, valid_slices
from neurodecode.preprocess.ieeg_power import band_power
from neurodecode.preprocess.meeg_filter import notch
from neurodecode.preprocess.meeg_quality import flat_fraction, mark_bad

SPIKE = "interictal spike"
_WINDOW = 5.0  # s, in which the background is estimated
_MERGE = 0.12  # s, two detections nearer than this are one discharge with several peaks
_IQR = 1.3489795  # interquartile range of a normal distribution in standard deviations


def mark_spikes(recording: Recording, *, band: tuple[float, float] = (10.0, 60.0), threshold: float = 3.65) -> Recording:
    r"""Add an event for each interictal spike, by the envelope criterion of Janca et al. (2015) with a robust background.

    1. The mains frequency and its harmonics are taken out where they are known and reach into the band.
    2. Band-pass (zero-phase FIR), Hilbert envelope e(t) of each good contact.
    3. In windows of 5 s that overlap by half, the background is taken as log-normal: :math:`\mu` is the median of ln e and
       :math:`\sigma` its interquartile range / 1.349 (the paper fits by maximum likelihood, which the spikes themselves
       widen). Threshold :math:`k\,(\mathrm{mode} + \mathrm{median}) = k\,(\exp(\mu - \sigma^2) + \exp(\mu))`, linear between
       the centres of the windows.
    4. A spike is a stretch with e above the threshold; stretches on one contact less than 0.12 s apart are one spike.

    Parameters
    ----------
    recording : Recording
        Intracranial recording, best referenced already.
    band : (float, float)
        Edges in Hz.
    threshold : float
        The factor k; higher marks fewer.

    Returns
    -------
    Recording
        The same signal; events have a row per spike more: ``onset`` (s, the peak of the envelope), ``duration`` (s, above the
        threshold), ``trial_type`` "interictal spike" and ``channel``. The step counts them.

    Raises
    ------
    DataError
        If there is no good intracranial channel, the band does not fit sfreq, or a good channel holds NaN in a valid stretch.

    References
    ----------
    Janca et al. (2015), Detection of interictal epileptiform discharges using signal envelope distribution modelling,
    Brain Topography 28.
    """
    check_positive("threshold", threshold)
    need_rows(recording, IEEG_KINDS, "mark_spikes")
    contacts = recording.pick(kind=list(IEEG_KINDS), bad=False)
    line = contacts.meta.get("line_freq")
    quiet = notch(contacts) if line and line < band[1] + band[1] / 4 else contacts
    envelope = np.asarray(band_power(quiet, *band).data, np.float64)
    found = [
        _spikes_in(envelope[row, part], recording.sfreq, threshold).assign(part=part.start, channel=name)
        for part in valid_slices(recording)
        for row, name in enumerate(contacts.names)
    ]
    spikes = pd.concat(found, ignore_index=True)
    onset = recording.t0 + (spikes.pop("part") + spikes.pop("sample")) / recording.sfreq
    spikes = spikes.assign(onset=onset, trial_type=SPIKE)
    events = pd.concat([recording.events, spikes], ignore_index=True) if len(spikes) else recording.events
    parameters = {"band": list(band), "threshold": threshold, "n_spikes": len(spikes)}
    return recording.with_step("ieeg.mark_spikes", parameters, events=events)


def mark_flat(recording: Recording, *, max_flat: float = 0.5) -> Recording:
    """Mark contacts bad that are flat: not connected, or switched off for much of the time.

    Parameters
    ----------
    recording : Recording
        Intracranial recording.
    max_flat : float
        A contact is flat if in more than this fraction of the valid 1 s windows its signal spans less than 0.1 microvolt.

    Returns
    -------
    Recording
        ``bad`` is set for flat contacts, whatever was marked before stays; ``status_description`` says why.

    Raises
    ------
    DataError
        If there is no intracranial channel.
    """
    rows = need_rows(recording, IEEG_KINDS, "mark_flat", good=False)
    share = flat_fraction(recording, rows)
    reasons = {int(row): f"flat in {part:.0%} of the windows" for row, part in zip(rows, share, strict=True) if part > max_flat}
    return mark_bad(recording, reasons, "ieeg.mark_flat", {"max_flat": max_flat})


def _spikes_in(envelope: NDArray[np.float64], sfreq: float, factor: float) -> pd.DataFrame:
    """Peaks (``sample``) and lengths (``duration``, s) of the stretches in which the envelope is above its background."""
    above = np.flatnonzero(envelope > background(envelope, round(_WINDOW * sfreq), factor))
    breaks = np.flatnonzero(np.diff(above) > _MERGE * sfreq) + 1
    runs: Sequence[NDArray[np.intp]] = np.split(above, breaks) if above.size else []
    peaks = [int(run[np.argmax(envelope[run])]) for run in runs]
    lengths = [float(run[-1] - run[0] + 1) / sfreq for run in runs]
    return pd.DataFrame({"sample": np.array(peaks, np.int64), "duration": np.array(lengths, float)})


def background(envelope: NDArray[np.float64], n_window: int, factor: float) -> NDArray[np.float64]:
    """Threshold at each sample: `factor` times mode plus median of the log-normal background, see `mark_spikes`."""
    n = len(envelope)
    starts = np.arange(0, max(n - n_window, 0) + 1, max(1, n_window // 2))
    logs = np.log(np.maximum(envelope, np.finfo(float).tiny))
    low, middle, high = np.array([np.percentile(logs[s : s + n_window], [25, 50, 75]) for s in starts]).T
    sigma = (high - low) / _IQR
    level = factor * (np.exp(middle - sigma**2) + np.exp(middle))
    return np.asarray(np.interp(np.arange(n), starts + min(n_window, n) / 2, level))
