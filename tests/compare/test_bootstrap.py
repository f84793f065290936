"""The paired block bootstrap: means, coverage under autocorrelation, and which model is better."""

from __future__ import annotations

import numpy as np
import pytest
from inference_data import pairs

from neurodecode.compare import block_bootstrap, paired_bootstrap
from neurodecode.compare import resampling as resampling_module
from neurodecode.errors import DataError


def test_mean_and_standard_error_of_white_noise(rng: np.random.Generator) -> None:
    """With blocks of one sample it is the plain bootstrap: an interval of 1.96 standard errors on each side."""
    values = rng.standard_normal((500, 20)) + 3.0
    found = block_bootstrap(values, block=1, n=2000)
    np.testing.assert_allclose(found.difference, values.mean(axis=0))
    half = 1.96 * values.std(axis=0) / np.sqrt(500)
    np.testing.assert_allclose((found.high - found.low) / 2, half, rtol=0.1)
    np.testing.assert_allclose(found.p, 1 / 2001)


@pytest.mark.parametrize("ar", [0.0, 0.5])
def test_coverage(ar: float) -> None:
    series = pairs(800, 400, ar)[0]
    found = block_bootstrap(series, block=20, n=400)
    covered = np.mean((found.low < 0) & (found.high > 0))
    assert covered == pytest.approx(0.95, abs=0.04)
    assert np.mean(found.p <= 0.05) == pytest.approx(0.05, abs=0.04)
    if ar:
        single = block_bootstrap(series, block=1, n=400)
        assert np.mean((single.low < 0) & (single.high > 0)) < 0.85  # why there are blocks


def test_level_widens_the_interval() -> None:
    series = pairs(300, 5, 0.3)[0]
    narrow, wide = (block_bootstrap(series, level=level) for level in (0.5, 0.99))
    assert ((wide.high - wide.low) > 2 * (narrow.high - narrow.low)).all()
    assert "99%" in repr(wide)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_the_better_model_wins(rng: np.random.Generator, loss: str) -> None:
    y = rng.standard_normal((400, 6))
    good, bad = y + 0.5 * rng.standard_normal(y.shape), y + 1.0 * rng.standard_normal(y.shape)
    found = paired_bootstrap(y, bad, good, loss=loss)  # type: ignore[arg-type]
    assert (found.low > 0).all()
    assert (found.p < 0.01).all()
    power = 2 if loss == "squared" else 1
    expected = (np.abs(y - bad) ** power - np.abs(y - good) ** power).mean(axis=0)
    np.testing.assert_allclose(found.difference, expected)
    turned = paired_bootstrap(y, good, bad, loss=loss)  # type: ignore[arg-type]
    np.testing.assert_allclose([turned.difference, turned.low], [-found.difference, -found.high], atol=1e-2)
    assert "above 0 in 6" in repr(found)


def test_equal_models_differ_in_nothing() -> None:
    y, y_hat = pairs(100, 3)
    found = paired_bootstrap(y, y_hat, y_hat)
    np.testing.assert_array_equal([found.difference, found.low, found.high], 0.0)
    np.testing.assert_array_equal(found.p, 1.0)


def test_runs_are_drawn_from_themselves() -> None:
    """Two runs of different level: between them nothing is exchanged, so the level does not widen the interval."""
    noise = pairs(200, 1, 0.0)[0][:, 0]
    groups = np.repeat([0, 1], 100)
    together, apart = (block_bootstrap(noise + 50 * groups, groups=g) for g in (None, groups))
    assert apart.high - apart.low < 0.1 * (together.high - together.low)
    assert np.shape(apart.difference) == ()


def test_short_runs_are_one_block() -> None:
    values = np.arange(30.0)
    found = block_bootstrap(values, block=10, groups=np.repeat(np.arange(10), 3), n=50)
    assert found.high - found.low == pytest.approx(0.0, abs=1e-9)  # a run drawn in a circle keeps its mean


def test_seed_batches_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pairs(90, 11, 0.3)[0].reshape(90, 11)
    values[4, 2] = np.nan
    whole = block_bootstrap(values, n=60, random_state=5)
    monkeypatch.setattr(resampling_module, "_WIDEST", 3)
    parts = block_bootstrap(values, n=60, random_state=5)
    np.testing.assert_allclose(parts.low, whole.low, atol=1e-12)
    assert np.isnan(whole.to_dataframe()).all(axis=1).tolist() == [k == 2 for k in range(11)]
    assert not np.array_equal(block_bootstrap(values, n=60, random_state=6).low, whole.low)
    assert block_bootstrap(values.reshape(90, 11, 1)).p.shape == (11, 1)


@pytest.mark.parametrize("options", [{"level": 1.0}, {"level": 0.0}, {"n": 0}, {"block": 0}, {"groups": [1]}])
def test_refuses(options: dict) -> None:
    with pytest.raises(DataError):
        block_bootstrap(np.zeros(20), **options)


def test_refuses_pairs_that_are_none() -> None:
    with pytest.raises(DataError, match="one shape"):
        paired_bootstrap(np.zeros((5, 2)), np.zeros((5, 2)), np.zeros(5))
    with pytest.raises(DataError, match="loss='hinge'"):
        paired_bootstrap(np.zeros(5), np.zeros(5), np.zeros(5), loss="hinge")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="two samples"):
        block_bootstrap(1.0)
