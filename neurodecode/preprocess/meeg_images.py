"""Windows of M/EEG around images, by the settings of published work; noise whitened on training trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Responses
from neurodecode.data.validate import check_columns, check_option
from neurodecode.errors import DataError
from neurodecode.preprocess.meeg_filter import filter as band_pass
from neurodecode.preprocess.meeg_filter import notch, resample
from neurodecode.preprocess.meeg_noise import noise_covariance, whiten
from neurodecode.preprocess.meeg_windows import scaled_windows


@dataclass(frozen=True)
class ImageWindows:
    """Settings of windows around images.

    Parameters
    ----------
    tmin, tmax : float
        Window in s around the onset of the image, both ends included.
    baseline : tuple of (float or None, float)
        Window in s whose mean is taken off.
    sfreq : float
        Rate in Hz.
    band : tuple of (float, float), optional
        Pass band in Hz; None filters nothing.
    line : bool
        Whether the mains frequency and its harmonics are taken out.
    scale_baselined : bool
        As in `scaled_windows`.
    clamp : float
        As in `scaled_windows`.
    """

    tmin: float
    tmax: float
    baseline: tuple[float | None, float]
    sfreq: float = 120.0
    band: tuple[float, float] | None = None
    line: bool = False
    scale_baselined: bool = True
    clamp: float = 20.0


IMAGE_PRESETS = {
    "paper": ImageWindows(-0.5, 1.0, (None, 0.0)),
    "benchmark": ImageWindows(-0.2, 0.8, (-0.2, 0.0), band=(0.1, 75.0), line=True, scale_baselined=False),
}


def image_preset(preset: str | ImageWindows) -> ImageWindows:
    """Settings by their name, or as they are.

    Parameters
    ----------
    preset : {"paper", "benchmark"} or ImageWindows
        Settings.

    Returns
    -------
    ImageWindows
        Settings.

    Raises
    ------
    DataError
        If the preset is unknown.
    """
    if isinstance(preset, ImageWindows):
        return preset
    return IMAGE_PRESETS[check_option("preset", preset, list(IMAGE_PRESETS))]


def image_windows(
    recordings: Sequence[Recording],
    events: Sequence[pd.DataFrame] | None = None,
    *,
    preset: str | ImageWindows = "paper",
    n_fit: int = 200,
    random_state: int = 0,
) -> Responses:
    """Preprocess recordings of people who saw images, and cut scaled windows around the images.

    ``"paper"`` (Benchetrit et al.): 120 Hz, -0.5 to 1 s (181 samples), baseline before the onset, robust scale of each channel,
    clamp at 20. ``"benchmark"`` (a later setting of the same laboratory), in this order: bad channels out, mains frequency out,
    0.1 to 75 Hz, 120 Hz, robust scale of each channel, -0.2 to 0.8 s (121 samples), baseline of the first 0.2 s, clamp at 20. The
    scale is found on training windows alone, where the published code takes whole recordings.

    Parameters
    ----------
    recordings : sequence of Recording
        As they were read; at the rate of the preset already where they were resampled before.
    events : sequence of DataFrame, optional
        Events of each recording, by default its own: ``onset`` (s), ``split`` (`neurodecode.data.stimulus_splits`), ``stimulus``
        and any other column. Rows whose split is ``"excluded"`` are left out.
    preset : {"paper", "benchmark"} or ImageWindows
        Settings.
    n_fit : int
        Training windows that the scale of a recording is found on.
    random_state : int
        Seed of their draw.

    Returns
    -------
    Responses
        As from `scaled_windows`.

    Raises
    ------
    DataError
        If the preset is unknown, the mains frequency is needed and not known, or as in `scaled_windows`.

    References
    ----------
    Benchetrit, Banville and King (2024), Brain decoding: toward real-time reconstruction of visual perception, ICLR.
    """
    settings = image_preset(preset)
    tables = [recording.events for recording in recordings] if events is None else list(events)
    for table in tables:
        check_columns(table, ["onset", "split"], "events (write the split of each into a column, from data.stimulus_splits)")
    return scaled_windows(
        [image_signal(recording, settings) for recording in recordings],
        [table[table["split"] != "excluded"].reset_index(drop=True) for table in tables],
        tmin=settings.tmin,
        tmax=settings.tmax,
        baseline=settings.baseline,
        scale_baselined=settings.scale_baselined,
        clamp=settings.clamp,
        n_fit=n_fit,
        random_state=random_state,
    )


def whiten_sessions(responses: Responses, *, by: str = "stimulus", fit_on: str = "train") -> Responses:
    """Whiten the noise of each session by the covariance of its training trials (multivariate noise normalisation).

    Published preprocessing of THINGS-EEG2 averages the covariances of training and test; here the test is never looked at.

    Parameters
    ----------
    responses : Responses
        Trials with columns ``split``, `by` and, where there are several, ``subject`` and ``session``.
    by : str
        Column of what is repeated: the noise is what differs between its repeats.
    fit_on : str
        Split that the covariance is found on.

    Returns
    -------
    Responses
        The same trials in the same order.

    Raises
    ------
    DataError
        If a session has no two trials of one value of `by` in that split, or as in `noise_covariance`.

    References
    ----------
    Guggenmos, Sterzer and Cichy (2018), NeuroImage 173. Gifford et al. (2022), NeuroImage 264:119754.

    Examples
    --------
    >>> white = whiten_sessions(windows).select(tmin=0.0, tmax=1.0)  # doctest: +SKIP
    >>> white.average(["subject", "stimulus"])  # of all repeats, as EEG encoders are trained  # doctest: +SKIP
    """
    check_columns(responses.samples, ["split", by], "samples")
    columns = [c for c in ("subject", "session") if c in responses.samples]
    labels = responses.groups(columns) if columns else np.zeros(len(responses), np.int64)
    data = np.empty(responses.data.shape, np.float32)
    for number in range(int(labels.max(initial=-1)) + 1):
        own = np.flatnonzero(labels == number)
        session = responses.select(own)
        train = np.flatnonzero(session.samples["split"] == fit_on)
        if not len(train):
            where = session.samples.loc[0, columns].to_dict()
            raise DataError(
                f"{where or 'the session'} has {len(own)} trials, none of split {fit_on!r}: its noise cannot be found"
            )
        data[own] = whiten(session, noise_covariance(session.select(train), by=by)).data
    parameters = {"by": by, "fit_on": fit_on, "sessions": int(labels.max(initial=-1)) + 1}
    return responses.with_step("meeg.whiten_sessions", parameters, data=data, units=responses.units.assign(unit="n/a"))


def image_signal(recording: Recording, preset: str | ImageWindows = "paper") -> Recording:
    """Do what `image_windows` does to a whole recording before it cuts: to store it, and open it again as it is needed.

    Parameters
    ----------
    recording : Recording
        As it was read.
    preset : {"paper", "benchmark"} or ImageWindows
        Settings; of these the mains frequency, the pass band and the rate.

    Returns
    -------
    Recording
        Filtered and resampled.

    Raises
    ------
    DataError
        If the preset is unknown, or the mains frequency is needed and not known.
    """
    settings = image_preset(preset)
    prepared = notch(recording) if settings.line else recording
    prepared = prepared if settings.band is None else band_pass(prepared, *settings.band)
    return prepared if abs(prepared.sfreq - settings.sfreq) < 1e-9 else resample(prepared, settings.sfreq)
