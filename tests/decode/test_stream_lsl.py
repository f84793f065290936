"""A stream of the laboratory, sent and decoded on this machine, gives what the whole recording gives."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from stream_data import HOPPING, NAMES, fitted, planted

from neurodecode.io import LSLSource, open_stream


def send(outlet: Any, data: np.ndarray, first: float, sfreq: float, size: int = 20, skip: int = -1) -> None:
    """Push a recording in packets, each with its own time stamps, without one of them."""
    for number, start in enumerate(range(0, data.shape[1], size)):
        part = np.ascontiguousarray(data[:, start : start + size].T, np.float32)
        if number != skip:
            outlet.push_chunk(part, timestamp=first + (start + np.arange(len(part))) / sfreq)
        time.sleep(0.01)


def stream_of(name: str, sfreq: float, unit: str = "volts") -> Any:
    """An outlet that this machine hears."""
    lsl = pytest.importorskip("mne_lsl.lsl", reason="mne-lsl is not installed: the extra live brings it")
    info = lsl.StreamInfo(name, "EEG", 4, sfreq, "float32", f"{name}-id")
    info.set_channel_names(NAMES)
    info.set_channel_units(unit)
    outlet = lsl.StreamOutlet(info, chunk_size=20)
    if not lsl.resolve_streams(timeout=5.0, name=name):
        pytest.skip("a stream of this machine is not heard on it: multicast is switched off here")
    return outlet


@pytest.mark.parametrize("skip", [-1, 12])
def test_sent_and_decoded_on_this_machine(skip: int) -> None:
    stream, recording = fitted(HOPPING), planted(7, 4)
    name = f"nd-live-{skip}"
    outlet = stream_of(name, recording.sfreq)
    with open_stream(f"lsl:{name}", timeout=1.5) as source:
        assert isinstance(source, LSLSource)
        first = source.now()
        sender = threading.Thread(target=send, args=(outlet, np.asarray(recording.data), first, recording.sfreq, 20, skip))
        sender.start()
        result = stream.run(source)
        sender.join()
    offline, table = stream.offline(recording), result.predictions
    kept = table["valid"].to_numpy()
    assert len(table) == len(offline.predictions)
    np.testing.assert_allclose(table["stop"] - first, offline.predictions["stop"] - recording.t0, atol=2e-3)
    if skip < 0:
        assert kept.all()
        np.testing.assert_allclose(result.values, offline.values, atol=1e-5)
    else:
        assert (result.latency.gaps, result.latency.lost_samples) == (1, 20)
        before = table["stop"] - first < skip * 20 / recording.sfreq
        np.testing.assert_allclose(result.values[before], offline.values[before], atol=1e-5)
        assert 3 <= (~kept).sum() <= 6
    assert result.latency.realtime
    assert np.isfinite(result.latency.percentiles("acquisition")["p50"])
