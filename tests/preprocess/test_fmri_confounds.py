"""Choosing nuisance signals and leaving out volumes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bold_runs import bold, event_table, motion_table

from neurodecode.errors import DataError
from neurodecode.preprocess import fmri

AXES = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]


@pytest.fixture
def table(rng: np.random.Generator) -> pd.DataFrame:
    return motion_table(rng, 50)


@pytest.mark.parametrize(
    ("strategy", "n"),
    [
        ("motion6", 6),
        ("motion12", 12),
        ("motion24", 24),
        ("motion24+acompcor6", 30),
        ("motion24+acompcor5+global", 30),
        ("motion6+wmcsf", 8),
        ("motion6 + motion24", 24),
        ("global", 1),
        (["trans_x", "csf"], 2),
        ("csf", 1),
    ],
)
def test_number_of_columns(table: pd.DataFrame, strategy: str | list[str], n: int) -> None:
    chosen = fmri.select_confounds(table, strategy)
    assert chosen.shape == (50, n)
    assert np.isfinite(chosen.to_numpy()).all()


def test_motion24_has_the_columns_of_fmriprep_in_order(table: pd.DataFrame) -> None:
    endings = ["", "_derivative1", "_power2", "_derivative1_power2"]
    assert fmri.select_confounds(table, "motion24").columns.tolist() == [a + e for e in endings for a in AXES]


def test_missing_terms_are_computed_as_fmriprep_does(table: pd.DataFrame) -> None:
    computed = fmri.select_confounds(table[AXES], "motion24")
    pd.testing.assert_frame_equal(computed, fmri.select_confounds(table, "motion24"), check_exact=False, rtol=1e-12)
    named = fmri.select_confounds(table[AXES], ["rot_z_derivative1_power2"])
    np.testing.assert_allclose(named.iloc[1:, 0], np.diff(table["rot_z"]) ** 2)


def test_first_gap_takes_the_second_value(table: pd.DataFrame) -> None:
    chosen = fmri.select_confounds(table, ["trans_x_derivative1"])
    assert np.isnan(table["trans_x_derivative1"][0])
    assert chosen.iloc[0, 0] == chosen.iloc[1, 0] == table["trans_x_derivative1"][1]


def test_later_gap_is_refused(table: pd.DataFrame) -> None:
    table.loc[7, "csf"] = np.nan
    with pytest.raises(DataError, match="confound 'csf' is missing in row 7"):
        fmri.select_confounds(table, "wmcsf")


def test_missing_columns_are_named(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"acompcor8 needs 2 columns .*\(a_comp_cor_06, a_comp_cor_07\)"):
        fmri.select_confounds(table, "acompcor8")
    with pytest.raises(DataError, match=r"motion24 needs 4 columns .*rot_y"):
        fmri.select_confounds(table.drop(columns=[c for c in table if c.startswith("rot_y")]), "motion24")


@pytest.mark.parametrize("strategy", ["motion7", "acomcor6", "aroma", ""])
def test_unknown_strategy(table: pd.DataFrame, strategy: str) -> None:
    with pytest.raises(DataError, match=r"confound strategy .* is unknown"):
        fmri.select_confounds(table, strategy)


def test_scrub_uses_the_marks_of_fmriprep(table: pd.DataFrame) -> None:
    table["motion_outlier00"] = (np.arange(50) == 12).astype(float)
    chosen = fmri.select_confounds(table, "motion6+scrub")
    assert chosen.columns[-1] == "motion_outlier00"
    assert chosen.shape[1] == 7


def test_scrub_finds_jumps_where_fmriprep_left_no_mark(table: pd.DataFrame) -> None:
    table = table[AXES].copy()
    table.loc[20:, "trans_x"] += 3.0
    chosen = fmri.select_confounds(table, "scrub")
    assert chosen.shape[1] == 1
    assert np.flatnonzero(chosen.iloc[:, 0]).tolist() == [20]


@pytest.mark.parametrize("part", ["scrub", "cosine"])
def test_parts_that_the_table_cannot_serve(table: pd.DataFrame, part: str) -> None:
    with pytest.raises(DataError, match="columns that the confounds table lacks"):
        fmri.select_confounds(table[["csf"]], part)


def test_cosines_of_the_table(table: pd.DataFrame) -> None:
    assert fmri.select_confounds(table.assign(cosine00=1.0, cosine01=2.0), "global+cosine").shape == (50, 3)


def test_framewise_displacement_by_hand() -> None:
    table = pd.DataFrame(np.zeros((4, 6)), columns=AXES)
    table.loc[1:, "trans_y"] = -0.3
    table.loc[2:, "rot_x"] = 0.01
    np.testing.assert_allclose(fmri.framewise_displacement(table), [0, 0.3, 0.5, 0])


def test_framewise_displacement_names_what_is_missing(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"framewise displacement needs 1 columns .*rot_x"):
        fmri.framewise_displacement(table.drop(columns="rot_x"))


def marked(table: pd.DataFrame, n: int) -> pd.DataFrame:
    return table.assign(**{f"non_steady_state_outlier{i:02d}": (np.arange(len(table)) == i).astype(float) for i in range(n)})


@pytest.mark.parametrize("n", [0, 1, 3])
def test_non_steady_state_volumes_are_counted(table: pd.DataFrame, n: int) -> None:
    assert fmri.n_non_steady_state(marked(table, n)) == n


def test_dropping_volumes_moves_the_clock_and_keeps_the_events(table: pd.DataFrame, rng: np.random.Generator) -> None:
    run = bold(rng.standard_normal((3, 50)), events=event_table([0.0, 30.0], 20.0), t0=1.0)
    shorter, rest = fmri.drop_non_steady_state(run, marked(table, 3))
    assert shorter.n_times == len(rest) == 47
    assert shorter.t0 == 7.0
    assert len(shorter.events) == 2
    np.testing.assert_array_equal(shorter.times, run.times[3:])
    np.testing.assert_array_equal(shorter.data, run.data[:, 3:])
    assert shorter.valid.duration == pytest.approx(94.0)
    assert not [c for c in rest if c.startswith("non_steady")]
    assert shorter.meta["steps"] == [{"step": "fmri.drop_non_steady_state", "n_volumes": 3}]
    np.testing.assert_array_equal(rest["csf"], table["csf"][3:])


def test_nothing_is_left(table: pd.DataFrame) -> None:
    short = marked(table.iloc[:3], 3)
    with pytest.raises(DataError, match="all 3 volumes"):
        fmri.drop_non_steady_state(bold(np.zeros((2, 3))), short)
    with pytest.raises(DataError, match="has 3 rows, expected 50"):
        fmri.drop_non_steady_state(bold(np.zeros((2, 50))), short)
