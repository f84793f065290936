"""The mel spectrogram: what the ear's resolution leaves of a sound, without a model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Stimuli
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_positive, require
from neurodecode.errors import DataError
from neurodecode.features.audio import resample
from neurodecode.features.cache import embedded, stimulus_hash
from neurodecode.features.units import Block, Site

_AT_ONCE = 2**22  # values of windows that are transformed at once


def mel_spectrogram(
    stimuli: Stimuli,
    *,
    n_mels: int = 80,
    window_s: float = 0.025,
    hop_s: float = 0.010,
    fmin: float = 0.0,
    fmax: float = 8000.0,
    rate: float = 16000.0,
    cache: str | Path | None = None,
    stored_as: str = "float32",
) -> Responses:
    """Compute the mel spectrogram of sounds in dB.

    Power of a Hann window, summed by triangles that are equally wide on the mel scale and have equal area (Slaney), as 10 log10
    relative to 1, at least -100 dB. Frames are not centred: frame k sees the sound from k * hop_s to k * hop_s + window_s.

    Parameters
    ----------
    stimuli : Stimuli
        Of kind audio; channels are averaged.
    n_mels : int
        Number of bands.
    window_s, hop_s : float
        Length of a frame, and from one to the next, in s.
    fmin, fmax : float
        Lowest and highest frequency in Hz.
    rate : float
        Rate in Hz to which sounds are brought first.
    cache : str or Path, optional
        Folder in which the spectrogram is kept; a second call opens it there.
    stored_as : {"float32", "float16"}
        Type in the cache.

    Returns
    -------
    Responses
        One row per frame with ``stimulus, frame, onset, offset`` (s from the begin of the sound); one unit per band with its
        centre ``frequency`` in Hz.

    Raises
    ------
    DataError
        If these are no sounds, one is shorter than a frame, or a number is out of range.
    """
    if stimuli.kind != "audio":
        raise DataError(f"mel_spectrogram needs stimuli of kind 'audio', got kind {stimuli.kind!r}")
    require("transformers", "the mel spectrogram", "decode")
    for name, value in {"n_mels": n_mels, "window_s": window_s, "hop_s": hop_s, "rate": rate}.items():
        check_positive(name, value)
    if not 0 <= fmin < fmax <= rate / 2:
        raise DataError(f"expected 0 <= fmin < fmax <= rate / 2 = {rate / 2:g} Hz, got fmin={fmin!r} and fmax={fmax!r}")
    settings = {"n_mels": n_mels, "window_s": window_s, "hop_s": hop_s, "fmin": fmin, "fmax": fmax, "rate": rate}
    made = embedded(
        "mel_spectrogram",
        settings,
        partial(stimulus_hash, stimuli),
        lambda: _blocks(stimuli, n_mels, window_s, hop_s, fmin, fmax, rate),
        cache=cache,
        stored_as=stored_as,
    )
    return made.replace(units=made.units.assign(frequency=band_centres(n_mels, fmin, fmax)))


def band_centres(n_mels: int, fmin: float, fmax: float) -> NDArray[np.float64]:
    """Centre frequencies of bands that are equally wide on the mel scale.

    Parameters
    ----------
    n_mels : int
        Number of bands.
    fmin, fmax : float
        Lowest and highest frequency in Hz.

    Returns
    -------
    array of shape (n_mels,)
        In Hz.
    """
    from transformers.audio_utils import hertz_to_mel, mel_to_hertz

    low, high = (hertz_to_mel(f, mel_scale="slaney") for f in (fmin, fmax))
    return np.asarray(mel_to_hertz(np.linspace(low, high, n_mels + 2)[1:-1], mel_scale="slaney"), np.float64)


def _blocks(
    stimuli: Stimuli, n_mels: int, window_s: float, hop_s: float, fmin: float, fmax: float, rate: float
) -> Iterator[Block]:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    width, hop = round(window_s * rate), max(1, round(hop_s * rate))
    n_fft = 1 << (width - 1).bit_length()
    filters = mel_filter_bank(n_fft // 2 + 1, n_mels, fmin, fmax, int(rate), norm="slaney", mel_scale="slaney")
    window = window_function(width, "hann")
    for i, name in enumerate(stimuli.ids):
        samples, given = stimuli[i]
        sound = resample(samples, given, rate)
        if len(sound) < width:
            raise DataError(f"{name!r} has {len(sound)} samples at {rate:g} Hz, one frame needs {width}")
        power = spectrogram(
            sound, window, width, hop, fft_length=n_fft, power=2.0, center=False, mel_filters=filters, log_mel="dB"
        )
        onset = np.arange(power.shape[1]) * hop / rate
        table = pd.DataFrame({"stimulus": name, "frame": np.arange(len(onset)), "onset": onset, "offset": onset + width / rate})
        yield Block({Site("mel", 0): np.ascontiguousarray(power.T, np.float32)}, table)


def mel_power(sound: NDArray[np.float32], rate: float, n_mels: int, n_fft: int, hop: int) -> NDArray[np.float64]:
    """Mel spectrogram with centred windows, as networks of speech are given it: power, not in dB.

    Hann windows divided by their norm, the sound mirrored at its ends, triangles of height 1 that are equally wide on the mel
    scale of O'Shaughnessy, from 0 Hz to half of the rate.

    Parameters
    ----------
    sound : array of shape (n_samples,)
        One channel.
    rate : float
        Its rate in Hz.
    n_mels : int
        Number of bands.
    n_fft, hop : int
        Length of a window, and samples from one to the next.

    Returns
    -------
    array of shape (n_samples // hop + 1, n_mels)
        Frame k is around sample ``k * hop``.

    Raises
    ------
    DataError
        If the sound is not longer than half a window.
    """
    if len(sound) <= n_fft // 2:
        raise DataError(f"a sound of {len(sound)} samples at {rate:g} Hz is not longer than half a window, {n_fft // 2} samples")
    padded = np.pad(np.asarray(sound, np.float64), n_fft // 2, mode="reflect")
    taper = np.hanning(n_fft + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop][: len(sound) // hop + 1]
    weights, scale = mel_triangles(n_fft // 2 + 1, n_mels, rate), 1 / np.square(taper).sum()
    step = max(1, _AT_ONCE // n_fft)
    parts = [np.fft.rfft(frames[a : a + step] * taper, axis=1) for a in range(0, len(frames), step)]
    return np.concatenate([np.square(np.abs(part)) * scale @ weights for part in parts])


def mel_triangles(n_frequencies: int, n_mels: int, rate: float) -> NDArray[np.float64]:
    """Weight of each frequency in each band of `mel_power`.

    Parameters
    ----------
    n_frequencies : int
        Frequencies from 0 Hz to half of the rate.
    n_mels : int
        Number of bands.
    rate : float
        Rate in Hz.

    Returns
    -------
    array of shape (n_frequencies, n_mels)
        Between 0 and 1.
    """
    frequencies = np.linspace(0, rate / 2, n_frequencies)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 1400), n_mels + 2) / 2595) - 1)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling))
