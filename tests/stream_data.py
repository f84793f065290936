"""Small recordings with a planted effect, and decoders of them, for the tests of live decoding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording
from neurodecode.decode import LinearDecoder, StreamDecoder, WindowPlan, cut_windows
from neurodecode.preprocess.causal import CausalChain

NAMES = ["Fz", "Cz", "Pz", "Oz"]
LOCKED = WindowPlan((-0.05, 0.3), events=["face", "house"])
HOPPING = WindowPlan(0.3, hop=0.1)


def planted(seed: int = 0, n_events: int = 24, sfreq: float = 200.0, t0: float = 1.0) -> Recording:
    """Noise in which faces make one channel go up 0.15 s later, and houses another."""
    rng = np.random.default_rng(seed)
    onsets = t0 + 0.6 + 0.5 * np.arange(n_events) + rng.uniform(0, 0.05, n_events)
    labels = np.array(["face", "house", "pause"])[rng.integers(0, 3, n_events)]
    n_times = round((0.5 * n_events + 1.2) * sfreq)
    data = 1e-6 * rng.standard_normal((4, n_times)) + 2e-3
    bump = 4e-6 * np.hanning(round(0.1 * sfreq))
    for onset, label in zip(onsets, labels, strict=True):
        at = round((onset - t0 + 0.1) * sfreq)
        if label != "pause":
            data[1 if label == "face" else 2, at : at + len(bump)] += bump
    events = pd.DataFrame({"onset": onsets, "duration": 0.1, "trial_type": labels})
    channels = pd.DataFrame({"name": NAMES, "kind": "eeg", "unit": "V"})
    meta = {"subject": "01", "run": str(seed), "modality": "eeg"}
    return Recording(data, sfreq, channels, events, t0=t0, meta=meta)


def chain_of(recording: Recording, sfreq: float | None = 100.0) -> CausalChain:
    """Band-pass, half the rate, scale and clamp."""
    return CausalChain.design(recording, l_freq=1.0, h_freq=35.0, order=2, sfreq=sfreq).fit_scale(recording)


def fitted(plan: WindowPlan = LOCKED, **options: Any) -> StreamDecoder:
    """A linear decoder of faces against houses behind a causal chain; windows at a hop decode the mean of a channel."""
    train = planted(1, 60)
    chain = chain_of(train)
    windows = cut_windows(train, chain, plan)
    if plan.hop is None:
        decoder = LinearDecoder("classification", estimator="lda").fit(windows)
    else:
        target = np.asarray(windows.data)[:, 1].mean(axis=1) + np.asarray(windows.data)[:, 2, -1]
        decoder = LinearDecoder("regression").fit(windows, target)
    return StreamDecoder(decoder, chain, **{**vars(plan), **options}, steps=windows.meta["steps"])
