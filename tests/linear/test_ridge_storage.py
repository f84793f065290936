"""A saved ridge: predicts the same, holds plain data alone, and refuses damage by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from ridge_data import ALPHAS, problem
from sklearn.model_selection import KFold

from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.linear import RidgeCV


@pytest.mark.parametrize("p", [12, 150])
@pytest.mark.parametrize("cv", [None, 3, KFold(3)])
def test_there_and_back(tmp_path: Path, p: int, cv: object) -> None:
    x, y = problem(80, p, dtype=np.float32)
    model = RidgeCV(ALPHAS, cv).fit(x, y)
    loaded = RidgeCV.load(model.save(tmp_path / "model"))
    assert_array_equal(loaded.predict(x), model.predict(x))
    assert_array_equal(loaded.cv_scores_, model.cv_scores_)
    assert_array_equal(loaded.score(x, y), model.score(x, y))
    assert (loaded.form_, loaded.precision_) == (model.form_, model.precision_)
    for ours, theirs in zip(loaded.folds_, model.folds_, strict=True):
        assert_array_equal(ours.test, theirs.test)
        assert ours.name == theirs.name
    again = loaded.fit(x, y)
    assert_array_equal(again.cv_scores_, model.cv_scores_)
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".npz"}


def test_one_target_without_an_axis(tmp_path: Path) -> None:
    x, y = problem()
    model = RidgeCV(ALPHAS).fit(x, y[:, 0])
    loaded = RidgeCV.load(model.save(tmp_path / "model"))
    assert_array_equal(loaded.predict(x), model.predict(x))
    assert loaded.score(x, y[:, 0]) == model.score(x, y[:, 0])


@pytest.mark.parametrize("name", ["config.json", "weights.npz"])
@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_damage_is_named(tmp_path: Path, name: str, damage: str) -> None:
    folder = RidgeCV(ALPHAS).fit(*problem()).save(tmp_path / "model")
    whole = (folder / name).read_bytes()
    if damage == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"x" + whole[1:])
    with pytest.raises(CorruptFileError, match=name):
        RidgeCV.load(folder)


def test_other_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not fitted"):
        RidgeCV().save(tmp_path / "model")
    folder = RidgeCV(ALPHAS).fit(*problem()).save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    for change, message in (({"kind": "other"}, "other"), ({"version": 99}, "99")):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(FormatError, match=message):
            RidgeCV.load(folder)
