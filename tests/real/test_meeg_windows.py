"""Windows around real images: faces and houses on four electrodes, by the published settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.io import read_bids_all
from neurodecode.preprocess import meeg


@pytest.mark.parametrize(("preset", "n_times", "first"), [("paper", 181, -0.5), ("benchmark", 121, -0.2)])
def test_faces_and_houses_leave_one_run_to_the_test(real: Callable[..., Path], preset: str, n_times: int, first: float) -> None:
    runs = [run.load() for run in read_bids_all(real("muse_n170"), datatype="eeg")]
    splits = []
    for run in runs:
        number = np.arange(len(run.events))
        splits.append(run.events.assign(split=np.where(number % 4 == 3, "test", "train"), stimulus=run.events["trial_type"]))
    found = meeg.with_layout(
        meeg.image_windows([run.replace(meta={**run.meta, "line_freq": 60.0}) for run in runs], splits, preset=preset)
    )
    assert found.data.shape[1:] == (4, n_times)
    assert found.times is not None
    assert found.times[0] == pytest.approx(first)
    data = np.asarray(found.data)
    assert np.isfinite(data).all()
    assert np.abs(data).max() <= 20
    for run in runs:
        part = np.asarray(found.select(run=run.meta["run"], split="train").data)
        assert 0.5 < np.subtract(*np.percentile(part, [75, 25])) < 1.5, "every run is on one scale"
    places = found.units[["layout_x", "layout_y"]].to_numpy()
    assert np.isfinite(places).all()
    left = found.units["name"].isin(["TP9", "AF7"]).to_numpy()
    assert (places[left, 0] < 0.5).all()
    assert (places[~left, 0] > 0.5).all()
