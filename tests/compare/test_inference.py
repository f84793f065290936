"""Permutation tests: definitions by plain loops, runs, ties, missing values, batches and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from inference_data import pairs, related, shifted
from scipy.stats import spearmanr

from neurodecode.compare import permutation_null, permutation_test
from neurodecode.compare import resampling as resampling_module
from neurodecode.data import Responses
from neurodecode.data.splits import group_rows
from neurodecode.errors import DataError
from neurodecode.metrics import pearson_r, r2_score


def score_of(statistic: str, y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
    """The statistic by another way."""
    if statistic == "spearman":
        return np.array([spearmanr(a, b).statistic for a, b in zip(y.T, y_hat.T, strict=True)])
    return {"r": pearson_r, "r2": r2_score}[statistic](y, y_hat)


@pytest.mark.parametrize("statistic", ["r", "r2", "spearman"])
def test_circular_shift_is_that_of_a_loop(statistic: str) -> None:
    y, y_hat = related(60, 4, 0.4)
    y_hat = 3.0 * y_hat + 1.0
    null = np.array([score_of(statistic, y, np.roll(y_hat, k, axis=0)) for k in range(10, 51)])
    found = permutation_null(y, y_hat, min_shift=10, statistic=statistic)  # type: ignore[arg-type]
    score = score_of(statistic, y, y_hat)
    assert found.n_permutations == 41
    np.testing.assert_allclose(found.score, score, atol=1e-10)
    np.testing.assert_allclose(found.null_mean, null.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(found.null_sd, null.std(axis=0), atol=1e-10)
    np.testing.assert_allclose(found.p, ((null >= score).sum(axis=0) + 1) / 42)
    np.testing.assert_allclose(np.sort(found.null_max), np.sort(null.max(axis=1)), atol=1e-10)
    np.testing.assert_allclose(found.p_max, [((null.max(axis=1) >= s).sum() + 1) / 42 for s in score])


def test_shifts_stay_within_runs() -> None:
    groups = np.repeat(["a", "b"], [25, 30])
    y, y_hat = related(55, 3, 0.3)
    runs = group_rows(55, groups)
    null = np.array([pearson_r(y, shifted(y_hat, runs, [j, k])) for j in range(8, 18) for k in range(8, 23)])
    found = permutation_null(y, y_hat, min_shift=8, groups=groups)
    assert found.n_permutations == 150
    np.testing.assert_allclose(found.p, ((null >= found.score).sum(axis=0) + 1) / 151)
    assert "2 runs" in found.method


def test_the_level_of_runs_is_kept_in_the_null() -> None:
    """Two runs whose means differ in both series correlate by that alone; shifts within runs must show it."""
    y, y_hat = pairs(200, 50, 0.3)
    level = np.repeat([0.0, 5.0], 100)[:, None]
    groups = np.repeat([0, 1], 100)
    for method in ("circular", "block"):
        inside = permutation_test(y + level, y_hat + level, method, groups=groups)  # type: ignore[arg-type]
        assert np.mean(inside <= 0.05) < 0.15
    assert np.mean(permutation_test(y + level, y_hat + level, "block") <= 0.05) > 0.9  # what leaving groups out would say


@pytest.mark.parametrize("method", ["circular", "block"])
def test_same_seed_same_p_and_other_seed_other_p(method: str) -> None:
    y, y_hat = related(400, 30, 0.1)
    first, same, other = (permutation_test(y, y_hat, method, n=99, random_state=seed) for seed in (1, 1, 2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    generator = permutation_null(y, y_hat, n=9, random_state=np.random.default_rng(1))
    assert generator.settings["random_state"] is None


@pytest.mark.parametrize("method", ["circular", "block"])
def test_batches_change_nothing(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, y_hat = related(120, 37, 0.2)
    whole = permutation_null(y, y_hat, method, n=50, groups=np.repeat([0, 1], 60))  # type: ignore[arg-type]
    monkeypatch.setattr(resampling_module, "_WIDEST", 5)
    parts = permutation_null(y, y_hat, method, n=50, groups=np.repeat([0, 1], 60))  # type: ignore[arg-type]
    for name in ("score", "p", "p_max", "null_mean", "null_sd", "null_max"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", ["circular", "block"])
def test_strong_predictions_reach_the_smallest_p(method: str) -> None:
    y, y_hat = related(2000, 5, 0.6)
    np.testing.assert_allclose(permutation_test(y, y_hat, method, n=999), 1 / 1000)  # type: ignore[arg-type]
    np.testing.assert_allclose(permutation_test(y, -y_hat, method, n=99), 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lengths", "expected"), [([600], 20), ([300], 20), ([150, 300], 10), ([75] * 4, 5), ([20], 1), ([9], 1)]
)
def test_the_shortest_shift_fits_the_shortest_run(lengths: list[int], expected: int) -> None:
    y, y_hat = pairs(sum(lengths), 1)
    found = permutation_null(y, y_hat, n=20, groups=np.repeat(np.arange(len(lengths)), lengths))
    assert found.settings["min_shift"] == expected
    assert f"by {expected} samples or more" in found.method


def test_p_is_never_smaller_than_the_shifts_allow() -> None:
    y, y_hat = related(300, 3, 0.9)
    found = permutation_null(y, y_hat, n=1000)
    assert found.n_permutations == 261
    np.testing.assert_allclose(found.p, 1 / 262)


@pytest.mark.parametrize(("shape", "expected"), [((100,), ()), ((100, 3), (3,)), ((100, 2, 4), (2, 4))])
def test_shapes_in_are_shapes_out(rng: np.random.Generator, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    y = rng.standard_normal(shape)
    p = permutation_test(y, y + rng.standard_normal(shape), "block", n=20)
    assert np.shape(p) == expected
    assert permutation_null(y, y, "block", n=20).score.shape == expected


def test_lists_float32_and_offsets_give_the_same(rng: np.random.Generator) -> None:
    y, y_hat = related(100, 2, 0.3)
    p = permutation_test(y, y_hat, n=60)
    np.testing.assert_array_equal(permutation_test(y.tolist(), y_hat.tolist(), n=60), p)
    np.testing.assert_array_equal(permutation_test(y.astype(np.float32) + 1e3, 5 * y_hat - 7, n=60), p)


def test_inputs_are_left_as_they_were() -> None:
    y, y_hat = related(100, 3, 0.3)
    before = y.copy(), y_hat.copy()
    permutation_null(y, y_hat, "block", tail=True, n=120)
    np.testing.assert_array_equal((y, y_hat), before)


def test_missing_and_constant_targets_have_no_p_and_leave_the_others_alone() -> None:
    y, y_hat = related(150, 5, 0.4)
    whole = permutation_null(y, y_hat, n=80)
    y[3, 0], y_hat[9, 1], y[:, 2], y_hat[:, 3] = np.nan, np.inf, 4.2, 1e8
    found = permutation_null(y, y_hat, n=80)
    for name in ("score", "p", "p_max", "null_mean", "null_sd"):
        assert np.isnan(getattr(found, name)).tolist() == [True] * 4 + [False], name
    assert found.p[4] == whole.p[4]
    alone = permutation_null(y[:, 4], y_hat[:, 4], n=80)
    np.testing.assert_allclose(found.null_max, alone.null_max, atol=1e-12)
    assert found.to_dataframe()["q"].isna().sum() == 4


def test_all_targets_missing_is_an_answer_too() -> None:
    found = permutation_null(np.full((100, 2), np.nan), np.ones((100, 2)), n=10)
    assert np.isnan(found.p).all()
    assert np.isnan(found.p_max).all()


def test_a_perfect_tie_counts_against_the_prediction() -> None:
    """A prediction of period 10 is the same after a shift of 10, but for rounding."""
    wave = np.sin(2 * np.pi * np.arange(100) / 10)
    found = permutation_null(0.1 * wave, 0.3 * wave, min_shift=10)
    assert found.p == pytest.approx((9 + 1) / (found.n_permutations + 1))


def test_responses_bring_their_runs() -> None:
    y, y_hat = related(90, 4, 0.3)
    samples = pd.DataFrame({"subject": ["1"] * 90, "run": np.repeat(["1", "2"], 45)})
    brain, predicted = (Responses(values, samples, pd.DataFrame(index=range(4))) for values in (y, y_hat))
    found = permutation_test(brain, predicted, n=70)
    expected = permutation_test(y.astype(np.float32), y_hat.astype(np.float32), n=70, groups=samples["run"])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(permutation_test(brain, y_hat.astype(np.float32), n=70), expected)


def test_a_memory_map_is_read_in_batches(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    y, y_hat = related(80, 12, 0.3)
    for name, values in (("y", y), ("h", y_hat)):
        np.save(tmp_path / f"{name}.npy", values)
    monkeypatch.setattr(resampling_module, "_WIDEST", 3)
    maps = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "yh"]
    np.testing.assert_array_equal(permutation_test(*maps, n=40), permutation_test(y, y_hat, n=40))


def test_tail_goes_below_what_counting_can_show() -> None:
    y, y_hat = related(2000, 20, 0.55)
    counted, fitted = (permutation_null(y, y_hat, n=500, tail=tail).p for tail in (False, True))
    np.testing.assert_allclose(counted, 1 / 501)
    assert np.mean(fitted == 1 / 500**2) > 0.8  # as far as it goes; the guard refuses a few
    null = pairs(2000, 200)
    counted, fitted = (permutation_null(*null, n=500, tail=tail).p for tail in (False, True))
    np.testing.assert_array_equal(fitted[counted > 0.03], counted[counted > 0.03])
    assert np.mean(fitted <= 0.01) < 0.04


def test_table_and_words() -> None:
    y, y_hat = related(300, 6, 0.5)
    found = permutation_null(y, y_hat, "block", n=200)
    table = found.to_dataframe("by")
    assert list(table) == ["score", "chance", "null_sd", "p", "q", "p_max"]
    assert (table["q"] >= table["p"]).all()
    assert (table["p_max"] >= table["p"]).all()
    assert "blocks of 20 samples" in repr(found)
    assert "of 6 targets" in repr(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "shuffle"}, "method='shuffle' is unknown"),
        ({"statistic": "r3"}, "statistic='r3'"),
        ({"n": 0}, "at least one permutation, got 0"),
        ({"groups": [1, 2]}, "each of 50 samples"),
        ({"min_shift": 25}, "50 samples has no two circular shifts of 25"),
        ({"method": "block", "block": 26}, "not two blocks of 26"),
    ],
)
def test_refuses_arguments(options: dict, message: str) -> None:
    y, y_hat = pairs(50, 2)
    with pytest.raises(DataError, match=message):
        permutation_test(y, y_hat, **options)


@pytest.mark.parametrize(("a", "b"), [((50, 2), (50, 3)), ((50,), (50, 1)), ((), ()), ((1, 2), (1, 2)), ((50, 0), (50, 0))])
def test_refuses_shapes(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="one shape"):
        permutation_test(np.ones(a), np.ones(b))
