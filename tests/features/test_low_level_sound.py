"""Features of sound: envelopes of known modulation, tones in their band, powers that add up."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.data import Stimuli
from neurodecode.errors import DataError
from neurodecode.features import broadband_envelope, envelope_onsets, sound_features, spectrogram, to_tr
from neurodecode.features.low_level_sound import band_weights

RATE = 8000.0
TIMES = np.arange(int(2 * RATE)) / RATE


@pytest.mark.parametrize("method", ["hilbert", "rectify"])
def test_the_envelope_of_a_modulated_tone_is_its_modulation(method: str) -> None:
    modulation = 1 + 0.5 * np.sin(2 * np.pi * 3 * TIMES)
    envelope = broadband_envelope(modulation * np.sin(2 * np.pi * 700 * TIMES), RATE, method=method)
    expected = 1 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(200) / 100)
    scale = 1 if method == "hilbert" else 2 / np.pi  # the mean of a rectified sine
    np.testing.assert_allclose(envelope[10:-10], scale * expected[10:-10], atol=0.01)


def test_compression_and_channels() -> None:
    tone = 0.25 * np.sin(2 * np.pi * 1000 * TIMES)
    stereo = np.column_stack([2 * tone, np.zeros_like(tone)])
    np.testing.assert_allclose(broadband_envelope(stereo, RATE, exponent=0.5)[10:-10], 0.5, atol=0.01)


def test_an_envelope_does_not_alias_and_is_never_negative(rng: np.random.Generator) -> None:
    beat = np.sin(2 * np.pi * 97 * TIMES) ** 2 * np.sin(2 * np.pi * 2000 * TIMES)  # 194 Hz would alias to 6
    assert np.ptp(broadband_envelope(beat, RATE)[10:-10]) < 0.02
    assert broadband_envelope(np.r_[np.zeros(4000), rng.standard_normal(4000)], RATE).min() >= 0


@pytest.mark.parametrize(("n", "rows"), [(8000, 100), (8001, 101), (7999, 100), (81, 2)])
def test_one_row_per_begun_step(n: int, rows: int, rng: np.random.Generator) -> None:
    sound = rng.standard_normal(n)
    assert broadband_envelope(sound, RATE).shape == (rows,)
    assert spectrogram(sound, RATE)[0].shape == (rows, 16)


def test_onsets_are_what_rises() -> None:
    np.testing.assert_allclose(envelope_onsets([0, 1, 3, 2, 2], 10), [0, 10, 20, 0, 0])


@pytest.mark.parametrize("scale", ["erb", "log"])
def test_a_tone_lies_in_its_band(scale: str) -> None:
    _, centres = spectrogram(np.zeros(8000), RATE, n_bands=12, fmin=200, fmax=3400, scale=scale)
    assert centres[[0, -1]] == pytest.approx([200, 3400])
    for band in (2, 6, 11):
        power, _ = spectrogram(np.sin(2 * np.pi * centres[band] * TIMES), RATE, n_bands=12, fmin=200, fmax=3400, scale=scale)
        assert np.argmax(power[50]) == band


def test_the_power_of_a_tone_is_half_its_squared_amplitude() -> None:
    power, _ = spectrogram(0.6 * np.sin(2 * np.pi * 1000 * TIMES), RATE, scale="log", fmin=100, fmax=3600)
    np.testing.assert_allclose(power[5:-5].sum(axis=1), 0.18, rtol=0.02)


def test_logarithmic_bands_add_up_to_one() -> None:
    weights, _ = band_weights(np.linspace(100, 3000, 200), 10, 100, 3000, "log")
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_gammatone_bands_are_as_wide_as_the_ear_says() -> None:
    f = np.arange(0, 4000, 0.5)
    weights, centres = band_weights(f, 5, 200, 3000, "erb")
    width = weights.sum(axis=0) * 0.5
    np.testing.assert_allclose(width, 24.7 * (1 + 4.37 * centres / 1000), rtol=0.03)
    np.testing.assert_allclose(weights[np.searchsorted(f, centres), range(5)], 1, atol=1e-3)


def test_long_sounds_are_transformed_in_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = rng.standard_normal(16000)
    whole, _ = spectrogram(sound, RATE)
    monkeypatch.setattr("neurodecode.features.low_level_sound._FRAMES", 7)
    np.testing.assert_allclose(spectrogram(sound, RATE)[0], whole, rtol=1e-12)


def test_features_of_a_sound_are_named() -> None:
    out = sound_features(np.sin(2 * np.pi * 500 * TIMES), RATE, ["onsets", "spectrogram", "envelope"], n_bands=3, fmax=2000)
    assert (
        out.units["name"].tolist() == ["onsets", "power_80Hz", "power_640Hz", "power_2000Hz", "envelope"] or len(out.units) == 5
    )
    assert out.units["unit"].tolist() == ["a.u./s", "dB", "dB", "dB", "a.u."]
    assert out.samples["onset"].iloc[[0, 1, -1]].tolist() == [0.0, 0.01, 1.99]
    assert out.meta["held"] is True
    assert out.data.dtype == np.float32


def test_silence_is_minus_a_hundred_decibels() -> None:
    assert np.all(sound_features(np.zeros(8000), RATE, ["spectrogram"]).data == -100)


def test_sounds_of_stimuli_come_to_the_scans() -> None:
    loud = np.ones((16000, 2), np.float32) * np.sin(2 * np.pi * 500 * TIMES[:16000, None]).astype(np.float32)
    sounds = Stimuli(["a", "b"], [(loud, RATE), (0.5 * loud[:8000], RATE)], "audio")
    out = sound_features(sounds, features=["envelope"])
    assert out.samples["stimulus"].value_counts().to_dict() == {"a": 200, "b": 100}
    assert [step["step"] for step in out.meta["steps"]] == ["features.sound_features"]
    at_scans = to_tr(out.select(stimulus="a"), TR=0.5, n_scans=4)
    np.testing.assert_allclose(at_scans.data, 1.0, atol=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: sound_features(s), "sfreq is missing"),
        (lambda s: sound_features(s, RATE, ["pitch"]), "feature='pitch' is unknown"),
        (lambda s: sound_features(Stimuli(["x"], ["text"], "text")), "kind audio, got 'text'"),
        (lambda s: sound_features(Stimuli([], [], "audio")), "there are no stimuli"),
        (lambda s: broadband_envelope(s, RATE, rate=9000), "got 9000 of 8000 Hz"),
        (lambda s: broadband_envelope(s, RATE, method="peak"), "method='peak' is unknown"),
        (lambda s: broadband_envelope(s, RATE, lowpass=5000), "below half the sampling rate, got 5000"),
        (lambda s: broadband_envelope(s, 0), "sfreq must be"),
        (lambda s: broadband_envelope(np.append(s, np.nan), RATE), "holds NaN"),
        (lambda s: broadband_envelope(np.zeros((2, 2, 2)), RATE), r"got \(2, 2, 2\)"),
        (lambda s: broadband_envelope([], RATE), r"got \(0,\)"),
        (lambda s: spectrogram(s, RATE, n_bands=0), "got 0 from 80"),
        (lambda s: spectrogram(s, RATE, fmin=5000), "fmin < fmax, got 16 from 5000 to 3600 Hz"),
        (lambda s: spectrogram(s, RATE, scale="bark"), "scale='bark' is unknown"),
    ],
)
def test_what_does_not_fit_is_named(call: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(np.ones(800))  # type: ignore[operator]
