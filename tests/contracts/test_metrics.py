"""Metrics: pure functions whose chance and best value are written down and true.

A new function that ``neurodecode.metrics`` exports needs a row in `SCORES` (it says how good something is), or a name in `TOOLS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from contracts.members import exported_by

from neurodecode import metrics
from neurodecode.errors import DataError
from neurodecode.metrics import METRICS, chance_level

N = 400
Pair = tuple[np.ndarray, np.ndarray]


class Score(NamedTuple):
    """How to test a score."""

    entry: str
    """Its row in `METRICS`."""
    perfect: Callable[[np.random.Generator], Pair]
    """Truth and a prediction that has all information."""
    ignorant: Callable[[np.random.Generator], Pair]
    """Truth and a prediction that has none."""
    n_classes: int | None = None
    """Where chance depends on it."""
    tolerance: float = 0.01
    """How near the mean of 200 ignorant predictions comes to chance."""


def _classes(k: int, n: int = N) -> tuple[Callable[..., Pair], Callable[..., Pair]]:
    def perfect(rng: np.random.Generator) -> Pair:
        truth = rng.permutation(np.arange(n) % k)
        return truth, truth.copy()

    return perfect, lambda rng: (rng.permutation(np.arange(n) % k), rng.integers(0, k, n))


def _ranks(rng: np.random.Generator) -> Pair:
    truth = rng.permutation(np.arange(N) % 4 == 0)
    return truth, truth + rng.random(N) * 0.9


def _values(rng: np.random.Generator) -> Pair:
    truth = rng.standard_normal(N)
    return truth, truth.copy()


def _repeats(rng: np.random.Generator) -> Pair:
    truth = rng.standard_normal(N)
    return np.repeat(truth[:, None], 3, axis=1), truth


def _units(rng: np.random.Generator) -> Pair:
    truth = rng.standard_normal((N // 4, 6))
    return truth, truth.copy()


def _other_units(rng: np.random.Generator) -> Pair:
    return rng.standard_normal((N // 4, 6)), rng.standard_normal((N // 4, 5))


def _images(rng: np.random.Generator) -> Pair:
    truth = rng.random((4, 10, 10, 1))
    return truth, truth.copy()


def _pictures(rng: np.random.Generator) -> Pair:
    truth = rng.random((4, 24, 24, 1))
    return truth, truth.copy()


def _features(rng: np.random.Generator, n: int = 40, width: int = 60) -> Pair:
    truth = rng.standard_normal((n, width))
    return truth, truth.copy()


def _other_features(rng: np.random.Generator) -> Pair:
    return _features(rng)[0], _features(rng)[0]


SCORES: dict[str, Score] = {
    "accuracy": Score("accuracy", *_classes(4), n_classes=4),
    "balanced_accuracy": Score("balanced_accuracy", *_classes(4), n_classes=4),
    "roc_auc": Score("roc_auc", _ranks, lambda rng: (rng.permutation(np.arange(N) % 4 == 0), rng.standard_normal(N))),
    "pixcorr": Score("pixcorr", _images, lambda rng: (rng.random((4, 10, 10, 1)), rng.random((4, 10, 10, 1)))),
    "ssim": Score("ssim", _pictures, lambda rng: (_pictures(rng)[0], _pictures(rng)[0])),
    **{name: Score(name, _features, _other_features) for name in ("two_way_identification", "feature_distance", "n_way_top_k")},
    "retrieval_report": Score("retrieval", _features, _other_features, n_classes=40),
    "retrieval_from_scores": Score(
        "retrieval",
        lambda rng: (np.eye(40)[order := rng.permutation(40)], order),
        lambda rng: (rng.standard_normal((40, 40)), np.arange(40)),
        n_classes=40,
    ),
    "cc_norm": Score("cc_norm", _repeats, lambda rng: (_repeats(rng)[0], rng.standard_normal(N))),
    **{name: Score(name, _units, _other_units) for name in ("cka", "procrustes", "cca", "soft_match")},
    "pearson_r": Score("r", _values, lambda rng: (rng.standard_normal(N), rng.standard_normal(N))),
    "r2_score": Score("r2", _values, lambda rng: (rng.standard_normal(N), np.zeros(N))),
}
TOOLS = {  # functions about scores, which are none
    "between_group_permutation",
    "ceiling_coverage",
    "ceiling_explainable_variance",
    "ceiling_ncsnr",
    "ceiling_schoppe",
    "ceiling_split_half",
    "chance_level",
    "confusion_matrix",
    "false_discovery_rate",
    "fold_confidence_interval",
    "image_report",
    "layer_features",
    "maximum_statistic_p_values",
    "n_way_chance",
    "normalise_r",
    "normalise_r2",
    "permutation_p_value",
    "signal_noise",
    "tail_p_values",
    "within_group_permutation",
}


def members() -> dict[str, Any]:
    """Functions that users reach."""
    return {name.split(".")[-1]: value for name, value in exported_by("metrics") if inspect.isfunction(value)}


def check_metric(scored: Callable[..., Any], score: Score) -> None:
    """The contract; of a score per item the mean is looked at."""

    def function(*pair: Any) -> float:
        found = scored(*pair)  # a number, an array of them, or a result that is worth one
        return float(np.mean(found)) if isinstance(found, (float, np.ndarray)) else float(found)

    entry, document = METRICS[score.entry], inspect.getdoc(scored) or ""
    assert "chance" in document.lower(), "the docstring must say what chance is"
    assert "best" in document.lower(), "the docstring must say what the best value is"
    rng = np.random.default_rng(0)
    truth, perfect = score.perfect(rng)
    before = truth.copy(), perfect.copy()
    assert float(function(truth, perfect)) == pytest.approx(entry.best), "the best value is another one"
    for now, then in zip((truth, perfect), before, strict=True):
        np.testing.assert_array_equal(now, then, err_msg="the input was changed")
    assert function(truth.tolist(), perfect.tolist()) == function(truth, perfect), "lists are arrays, too"
    order = rng.permutation(len(truth))
    assert function(truth[order], perfect[order]) == pytest.approx(function(truth, perfect)), "the order of samples counts"
    found = [function(*score.ignorant(rng)) for _ in range(200)]
    chance = chance_level(score.entry, score.n_classes)
    assert np.mean(found) == pytest.approx(chance, abs=score.tolerance), "the chance level is another one"
    assert (max(found) < entry.best) if entry.best > chance else (min(found) > entry.best)
    for bad in ((truth, perfect[:-1]), (truth[:0], perfect[:0]), (truth[:, None, None], perfect[:5])):
        with pytest.raises(DataError):
            if not np.isnan(function(*bad)):
                pytest.fail(f"shapes {[b.shape for b in bad]} were scored")
            raise DataError(f"undefined for {[b.shape for b in bad]}, and so it says")


def test_every_member_is_known() -> None:
    missing = set(members()) - set(SCORES) - TOOLS
    assert not missing, f"add {sorted(missing)} to SCORES or TOOLS in {Path(__file__).name}"
    assert set(SCORES) | TOOLS <= set(members()), "a row has no function"
    assert {score.entry for score in SCORES.values()} == set(METRICS), "each row of METRICS has its function"


@pytest.mark.parametrize("name", SCORES)
def test_metric(name: str) -> None:
    check_metric(members()[name], SCORES[name])


class TestTheContractItself:
    """A score that breaks one promise is noticed."""

    @pytest.mark.parametrize(
        ("planted", "message"),
        [
            (lambda t, p: metrics.pearson_r(t, p) / 2, "the best value"),
            (lambda t, p: min(1.0, 0.3 + metrics.pearson_r(t, p)), "the chance level"),
            (lambda t, p: metrics.pearson_r(np.arange(len(t)), p) if t is not p else 1.0, "the best value"),
        ],
    )
    def test_other_numbers(self, planted: Any, message: str) -> None:
        def score(true: Any, predicted: Any) -> Any:
            """Chance 0, best 1."""
            return planted(true, predicted)

        with pytest.raises(AssertionError, match=message):
            check_metric(score, SCORES["pearson_r"])

    def test_a_changed_input(self) -> None:
        def score(true: Any, predicted: Any) -> Any:
            """Chance 0, best 1."""
            result = metrics.pearson_r(true, predicted)
            if isinstance(true, np.ndarray):
                true -= true.mean()
            return result

        with pytest.raises(AssertionError, match="the input was changed"):
            check_metric(score, SCORES["pearson_r"])

    def test_no_word_about_chance(self) -> None:
        def score(true: Any, predicted: Any) -> Any:
            """Pearson correlation."""

        with pytest.raises(AssertionError, match="what chance is"):
            check_metric(score, SCORES["pearson_r"])

    def test_a_score_of_nothing(self) -> None:
        def score(true: Any, predicted: Any) -> Any:
            """Chance 0, best 1."""
            n = min(np.size(true), np.size(predicted))
            return metrics.pearson_r(np.ravel(true)[:n], np.ravel(predicted)[:n]) if n else 0.0

        with pytest.raises(pytest.fail.Exception, match="were scored"):
            check_metric(score, SCORES["pearson_r"])
