"""Low-level features against independent ones: scipy, scikit-image, pymoten."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from neurodecode.features import Pyramid, broadband_envelope, motion_energy, spectrogram
from neurodecode.features.low_level_sound import band_weights
from neurodecode.features.pixels import lab


def test_the_envelope_is_that_of_scipy(rng: np.random.Generator) -> None:
    signal = pytest.importorskip("scipy.signal")
    sound = rng.standard_normal(8000) * np.hanning(8000)
    filters = signal.butter(4, 40.0, fs=4000.0, output="sos")
    theirs = signal.sosfiltfilt(filters, np.abs(signal.hilbert(sound)), padlen=100)[::40]
    np.testing.assert_allclose(broadband_envelope(sound, 4000.0), np.maximum(theirs, 0), atol=1e-9)


@pytest.mark.parametrize("scale", ["erb", "log"])
def test_the_spectrogram_is_that_of_scipy(scale: str, rng: np.random.Generator) -> None:
    signal = pytest.importorskip("scipy.signal")
    sound = rng.standard_normal(16000)
    frequencies, _, power = signal.spectrogram(sound, 8000.0, "hann", 200, 120, detrend=False, scaling="density", mode="psd")
    theirs = power.T @ band_weights(frequencies, 16, 100, 3600, scale)[0] * 40.0
    ours, _ = spectrogram(sound[20:], 8000.0, rate=100.0, scale=scale, fmin=100, fmax=3600)
    # window k of scipy is centred on sample 100 + 80 k, that of ours on 20 + 80 k
    np.testing.assert_allclose(ours[2:190], theirs[1:189], rtol=1e-9)


def test_colours_are_those_of_scikit_image(rng: np.random.Generator) -> None:
    color = pytest.importorskip("skimage.color")
    frames = rng.integers(0, 256, (3, 20, 20, 3)).astype(np.uint8)
    np.testing.assert_allclose(lab(frames), color.rgb2lab(frames), atol=0.01)


def test_motion_energy_is_that_of_pymoten(rng: np.random.Generator) -> None:
    """Filter by filter, where both windows in time hold the whole Gaussian.

    Its filters are run backwards in time: what they answer to is the motion opposite to the direction they are labelled with (see
    the grating below). They also answer a frame later, for a window of even length has no middle.
    """
    pyramids = pytest.importorskip("moten.pyramids")
    smooth = pytest.importorskip("scipy.ndimage").gaussian_filter
    film = 50 + 400 * smooth(rng.standard_normal((60, 128, 160)), (1.5, 2, 2))
    common = {"spatial_frequencies": (2, 4, 8), "temporal_frequencies": (2, 4)}
    with contextlib.redirect_stderr(io.StringIO()):
        options = {**common, "spatial_frequencies": (0, 2, 4, 8), "filter_temporal_width": 16, "max_temp_env": 0.15}
        theirs = pyramids.MotionEnergyPyramid((128, 160), 24, **options)
        energy = theirs.project_stimulus(film, theirs.filters[::9], output_nonlinearity=lambda x: x, dtype="float64")
    pyramid = Pyramid(**common, temporal_window=16 / 24, temporal_width=0.15, height=128)
    ours = motion_energy(film, 24.0, pyramid=pyramid, log=False)
    columns = [_same(ours.units, filter_) for filter_ in theirs.filters]
    assert sorted(columns) == list(range(ours.n_units))
    pairs = zip(np.asarray(ours.data)[12:-13, columns[::9]].T, energy[13:-12].T, strict=True)
    correlations = np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs])
    assert correlations.min() > 0.99, np.sort(correlations)[:10]


def test_pymoten_labels_motion_by_its_opposite() -> None:
    """If this fails, they have turned their filters round, and `_same` need no longer do it."""
    pyramids = pytest.importorskip("moten.pyramids")
    x, t = np.mgrid[:48, :48][1] / 48, np.arange(30)[:, None, None] / 24
    rightwards = np.cos(2 * np.pi * 4 * (x - t))
    with contextlib.redirect_stderr(io.StringIO()):
        theirs = pyramids.MotionEnergyPyramid((48, 48), 24, spatial_frequencies=[4], temporal_frequencies=[4])
        energy = theirs.project_stimulus(rightwards)[8:-8].mean(axis=0)
    ours = motion_energy(rightwards, 24.0, pyramid=Pyramid((4,), (4,), blobs=False, height=48))
    assert theirs.filters[int(np.argmax(energy))]["direction"] == 180
    assert ours.units["direction"].iloc[int(np.argmax(np.asarray(ours.data)[8:-8].mean(axis=0)))] == 0


def _same(units: Any, filter_: Any) -> int:
    """Our filter of the same place, motion and frequencies as one of theirs."""
    blob = filter_["spatial_freq"] == 0
    motion = 0 if blob else (filter_["direction"] + 180 * (filter_["temporal_freq"] > 0)) % 360
    own = units.assign(direction=units["direction"].fillna(0))
    own = own[["x", "y", "sigma", "spatial_frequency", "temporal_frequency", "direction"]].to_numpy(float)
    wanted = [filter_[name] for name in ("centerh", "centerv", "spatial_env", "spatial_freq", "temporal_freq")]
    (found,) = np.flatnonzero(np.isclose(own, [*wanted, motion]).all(axis=1))
    return int(found)
