"""Real autocorrelation: the default splits do not leak, shuffled rows do, and permutations hold their level."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from neurodecode.compare import leakage_check, permutation_test
from neurodecode.data import Recording, Responses
from neurodecode.errors import LeakWarning
from neurodecode.io import read_bids_all
from neurodecode.preprocess import fmri

SHUFFLED = KFold(5, shuffle=True, random_state=0)
N_PAIRS = 2000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices are faster so."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def haxby(real: Callable[..., Path]) -> list[Recording]:
    """Eight runs, line out."""
    root = real("haxby2001")
    mask = root / "derivatives" / "slicemask" / "sub-1" / "func" / "sub-1_task-objectviewing_desc-brain_mask.nii.gz"
    runs = read_bids_all(root, task="objectviewing", mask=mask)
    return [fmri.clean(run, high_pass=None, detrend="linear", allow_raw=True) for run in runs]


@pytest.fixture(scope="module")
def blocks(haxby: list[Recording]) -> Responses:
    """One pattern per category and run."""
    return fmri.block_average(haxby, lag=5.0)


@pytest.fixture(scope="module")
def regions(real: Callable[..., Path]) -> np.ndarray:
    """28 regions at rest, 250 volumes."""
    return pd.read_csv(real("nitime_fmri", "fmri_timeseries.csv")).to_numpy(float)[:, 3:]


@pytest.fixture(scope="module")
def story(real: Callable[..., Path]) -> np.ndarray:
    """24 listeners, 300 volumes, 100 nodes."""
    return np.load(real("story_htfa", "story_htfa.npz"), allow_pickle=False)["weights"].astype(float)


def test_patterns_of_blocks_run_by_run(blocks: Responses) -> None:
    found = leakage_check(blocks, n_features=30)
    assert abs(found.oasm_r) < 0.02
    assert not found.leaks
    assert "whole runs (8 in all)" in found.split


def test_volumes_run_by_run(haxby: list[Recording]) -> None:
    y = np.concatenate([np.asarray(run.data)[::25].T for run in haxby[:4]])
    runs = np.repeat(np.arange(4), 121)
    found = leakage_check(y, groups=runs, n_features=60)
    assert abs(found.oasm_r) < 0.02
    assert not found.leaks
    with pytest.warns(LeakWarning, match="without any stimulus"):
        shuffled = leakage_check(y, groups=runs, cv=SHUFFLED, n_features=60)
    assert shuffled.oasm_r > 0.3


def test_regions_at_rest(regions: np.ndarray) -> None:
    found = leakage_check(regions)
    assert abs(found.oasm_r) < 0.02
    assert not found.leaks
    with pytest.warns(LeakWarning):
        assert leakage_check(regions, cv=SHUFFLED).oasm_r > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)
        assert leakage_check(regions, gap=0).oasm_r > 0.05  # what the gap is for


def test_one_voxel_of_an_event_related_design(real: Callable[..., Path]) -> None:
    bold = pd.read_csv(real("nitime_fmri", "event_related_fmri.csv"))["bold"].to_numpy()[:800]
    found = leakage_check(bold, n_features=60)
    assert abs(found.oasm_r) < 0.02
    assert not found.leaks


@pytest.mark.parametrize("method", ["circular", "block"])
def test_unrelated_listeners(story: np.ndarray, method: str) -> None:
    """Nodes of two listeners, one of them backwards in time: they heard the same story, but not so."""
    rng = np.random.default_rng(0)
    one = rng.integers(0, 24, N_PAIRS)
    other = (one + rng.integers(1, 24, N_PAIRS)) % 24
    y, y_hat = (story[who, :, rng.integers(0, 100, N_PAIRS)].T for who in (one, other))
    assert np.mean(pearsonr(y, y_hat[::-1]).pvalue <= 0.05) > 0.15
    assert np.mean(permutation_test(y, y_hat[::-1], method) <= 0.05) <= 0.08  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["circular", "block"])
def test_regions_at_rest_against_a_story(story: np.ndarray, regions: np.ndarray, method: str) -> None:
    rng = np.random.default_rng(1)
    y = regions[:, rng.integers(0, 28, N_PAIRS)]
    y_hat = story[rng.integers(0, 24, N_PAIRS), :250, rng.integers(0, 100, N_PAIRS)].T
    assert np.mean(pearsonr(y, y_hat).pvalue <= 0.05) > 0.15
    assert np.mean(permutation_test(y, y_hat, method) <= 0.05) <= 0.08  # type: ignore[arg-type]


def test_a_story_that_two_listeners_share_is_found(story: np.ndarray) -> None:
    """Mean of the others against one listener, at the node with the highest agreement between subjects."""
    node = 18
    found = [permutation_test(story[k, :, node], np.delete(story, k, 0)[:, :, node].mean(axis=0)) for k in range(24)]
    assert np.median(found) < 0.01
