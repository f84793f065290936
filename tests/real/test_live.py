"""Live decoding of real recordings: a replay gives what one pass gives, and a decoder fitted offline says the same online."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.decode import LinearDecoder, StreamDecoder, WindowPlan, cut_windows
from neurodecode.io import ReplaySource, open_stream, read_bids_all
from neurodecode.preprocess.causal import CausalChain


def pieces(chain: CausalChain, source: ReplaySource) -> np.ndarray:
    """What a chain makes of a stream."""
    rows, parts = [source.names.index(name) for name in chain.channels], []
    chain.reset()
    while not source.ended:
        parts.append(chain.process(source.read()[0][rows]))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("chunk", [1 / 128, 0.1, 3.3])
def test_a_continuous_eeg_streams_as_it_is(real: Callable[..., Path], chunk: float) -> None:
    source = open_stream(f"replay:{real('eeglab_sample', 'eeglab_data.set')}", chunk=chunk)
    assert isinstance(source, ReplaySource)
    whole = source.recording.crop(tmax=15.0) if chunk < 0.05 else source.recording
    design = {"reference": "average", "notch": 60.0, "l_freq": 0.5, "h_freq": 30.0, "sfreq": 64.0}
    chain = CausalChain.design(whole, **design).fit_scale(whole)
    assert len(chain.channels) == 30, "the two EOG channels are no EEG"
    offline = chain.run(whole)
    online = pieces(chain, ReplaySource(whole, chunk=chunk))
    np.testing.assert_allclose(online, offline.data, rtol=0, atol=1e-5)
    assert offline.sfreq == 64.0
    assert 0.01 < chain.delay < 0.1


def test_faces_and_houses_are_decoded_online_as_offline(real: Callable[..., Path]) -> None:
    runs = [run.load() for run in read_bids_all(real("muse_n170"), task="n170")]
    plan = WindowPlan((-0.1, 0.8), events=["face", "house"])
    scores = []
    for held_out in range(4):
        train = [run for i, run in enumerate(runs) if i != held_out]
        chain = CausalChain.design(runs[0], l_freq=1.0, h_freq=30.0).fit_scale(train)
        windows = cut_windows(train, chain, plan)
        decoder = LinearDecoder("classification", estimator="lda").fit(windows)
        scores.append(decoder.score(cut_windows(runs[held_out], chain, plan)))
        if held_out == 3:
            stream = StreamDecoder(decoder, chain, (-0.1, 0.8), events=["face", "house"], steps=windows.meta["steps"])
            offline = stream.offline(runs[3])
            online = stream.run(ReplaySource(runs[3], chunk=0.05))
    assert online.predictions["label"].tolist() == offline.predictions["label"].tolist()
    np.testing.assert_allclose(online.values, offline.values, atol=1e-5)
    assert online.predictions["valid"].all()
    assert online.latency.lost_samples == 0
    assert online.latency.notes == []
    assert np.mean(scores) == pytest.approx(0.611, abs=0.01), "AUC, chance 0.5; 0.646 with zero-phase filters and rejected epochs"


def test_lost_packets_of_a_real_recording_are_never_decoded(real: Callable[..., Path]) -> None:
    recording = open_stream(f"replay:{real('eeglab_sample', 'eeglab_data.set')}").recording.crop(tmax=60.0)  # type: ignore[attr-defined]
    chain = CausalChain.design(recording, l_freq=0.5, h_freq=30.0)
    stream = StreamDecoder(lambda window: window[:3].mean(axis=1), chain, 1.0, hop=0.25)
    lost = np.random.default_rng(0).choice(600, 12, replace=False)
    result = stream.run(ReplaySource(recording, chunk=0.1, lost=lost.tolist()))
    whole = stream.offline(recording)
    table = result.predictions
    assert len(table) == len(whole.predictions)
    size = round(0.1 * 128)
    gaps = [(p * size / 128, (p + 1) * size / 128) for p in lost]
    touched = np.array(
        [any(stop >= a and start < b for a, b in gaps) for start, stop in zip(table["start"], table["stop"], strict=True)]
    )
    assert not table["valid"][touched].any()
    assert 0.2 < table["valid"].mean() < 0.9
    before = (table["stop"] < min(a for a, _ in gaps)).to_numpy()
    np.testing.assert_allclose(result.values[before], whole.values[before], atol=1e-5 * np.abs(whole.values).max())
