"""Low-level features of sound: spectrogram, broadband envelope and its onsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.validate import check_finite, check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.features.low_level import labelled, per_stimulus

Scale = Literal["erb", "log"]
SOUND_FEATURES = ("envelope", "onsets", "spectrogram")
_FLOOR = 1e-10  # power at -100 dB of full scale: what is fainter is silence
_FRAMES = 2048  # windows that are transformed at once
_Array = NDArray[np.float64]


def sound_features(
    sound: Stimuli | ArrayLike,
    sfreq: float | None = None,
    features: Sequence[str] = ("envelope", "spectrogram"),
    *,
    rate: float = 100.0,
    n_bands: int = 16,
    fmin: float = 80.0,
    fmax: float = 8000.0,
    scale: Scale = "erb",
    method: Literal["hilbert", "rectify"] = "hilbert",
    exponent: float = 1.0,
) -> Responses:
    """Describe sound by how loud it is, as a whole and in bands.

    Parameters
    ----------
    sound : Stimuli or array_like of shape (n_samples,) or (n_samples, n_channels)
        Of kind audio, or one sound; channels are averaged.
    sfreq : float, optional
        Sampling rate of an array in Hz.
    features : sequence of {"envelope", "onsets", "spectrogram"}
        Which: `broadband_envelope`, its `envelope_onsets`, and the `spectrogram` in dB.
    rate : float
        Rows per second.
    n_bands : int
        Bands of the spectrogram.
    fmin, fmax : float
        Its lowest and highest frequency in Hz; no band lies above half the sampling rate.
    scale : {"erb", "log"}
        Spacing and shape of the bands, as in `band_weights`.
    method : {"hilbert", "rectify"}
        Of the envelope.
    exponent : float
        Compression of the envelope, e.g. 0.6.

    Returns
    -------
    Responses
        Rows at `rate` with ``onset`` in s from the begin of the sound, ``duration`` and ``stimulus``; they are held, so that
        `to_tr` and `to_sfreq` average over them.

    Raises
    ------
    DataError
        If these are no sounds, a value is not finite, or a rate does not fit.
    """
    chosen = [check_option("feature", name, SOUND_FEATURES) for name in features]
    bands = {"n_bands": n_bands, "fmin": fmin, "fmax": fmax, "scale": scale}

    def one(item: tuple[Any, float], name: str) -> Responses:
        return _one_sound(*item, name, chosen, rate, bands, {"method": method, "exponent": exponent})

    if isinstance(sound, Stimuli):
        if sound.kind != "audio":
            raise DataError(f"sound_features needs Stimuli of kind audio, got {sound.kind!r}")
        return per_stimulus(sound, one)
    if sfreq is None:
        raise DataError(f"sfreq is missing: give the sampling rate in Hz of the sound of shape {np.shape(sound)}")
    return one((sound, sfreq), "sound")


def broadband_envelope(
    sound: ArrayLike,
    sfreq: float,
    *,
    rate: float = 100.0,
    method: Literal["hilbert", "rectify"] = "hilbert",
    lowpass: float | None = None,
    exponent: float = 1.0,
) -> NDArray[np.float64]:
    """Envelope of a sound over all frequencies.

    The magnitude of the analytic signal (or of the sound itself), raised to an exponent, low-passed by a Butterworth filter of
    order 4 forwards and backwards, and taken at a lower rate.

    Parameters
    ----------
    sound : array_like of shape (n_samples,) or (n_samples, n_channels)
        Pressure; channels are averaged.
    sfreq : float
        Its sampling rate in Hz.
    rate : float
        Rate of the envelope in Hz, at most that of the sound.
    method : {"hilbert", "rectify"}
        Magnitude of the analytic signal; or the rectified sound, which is cheaper, but whose overtones alias.
    lowpass : float, optional
        Cutoff in Hz, by default 0.4 times `rate`, so that nothing aliases.
    exponent : float
        Compression before the filter: 1 for none, 0.6 like the ear (Biesmans et al. 2017).

    Returns
    -------
    NDArray[np.float64]
        Shape (ceil(duration * rate),), sample i at i / rate s; never below 0.

    Raises
    ------
    DataError
        If the sound is not finite, or a rate does not fit.

    References
    ----------
    Biesmans, W. et al. (2017). Auditory-inspired speech envelope extraction methods. IEEE TNSRE 25, 402-412.
    """
    from scipy.fft import next_fast_len
    from scipy.signal import butter, hilbert, sosfiltfilt

    mono, sfreq = _mono(sound), check_positive("sfreq", sfreq)
    if check_positive("rate", rate) > sfreq:
        raise DataError(f"the rate of an envelope must not be above that of the sound, got {rate:g} of {sfreq:g} Hz")
    if check_option("method", method, ("hilbert", "rectify")) == "hilbert":
        magnitude = np.abs(hilbert(mono, next_fast_len(len(mono)))[: len(mono)])
    else:
        magnitude = np.abs(mono)
    cutoff = 0.4 * rate if lowpass is None else check_positive("lowpass", lowpass)
    if cutoff >= sfreq / 2:
        raise DataError(f"lowpass must be below half the sampling rate, got {cutoff:g} of {sfreq:g} Hz")
    filters = butter(4, cutoff, fs=sfreq, output="sos")
    smooth = sosfiltfilt(
        filters, magnitude ** check_positive("exponent", exponent), padlen=min(len(mono) - 1, int(sfreq / cutoff))
    )
    at = np.arange(_n_rows(len(mono), sfreq, rate)) / rate
    return np.asarray(np.maximum(np.interp(at * sfreq, np.arange(len(mono)), smooth), 0))


def envelope_onsets(envelope: ArrayLike, rate: float) -> NDArray[np.float64]:
    """How fast an envelope rises: its half-wave rectified derivative.

    Parameters
    ----------
    envelope : array_like of shape (n_times,)
        Envelope.
    rate : float
        Its rate in Hz.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_times,), per second; 0 where it falls, and at the first sample.
    """
    values = np.asarray(envelope, float)
    return np.maximum(np.diff(values, prepend=values[:1]), 0) * check_positive("rate", rate)


def spectrogram(
    sound: ArrayLike,
    sfreq: float,
    *,
    rate: float = 100.0,
    n_bands: int = 16,
    fmin: float = 80.0,
    fmax: float = 8000.0,
    scale: Scale = "erb",
    window: float = 0.025,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power of a sound in bands of frequency.

    Parameters
    ----------
    sound : array_like of shape (n_samples,) or (n_samples, n_channels)
        Pressure between -1 and 1; channels are averaged.
    sfreq : float
        Its sampling rate in Hz.
    rate : float
        Windows per second.
    n_bands : int
        Bands from `fmin` to `fmax`.
    fmin, fmax : float
        Centre of the lowest and of the highest band in Hz; the highest is at most 0.45 times the sampling rate.
    scale : {"erb", "log"}
        As in `band_weights`.
    window : float
        Length of the Hann window in s.

    Returns
    -------
    power : NDArray[np.float64]
        Shape (ceil(duration * rate), n_bands): mean square in each band, row i around i / rate s. A sine of amplitude 1 has 0.5
        in all.
    centres : NDArray[np.float64]
        Centre of each band in Hz, shape (n_bands,).

    Raises
    ------
    DataError
        If the sound is not finite, or a rate or band does not fit.
    """
    mono, sfreq = _mono(sound), check_positive("sfreq", sfreq)
    length = max(8, round(check_positive("window", window) * sfreq))
    taper = np.hanning(length + 1)[:-1]
    frequencies = np.fft.rfftfreq(length, 1 / sfreq)
    weights, centres = band_weights(frequencies, n_bands, fmin, min(fmax, 0.45 * sfreq), scale)
    padded = np.pad(mono, length)
    begins = np.round(np.arange(_n_rows(len(mono), sfreq, rate)) / rate * sfreq).astype(int) + length - length // 2
    power = np.empty((len(begins), n_bands))
    one_sided = np.where((frequencies > 0) & (frequencies < sfreq / 2), 2.0, 1.0) / (length * (taper**2).sum())
    for first in range(0, len(begins), _FRAMES):
        part = begins[first : first + _FRAMES, None] + np.arange(length)
        spectrum = np.fft.rfft(padded[part] * taper, axis=1)
        power[first : first + _FRAMES] = (np.abs(spectrum) ** 2 * one_sided) @ weights
    return power, centres


