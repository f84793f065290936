"""BOLD runs with known responses, made without the package's own models: shared by the tests of fMRI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import gamma

from neurodecode.data import Recording

AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
KINDS = ("face", "house", "cat")


def glover_integral(t: np.ndarray) -> np.ndarray:
    """Integral of the Glover response of area 1 up to t, in closed form from the gamma distribution."""
    ratio = 0.48
    peak, undershoot = gamma.cdf(t, 6 / 0.9, scale=0.9), gamma.cdf(t, 12 / 0.9, scale=0.9)
    return (peak - ratio * undershoot) / (1 - ratio)


def response(times: np.ndarray, onset: float, duration: float) -> np.ndarray:
    """Response at `times` (s) to a boxcar of height 1."""
    return glover_integral(times - onset) - glover_integral(times - onset - duration)


def voxels(n: int) -> pd.DataFrame:
    """A row of voxels along i."""
    i = np.arange(n)
    return pd.DataFrame({"name": [f"{k}_0_0" for k in i], "kind": "bold", "unit": "a.u.", "i": i, "j": 0, "k": 0})


def bold(data: np.ndarray, sfreq: float = 0.5, events: pd.DataFrame | None = None, t0: float = 0.0, **meta: Any) -> Recording:
    """A run of voxels along i, on a grid of 3 mm."""
    space = {"name": "native", "type": "volume", "shape": [len(data), 1, 1], "affine": AFFINE.tolist()}
    known = {"subject": "01", "run": "1", "task": "objects", "modality": "bold", "preprocessed": True, "space": space}
    return Recording(data, sfreq, voxels(len(data)), events, t0=t0, meta={**known, **meta})


def event_table(onsets: Sequence[float] | np.ndarray, duration: float, kinds: Sequence[str] = KINDS) -> pd.DataFrame:
    """Events of one length whose kinds take turns."""
    names = [kinds[i % len(kinds)] for i in range(len(onsets))]
    return pd.DataFrame({"onset": np.asarray(onsets, float), "duration": duration, "trial_type": names})


def simulate(
    rng: np.random.Generator,
    events: pd.DataFrame,
    *,
    n_voxels: int = 40,
    n_times: int = 200,
    tr: float = 2.0,
    t0: float = 0.0,
    noise: float = 0.1,
    rho: float = 0.3,
    drift: float = 2.0,
    **meta: Any,
) -> tuple[Recording, np.ndarray]:
    """A run and the true amplitudes (n_events, n_voxels) in it: responses, autoregressive noise, a slow drift, a mean of 100."""
    times = t0 + np.arange(n_times) * tr
    amplitudes = 1 + rng.standard_normal((len(events), n_voxels))
    shapes = np.stack([response(times, on, d) for on, d in zip(events["onset"], events["duration"], strict=True)])
    white = rng.standard_normal((n_voxels, n_times)) * noise * np.sqrt(1 - rho**2)
    slow = np.outer(rng.standard_normal(n_voxels), np.cos(np.pi * np.arange(n_times) / n_times))
    signal = amplitudes.T @ shapes + lfilter([1], [1, -rho], white, axis=1) + drift * slow + 100
    return bold(signal, 1 / tr, events, t0, **meta), amplitudes


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation over trials, mean over voxels."""
    return float(np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)]))


def motion_table(rng: np.random.Generator, n_times: int, n_components: int = 6) -> pd.DataFrame:
    """A confounds table in the columns of fMRIPrep, with n/a where differences are not defined."""
    table: dict[str, Any] = {}
    for name in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"):
        walk = np.cumsum(rng.standard_normal(n_times)) * (0.02 if name[0] == "t" else 0.0004)
        step = np.append(np.nan, np.diff(walk))
        table |= {name: walk, f"{name}_derivative1": step, f"{name}_power2": walk**2, f"{name}_derivative1_power2": step**2}
    table |= {f"a_comp_cor_{i:02d}": rng.standard_normal(n_times) for i in range(n_components)}
    table |= {name: rng.standard_normal(n_times) for name in ("white_matter", "csf", "global_signal")}
    return pd.DataFrame(table)
