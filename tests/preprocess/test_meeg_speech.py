"""Pairs of brain and speech: the right stretch of both, inside one block, the same segment for all who heard it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from speech_recordings import RATE, listening, speech

from neurodecode.data import Recording, Responses, load, save
from neurodecode.data.splits import check_windows
from neurodecode.data.windowed import WindowedArray
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.features import speech_mel
from neurodecode.preprocess import meeg


@pytest.fixture(scope="module")
def heard() -> tuple[Any, ...]:
    """Words, audio, blocks, features, and three recordings of two subjects."""
    words, audio, blocks = speech(6)
    features = speech_mel(audio, blocks, n_mels=8, rate=4000.0)
    recordings = [listening(audio, "1", "1", seed=1), listening(audio, "1", "2", seed=2), listening(audio, "2", seed=3)]
    return words, audio, blocks, features, recordings


@pytest.fixture(scope="module")
def pairs(heard: tuple[Any, ...]) -> meeg.SpeechSegments:
    words, _, blocks, features, recordings = heard
    return meeg.speech_segments(recordings, features, blocks, words)


def test_343_samples_of_both(pairs: meeg.SpeechSegments) -> None:
    assert pairs.responses.data.shape[2] == pairs.targets.data.shape[2] == 343
    assert_allclose(pairs.responses.times[[0, -1]], [-0.35, 2.5])
    assert_allclose(pairs.targets.times[[0, -1]], [-0.5, 2.35], atol=1e-9)
    assert isinstance(pairs.targets.data, WindowedArray)


def test_all_splits_are_there_and_apart(pairs: meeg.SpeechSegments, heard: tuple[Any, ...]) -> None:
    samples, blocks = pairs.responses.samples, heard[2].set_index("block")
    assert set(samples["split"]) == {"train", "validation", "test"}
    assert (samples["split"] == samples["block"].map(blocks["split"])).all()
    begin, end = samples["segment_onset"] - 0.5, samples["segment_onset"] + 2.5
    assert (begin >= samples["block"].map(blocks["onset"]) - 1e-6).all()
    assert (end <= samples["block"].map(blocks["offset"]) + 1e-6).all()
    rows = {name: np.flatnonzero(samples["split"] == name) for name in ("train", "test")}
    from neurodecode.data.splits import Split

    check_windows(pairs.responses, Split(rows["train"], rows["test"], "speech"))


def test_the_same_segments_for_every_subject_and_repeat(pairs: meeg.SpeechSegments) -> None:
    samples = pairs.responses.samples
    per_session = samples.groupby(["subject", "session"])["stimulus"].agg(set)
    assert len(per_session) == 3
    assert all(found == per_session.iloc[0] for found in per_session)
    assert set(pairs.targets.samples["stimulus"]) == per_session.iloc[0]
    assert pairs.targets.samples["stimulus"].is_unique
    assert samples.groupby(["subject", "session"])["repeat"].max().tolist() == [0, 1, 0]
    test = samples[samples["split"] == "test"]
    assert test["word"].notna().all()
    assert test["stimulus"].str.contains("word").all()


def test_each_target_is_the_speech_that_was_heard(pairs: meeg.SpeechSegments, heard: tuple[Any, ...]) -> None:
    features, step = heard[3], pairs.targets.meta["steps"][-1]
    for row in (0, len(pairs.targets) // 2, len(pairs.targets) - 1):
        segment = pairs.targets.samples.iloc[row]
        frames = features.select(block=segment["block"])
        nearest = int(np.argmin(np.abs(frames.samples["onset"] - (segment["onset"] - 0.5))))
        expected = (np.asarray(frames.data)[nearest : nearest + 343].T - step["mean"]) / step["standard_deviation"]
        assert_allclose(pairs.targets.data[row], expected, rtol=1e-4, atol=1e-5)


def test_one_mean_and_deviation_of_training_windows(pairs: meeg.SpeechSegments) -> None:
    train = np.asarray(pairs.targets.select(split="train").data)
    assert abs(train.mean()) < 1e-3
    assert abs(train.std() - 1) < 1e-3
    assert np.abs(train.mean(axis=(0, 2))).max() > 0.1, "not per feature"


def test_test_audio_does_not_change_what_is_trained_on(heard: tuple[Any, ...], pairs: meeg.SpeechSegments) -> None:
    words, audio, blocks, _, recordings = heard
    items = {name: audio[name] for name in audio.ids}
    for block in blocks[blocks["split"] == "test"].itertuples():
        samples, rate = items[block.stimulus]
        other = samples.copy()
        other[round(block.onset * rate) : round(block.offset * rate)] *= -5
        items[block.stimulus] = (other, rate)
    loud = type(audio)(audio.ids, list(items.values()), "audio")
    again = meeg.speech_segments(recordings, speech_mel(loud, blocks, n_mels=8, rate=4000.0), blocks, words)
    for split in ("train", "validation"):
        assert_array_equal(np.asarray(again.targets.select(split=split).data), np.asarray(pairs.targets.select(split=split).data))
    moved = np.asarray(again.targets.select(split="test").data) - np.asarray(pairs.targets.select(split="test").data)
    assert np.abs(moved).max() > 0.1


def test_brain_and_speech_are_aligned(heard: tuple[Any, ...]) -> None:
    """A sensor that repeats the loudness 150 ms later equals it sample by sample once the lag was cut."""
    words, _, blocks, features, recordings = heard
    loudness = features.select(units=[3])
    signal = np.zeros((1, recordings[0].n_times))
    for event in recordings[0].events.itertuples():
        own = loudness.select(audio=event.stimulus)
        place = np.round((event.onset + own.samples["onset"].to_numpy() + 0.15) * RATE).astype(int)
        signal[0, place] = np.asarray(own.data)[:, 0]
    echo = recordings[0].pick(["MEG 000"]).replace(data=signal)
    found = meeg.speech_segments([echo], loudness, blocks, words, baseline=None)
    brain, target = np.asarray(found.responses.data)[:, 0], np.asarray(found.targets.data)[:, 0]
    row = found.targets.samples.set_index("stimulus").index.get_indexer(found.responses.samples["stimulus"])
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(brain, target[row], strict=True)]
    assert np.mean(correlation) > 0.97
    late = [np.corrcoef(a[6:], b[:-6])[0, 1] for a, b in zip(brain, target[row], strict=True)]
    assert np.mean(late) < 0.9


def test_marks_against_a_clock_that_drifts(heard: tuple[Any, ...]) -> None:
    _, _, blocks, features, recordings = heard
    drift = 1.002
    plain = recordings[0]
    story = plain.events.iloc[[0]]
    begin = float(story["onset"].iloc[0])
    marks = pd.DataFrame({"onset": begin + drift * np.arange(0, 30, 5.0), "stimulus": "story0", "start": np.arange(0, 30, 5.0)})
    chosen = features.select(audio="story0")
    part = blocks[blocks["stimulus"] == "story0"]
    one = meeg.speech_segments([plain.replace(events=story)], chosen, part.assign(split="train"))
    many = meeg.speech_segments([plain.replace(events=marks)], chosen, part.assign(split="train"))
    assert one.responses.samples["stimulus"].tolist() == many.responses.samples["stimulus"].tolist()
    heard_at = begin + drift * many.responses.samples["segment_onset"]
    assert np.abs(many.responses.samples["onset"] - heard_at).max() < 0.011
    assert np.abs(one.responses.samples["onset"] - heard_at).max() > 0.03


def test_saved_window_by_window(pairs: meeg.SpeechSegments, tmp_path: Path) -> None:
    for name in ("responses", "targets"):
        held: Responses = getattr(pairs, name)
        loaded = load(save(held, tmp_path / name))
        assert isinstance(loaded.data, np.memmap)
        assert_array_equal(loaded.data[:5], np.asarray(held.data[:5]))
        assert isinstance(loaded.select(split="train").data, np.memmap)


def test_features_kept_as_half_precision_or_on_disk(heard: tuple[Any, ...], pairs: meeg.SpeechSegments, tmp_path: Path) -> None:
    words, audio, blocks, _, recordings = heard
    for stored, tolerance in (("float32", 1e-6), ("float16", 0.02)):
        features = speech_mel(audio, blocks, n_mels=8, rate=4000.0, cache=tmp_path, stored_as=stored)
        again = meeg.speech_segments(recordings, features, blocks, words)
        assert_allclose(np.asarray(again.targets.data), np.asarray(pairs.targets.data), atol=tolerance)


def test_margin_takes_training_from_beside_the_test(heard: tuple[Any, ...], pairs: meeg.SpeechSegments) -> None:
    words, _, blocks, features, recordings = heard
    purged = meeg.speech_segments(recordings, features, blocks, words, margin=1.5)
    counts = [p.responses.samples["split"].value_counts() for p in (pairs, purged)]
    assert counts[1]["train"] < counts[0]["train"]
    assert counts[1]["test"] == counts[0]["test"]


class TestRefused:
    def test_features_of_whole_audios(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        wide = features.replace(samples=features.samples.assign(context_onset=0.0, context_offset=30.0))
        with pytest.raises(SplitLeakError, match="embed each block by itself"):
            meeg.speech_segments(recordings, wide, blocks, words)
        no_context = features.replace(samples=features.samples.drop(columns="context_onset"))
        with pytest.raises(DataError, match="context_onset"):
            meeg.speech_segments(recordings, no_context, blocks, words)

    def test_the_same_words_in_two_splits(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        with pytest.raises(SplitLeakError, match="the same words"):
            meeg.speech_segments(recordings, features, blocks.assign(uid="same"), words)

    def test_another_rate(self, heard: tuple[Any, ...]) -> None:
        words, audio, blocks, _, recordings = heard
        with pytest.raises(DataError, match="features have 100 frames per second, recordings 120 Hz"):
            meeg.speech_segments(recordings, speech_mel(audio, blocks, n_mels=4, rate=4000.0, sfreq=100.0), blocks, words)

    def test_blocks_without_features(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        with pytest.raises(DataError, match="no frame of block"):
            meeg.speech_segments(recordings, features.select(block=blocks["block"][1:]), blocks, words)
        shuffled = features.select(np.random.default_rng(0).permutation(len(features)))
        with pytest.raises(DataError, match="must follow each other"):
            meeg.speech_segments(recordings, shuffled, blocks, words)

    def test_windows_longer_than_all_blocks(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        with pytest.raises(DataError, match=r"no window of -0.5 to 60 s fits into one of the \d+ blocks"):
            meeg.speech_segments(recordings, features, blocks, words, tmax=60.0)

    def test_recordings_without_the_audio(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        other = recordings[0].replace(events=recordings[0].events.assign(stimulus="music"))
        for wrong in (other, other.replace(events=other.events.drop(columns="stimulus"))):
            with pytest.raises(DataError, match="names one of the audios"):
                meeg.speech_segments([wrong], features, blocks, words)
        with pytest.raises(DataError, match="got 0 recordings"):
            meeg.speech_segments([], features, blocks, words)

    def test_no_training(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        with pytest.raises(DataError, match="none of them in training"):
            meeg.speech_segments(recordings, features, blocks.assign(split="test"), words)

    def test_features_that_are_not_finite(self, heard: tuple[Any, ...]) -> None:
        words, _, blocks, features, recordings = heard
        data = np.array(features.data)
        data[::3] = np.nan
        with pytest.raises(DataError, match="features hold NaN"):
            meeg.speech_segments(recordings, features.replace(data=data), blocks, words)


def test_a_recording_that_ends_early_keeps_what_it_has(heard: tuple[Any, ...]) -> None:
    words, _, blocks, features, recordings = heard
    short: Recording = recordings[0].crop(0.0, 45.0)
    found = meeg.speech_segments([short], features, blocks, words)
    assert found.responses.samples["onset"].max() < 45
    assert set(found.targets.samples["stimulus"]) == set(found.responses.samples["stimulus"])
    assert found.responses.meta["drops"]["outside the recording"] > 0
