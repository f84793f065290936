"""Speed and figures of alignment and low-level features: ``python benchmarks/low_level.py``; best of three, one thread."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from neurodecode.features import Pyramid, broadband_envelope, motion_energy, spectrogram, to_tr


def best(call: Callable[[], Any], repeats: int = 3) -> float:
    """Shortest CPU time of a call in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def row(what: str, figure: str) -> None:
    """Print one line."""
    print(f"{what:<76} {figure}")


def alignment(rng: np.random.Generator) -> None:
    """A story of an hour, and a wide layer of a language model."""
    onsets = np.sort(rng.uniform(0, 3590, 10_000))
    offsets = onsets + rng.uniform(0.05, 0.6, 10_000)
    rate = to_tr(np.ones(10_000), onsets, TR=1.5, n_scans=2400, method="box", offsets=offsets)
    row("word rate by box over 10 000 words: sum minus number of words", f"{rate.sum() - 10_000:.1e}")
    layer = rng.standard_normal((10_000, 4096)).astype(np.float32)
    for method in ("lanczos", "box", "last", "mean", "sinc"):
        seconds = best(lambda m=method: to_tr(layer, onsets, TR=1.5, n_scans=2400, method=m, offsets=offsets), 1)
        row(f"to_tr {method}, 10 000 words x 4096 features to 2400 scans", f"{seconds:.2f} s")


def sound(rng: np.random.Generator) -> None:
    """A minute of speech-like noise at 44.1 kHz."""
    minute = rng.standard_normal(60 * 44_100) * (1 + np.sin(2 * np.pi * 4 * np.arange(60 * 44_100) / 44_100))
    row("broadband_envelope, 1 min at 44.1 kHz", f"{best(lambda: broadband_envelope(minute, 44_100)):.2f} s")
    row("spectrogram, 1 min at 44.1 kHz, 16 bands at 100 Hz", f"{best(lambda: spectrogram(minute, 44_100)):.2f} s")


def directions() -> None:
    """Share of drifting gratings whose own direction wins, and whose frequencies win too."""
    y, x = np.mgrid[:64, :64] / 64
    t, pyramid = np.arange(48)[:, None, None] / 24, Pyramid()
    gratings = [(d, s, f) for d in np.arange(0, 360, 45.0) for s in (2, 4, 8) for f in (2, 4)]
    phases = (0.0, 1.3, 2.6, 4.0)
    hits, both = [], []
    for direction, spatial, temporal in gratings:
        along = x * np.cos(np.deg2rad(direction)) - y * np.sin(np.deg2rad(direction))
        for phase in phases:
            film = 50 + 20 * np.cos(2 * np.pi * (spatial * along - temporal * t) + phase)
            out = motion_energy(film, 24.0, pyramid=pyramid, log=False)
            table = out.units.assign(energy=np.asarray(out.data)[8:-8].mean(axis=0)).dropna(subset="direction")
            keys = ["direction", "spatial_frequency", "temporal_frequency"]
            found = table.groupby(keys)["energy"].mean().idxmax()
            hits.append(found[0] == direction)
            both.append(found == (direction, spatial, temporal))
    n = len(hits)
    row(f"motion energy: preferred direction wins, of {n} drifting gratings", f"{np.mean(hits):.1%}")
    row("motion energy: direction and both frequencies win", f"{np.mean(both):.1%}")


def motion(rng: np.random.Generator) -> None:
    """Ten seconds at 24 frames per second, the published pyramid of 6555 filters on 96 x 96 pixels."""
    film = rng.uniform(0, 100, (240, 96, 96)).astype(np.float32)
    ours = best(lambda: motion_energy(film, 24.0, pyramid="nishimoto2011", log=False))
    row("motion_energy, 240 frames of 96 x 96, 6555 filters", f"{ours:.2f} s")
    try:
        from moten.pyramids import MotionEnergyPyramid
    except ImportError:
        return
    with contextlib.redirect_stderr(io.StringIO()):
        peer = MotionEnergyPyramid((96, 96), 24, spatial_frequencies=[0, 2, 4, 8, 16, 32])
        some = peer.filters[::50]
        theirs = best(lambda: peer.project_stimulus(film, some), 1) * len(peer.filters) / len(some)
    row(
        f"pymoten, the same (from {len(some)} of its {len(peer.filters)} filters)",
        f"{theirs:.1f} s, {theirs / ours:.0f} times ours",
    )


def main() -> None:
    """Print all figures."""
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        alignment(rng)
        sound(rng)
        directions()
        motion(rng)


if __name__ == "__main__":
    main()