def band_weights(
    frequencies: ArrayLike, n_bands: int, fmin: float, fmax: float, scale: Scale = "erb"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Weight of each frequency in each band.

    Bands of ``log`` are triangles between the centres of their neighbours on a logarithmic scale, and add up to 1 between `fmin`
    and `fmax`. Those of ``erb`` have the power response of a gammatone filter of order 4,
    :math:`(1 + ((f - f_c) / (1.019\, \mathrm{ERB}(f_c)))^2)^{-4}`, with centres equally spaced in units of the equivalent
    rectangular bandwidth :math:`\mathrm{ERB}(f) = 24.7 (1 + 4.37 f / 1000)`.

    Parameters
    ----------
    frequencies : array_like of shape (n_frequencies,)
        In Hz.
    n_bands : int
        Number of bands.
    fmin, fmax : float
        Centre of the first and of the last band in Hz.
    scale : {"erb", "log"}
        Spacing and shape.

    Returns
    -------
    weights : NDArray[np.float64]
        Shape (n_frequencies, n_bands), between 0 and 1.
    centres : NDArray[np.float64]
        Centres in Hz, shape (n_bands,).

    Raises
    ------
    DataError
        If there is no band, or the limits are not in order.

    References
    ----------
    Glasberg, B. R., & Moore, B. C. J. (1990). Hearing Research 47, 103-138. Slaney, M. (1993). Apple Technical Report 35.
    """
    check_option("scale", scale, ("erb", "log"))
    if n_bands < 1 or not 0 < fmin < fmax:
        raise DataError(f"bands need a number of 1 or more and 0 < fmin < fmax, got {n_bands} from {fmin:g} to {fmax:g} Hz")
    f = np.asarray(frequencies, float)
    low, high = _to_scale(np.array([fmin, fmax]), scale)
    places = np.linspace(low, high, n_bands)
    centres = _from_scale(places, scale)
    if scale == "erb":
        bandwidth = 1.019 * 24.7 * (1 + 4.37 * centres / 1000)
        return (1 + ((f[:, None] - centres) / bandwidth) ** 2) ** -4.0, centres
    step = places[1] - places[0] if n_bands > 1 else high - low
    place = _to_scale(np.maximum(f, 1e-3), scale)
    return np.maximum(1 - np.abs(place[:, None] - places) / step, 0), centres


def _to_scale(f: _Array, scale: Scale) -> _Array:
    """Frequencies in Hz as octaves or numbers of ERB."""
    return np.asarray(np.log2(f) if scale == "log" else 21.4 * np.log10(1 + 4.37 * f / 1000))


def _from_scale(place: _Array, scale: Scale) -> _Array:
    return np.asarray(2.0**place if scale == "log" else 1000 / 4.37 * (10 ** (place / 21.4) - 1))


def _mono(sound: ArrayLike) -> _Array:
    """One channel in float64, finite."""
    values = np.asarray(sound, float)
    if values.ndim not in (1, 2) or not len(values):
        raise DataError(f"a sound must be of shape (n_samples,) or (n_samples, n_channels), got {values.shape}")
    mono = values.mean(axis=1) if values.ndim == 2 else values
    check_finite(mono[None], ["sound"], "features of sound", "Repair the file")
    return mono


def _n_rows(n_samples: int, sfreq: float, rate: float) -> int:
    """Rows that begin within the sound."""
    return int(np.ceil(n_samples / sfreq * check_positive("rate", rate) - 1e-9))


def _one_sound(
    sound: Any, sfreq: float, name: str, features: Sequence[str], rate: float, bands: dict[str, Any], shape: dict[str, Any]
) -> Responses:
    """Chosen features of one sound, side by side."""
    columns: list[_Array] = []
    names: list[str] = []
    units: list[str] = []
    envelope = broadband_envelope(sound, sfreq, rate=rate, **shape) if {"envelope", "onsets"} & set(features) else np.empty(0)
    for feature in features:
        if feature == "spectrogram":
            power, centres = spectrogram(sound, sfreq, rate=rate, **bands)
            columns.append(10 * np.log10(np.maximum(power, _FLOOR)))
            names += [f"power_{centre:.0f}Hz" for centre in centres]
            units += ["dB"] * len(centres)
        else:
            columns.append((envelope if feature == "envelope" else envelope_onsets(envelope, rate))[:, None])
            names.append(feature)
            units.append("a.u." if feature == "envelope" else "a.u./s")
    data = np.hstack(columns)
    samples = {"stimulus": name, "onset": np.arange(len(data)) / rate, "duration": 1 / rate}
    step = {"step": "features.sound_features", "rate": rate, **bands, **shape}
    return labelled(data, samples, names, units, step, held=True)
