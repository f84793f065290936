"""Splits that leak are found with features that know nothing; splits that do not stay silent."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from neurodecode.compare import leakage_check
from neurodecode.compare.leakage import REFERENCE, LeakageResult, _exposed, _inner_folds, _score
from neurodecode.data import Responses
from neurodecode.data.splits import Split
from neurodecode.errors import DataError, LeakWarning, SplitLeakError
from neurodecode.linear import resolve_folds
from neurodecode.simulate import ar_noise, planted_encoding

SHUFFLED = KFold(5, shuffle=True, random_state=0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices are faster so."""
    with threadpool_limits(1):
        yield


def series(n_samples: int = 240, n_targets: int = 20, ar: float = 0.8, seed: int = 0) -> np.ndarray:
    """Autoregressive responses to nothing."""
    return ar_noise((n_targets, n_samples), ar, np.random.default_rng(seed)).T


def checked(*args, **options) -> LeakageResult:
    """The result, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)
        return leakage_check(*args, **options)


def test_the_default_split_does_not_leak() -> None:
    found = leakage_check(series())  # warnings are errors
    assert found.oasm_r == 0.0
    assert not found.leaks
    assert found.exposed == 0.0
    assert "5 contiguous blocks of one run" in found.split
    assert "does not leak" in repr(found)
    assert found.scores["OASM"].shape == (5, 20)


def test_whole_runs_do_not_leak() -> None:
    runs = np.repeat(["a", "b", "c", "d"], 60)
    found = leakage_check(series(), groups=runs)
    assert (found.scores["OASM"] == 0).all()
    assert not found.leaks
    assert "4 folds of whole runs" in found.split


@pytest.mark.parametrize("cv", [SHUFFLED, list(SHUFFLED.split(np.zeros(240))), KFold(2, shuffle=True, random_state=1)])
def test_shuffled_rows_leak_and_the_warning_says_what_to_do(cv) -> None:
    with pytest.warns(LeakWarning, match=r"OASM r = 0\.[6-9].*gap of 20 samples or more.*never shuffle rows"):
        found = leakage_check(series(), cv=cv)
    assert found.leaks
    assert found.oasm_r > 0.6
    assert found.ar_r > 0.3
    assert found.exposed == 1.0
    assert found.to_dataframe()["leaks"][0]


def test_blocks_without_a_gap_leak_a_little() -> None:
    found = checked(series(600, 40), gap=0)
    assert found.leaks
    assert 0.05 < found.oasm_r < 0.2
    assert found.exposed == pytest.approx(8 * 5 / 600)  # both sides of four borders


def test_white_responses_do_not_leak_even_when_shuffled() -> None:
    found = leakage_check(np.random.default_rng(3).standard_normal((240, 40)), cv=SHUFFLED)
    assert abs(found.oasm_r) < 0.05
    assert any("100% of held-out samples have a training sample" in note for note in found.notes)


def test_reference_rows_are_found_again() -> None:
    """Coefficient .8, 600 samples, 5 folds: shuffled, contiguous, contiguous with a gap of 20."""
    y = series(600, 40, 0.8, 1)
    expected = next(row for row in REFERENCE if row[:2] == ("OASM", 0.8))[2:]
    found = [checked(y, cv=cv, gap=gap, n_features=30).oasm_r for cv, gap in ((SHUFFLED, None), (5, 0), (5, 20))]
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert abs(found[2]) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("row", REFERENCE)
def test_every_reference_row_is_found_again(row: tuple[str, float, float, float, float]) -> None:
    name, ar, *expected = row
    found = []
    for cv, gap in ((SHUFFLED, None), (5, 0), (5, 20)):
        scores = [checked(series(600, 60, ar, s), cv=cv, gap=gap, coefficient=ar, random_state=s).scores[name] for s in range(4)]
        found.append(np.mean(scores))
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert abs(found[2]) < 0.02


def test_noise_alone_does_not_flag_the_default() -> None:
    """Targets that are all alike make noise fit by luck in one of many data sets; it must not be called a leak."""
    flagged = 0
    for seed in range(10):
        alike = series(240, 1, 0.8, seed) + 0.1 * series(240, 5, 0.8, 100 + seed)
        flagged += checked(alike, n_features=60, random_state=seed).leaks
    assert flagged == 0


def test_scores_are_means_over_folds_not_pooled() -> None:
    """Without information the training mean is predicted: pooled, its correlation is far below 0; per fold it is 0."""
    y = series(200, 10, 0.9)
    folds = resolve_folds(200)
    constant = np.zeros((200, 1))
    constant[0] = 1.0  # one row differs, all others predict the mean of what was trained on
    assert (_score(constant, y, folds[1:], None) == 0).all()
    pooled = np.empty_like(y)
    for split in folds:
        pooled[split.test] = y[split.train].mean(axis=0)
    assert np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(y.T, pooled.T, strict=True)]) < -0.2


def test_features_of_your_own_stand_beside() -> None:
    planted = planted_encoding(240, 5, 12, signal=0.5, n_runs=4)
    found = leakage_check(planted.brain, features=planted.features)
    table = found.to_dataframe().set_index("features")
    assert table.loc["yours", "r"] > 0.5
    assert not table["leaks"].any()
    assert (table["chance"] == 0).all()
    assert table.loc["OASM", "sem"] == 0
    assert "whole runs (4 in all)" in found.split  # the runs of the responses
    with pytest.raises(DataError, match="features has 5 rows, expected 240"):
        leakage_check(planted.brain, features=np.zeros((5, 2)))


def test_missing_and_constant_targets_are_left_out() -> None:
    y = series(120, 4)
    y[5, 0], y[:, 2] = np.nan, 1.0
    found = leakage_check(y)
    assert found.scores["OASM"].shape == (5, 2)
    assert found.notes == ["2 targets are constant or hold NaN: left out"]
    with pytest.raises(DataError, match="none of the 1 targets varies"):
        leakage_check(np.ones(100))


def test_many_targets_are_drawn() -> None:
    y = series(120, 30)
    first, same, other = (leakage_check(y, max_targets=7, n_features=20, random_state=seed) for seed in (0, 0, 1))
    assert first.scores["AR noise"].shape == (5, 7)
    np.testing.assert_array_equal(first.scores["AR noise"], same.scores["AR noise"])
    assert not np.array_equal(first.scores["AR noise"], other.scores["AR noise"])
    assert "7 of 30 targets drawn at random" in first.notes


def test_tables_that_speak_against_the_split_are_noted() -> None:
    samples = pd.DataFrame(
        {"run": np.repeat([1, 2, 3], 40), "stimulus": np.tile(np.arange(40), 3), "onset": np.arange(120.0) % 40}
    )
    brain = Responses(series(120, 3), samples, pd.DataFrame(index=range(3)))
    assert any("40 stimuli stand on both sides" in note for note in leakage_check(brain).notes)
    turned = brain.replace(samples=samples.assign(onset=-samples["onset"]))
    assert any("not in the order of their onsets" in note for note in leakage_check(turned).notes)
    plain = brain.replace(samples=samples[["run"]])
    assert leakage_check(plain).notes == []


def test_one_series_and_responses_with_a_time_axis() -> None:
    assert leakage_check(series(120, 1)[:, 0]).scores["OASM"].shape == (5, 1)
    data = series(120, 6).reshape(120, 2, 3)
    brain = Responses(data, pd.DataFrame({"run": np.repeat([1, 2], 60)}), pd.DataFrame(index=range(2)), np.arange(3.0))
    assert leakage_check(brain, n_features=20).scores["OASM"].shape == (2, 6)


def test_input_is_left_as_it_was() -> None:
    y = series(100, 3)
    before = y.copy()
    leakage_check(y, n_features=10)
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cv": [([0, 1, 2], [2, 3, 4])]}, SplitLeakError, "both sides"),
        ({"cv": [(np.arange(50), [60])]}, DataError, "holds out 1 sample"),
        ({"groups": [0, 1]}, DataError, "each of the 100 samples"),
        ({"sigma": -1.0}, DataError, "sigma"),
        ({"coefficient": 1.0}, DataError, "grow without bound"),
        ({"n_features": 0}, DataError, "n_features"),
    ],
)
def test_refuses(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        leakage_check(series(100, 3), **options)


def test_a_single_fold_of_your_own_is_judged_too() -> None:
    rows = np.random.default_rng(0).permutation(240)
    assert checked(series(), cv=[(rows[:180], rows[180:])]).leaks
    assert not leakage_check(series(), cv=[(np.arange(150), np.arange(180, 240))]).leaks


def test_inner_folds_hold_out_as_the_split_does() -> None:
    folds = resolve_folds(100, cv=4, gap=5)
    inner = _inner_folds(folds, 1)
    train = folds[1].train
    assert len(inner) == 3
    for split in inner:
        assert not np.intersect1d(split.train, split.test).size
        rows = train[split.train], train[split.test]
        assert np.abs(np.subtract.outer(*rows)).min() > 5
        assert not np.isin(rows[1], folds[1].test).any()
    assert _inner_folds([Split(np.arange(5), np.arange(5, 9), "one")], 0) == []


def test_exposed_counts_neighbours_of_the_same_run() -> None:
    folds = [Split(np.arange(50), np.arange(50, 100), "half")]
    assert _exposed(100, folds, None) == pytest.approx(5 / 50)
    assert _exposed(100, folds, np.repeat([0, 1], 50)) == 0.0


def test_reference_table() -> None:
    table = leakage_check(series(100, 2), n_features=10).reference
    assert list(table) == ["features", "coefficient", "shuffled", "contiguous", "contiguous_gap"]
    assert (table["contiguous_gap"].abs() < 0.02).all()
    assert (table["shuffled"] > 0.5).all()
