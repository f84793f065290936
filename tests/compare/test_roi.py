"""Tables by region."""

from __future__ import annotations

import encoding_data as examples
import numpy as np
import pandas as pd
import pytest

from neurodecode.errors import DataError


def test_figures_of_each_region() -> None:
    result = examples.result()
    found = result.roi_summary().set_index("roi")
    assert list(found.index) == list(dict.fromkeys(result.units["region"]))
    for region in ("V1", "IT"):
        inside = (result.units["region"] == region).to_numpy()
        row = found.loc[region]
        assert row["n_units"] == inside.sum()
        assert row["median"] == pytest.approx(np.median(result.score[inside]))
        assert row["mean"] == pytest.approx(result.score[inside].mean())
        assert row["baseline"] == pytest.approx(np.median(result.baseline[inside]))
        assert row["ceiling"] == pytest.approx(np.median(result.ceiling[inside]))
        assert row["coverage"] == pytest.approx(np.isfinite(result.normalised[inside]).mean())
        assert row["fraction_significant"] == pytest.approx((result.q[inside] < 0.05).mean())
        assert row["ci_low"] <= row["median"] <= row["ci_high"]
    assert (found["chance"] == 0).all()


def test_units_without_a_region_are_left_out() -> None:
    units, _ = examples.cube()
    units.loc[:3, "region"] = None
    found = examples.result(units).roi_summary()
    assert found["n_units"].sum() == 8
    with pytest.raises(DataError, match="none of the 12 units"):
        examples.result(units.assign(region=None)).roi_summary()
    with pytest.raises(DataError, match="did you mean 'region'"):
        examples.result().roi_summary("regoin")


def test_other_maps_have_no_chance_of_the_score() -> None:
    found = examples.result().roi_summary(which="gain")
    assert found["which"].eq("gain").all()
    assert found["chance"].isna().all()
    assert found["baseline"].isna().all()


def test_times_have_rows_of_their_own() -> None:
    result = examples.result(n_times=3)
    found = result.roi_summary()
    assert len(found) == 6
    inside = (result.units["region"] == "IT").to_numpy()
    row = found[(found["roi"] == "IT") & (found["time"] == 0.01)]
    assert row["median"].item() == pytest.approx(np.median(result.score[inside, 1]))


def test_what_is_missing_is_nan() -> None:
    bare = {name: None for name in ("ceiling", "normalised", "p", "q")}
    found = examples.result(**bare).roi_summary(n_bootstrap=0)
    columns = ["ceiling", "normalised", "coverage", "fraction_significant", "ci_low", "ci_high"]
    assert found[columns].isna().all().all()
    empty = examples.result(score=np.full(12, np.nan)).roi_summary()
    assert empty[["median", "mean"]].isna().all().all()


def test_interval_is_that_of_the_median() -> None:
    """Over 400 normal values the 95 % interval of the median is about 2 * 1.96 * 1.2533 / sqrt(400) = 0.246 wide."""
    rng = np.random.default_rng(1)
    units = pd.DataFrame({"name": [f"u{i}" for i in range(400)], "region": "V1"})
    result = examples.result(units, score=rng.standard_normal(400))
    row = result.roi_summary(n_bootstrap=2000).iloc[0]
    assert row["ci_high"] - row["ci_low"] == pytest.approx(0.246, rel=0.25)
    narrow = result.roi_summary(n_bootstrap=2000, level=0.5).iloc[0]
    assert narrow["ci_high"] - narrow["ci_low"] < 0.5 * (row["ci_high"] - row["ci_low"])


def test_seed_decides_the_draws() -> None:
    result = examples.result()
    pd.testing.assert_frame_equal(result.roi_summary(random_state=4), result.roi_summary(random_state=4))
    assert not result.roi_summary(random_state=4).equals(result.roi_summary(random_state=5))
    with pytest.raises(DataError, match="between 0 and 1, got 95"):
        result.roi_summary(level=95)
