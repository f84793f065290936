"""Small recordings of people who heard speech: words, audio, sensors that follow the sound with a known delay."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.data.stimulus_splits import speech_blocks, split_blocks

RATE = 120.0
SOUND_RATE = 4000.0


def words_of(audio: str, n_sentences: int = 8, seed: int = 0) -> pd.DataFrame:
    """Sentences of five words of 0.4 to 0.8 s."""
    rng = np.random.default_rng(seed)
    rows, now = [], 0.3
    for sentence in range(n_sentences):
        for _ in range(5):
            length = float(rng.uniform(0.4, 0.8))
            rows.append((audio, f"{audio}{rng.integers(1000)}", now, 0.9 * length, sentence))
            now += length
        now += 0.3
    return pd.DataFrame(rows, columns=["stimulus", "word", "onset", "duration", "sentence"])


def sound_of(words: pd.DataFrame, seed: int = 0) -> tuple[np.ndarray, float]:
    """Noise that is loud within words."""
    rng = np.random.default_rng(seed)
    n = int((words["onset"].max() + 2.0) * SOUND_RATE)
    envelope = np.full(n, 0.01)
    for onset, duration in words[["onset", "duration"]].to_numpy():
        envelope[int(onset * SOUND_RATE) : int((onset + duration) * SOUND_RATE)] = rng.uniform(0.2, 1.0)
    return (envelope * rng.standard_normal(n)).astype(np.float32), SOUND_RATE


def speech(n_audios: int = 3, n_sentences: int = 8) -> tuple[pd.DataFrame, Stimuli, pd.DataFrame]:
    """Words, audios and blocks that were split."""
    tables = [words_of(f"story{i}", n_sentences, seed=i) for i in range(n_audios)]
    audio = Stimuli([f"story{i}" for i in range(n_audios)], [sound_of(t, seed=i) for i, t in enumerate(tables)], "audio")
    words = pd.concat(tables, ignore_index=True)
    return words, audio, split_blocks(speech_blocks(words))


def listening(
    audio: Stimuli, subject: str, session: str = "01", n_channels: int = 6, seed: int = 0, gap: float = 3.0
) -> Recording:
    """A recording in which all audios are heard one after the other; each channel is noise plus a level of its own."""
    rng = np.random.default_rng(seed)
    lengths = [len(samples) / rate for samples, rate in audio]
    onsets = 2.0 + np.concatenate([[0], np.cumsum(np.array(lengths) + gap)[:-1]])
    n = int((onsets[-1] + lengths[-1] + 3.0) * RATE)
    scale = 10.0 ** rng.uniform(-13, -12, (n_channels, 1))
    data = scale * (rng.standard_normal((n_channels, n)) + rng.uniform(-5, 5, (n_channels, 1)))
    table = pd.DataFrame({"name": [f"MEG {i:03d}" for i in range(n_channels)], "kind": "mag", "unit": "T"})
    events = pd.DataFrame({"onset": onsets, "duration": 0.0, "stimulus": list(audio.ids)})
    return Recording(data, RATE, table, events, meta={"subject": subject, "session": session, "run": "1", "modality": "meg"})
