"""Decoders of speech and images on a stream: what they say of each window is what they say of all windows at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import meeg_worlds
import numpy as np
import pandas as pd
import pytest
from meeg_worlds import QUICK, SFREQ

from neurodecode.data import Recording, Responses
from neurodecode.decode import MEEGImageDecoder, SpeechDecoder, StreamDecoder
from neurodecode.errors import DataError
from neurodecode.io import ReplaySource
from neurodecode.preprocess.causal import CausalChain

SIZES = {"attention_channels": 8, "channels": 8, "fourier": 3}
LONGER = {**QUICK, "epochs": 10}


def decoder(name: str) -> Any:
    """A decoder that trained for a moment."""
    kinds: dict[str, Any] = {
        "images": lambda: MEEGImageDecoder("conv", network_options={**SIZES, "width": 16}, baseline=False, trainer=LONGER),
        "squared error": lambda: MEEGImageDecoder(
            "conv", weight=0.0, network_options={**SIZES, "width": 16}, baseline=False, trainer=QUICK
        ),
        "projection": lambda: MEEGImageDecoder("projection", baseline=False, trainer=QUICK),
        "ridge": lambda: MEEGImageDecoder("ridge"),
        "speech": lambda: SpeechDecoder("conv", network_options={**SIZES, "n_blocks": 1}, baseline=False, trainer=QUICK),
        "tower": lambda: SpeechDecoder(
            "conv",
            target="mel_tower",
            tower_options={"channels": 8, "n_outputs": 6, "n_blocks": 1},
            network_options={**SIZES, "n_blocks": 1},
            baseline=False,
            trainer=QUICK,
        ),
    }
    return kinds[name]()


@cache
def fitted(name: str) -> tuple[Any, meeg_worlds.World]:
    """Once per kind."""
    world = meeg_worlds.speech() if name in ("speech", "tower") else meeg_worlds.images()
    return decoder(name).fit(world.responses.select(split=["train", "validation"]), world.targets), world


def recording(seed: int = 0) -> Recording:
    """Half a minute of the channels of these worlds, with outliers and eight events."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal((meeg_worlds.N_CHANNELS, round(30 * SFREQ)))
    data[2, ::50] *= 100
    events = pd.DataFrame({"onset": 2.0 + 3 * np.arange(8), "duration": 0.0, "trial_type": "image"})
    return Recording(data, SFREQ, meeg_worlds.units().assign(kind="mag"), events)


def streamed(name: str, **options: Any) -> StreamDecoder:
    """The decoder behind a chain without steps, with the candidates of the test split."""
    made, world = fitted(name)
    window = (float(made.times_[0]), float(made.times_[-1]))
    chain = CausalChain([f"M{i}" for i in range(8)], SFREQ)
    return StreamDecoder(made, chain, window, **{"subject": "01", "candidates": world.candidates(), **options})


def windows_of(stream: StreamDecoder, subject: str = "01") -> Responses:
    """The windows of the recording as the decoder takes them."""
    windows = stream.windows(recording())
    return windows.replace(samples=windows.samples.assign(subject=subject, stimulus="unknown"))


@pytest.mark.parametrize("name", ["images", "squared error", "projection", "ridge", "speech", "tower"])
def test_each_window_is_decoded_as_all_of_them_are(name: str) -> None:
    stream, (made, world) = streamed(name), fitted(name)
    windows = windows_of(stream)
    best = made.retrieve(windows, world.candidates(), k=1)["stimulus"].tolist()
    result = stream.run(ReplaySource(recording(), chunk=0.3))
    assert result.predictions["label"].tolist() == best
    assert len(set(best)) > 1
    if name == "images":
        expected = made.predict(windows, head="clip")
    elif name in ("speech", "tower"):
        expected = made.predict(windows).reshape(len(windows), -1)
    else:
        return
    np.testing.assert_allclose(result.values, expected, atol=1e-5 * np.abs(expected).max())


def test_windows_at_a_hop_need_the_length_and_the_rate_alone() -> None:
    made, _ = fitted("images")
    stream = streamed("images", hop=0.5)
    assert len(stream.run(ReplaySource(recording())).predictions) == 59
    length = len(made.times_) / SFREQ
    by_length = StreamDecoder(made, stream.chain, length, hop=0.5, subject="01")
    np.testing.assert_allclose(by_length.offline(recording()).values, stream.offline(recording()).values, atol=1e-6)
    with pytest.raises(DataError, match="the decoder was fitted on 16"):
        StreamDecoder(made, stream.chain, length + 0.1, hop=0.5, subject="01")


def test_subjects_differ_and_must_be_known() -> None:
    one, two = (streamed("images", subject=name).offline(recording()).values for name in ("01", "02"))
    assert np.abs(one - two).max() > 1e-3
    with pytest.raises(DataError, match=r"fitted on 2 subjects: say whose windows these are, one of \['01', '02'\]"):
        streamed("images", subject=None)
    with pytest.raises(DataError, match="subject '03' was not fitted"):
        streamed("images", subject="03")


def test_a_window_around_another_time_is_refused() -> None:
    made, _ = fitted("images")
    chain = CausalChain([f"M{i}" for i in range(8)], SFREQ)
    with pytest.raises(DataError, match="the decoder was fitted on 16"):
        StreamDecoder(made, chain, (0.0, 0.75), subject="01")
    with pytest.raises(DataError, match="not fitted yet"):
        StreamDecoder(MEEGImageDecoder(), chain, (0.0, 0.75), subject="01")


@pytest.mark.parametrize("name", ["images", "speech"])
def test_a_folder_keeps_decoder_candidates_and_subject(name: str, tmp_path: Path) -> None:
    stream = streamed(name)
    loaded = StreamDecoder.load(stream.save(tmp_path / "live"))
    assert loaded.subject == "01"
    before, after = stream.offline(recording()), loaded.offline(recording())
    np.testing.assert_allclose(after.values, before.values, rtol=1e-5, atol=1e-6)
    assert after.predictions["label"].tolist() == before.predictions["label"].tolist()
