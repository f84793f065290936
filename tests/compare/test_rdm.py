"""Dissimilarity matrices: each definition, the order of conditions, designs with holes, missing values, memory."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rsa_data import patterns, responses, slow_crossnobis

import neurodecode.compare.rdm_design as design_module
from neurodecode.compare import conditions_of, rdm
from neurodecode.data import Responses
from neurodecode.errors import DataError

METHODS = ["correlation", "euclidean", "mahalanobis", "crossnobis"]


def options(method: str, n_units: int, run: np.ndarray | None = None) -> dict[str, Any]:
    """What a method needs beside the data."""
    noise = {"noise": np.linspace(0.5, 2, n_units)} if method == "mahalanobis" else {}
    return noise | ({"runs": run} if method == "crossnobis" else {})


def means(data: np.ndarray, condition: np.ndarray) -> np.ndarray:
    return np.stack([data[condition == c].mean(axis=0) for c in np.unique(condition)])


def test_correlation_distance_of_means(rng: np.random.Generator) -> None:
    data, condition, _ = patterns(rng)
    np.testing.assert_allclose(rdm(data, "correlation", condition), 1 - np.corrcoef(means(data, condition)), atol=1e-13)


def test_squared_euclidean_distance_per_unit(rng: np.random.Generator) -> None:
    data, condition, _ = patterns(rng)
    x = means(data, condition)
    expected = np.mean((x[:, None] - x) ** 2, axis=2)
    np.testing.assert_allclose(rdm(data, "euclidean", condition), expected, atol=1e-13)


@pytest.mark.parametrize("diagonal", [True, False])
def test_mahalanobis_distance(rng: np.random.Generator, diagonal: bool) -> None:
    data, condition, _ = patterns(rng, n_units=9)
    root = np.diag(rng.uniform(0.5, 2, 9)) if diagonal else rng.standard_normal((9, 9))
    precision = root @ root.T
    x = means(data, condition)
    difference = x[:, None] - x
    expected = np.einsum("ijp,pq,ijq->ij", difference, precision, difference) / 9
    found = rdm(data, "mahalanobis", condition, noise=np.diag(precision) if diagonal else precision)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("noise", ["none", "diagonal", "full"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("repeats", [1, 2])
def test_crossnobis_from_its_definition(rng: np.random.Generator, noise: str, holes: bool, repeats: int) -> None:
    data, condition, run = patterns(rng, n_units=9)
    data = np.concatenate([data + rng.standard_normal(data.shape) for _ in range(repeats)])
    condition, run = np.tile(condition, repeats), np.tile(run, repeats)
    if holes:
        kept = ~((condition == 2) & (run < 1) | (condition == 5) & (run > 1) | (condition == 0) & (run == 3))
        data, condition, run = data[kept], condition[kept], run[kept]
    root = np.diag(rng.uniform(0.5, 2, 9)) if noise == "diagonal" else rng.standard_normal((9, 9))
    precision = {"none": None, "diagonal": root @ root.T, "full": root @ root.T}[noise]
    given = np.diag(precision) if noise == "diagonal" and precision is not None else precision
    found = rdm(data, "crossnobis", condition, run, noise=given)
    np.testing.assert_allclose(found, slow_crossnobis(data, condition, run, precision), atol=1e-12)


def test_conditions_that_never_share_two_runs_are_missing(rng: np.random.Generator) -> None:
    data, condition, run = patterns(rng, n_conditions=4, n_runs=4)
    kept = ~((condition == 0) & (run > 1) | (condition == 1) & (run < 1))  # 0 in runs 0, 1 and 1 in runs 1 to 3: one in common
    found = rdm(data[kept], "crossnobis", condition[kept], run[kept])
    expected = np.zeros((4, 4), bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(np.isnan(found), expected)


@pytest.mark.parametrize("method", METHODS)
def test_any_rdm_is_symmetric_with_zero_diagonal_and_leaves_its_input_alone(rng: np.random.Generator, method: str) -> None:
    data, condition, run = patterns(rng, n_units=11)
    before = data.copy()
    found = rdm(data, method, condition, **options(method, 11, run))
    assert found.shape == (7, 7)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 0)
    np.testing.assert_array_equal(data, before)
    if method == "crossnobis":
        assert rdm(rng.standard_normal((28, 11)), method, condition, run).min() < 0
    else:
        assert found.min() >= 0


@pytest.mark.parametrize("method", METHODS)
def test_batches_of_units_change_nothing(rng: np.random.Generator, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, condition, run = patterns(rng, n_units=23)
    given = options(method, 23, run)
    expected = rdm(data, method, condition, **given)
    monkeypatch.setattr(design_module, "_BATCH_BYTES", 8 * len(data) * 4)  # four units at a time
    np.testing.assert_allclose(rdm(data, method, condition, **given), expected, atol=1e-13)
    if method in ("mahalanobis", "crossnobis"):
        root = rng.standard_normal((23, 23))
        given["noise"] = root @ root.T
        batched = rdm(data, method, condition, **given)
        monkeypatch.undo()
        np.testing.assert_allclose(batched, rdm(data, method, condition, **given), atol=1e-11)


@pytest.mark.parametrize("method", METHODS)
def test_distances_survive_a_large_common_pattern(rng: np.random.Generator, method: str) -> None:
    """Differences of 1 on patterns of 10^6: nothing but the last digits of the input is lost."""
    data, condition, run = patterns(rng, n_units=40)
    given = options(method, 40, run)
    offset = 1e6 if method == "correlation" else 1e6 * rng.standard_normal(40)
    np.testing.assert_allclose(rdm(data + offset, method, condition, **given), rdm(data, method, condition, **given), atol=1e-8)


def test_float32_is_summed_in_float64(rng: np.random.Generator) -> None:
    data = rng.standard_normal((6, 4000)).astype(np.float32)
    np.testing.assert_allclose(rdm(data), 1 - np.corrcoef(data.astype(np.float64)), atol=1e-13)


def test_a_memory_map_is_read(rng: np.random.Generator, tmp_path: Path) -> None:
    data, condition, run = patterns(rng)
    np.save(tmp_path / "data.npy", data)
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    np.testing.assert_array_equal(rdm(mapped, "crossnobis", condition, run), rdm(data, "crossnobis", condition, run))


def test_rows_of_an_array_are_conditions(rng: np.random.Generator) -> None:
    data = rng.standard_normal((5, 8))
    np.testing.assert_allclose(rdm(data), 1 - np.corrcoef(data), atol=1e-14)
    np.testing.assert_array_equal(conditions_of(data), np.arange(5))


@pytest.mark.parametrize("names", [["b", "a", "c"], [10, 9, 2]])
def test_conditions_are_sorted_whatever_the_order_of_trials(rng: np.random.Generator, names: list[Any]) -> None:
    data = rng.standard_normal((3, 8))
    order = np.argsort(names)
    np.testing.assert_array_equal(conditions_of(data, names), sorted(names))
    np.testing.assert_allclose(rdm(data, conditions=names), rdm(data[order]), atol=1e-14)


def test_responses_bring_conditions_and_runs(rng: np.random.Generator) -> None:
    data, condition, run = patterns(rng)
    names = np.array([f"s{c}" for c in condition])
    brain = responses(data, stimulus=names, trial_type="picture", run=run)
    held = np.asarray(brain.data)
    np.testing.assert_allclose(rdm(brain, "crossnobis"), rdm(held, "crossnobis", condition, run), atol=1e-14)
    np.testing.assert_array_equal(conditions_of(brain), [f"s{c}" for c in range(7)])
    other = responses(data, trial_type=names, session=run)
    expected = rdm(held, "crossnobis", condition, run)
    np.testing.assert_allclose(rdm(other, "crossnobis", runs="session"), expected, atol=1e-14)
    np.testing.assert_array_equal(rdm(other, conditions="trial_type"), rdm(held, conditions=condition))


def test_run_1_of_two_sessions_is_two_runs(rng: np.random.Generator) -> None:
    data, condition, run = patterns(rng)
    brain = responses(data, stimulus=condition, session=run // 2, run=run % 2)
    expected = rdm(np.asarray(brain.data), "crossnobis", condition, run)
    np.testing.assert_allclose(rdm(brain, "crossnobis"), expected, atol=1e-14)


def test_times_are_part_of_the_pattern(rng: np.random.Generator) -> None:
    data = rng.standard_normal((4, 5, 6)).astype(np.float32)
    epochs = Responses(
        data, responses(data[:, :, 0], stimulus=list("abcd")).samples, [{"name": n} for n in "uvwxy"], np.arange(6.0)
    )
    np.testing.assert_array_equal(rdm(epochs), rdm(data.reshape(4, 30)))
    np.testing.assert_array_equal(rdm(epochs.select(tmin=2, tmax=4)), rdm(data[:, :, 2:4].reshape(4, 10)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_missing_units_are_refused_or_dropped_on_request(rng: np.random.Generator, method: str, value: float) -> None:
    data, condition, run = patterns(rng, n_units=11)
    given = options(method, 11, run)
    data[5, 3] = value
    with pytest.raises(DataError, match=r"row 5 .* in 1 of 11 units, the first is unit 3: pass missing='drop'"):
        rdm(data, method, condition, **given)
    kept = np.arange(11) != 3
    if method == "mahalanobis":
        given["noise"] = given["noise"][kept]
    found = rdm(data, method, condition, missing="drop", **given)
    np.testing.assert_allclose(found, rdm(data[:, kept], method, condition, **given), atol=1e-14)


def test_no_unit_without_missing_values(rng: np.random.Generator) -> None:
    data = rng.standard_normal((4, 3))
    data[1] = np.nan
    with pytest.raises(DataError, match="each of 3 units"):
        rdm(data, missing="drop")


def test_a_flat_pattern_has_no_correlation(rng: np.random.Generator) -> None:
    data = rng.standard_normal((4, 9))
    data[2] = 0.1  # its variance is rounding, not 0
    missing = np.isnan(rdm(data))
    expected = np.zeros((4, 4), bool)
    expected[2] = expected[:, 2] = True
    expected[2, 2] = False
    np.testing.assert_array_equal(missing, expected)
    assert np.isfinite(rdm(data, "euclidean")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "crossnob"}, "did you mean 'crossnobis'"),
        ({"missing": "keep"}, "missing='keep' is unknown"),
        ({"runs": None}, "got no runs: give runs"),
        ({"runs": np.zeros(28, int)}, "got one run"),
        ({"runs": np.arange(28)}, "no two conditions share two runs"),
        ({"runs": np.arange(5)}, "runs has 5 rows, expected 28"),
        ({"conditions": np.zeros(28)}, r"at least two conditions, got \[0.0\]"),
        ({"conditions": "stimulus"}, "conditions='stimulus' is no column"),
        ({"conditions": [None] + ["a"] * 27}, "row 0 has no value in conditions"),
        ({"noise": np.ones(5)}, r"noise must be a precision of shape \(30, 30\) or \(30,\)"),
        ({"noise": "ledoit"}, "did you mean 'ledoit_wolf'"),
        ({"noise": -np.ones(30)}, "positive precisions, got values from -1"),
        ({"noise": np.eye(30) - 2}, "positive definite, its lowest eigenvalue is -59"),
        ({"noise": np.triu(np.ones((30, 30)))}, "symmetric precision, it differs from its transpose by up to 1"),
        ({"method": "mahalanobis"}, "needs noise, got None"),
        ({"method": "euclidean", "noise": np.ones(30)}, "method='euclidean' takes no noise"),
        ({"data": np.zeros(28)}, r"of shape \(n_samples, n_units\), got float64 of shape \(28,\)"),
        ({"data": np.full((28, 30), "a")}, "data must be numbers"),
        ({"data": np.zeros((28, 1)), "method": "correlation", "runs": None}, "patterns of 1 unit have no correlation"),
    ],
)
def test_what_does_not_fit_is_refused(rng: np.random.Generator, change: dict[str, Any], message: str) -> None:
    data, condition, run = patterns(rng)
    given: dict[str, Any] = {"data": data, "method": "crossnobis", "conditions": condition, "runs": run}
    with pytest.raises(DataError, match=message):
        rdm(**(given | change))


def test_functions_are_not_hidden_by_modules_of_their_name() -> None:
    """A submodule that is imported becomes an attribute of its package, and takes the place of a function of that name."""
    package = importlib.import_module("neurodecode.compare")
    for _, name, _ in pkgutil.iter_modules(package.__path__, "neurodecode.compare."):
        importlib.import_module(name)
    assert [name for name in package.__all__ if inspect.ismodule(getattr(package, name))] == []


@pytest.mark.parametrize("method", ["correlation", "euclidean", "crossnobis"])
def test_memory_is_that_of_a_batch(rng: np.random.Generator, method: str) -> None:
    """80 MB of float32 would be 160 MB of float64: patterns are never all in memory."""
    data = rng.standard_normal((100, 200_000), dtype=np.float32)
    condition, run = np.tile(np.arange(25), 4), np.repeat(np.arange(4), 25)
    tracemalloc.start()
    rdm(
        data,
        method,
        condition,
        run if method == "crossnobis" else None,
        noise=np.ones(200_000) if method == "crossnobis" else None,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20
