"""Sounds as responses: frames with their times, equal to a plain call, also when heard in chunks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_models import hidden_states, pictures, sounds

from neurodecode.data import Stimuli
from neurodecode.errors import DataError
from neurodecode.features import embed_audio, load_model, mel_spectrogram
from neurodecode.features.audio import Frames, plan_chunks, resample

Tiny = Callable[[str], Path]
SPEECH = Frames(320, 400, 16000.0)


def plain(folder: Path, samples: np.ndarray) -> np.ndarray:
    """Hidden states of one sound, layers side by side."""
    made = load_model(folder).feature_extractor(samples, sampling_rate=16000, return_tensors="pt")
    part = "encoder" if folder.name == "whisper" else None
    return np.concatenate(hidden_states(folder, part, **made), axis=2)[0]


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "whisper"])
def test_equal_to_a_plain_call(tiny: Tiny, kind: str) -> None:
    stimuli = sounds(0.5, 0.31)
    found = embed_audio(stimuli, tiny(kind))
    for i, name in enumerate(stimuli.ids):
        rows = (found.samples["stimulus"] == name).to_numpy()
        expected = plain(tiny(kind), stimuli[i][0])[: rows.sum()]
        np.testing.assert_allclose(found.data[rows], expected, rtol=1e-3, atol=1e-4)
    n_frames = {"whisper": [25, 16]}.get(kind, [24, 15])
    assert found.samples["stimulus"].value_counts(sort=False).tolist() == n_frames


@pytest.mark.parametrize(("kind", "width"), [("wav2vec2", 0.025), ("whisper", 0.02)])
def test_frames_know_their_times(tiny: Tiny, kind: str, width: float) -> None:
    rows = embed_audio(sounds(0.5), tiny(kind), layers=0).samples
    np.testing.assert_allclose(rows["onset"], 0.02 * np.arange(len(rows)), atol=1e-12)
    np.testing.assert_allclose(rows["offset"] - rows["onset"], width, atol=1e-12)
    assert rows["offset"].iloc[-1] <= 0.5 + 1e-9


def test_a_frame_answers_to_the_sound_at_its_time(tiny: Tiny) -> None:
    """The input of the first block depends on what the convolutions see, and on nothing else but the position's kernel."""
    click = np.zeros(16000, np.float32)
    click[8000:8040] = 1.0
    quiet = Stimuli(["a", "b"], [(np.zeros(16000, np.float32), 16000.0), (click, 16000.0)], "audio")
    found = embed_audio(quiet, tiny("hubert"), layers=0)
    rows = found.samples["stimulus"].eq("a").to_numpy()
    change = np.abs(found.data[rows] - found.data[~rows]).max(1)
    centre = found.samples.loc[rows, ["onset", "offset"]].to_numpy().mean(1)
    assert abs(centre[change.argmax()] - 0.5) < 0.02
    assert (change[np.abs(centre - 0.5) > 0.25] == 0).all()


def test_the_mean_of_a_sound_is_that_of_its_frames(tiny: Tiny) -> None:
    stimuli = sounds(0.5, 0.3)
    frames, means = (embed_audio(stimuli, tiny("wav2vec2"), pooling=p) for p in ("none", "mean"))
    expected = pd.DataFrame(frames.data).groupby(frames.samples["stimulus"], sort=False).mean()
    np.testing.assert_allclose(means.data, expected, atol=1e-5)
    assert means.samples["n_frames"].tolist() == [24, 14]


