"""A decoder on disk: the same after loading, and damage is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decoding_data import make_responses

from neurodecode.decode import LinearDecoder
from neurodecode.errors import CorruptFileError, DataError, FormatError


@pytest.mark.parametrize(
    ("task", "options"), [("classification", {"n_features": 4}), ("classification", {"estimator": "lda"}), ("regression", {})]
)
def test_loaded_decoder_predicts_the_same(tmp_path: Path, task: str, options: dict[str, Any]) -> None:
    responses = make_responses()
    target = "trial_type" if task == "classification" else "strength"
    decoder = LinearDecoder(task, **options).fit(responses, target)
    again = LinearDecoder.load(decoder.save(tmp_path / "decoder"))
    assert again.predict(responses).tolist() == decoder.predict(responses).tolist()
    np.testing.assert_array_equal(again.decision_function(responses), decoder.decision_function(responses))
    np.testing.assert_array_equal(again.patterns_, decoder.patterns_)
    assert again.parameters() == decoder.parameters()
    assert (again.classes_, again.unit_names_, again.alpha_) == (decoder.classes_, decoder.unit_names_, decoder.alpha_)
    assert sorted(p.name for p in (tmp_path / "decoder").iterdir()) == ["config.json", "weights.npz"]


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    decoder = LinearDecoder().fit(make_responses())
    folders = [decoder.save(tmp_path / name) for name in "ab"]
    for name in ("config.json", "weights.npz"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert decoder.save(tmp_path / "a") == tmp_path / "a"  # its own older folder is replaced


def test_a_folder_of_others_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="not written by neurodecode"):
        LinearDecoder().fit(make_responses()).save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "keep"


def test_only_a_fitted_decoder_is_saved(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not fitted"):
        LinearDecoder().save(tmp_path / "decoder")
    assert not (tmp_path / "decoder").exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return LinearDecoder().fit(make_responses()).save(tmp_path / "decoder")


def test_altered_weights_are_told(folder: Path) -> None:
    damaged = bytearray((folder / "weights.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "weights.npz").write_bytes(damaged)
    with pytest.raises(CorruptFileError, match="checksum"):
        LinearDecoder.load(folder)


@pytest.mark.parametrize("name", ["config.json", "weights.npz"])
def test_missing_files_are_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CorruptFileError, match=name):
        LinearDecoder.load(folder)


@pytest.mark.parametrize(
    ("change", "error"),
    [({"kind": "other"}, FormatError), ({"version": 99}, FormatError), ("[1, 2]", FormatError), ("{", CorruptFileError)],
)
def test_other_json_is_told(folder: Path, change: Any, error: type[Exception]) -> None:
    path = folder / "config.json"
    text = change if isinstance(change, str) else json.dumps({**json.loads(path.read_text()), **change})
    path.write_text(text)
    with pytest.raises(error, match=r"config\.json"):
        LinearDecoder.load(folder)


def test_pickled_arrays_are_never_opened(folder: Path) -> None:
    """An object array is a pickle; even one whose checksum was made to fit is refused."""
    from neurodecode.data.hashing import sha256_file

    np.savez(folder / "weights.npz", coef=np.array([{}], object), intercept=np.zeros(1), patterns=np.zeros(1))
    config = json.loads((folder / "config.json").read_text())
    config["sha256"]["weights.npz"] = sha256_file(folder / "weights.npz")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CorruptFileError, match="allow_pickle"):
        LinearDecoder.load(folder)
