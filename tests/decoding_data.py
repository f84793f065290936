"""Small responses for the tests of decoding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Responses


def make_responses(
    n: int = 48, p: int = 10, k: int = 2, n_runs: int = 4, n_times: int = 0, seed: int = 0, **meta: Any
) -> Responses:
    """Classes in turn that differ in the first three units, a value to regress, and runs of two subjects."""
    rng = np.random.default_rng(seed)
    y, run = np.arange(n) % k, np.arange(n) * n_runs // n
    x = rng.standard_normal((n, p, n_times) if n_times else (n, p))
    x[:, :3] += (y[:, None, None] if n_times else y[:, None]) * 1.5
    samples = pd.DataFrame(
        {
            "trial_type": [f"kind{v}" for v in y],
            "subject": "01",
            "run": [f"{r + 1:02d}" for r in run],
            "onset": 10.0 * np.arange(n),
            "duration": 2.0,
            "strength": x.reshape(n, -1)[:, 0] + rng.standard_normal(n),
        }
    )
    times = np.arange(n_times) / 100 if n_times else None
    return Responses(x, samples, pd.DataFrame({"name": [f"u{i}" for i in range(p)]}), times, meta)
