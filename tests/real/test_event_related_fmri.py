"""An event-related series near area MT (nitime): the time course of six kinds of trials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bold_runs import bold

from neurodecode.data import Recording
from neurodecode.preprocess import fmri

TR = 2.0


@pytest.fixture(scope="module")
def series(real: Callable[..., Path]) -> Recording:
    table = pd.read_csv(real("nitime_fmri", "event_related_fmri.csv"))
    rows = np.flatnonzero(table["events"])
    events = pd.DataFrame({"onset": rows * TR, "duration": 0.0, "trial_type": table["events"][rows].astype(int).astype(str)})
    return bold(table["bold"].to_numpy()[None], 1 / TR, events)


def test_average_is_that_of_the_readme(series: Recording) -> None:
    """The plain event-related average, here as means of one volume at each lag."""
    lags = np.arange(15)
    means = [fmri.block_average(series, lag=TR * k, duration=TR).average("trial_type") for k in lags]
    kinds = means[0].samples["trial_type"].tolist()
    course = np.stack([np.asarray(m.data)[:, 0] for m in means], axis=1)
    peak = {kind: (round(float(row.max()), 3), int(row.argmax())) for kind, row in zip(kinds, course, strict=True)}
    expected = {"1": (0.442, 4), "2": (0.293, 4), "3": (0.36, 4), "4": (0.26, 1), "5": (0.39, 4), "6": (0.178, 4)}
    assert {kind: at for kind, (_, at) in peak.items()} == {kind: at for kind, (_, at) in expected.items()}
    assert {k: v for k, (v, _) in peak.items()} == pytest.approx({k: v for k, (v, _) in expected.items()}, abs=0.03)


def test_regression_resolves_the_overlap(series: Recording) -> None:
    made = fmri.fir(series, window=(0, 30))
    assert made.times is not None
    assert len(made) == 6
    assert made.samples["n_events"].tolist() == [96] * 6
    peaks = made.times[np.asarray(made.data)[:, 0].argmax(axis=1)]
    assert peaks.tolist() == pytest.approx([5.0] * 6, abs=1.1)  # s; the plain average put kind 4 at 2 s
