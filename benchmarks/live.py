"""Live decoding of 306 channels at 1 kHz, 60 s played in real time: ``python benchmarks/live.py``.

Two decoders: the network of images in the paper's size (windows of 181 samples at 120 Hz, every 100 ms), and a linear one (the
last second, every 25 ms). Wall time is what counts on a quiet machine; processor time beside it does not see what else runs.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from neurodecode.data import Recording, Responses
from neurodecode.decode import FoldedNetwork, LinearDecoder, StreamDecoder, WindowPlan, cut_windows
from neurodecode.io import ReplaySource
from neurodecode.preprocess.causal import CausalChain

N_CHANNELS, SFREQ, RATE = 306, 1000.0, 120.0
BARS = {"image network, 100 ms hops": 60.0, "linear decoder, 25 ms hops": 5.0}  # ms that the 99th percentile may take
TOLERANCE = 1e-5


def recording(seconds: float, seed: int = 0) -> Recording:
    """Noise of magnetometers and gradiometers with drifts and line noise."""
    rng = np.random.default_rng(seed)
    n_times = round(seconds * SFREQ)
    data = rng.standard_normal((N_CHANNELS, n_times), np.float32)
    slow = np.sin(2 * np.pi * 0.3 * np.arange(n_times) / SFREQ) + 2 * np.sin(2 * np.pi * 50 * np.arange(n_times) / SFREQ)
    data += slow.astype(np.float32)
    data *= np.float32(1e-12)
    names = [f"MEG{i:04d}" for i in range(N_CHANNELS)]
    return Recording(data, SFREQ, pd.DataFrame({"name": names, "kind": "mag", "unit": "T"}))


def chain_of(train: Recording) -> CausalChain:
    """Notch, band-pass, 1000 to 120 Hz, robust scale, clamp."""
    return CausalChain.design(train, notch=[50.0, 100.0], l_freq=0.5, h_freq=40.0, sfreq=RATE).fit_scale(train)


def image_stream(chain: CausalChain) -> StreamDecoder:
    """The network of images in the paper's size, for one montage and subject, with 200 candidates."""
    import torch

    from neurodecode.models import meeg_conv

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = meeg_conv.image(n_subjects=4, n_features=768).eval()
    folded = FoldedNetwork(network, rng.uniform(size=(N_CHANNELS, 2)), 1)
    names = pd.DataFrame({"stimulus": [f"image{i}" for i in range(200)]})
    candidates = Responses(rng.standard_normal((200, 768), np.float32), names, pd.DataFrame(index=range(768)))
    return StreamDecoder(folded, chain, 181 / RATE, hop=0.1, candidates=candidates)


def linear_stream(chain: CausalChain, train: Recording) -> StreamDecoder:
    """A discriminant on the last second of all channels."""
    windows = cut_windows(train, chain, WindowPlan(1.0, hop=0.25))
    labels = np.arange(len(windows)) % 2
    return StreamDecoder(LinearDecoder("classification", estimator="lda").fit(windows, labels), chain, 1.0, hop=0.025)


def equality(stream: StreamDecoder, played: Recording) -> float:
    """Largest difference between a stream in chunks of all sizes and one pass, relative to the largest output if above 1."""
    offline = stream.offline(played)
    stream.reset()
    rng, start, found = np.random.default_rng(0), 0, []
    while start < played.n_times:
        stop = min(start + int(rng.choice([1, 3, 20, 99, 500])), played.n_times)
        found += stream.push(np.asarray(played.data)[:, start:stop], played.times[start:stop])
        start = stop
    values = np.array([p.values for p in found])
    return float(np.abs(values - offline.values).max() / max(1.0, np.abs(offline.values).max()))


def measure(name: str, stream: StreamDecoder, played: Recording, options: argparse.Namespace) -> dict[str, Any]:
    """One session."""
    source = ReplaySource(played, chunk=options.chunk, realtime=not options.fast)
    report = stream.run(source).latency
    wall, cpu = report.percentiles(), report.percentiles("processor")
    largest = equality(stream, played.crop(tmax=8.0))
    dropped = report.lost_samples + report.overruns + sum(report.invalid.values())
    sys.stderr.write(f"{name}: {report.sentence}\n{report.parts().to_string(index=False)}\n")
    row = {f"wall {p}": 1e3 * wall[p] for p in wall} | {f"cpu {p}": 1e3 * cpu[p] for p in cpu}
    kept = {"windows": report.n_decoded, "dropped": dropped, "stream - offline": largest}
    verdicts = {
        clock: "pass" if p["p99"] <= BARS[name] / 1e3 and not dropped and largest <= TOLERANCE else "FAIL"
        for clock, p in (("wall", wall), ("cpu", cpu))
    }
    return {"decoder": name, **kept, **row, "bar p99": BARS[name], **verdicts}


def main() -> None:
    """Both decoders, one table in ms, exit code 1 where a bar is missed by the clock that counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the replay in s")
    parser.add_argument("--chunk", type=float, default=0.02, help="length of a packet in s")
    parser.add_argument("--threads", type=int, default=1, help="threads of linear algebra")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="which time decides")
    parser.add_argument("--fast", action="store_true", help="as fast as possible: computing times only")
    options = parser.parse_args()
    train, played = recording(20.0, seed=1), recording(options.seconds)
    chain = chain_of(train)
    image, linear = image_stream(chain), linear_stream(chain, train)
    with threadpool_limits(options.threads):
        streams = dict(zip(BARS, (image, linear), strict=True))
        rows = [measure(name, stream, played, options) for name, stream in streams.items()]
    table = pd.DataFrame(rows)
    setting = f"{options.seconds:g} s, packets of {1e3 * options.chunk:g} ms, {options.threads} threads"
    print(f"{N_CHANNELS} channels at {SFREQ:g} Hz, {setting}; times in ms")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    sys.exit(int(any(table[options.clock] != "pass")))


if __name__ == "__main__":
    main()
