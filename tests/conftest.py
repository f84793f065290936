"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # one process per core: more threads than cores would wait for each other
    for _library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import matplotlib
import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def real() -> Callable[..., Path]:
    """Path of a real recording: ``real("haxby2001", "sub-1")``; the test is skipped, saying why, where there are none."""
    root = os.environ.get("NEURODECODE_TEST_DATA")

    def find(*parts: str) -> Path:
        if not root:
            pytest.skip("NEURODECODE_TEST_DATA is not set: it names the folder of real recordings")
        path = Path(root).resolve().joinpath(*parts)
        assert path.exists(), f"NEURODECODE_TEST_DATA={root} has no {'/'.join(parts)}"
        return path

    return find


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers."""
    return np.random.default_rng(0)


@pytest.fixture
def eeg(rng: np.random.Generator) -> Recording:
    """Ten seconds of four EEG channels at 100 Hz with eight events of two kinds."""
    channels = pd.DataFrame({"name": ["Fz", "Cz", "Pz", "Oz"], "kind": "eeg", "unit": "V"})
    events = pd.DataFrame({"onset": np.arange(1.0, 9.0), "duration": 0.0, "trial_type": ["face", "house"] * 4})
    meta = {"subject": "01", "run": "1", "task": "faces", "modality": "eeg"}
    return Recording(1e-5 * rng.standard_normal((4, 1000)), 100.0, channels, events, meta=meta)