def test_chunks_with_context_are_what_a_plain_call_over_them_gives(tiny: Tiny) -> None:
    stimuli = sounds(1.0)
    found = embed_audio(stimuli, tiny("hubert"), chunk_s=0.2, context_s=(0.1, 0.06))
    assert len(found) == 49
    for chunk in plan_chunks(49, 16000, SPEECH, (0.1, 0.2, 0.06)):
        state = plain(tiny("hubert"), stimuli[0][0][chunk.start : chunk.stop])
        own = state[chunk.first - chunk.start // 320 : chunk.last - chunk.start // 320]
        np.testing.assert_allclose(found.data[chunk.first : chunk.last], own, rtol=1e-3, atol=1e-4)


def test_without_context_behind_nothing_later_is_heard(tiny: Tiny) -> None:
    samples = sounds(1.0)[0][0]
    other = samples.copy()
    other[10000:] = 0
    pair = Stimuli(["a", "b"], [(samples, 16000.0), (other, 16000.0)], "audio")
    found = embed_audio(pair, tiny("hubert"), chunk_s=0.1, context_s=(0.3, 0.0))
    a, b = found.data[:49], found.data[49:]
    heard = found.samples["offset"].to_numpy()[:49]
    before = np.floor(heard / 0.1 + 1e-9) * 0.1 + 0.1 <= 10000 / 16000  # the chunk of the frame ends before the change
    np.testing.assert_allclose(a[before], b[before], atol=1e-5)
    assert before.sum() > 20
    assert np.abs(a[~before] - b[~before]).max() > 0.01


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_batches_make_no_difference(tiny: Tiny, kind: str, batch_size: int) -> None:
    options: dict[str, Any] = {"chunk_s": 0.2, "context_s": (0.1, 0.1)}
    whole = embed_audio(sounds(0.8, 0.3), tiny(kind), **options)
    found = embed_audio(sounds(0.8, 0.3), tiny(kind), batch_size=batch_size, **options)
    np.testing.assert_allclose(found.data, whole.data, atol=1e-4)


@pytest.mark.parametrize(("n_samples", "spans"), [(16000, (0.1, 0.2, 0.06)), (50321, (0.0, 0.5, 0.0)), (9999, (1.0, 0.04, 0.2))])
def test_chunks_take_each_frame_once(n_samples: int, spans: tuple[float, float, float]) -> None:
    n_frames = SPEECH.count(n_samples)
    chunks = plan_chunks(n_frames, n_samples, SPEECH, spans)
    assert [f for c in chunks for f in range(c.first, c.last)] == list(range(n_frames))
    for c in chunks:
        assert c.start % 320 == 0
        assert c.start <= max(0, c.first * 320 - round(spans[0] * 50) * 320)
        assert c.stop >= min(n_samples, c.last * 320 + round(spans[2] * 50) * 320)
        assert SPEECH.count(c.stop - c.start) >= c.last - c.start // 320


def test_a_sound_that_fits_is_heard_at_once() -> None:
    assert len(plan_chunks(SPEECH.count(16000), 16000, SPEECH, (0.5, 0.5, 0.5))) == 1


@pytest.mark.parametrize(("n", "frames"), [(399, 0), (400, 1), (719, 1), (720, 2), (16000, 49)])
def test_number_of_frames(n: int, frames: int) -> None:
    assert SPEECH.count(n) == frames


@pytest.mark.parametrize("rate", [8000.0, 44100.0, 22050.0, 16000.0])
def test_a_tone_stays_a_tone_at_another_rate(rate: float) -> None:
    time = np.arange(round(rate)) / rate
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    found = resample(np.stack([tone, 0.5 * tone], axis=1), rate, 16000.0)
    assert len(found) == 16000
    expected = 0.75 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(found[500:-500], expected[500:-500], atol=5e-3)


def test_what_the_new_rate_cannot_carry_is_filtered_out() -> None:
    tone = np.sin(2 * np.pi * 12000 * np.arange(44100) / 44100).astype(np.float32)
    assert np.abs(resample(tone, 44100.0, 16000.0)[500:-500]).max() < 0.01


def test_sounds_at_another_rate_are_brought_to_that_of_the_model(tiny: Tiny) -> None:
    samples = sounds(0.5, rate=32000.0)[0][0]
    found = embed_audio(Stimuli(["a"], [(samples, 32000.0)], "audio"), tiny("wav2vec2"))
    np.testing.assert_allclose(found.data, plain(tiny("wav2vec2"), resample(samples, 32000.0, 16000.0)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("wav2vec2", {"pooling": "max"}, "pooling='max'"),
        ("wav2vec2", {"chunk_s": 0}, "chunk_s"),
        ("wav2vec2", {"context_s": 3}, "context_s"),
        ("wav2vec2", {"context_s": (1, -1)}, "context_s"),
        ("wav2vec2", {"layers": 7}, "no layer 7"),
        ("whisper", {"chunk_s": 29.0}, "hears at most 30 s"),
        ("gpt2", {}, "expected one that hears waveforms"),
    ],
)
def test_wrong_arguments(tiny: Tiny, kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        embed_audio(sounds(0.1), tiny(kind), **options)


def test_sounds_that_cannot_be_heard(tiny: Tiny) -> None:
    with pytest.raises(DataError, match=r"'sound0' has 160 samples at 16000 Hz, .* needs 400"):
        embed_audio(sounds(0.01), tiny("wav2vec2"))
    broken = np.array([0.0, np.nan] * 500, np.float32)
    with pytest.raises(DataError, match="500 samples that are NaN"):
        embed_audio(Stimuli(["a"], [(broken, 16000.0)], "audio"), tiny("wav2vec2"))
    for function in (lambda s: embed_audio(s, tiny("wav2vec2")), mel_spectrogram):
        with pytest.raises(DataError, match="kind 'image'"):
            function(pictures(1))


def test_the_cache(tiny: Tiny, tmp_path: Path) -> None:
    first, again = (embed_audio(sounds(0.3), tiny("wav2vec2"), cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)
    embed_audio(sounds(0.3), tiny("wav2vec2"), cache=tmp_path, chunk_s=0.1)
    assert len(list(tmp_path.glob("embed_audio-*"))) == 2


# --- mel spectrogram -----------------------------------------------------------------------------------------------


def tone(frequency: float, rate: float = 16000.0, seconds: float = 0.5) -> Stimuli:
    time = np.arange(round(rate * seconds)) / rate
    return Stimuli(["tone"], [(np.sin(2 * np.pi * frequency * time).astype(np.float32), rate)], "audio")


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 4000.0])
@pytest.mark.parametrize("rate", [16000.0, 44100.0])
def test_a_tone_is_loudest_in_its_band(frequency: float, rate: float) -> None:
    found = mel_spectrogram(tone(frequency, rate))
    centre = found.units["frequency"].to_numpy()
    loudest = centre[np.asarray(found.data).mean(0).argmax()]
    assert abs(loudest - frequency) <= np.diff(centre)[np.searchsorted(centre, frequency) - 1]


def test_twice_the_amplitude_is_six_decibels() -> None:
    samples, rate = tone(1000.0)[0]
    pair = Stimuli(["a", "b"], [(samples, rate), (2 * samples, rate)], "audio")
    data = np.asarray(mel_spectrogram(pair).data)
    loud = data[:48].max(1) > -20
    np.testing.assert_allclose((data[48:] - data[:48])[loud].max(1), 20 * np.log10(2), atol=0.01)


def test_frames_of_the_spectrogram_see_the_sound_behind_their_onset() -> None:
    samples = np.zeros(16000, np.float32)
    samples[8000:] = sounds(0.5)[0][0]
    found = mel_spectrogram(Stimuli(["a"], [(samples, 16000.0)], "audio"), window_s=0.02, hop_s=0.01, n_mels=40)
    loud = np.asarray(found.data).max(1) > -50
    assert (loud == (found.samples["offset"] > 0.5 + 1e-9)).all()
    assert found.samples["offset"].iloc[-1] == pytest.approx(1.0)
    assert found.data.min() == pytest.approx(-100.0)


@pytest.mark.parametrize("options", [{"n_mels": 0}, {"hop_s": 0}, {"fmin": 9000.0}, {"fmax": 9000.0}, {"fmin": -1.0}])
def test_wrong_bands(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=next(iter(options))):
        mel_spectrogram(tone(440.0), **options)


def test_a_sound_shorter_than_a_frame() -> None:
    with pytest.raises(DataError, match="one frame needs 400"):
        mel_spectrogram(tone(440.0, seconds=0.01))


def test_the_cache_of_spectrograms(tmp_path: Path) -> None:
    first, again = (mel_spectrogram(tone(440.0), cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)
    assert again.units["frequency"].is_monotonic_increasing
