"""Head motion walks as far as it says, and what it leaves is explained by its own 24 terms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.errors import DataError
from neurodecode.preprocess import fmri
from neurodecode.simulate import confounds_table, head_motion, motion_leakage
from neurodecode.simulate.motion import PARAMETERS, motion_terms


def test_motion_is_a_random_walk_in_mm_and_rad(rng: np.random.Generator) -> None:
    motion = head_motion(20000, rng, step=0.03)
    assert tuple(motion) == PARAMETERS
    assert not motion.iloc[0].any()
    steps = np.diff(motion.to_numpy(), axis=0)
    np.testing.assert_allclose(steps.std(axis=0), [0.03] * 3 + [0.03 / 50] * 3, rtol=0.03)
    neighbours = [np.corrcoef(step[1:], step[:-1])[0, 1] for step in steps.T]
    np.testing.assert_allclose(neighbours, 0, atol=0.03)


def test_displacement_is_that_of_the_pipeline(rng: np.random.Generator) -> None:
    motion = head_motion(50, rng)
    table = confounds_table(motion, np.zeros((0, 50)))
    assert np.isnan(table["framewise_displacement"].iloc[0])
    np.testing.assert_allclose(table["framewise_displacement"][1:], fmri.framewise_displacement(motion)[1:])


@pytest.mark.parametrize("strategy", ["motion6", "motion12", "motion24", "motion24+acompcor6"])
def test_the_table_serves_the_strategies(rng: np.random.Generator, strategy: str) -> None:
    table = confounds_table(head_motion(40, rng), rng.standard_normal((6, 40)), 2)
    chosen = fmri.select_confounds(table, strategy)
    computed = fmri.select_confounds(table[[*PARAMETERS, *table.filter(like="a_comp_cor")]], strategy)
    pd.testing.assert_frame_equal(chosen, computed)


@pytest.mark.parametrize("n_unsteady", [0, 1, 3])
def test_volumes_before_the_steady_state_are_marked(rng: np.random.Generator, n_unsteady: int) -> None:
    table = confounds_table(head_motion(10, rng), rng.standard_normal((2, 10)), n_unsteady)
    assert fmri.n_non_steady_state(table) == n_unsteady
    assert len(table) == 10


def test_leakage_is_the_weighted_sum_of_the_terms(rng: np.random.Generator) -> None:
    motion = head_motion(200, rng)
    signal, weights = motion_leakage(motion, 300, rng)
    assert (signal.shape, weights.shape) == ((300, 200), (300, 24))
    terms = motion_terms(motion).fillna(0.0).to_numpy()
    terms = (terms - terms.mean(axis=0)) / terms.std(axis=0)
    np.testing.assert_allclose(signal, weights @ terms.T, atol=1e-10)
    np.testing.assert_allclose(signal.mean(axis=1), 0, atol=1e-10)
    assert weights.std() == pytest.approx(1 / np.sqrt(24), rel=0.05)


def test_leakage_has_a_variance_of_one_on_average(rng: np.random.Generator) -> None:
    variance = [motion_leakage(head_motion(100, rng), 50, rng)[0].var(axis=1).mean() for _ in range(40)]
    assert np.mean(variance) == pytest.approx(1.0, rel=0.1)


def test_motion24_explains_the_leakage_and_motion6_does_not(rng: np.random.Generator) -> None:
    motion = head_motion(150, rng)
    signal, _ = motion_leakage(motion, 20, rng)
    left = {}
    for strategy in ("motion6", "motion24"):
        chosen = fmri.select_confounds(motion, strategy).to_numpy()
        design = np.column_stack([np.ones(149), chosen[1:] / chosen.std(axis=0)])  # the first row has no difference
        residual = signal[:, 1:].T - design @ np.linalg.lstsq(design, signal[:, 1:].T, rcond=None)[0]
        left[strategy] = residual.var() / signal.var()
    assert left["motion24"] < 1e-12
    assert left["motion6"] > 0.1


def test_a_head_that_rests_leaves_nothing(rng: np.random.Generator) -> None:
    signal, _ = motion_leakage(head_motion(30, rng, step=0.0), 4, rng)
    assert not signal.any()


def test_a_missing_parameter_is_named(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="rot_z"):
        motion_leakage(head_motion(30, rng).drop(columns="rot_z"), 4, rng)
