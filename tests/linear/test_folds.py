"""Folds hold out runs or stretches, and nothing of your own that leaks gets through."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.errors import DataError, SplitLeakError
from neurodecode.linear.folds import resolve_folds


def test_runs_are_held_out_whole() -> None:
    runs = np.repeat(["b", "a", "c"], 4)
    folds = resolve_folds(12, runs)
    assert [sorted(set(runs[f.test])) for f in folds] == [["b"], ["a"], ["c"]]
    assert all(set(runs[f.train]).isdisjoint(runs[f.test]) and len(f.train) == 8 for f in folds)


def test_at_most_five_folds_unless_told() -> None:
    runs = np.repeat(np.arange(12), 2)
    assert len(resolve_folds(24, runs)) == 5
    assert len(resolve_folds(24, runs, cv=12)) == 12


def test_one_run_is_cut_into_blocks_with_a_gap() -> None:
    folds = resolve_folds(500, np.zeros(500))
    assert [len(f.test) for f in folds] == [100] * 5
    assert folds[1].train.tolist() == [*range(80), *range(220, 500)]
    assert np.concatenate([f.test for f in folds]).tolist() == list(range(500))


@pytest.mark.parametrize(("n", "gap", "distance"), [(100, None, 10), (500, None, 20), (500, 0, 0), (500, 33, 33)])
def test_the_gap(n: int, gap: int | None, distance: int) -> None:
    fold = resolve_folds(n, gap=gap)[2]
    before = fold.train[fold.train < fold.test[0]]
    assert fold.test[0] - before[-1] - 1 == distance


def test_folds_of_your_own_and_of_scikit_learn() -> None:
    from sklearn.model_selection import GroupKFold

    (own,) = resolve_folds(4, cv=[([0, 1], np.array([False, False, False, True]))])
    assert own.train.tolist() == [0, 1]
    assert own.test.tolist() == [3]
    assert len(resolve_folds(6, [0, 0, 1, 1, 2, 2], cv=GroupKFold(3))) == 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groups": [0, 1]}, DataError, "each of the 6 samples"),
        ({"groups": [0, 0, 0, 1, 1, 1], "cv": 3}, DataError, "found 2 runs"),
        ({"cv": 1}, DataError, "at least two blocks"),
        ({"cv": [([0, 1], [1, 2])]}, SplitLeakError, "the first is row 1"),
        ({"cv": [([0, 1], [])]}, DataError, "0 to test on"),
        ({"cv": []}, DataError, "gave no fold"),
        ({"gap": 6}, DataError, "nothing to train on"),
    ],
)
def test_refused(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve_folds(6, **options)
