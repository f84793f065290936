"""The Haxby slice: the preprocessing of its README, against a few lines of numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import fmri

RUNS = range(1, 9)
CATEGORIES = {"bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe"}


def read_run(root: Path, number: int) -> Recording:
    """One run of the slice inside its mask, read with nibabel."""
    stem = root / "sub-1" / "func" / f"sub-1_task-objectviewing_run-0{number}"
    image = nibabel.load(f"{stem}_bold.nii.gz")
    folder = root / "derivatives" / "slicemask" / "sub-1" / "func"
    mask = nibabel.load(folder / "sub-1_task-objectviewing_desc-brain_mask.nii.gz").get_fdata() > 0
    ijk = np.argwhere(mask)
    channels = pd.DataFrame(ijk, columns=["i", "j", "k"]).assign(name=["_".join(map(str, row)) for row in ijk], kind="bold")
    meta = {"subject": "1", "run": f"0{number}", "task": "objectviewing", "modality": "bold", "preprocessed": False}
    meta["space"] = {"name": "native", "type": "volume", "shape": list(mask.shape), "affine": image.affine.tolist()}
    events = pd.read_csv(f"{stem}_events.tsv", sep="\t")
    return Recording(image.get_fdata()[mask], 1 / 2.5, channels, events, meta=meta)


@pytest.fixture(scope="module")
def runs(real: Callable[..., Path]) -> list[Recording]:
    return [read_run(real("haxby2001"), number) for number in RUNS]


def independent(run: Recording) -> np.ndarray:
    """Line and mean out, unit standard deviation, mean of the volumes from 5 s after onset on: numpy alone."""
    volumes = np.arange(run.n_times)
    data = np.asarray(run.data, np.float64).T
    slope, level = np.polyfit(volumes, data, 1)
    residual = data - volumes[:, None] * slope - level
    z = residual / residual.std(axis=0, ddof=1)
    seconds = volumes * 2.5
    return np.stack([z[(seconds >= on + 5) & (seconds < on + 27.5)].mean(axis=0) for on in run.events["onset"]])


def test_blocks_equal_an_independent_computation(runs: list[Recording]) -> None:
    cleaned = [fmri.clean(run, high_pass=None, detrend="linear", allow_raw=True) for run in runs]
    blocks = fmri.block_average(cleaned, lag=5.0)
    assert blocks.data.shape == (64, 530)
    np.testing.assert_allclose(blocks.data, np.vstack([independent(run) for run in runs]), atol=2e-5)
    table = blocks.samples.groupby(["run", "trial_type"]).size()
    assert len(table) == 64
    assert (table == 1).all()
    assert set(blocks.samples["trial_type"]) == CATEGORIES
    assert (blocks.samples["n_volumes"] == 9).all()
    assert blocks.meta["drops"] == {"events": 64, "kept": 64, "without a volume": 0}


def test_raw_slice_is_refused(runs: list[Recording]) -> None:
    with pytest.raises(DataError, match="raw BOLD"):
        fmri.clean(runs[0])
