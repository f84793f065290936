"""The table that describes BOLD runs."""

from __future__ import annotations

import numpy as np
import pytest
from bold_runs import bold, motion_table

from neurodecode.errors import DataError
from neurodecode.preprocess import fmri


def test_tsnr_is_mean_over_noise_and_a_drift_is_no_noise(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((200, 500))
    run = bold(100 + 2 * noise + np.linspace(0, 50, 500))
    assert np.median(fmri.tsnr(run)) == pytest.approx(125 / 2, rel=0.05)


def test_row_of_each_run(rng: np.random.Generator) -> None:
    runs = [bold(100 + rng.standard_normal((20, 60)), run=str(i)) for i in (1, 2)]
    tables = [motion_table(rng, 60).assign(non_steady_state_outlier00=np.eye(60)[0]) for _ in runs]
    tables[1].loc[30:, "trans_z"] += 2.0
    table = fmri.quality(runs, tables)
    assert table["run"].tolist() == ["1", "2"]
    assert table["n_volumes"].tolist() == [60, 60]
    assert table["tr"].tolist() == [2.0, 2.0]
    assert table["n_non_steady_state"].tolist() == [1, 1]
    assert table["max_fd"][1] == pytest.approx(2.0, abs=0.2)
    assert table["n_fd_above_0.5"].tolist() == [0, 1]
    assert table["mean_fd"][0] == pytest.approx(fmri.framewise_displacement(tables[0])[1:].mean())
    assert (table["tsnr_5"] < table["tsnr_median"]).all()
    assert (table["tsnr_median"] < table["tsnr_95"]).all()


def test_constant_and_missing_channels_are_counted(rng: np.random.Generator) -> None:
    data = 100 + rng.standard_normal((5, 60))
    data[1], data[2, 3] = 0.0, np.nan
    run = bold(data)
    row = fmri.quality(run).iloc[0]
    assert (row["n_constant"], row["n_nan"]) == (1, 1)
    assert np.isnan(fmri.tsnr(run)[[1, 2]]).all()
    assert np.isfinite(fmri.tsnr(run)[[0, 3, 4]]).all()
    assert np.isnan(row["mean_fd"])
    assert np.isnan(row["n_non_steady_state"])


def test_confounds_without_motion_leave_it_unknown(rng: np.random.Generator) -> None:
    run = bold(100 + rng.standard_normal((5, 60)))
    row = fmri.quality(run, motion_table(rng, 60)[["csf"]]).iloc[0]
    assert np.isnan(row["mean_fd"])
    assert row["n_non_steady_state"] == 0
    with pytest.raises(DataError, match="has 50 rows, expected 60"):
        fmri.quality(run, motion_table(rng, 50))


def test_cleaned_runs_have_no_tsnr(rng: np.random.Generator) -> None:
    run = fmri.clean(bold(100 + rng.standard_normal((5, 60))), high_pass=None)
    assert np.isnan(fmri.quality(run)["tsnr_median"][0])
