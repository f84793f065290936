"""Speech features: the mean of layers at the rate of the brain, and no sample of test speech in any frame of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tiny_models import hidden_states, model_folder, sounds

from neurodecode.data import Stimuli
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.features import SPEECH_PRESETS, load_model, speech_embedding, speech_mel
from neurodecode.features.speech import nearest_frames

BLOCKS = pd.DataFrame(
    {
        "stimulus": ["sound0", "sound0", "sound0", "sound1"],
        "block": ["a", "b", "c", "d"],
        "onset": [0.0, 1.0, 2.0, 0.1],
        "offset": [1.0, 2.0, 2.5, 0.9],
        "split": ["train", "test", "train", "train"],
    }
)
AUDIO = sounds(2.5, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder("wav2vec2", tmp_path_factory.getbasetemp())


def embed(folder: Path, audio: Stimuli = AUDIO, blocks: pd.DataFrame = BLOCKS, **options: Any) -> Any:
    return speech_embedding(audio, blocks, model=folder, layers=[1, 2], device="cpu", **options)


def changed(audio: Stimuli, first: float, last: float) -> Stimuli:
    """The same sounds with noise in a stretch of the first."""
    samples, rate = audio["sound0"]
    other = samples.copy()
    stretch = slice(round(first * rate), round(last * rate))
    other[stretch] += 3 * np.random.default_rng(7).standard_normal(len(other[stretch])).astype(np.float32)
    return Stimuli(audio.ids, [(other, rate), audio["sound1"]], "audio")


def test_a_block_is_the_mean_of_layers_of_a_plain_call(folder: Path) -> None:
    made = embed(folder)
    samples, rate = AUDIO["sound0"]
    heard = load_model(folder).feature_extractor(samples[16000:32000], sampling_rate=int(rate), return_tensors="pt")
    states = hidden_states(folder, input_values=heard["input_values"])
    expected = (states[1][0] + states[2][0]) / 2
    found = made.select(block="b")
    assert len(found) == 120
    assert_allclose(found.data, expected[np.arange(120) * len(expected) // 120], rtol=1e-4, atol=1e-5)
    assert_allclose(found.samples["onset"], 1 + np.arange(120) / 120)
    assert made.samples["block"].unique().tolist() == ["a", "b", "c", "d"]
    assert made.samples["block"].value_counts().to_dict() == {"a": 120, "b": 120, "c": 60, "d": 96}


@pytest.mark.parametrize(("n_in", "n_out"), [(49, 120), (313, 300), (7, 7), (5, 2)])
def test_nearest_frames_are_those_of_torch(n_in: int, n_out: int) -> None:
    values = np.random.default_rng(0).standard_normal((n_in, 3)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(values.T[None]), size=n_out, mode="nearest")[0].numpy().T
    assert_array_equal(nearest_frames(values, n_out), expected)


@pytest.mark.parametrize("make", [embed, lambda folder, audio: speech_mel(audio, BLOCKS)])
def test_no_sample_of_the_test_changes_a_frame_of_training(folder: Path, make: Any) -> None:
    before, after = make(folder, AUDIO), make(folder, changed(AUDIO, 1.0, 2.0))
    train = (before.samples["block"] != "b").to_numpy()
    assert_array_equal(before.data[train], after.data[train])
    assert np.abs(before.data[~train] - after.data[~train]).max() > 0.1, "the change was not heard at all"


def test_a_pass_over_whole_audios_would_leak_and_is_refused(folder: Path) -> None:
    with pytest.raises(
        SplitLeakError, match=r"block 'a' \(train\) depend on the audio 0 to 2.5 s, which holds block 'b' \(test\)"
    ):
        embed(folder, per_block=False)
    alike = BLOCKS.assign(split="train")
    before, after = (embed(folder, audio, alike, per_block=False) for audio in (AUDIO, changed(AUDIO, 1.0, 2.0)))
    train = (before.samples["block"] == "a").to_numpy()
    assert np.abs(before.data[train] - after.data[train]).max() > 1e-3, "this is the leak that is refused"
    assert before.samples.loc[train, ["context_onset", "context_offset"]].iloc[0].tolist() == [0.0, 2.5]
    assert len(before.select(block="c")) == 60


def test_presets_are_those_published() -> None:
    assert SPEECH_PRESETS["code"].layers == (14, 15, 16, 17, 18)
    assert SPEECH_PRESETS["benchmark"].layers == (21, 22, 23, 24)
    assert [k % 25 for k in SPEECH_PRESETS["paper"].layers] == [21, 22, 23, 24], "of 24 blocks"
    assert {p.model for p in SPEECH_PRESETS.values()} == {"facebook/wav2vec2-large-xlsr-53"}
    with pytest.raises(DataError, match="preset='paper_code'"):
        speech_embedding(AUDIO, BLOCKS, preset="paper_code")


def test_preset_layers_count_from_the_last_in_any_network(folder: Path) -> None:
    with pytest.raises(DataError, match="no layer -4"):
        speech_embedding(AUDIO, BLOCKS, preset="paper", model=folder, device="cpu")
    found = speech_embedding(AUDIO, BLOCKS, model=folder, layers=[-2, -1], device="cpu")
    assert_array_equal(found.data, embed(folder).data)


def test_opened_from_the_cache_and_computed_again_for_other_blocks(folder: Path, tmp_path: Path) -> None:
    made = embed(folder, cache=tmp_path)
    again = embed(folder, cache=tmp_path)
    assert isinstance(again.data, np.memmap)
    assert_array_equal(again.data, embed(folder).data)
    assert len(list(tmp_path.glob("speech_embedding-*"))) == 1
    embed(folder, blocks=BLOCKS.assign(offset=BLOCKS["offset"] - 0.1), cache=tmp_path)
    assert len(list(tmp_path.glob("speech_embedding-*"))) == 2
    step = made.meta["steps"][-1]
    assert (step["step"], step["layers"], step["blocks"]) == ("features.speech_embedding", [1, 2], 4)
    assert step["model"]["id"] == folder.name
    half = embed(folder, cache=tmp_path, stored_as="float16")
    assert_allclose(np.asarray(half.data), made.data, rtol=1e-3, atol=1e-3)


def test_mel_of_a_sine_peaks_in_its_band() -> None:
    time = np.arange(32000) / 16000
    tone = Stimuli(["sound0"], [(np.sin(2 * np.pi * 1000 * time).astype(np.float32), 16000.0)], "audio")
    blocks = BLOCKS.iloc[:1]
    made = speech_mel(tone, blocks)
    assert made.data.shape == (120, 120)
    centre = 700 * (10 ** (np.linspace(0, 2840.023, 122)[1:-1] / 2595) - 1)
    assert abs(centre[made.data[30:-30].mean(axis=0).argmax()] - 1000) < 30
    silent = Stimuli(["sound0"], [(np.zeros(32000, np.float32), 16000.0)], "audio")
    assert_allclose(speech_mel(silent, blocks).data, -5.0, atol=1e-6)
    assert_allclose(speech_mel(tone, blocks, offset=1e-3).data.min(), -3.0, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(offset=[1.0, 2.0, 2.5, 1.9]), "block 'd' lasts from 0.1 to 1.9 s, the audio 'sound1' has 1 s"),
        (lambda t: t.drop(columns="offset"), "no column 'offset'"),
        (lambda t: t.assign(block="a"), "occurs twice"),
        (lambda t: t.iloc[:0], "at least one"),
        (lambda t: t.assign(stimulus="other"), "no stimulus 'other'"),
        (lambda t: t.assign(offset=t["onset"] + 0.01), "not longer than half a window"),
    ],
)
def test_refused(change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        speech_mel(AUDIO, change(BLOCKS))


def test_only_sounds_and_numbers_above_zero() -> None:
    with pytest.raises(DataError, match="kind 'audio', got kind 'text'"):
        speech_mel(Stimuli(["sound0"], ["a"], "text"), BLOCKS)
    with pytest.raises(DataError, match="hop must be"):
        speech_mel(AUDIO, BLOCKS, hop=0)


def test_a_word_that_ends_a_little_behind_the_audio_is_let_pass() -> None:
    made = speech_mel(AUDIO, BLOCKS.assign(offset=[1.0, 2.0, 2.52, 0.9]))
    assert len(made.select(block="c")) == 60
