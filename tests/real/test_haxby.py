"""The Haxby slice: the preprocessing of its README, against a few lines of numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.io import read_bids_all, read_confounds, read_dseg, read_mask
from neurodecode.preprocess import fmri

CATEGORIES = {"bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe"}


@pytest.fixture(scope="module")
def runs(real: Callable[..., Path]) -> list[Recording]:
    root = real("haxby2001")
    mask = root / "derivatives" / "slicemask" / "sub-1" / "func" / "sub-1_task-objectviewing_desc-brain_mask.nii.gz"
    return read_bids_all(root, task="objectviewing", mask=mask)


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


def test_mask_step_equals_the_mask_of_the_reader(real: Callable[..., Path], runs: list[Recording]) -> None:
    folder = real("haxby2001", "derivatives", "slicemask", "sub-1", "func")
    inside = read_mask(folder / "sub-1_task-objectviewing_desc-brain_mask.nii.gz")
    whole = read_bids_all(real("haxby2001"), task="objectviewing", run="03")[0]
    kept = fmri.mask(whole, inside)
    np.testing.assert_array_equal(kept.data, runs[2].data)
    step = fmri.clean(whole, allow_raw=True).meta["steps"][-1]
    assert step["n_constant"] == int((np.ptp(np.asarray(whole.data), axis=1) == 0).sum()) > 200


def test_runs_are_clean_enough_to_tell_faces_from_houses(runs: list[Recording]) -> None:
    """Correlation of block patterns, odd against even runs (Haxby et al. 2001): same category above different."""
    cleaned = [fmri.clean(run, high_pass=None, detrend="linear", allow_raw=True) for run in runs]
    blocks = fmri.block_average(cleaned).select(trial_type=["face", "house"])
    odd = blocks.samples["run"].astype(int).to_numpy() % 2 == 1
    halves = [blocks.select(rows).average("trial_type") for rows in (odd, ~odd)]
    order = [half.samples["trial_type"].to_numpy().argsort() for half in halves]
    patterns = [np.asarray(half.data)[rows] for half, rows in zip(halves, order, strict=True)]
    r = np.corrcoef(*patterns)[:2, 2:]
    assert r[0, 0] + r[1, 1] > r[0, 1] + r[1, 0] + 0.3


def test_block_betas_agree_with_block_averages(runs: list[Recording]) -> None:
    blocks = fmri.block_average([fmri.clean(run, allow_raw=True) for run in runs[:3]])
    betas = fmri.betas(runs[:3], method="lsa")
    spread = np.asarray(betas.data).std(axis=0)
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(np.asarray(blocks.data).T, np.asarray(betas.data).T, strict=True)]
    assert np.median(np.array(r)[spread > 0]) > 0.6


def test_quality_and_motion(real: Callable[..., Path], runs: list[Recording]) -> None:
    folder = real("haxby2001", "derivatives", "lowres25mm", "sub-1", "func")
    stem = "sub-1_task-objectviewing_run-0{}_desc-confounds_timeseries.tsv"
    tables = [read_confounds(folder / stem.format(i)) for i in range(1, 9)]
    table = fmri.quality(runs, tables)
    assert table["n_volumes"].tolist() == [121] * 8
    assert table["n_constant"].tolist() == [0] * 8
    assert table["tsnr_median"].between(20, 300).all()
    assert table["mean_fd"].between(0.01, 1.0).all()
    cleaned = fmri.clean(runs[0], confounds=fmri.select_confounds(tables[0], "motion24"), allow_raw=True)
    assert cleaned.meta["steps"][-1]["confounds"][6] == "trans_x_derivative1"


def test_parcels_of_the_low_resolution_brain(real: Callable[..., Path]) -> None:
    folder = real("haxby2001", "derivatives", "lowres25mm", "sub-1", "func")
    atlas = read_dseg(folder / "sub-1_task-objectviewing_res-25mm_desc-harvardoxford_dseg.nii.gz")
    run = read_bids_all(real("haxby2001"), derivatives="lowres25mm", run="01", desc="preproc")[0]
    parcels = fmri.parcellate(run, atlas)
    data = np.asarray(run.data)
    first = int(parcels.channels["label"][0])
    np.testing.assert_allclose(np.asarray(parcels.data)[0], data[atlas.labels.ravel() == first].mean(axis=0), rtol=1e-5)
    assert parcels.channels["n_channels"].sum() == np.count_nonzero(atlas.labels)
