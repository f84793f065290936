"""Cleaning, betas and finite impulse responses against nilearn, one plain model at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from bold_runs import AFFINE, bold, event_table, motion_table, simulate
from nilearn import signal
from nilearn.glm.first_level import make_first_level_design_matrix, run_glm
from nilearn.image import math_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker

from neurodecode.data import Recording
from neurodecode.data.convert_nifti import to_nifti
from neurodecode.preprocess import fmri

HIGH_PASS = 1 / 128


def naive(run: Recording, tables: list[pd.DataFrame], column: str, noise: str, confounds: pd.DataFrame | None) -> np.ndarray:
    """The coefficient of one column of nilearn's design matrix, one full model per table of events."""
    rows = []
    for table in tables:
        times = np.arange(run.n_times) / run.sfreq
        design = make_first_level_design_matrix(times, table, drift_model="cosine", high_pass=HIGH_PASS, add_regs=confounds)
        labels, results = run_glm(np.asarray(run.data, float).T, design.to_numpy(), noise_model=noise)
        theta = np.empty(run.n_channels)
        for label, result in results.items():
            theta[labels == label] = result.theta[design.columns.get_loc(column)]
        rows.append(theta)
    return np.stack(rows)


def one_against_rest(events: pd.DataFrame, by_trial_type: bool) -> list[pd.DataFrame]:
    """Events with trial j named "trial" and the others named "rest", or by their type."""
    rest = "rest_" + events["trial_type"] if by_trial_type else pd.Series("rest", index=events.index)
    return [events.assign(trial_type=rest.where(events.index != j, "trial")) for j in events.index]


@pytest.fixture
def run(rng: np.random.Generator) -> Recording:
    onsets = np.arange(4, 200, 7.0) + rng.uniform(0, 3, 28)
    return simulate(rng, event_table(onsets, 1.5), n_voxels=12, n_times=120, noise=0.3)[0]


def close(ours: Any, theirs: np.ndarray, relative: float = 1e-4) -> None:
    assert np.abs(np.asarray(ours) - theirs).max() < relative * np.abs(theirs).max()


@pytest.mark.parametrize("others", ["one", "by_trial_type"])
@pytest.mark.parametrize("with_confounds", [False, True])
def test_lss_equals_one_full_model_per_trial(run: Recording, rng: np.random.Generator, others: str, with_confounds: bool) -> None:
    confounds = fmri.select_confounds(motion_table(rng, run.n_times), "motion6") if with_confounds else None
    ours = fmri.betas(run, method="lss", others=others, confounds=confounds)  # type: ignore[arg-type]
    theirs = naive(run, one_against_rest(run.events, others == "by_trial_type"), "trial", "ols", confounds)
    close(ours.data, theirs)


@pytest.mark.parametrize("noise", ["ols", "ar1"])
def test_lsa_equals_one_full_model(run: Recording, noise: str) -> None:
    single = run.events.assign(trial_type=[f"t{j:03d}" for j in range(len(run.events))])
    theirs = np.vstack([naive(run, [single], f"t{j:03d}", noise, None) for j in range(len(single))])
    close(fmri.betas(run, method="lsa", noise_model=noise).data, theirs)  # type: ignore[arg-type]


def test_autoregressive_lss_is_close_to_one_full_model_per_trial(run: Recording) -> None:
    """nilearn estimates the noise anew for each trial's model, ours once for all: 0.01 to 0.02 of autocorrelation apart."""
    theirs = naive(run, one_against_rest(run.events, False), "trial", "ar1", None)
    close(fmri.betas(run, noise_model="ar1").data, theirs, relative=0.05)


def test_clock_is_that_of_nilearn(run: Recording) -> None:
    moved = run.replace(t0=1.25, valid=None)
    shifted = run.replace(events=run.events.assign(onset=run.events["onset"] - 1.25))
    close(fmri.betas(moved).data, naive(shifted, one_against_rest(shifted.events, False), "trial", "ols", None))


def test_finite_impulse_response_equals_nilearn(rng: np.random.Generator) -> None:
    onsets = np.cumsum(rng.integers(4, 10, 30)) * 2.0
    run = bold(100 + rng.standard_normal((5, 240)), events=event_table(onsets, 2.0, ["a", "b"]))
    times = np.arange(240) * 2.0
    options = {"hrf_model": "fir", "fir_delays": list(range(8)), "drift_model": "cosine", "high_pass": HIGH_PASS}
    design = make_first_level_design_matrix(times, run.events, **options)
    theta = np.linalg.lstsq(design.to_numpy(), np.asarray(run.data, float).T, rcond=None)[0]
    ours = fmri.fir(run, window=(0, 16))
    for i, kind in enumerate("ab"):
        columns = [design.columns.get_loc(f"{kind}_delay_{k}") for k in range(8)]
        close(np.asarray(ours.data)[i].T, theta[columns])


@pytest.mark.parametrize(
    "options",
    [
        {"high_pass": None, "detrend": "linear"},
        {"high_pass": None, "detrend": "linear", "with_confounds": True},
        {"high_pass": HIGH_PASS},
        {"high_pass": HIGH_PASS, "with_confounds": True},
        {"high_pass": HIGH_PASS, "low_pass": 0.1, "with_confounds": True},
        {"high_pass": None, "low_pass": 0.1},
    ],
)
def test_clean_equals_nilearn(run: Recording, rng: np.random.Generator, options: dict[str, Any]) -> None:
    options = dict(options)
    table = fmri.select_confounds(motion_table(rng, run.n_times), "acompcor6") if options.pop("with_confounds", False) else None
    ours = fmri.clean(run, confounds=table, **options)
    kind = "butterworth" if "low_pass" in options else "cosine" if options["high_pass"] else False
    theirs = signal.clean(
        np.asarray(run.data, float).T,
        confounds=None if table is None else table.to_numpy(),
        detrend="detrend" in options,
        filter=kind,
        high_pass=options["high_pass"],
        low_pass=options.get("low_pass"),
        t_r=1 / run.sfreq,
        standardize="zscore_sample",
    )
    np.testing.assert_allclose(np.asarray(ours.data).T, theirs, atol=2e-4)


@pytest.fixture
def volume(rng: np.random.Generator) -> Recording:
    shape = (4, 3, 2)
    index = np.argwhere(np.ones(shape))
    run = bold(5 + rng.standard_normal((24, 10)))
    names = ["_".join(map(str, row)) for row in index]
    channels = run.channels.assign(name=names, **dict(zip("ijk", index.T, strict=True)))
    return run.replace(channels=channels, meta={**run.meta, "space": {"shape": list(shape), "affine": AFFINE.tolist()}})


def test_mask_equals_nilearn(volume: Recording, rng: np.random.Generator) -> None:
    image = to_nifti(volume)
    inside = math_img("(img.mean(axis=-1) > 5).astype('int8')", img=image)
    theirs = NiftiMasker(inside, standardize=None).fit().transform(image)
    np.testing.assert_allclose(np.asarray(fmri.mask(volume, inside).data).T, theirs, rtol=1e-6)


def test_parcels_equal_nilearn(volume: Recording, rng: np.random.Generator) -> None:
    image = to_nifti(volume)
    first = image.get_fdata()[..., 0]
    labels = type(image)(((first > 5) * 1 + (first > 6)).astype(np.int16), AFFINE)
    theirs = NiftiLabelsMasker(labels, standardize=None).fit().transform(image)
    np.testing.assert_allclose(np.asarray(fmri.parcellate(volume, labels).data).T, theirs, rtol=1e-5)
