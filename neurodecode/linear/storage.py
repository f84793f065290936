"""A fitted ridge as a folder: parameters as JSON, numbers as npz; nothing that could run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.data.splits import Split
from neurodecode.errors import CorruptFileError, FormatError

if TYPE_CHECKING:
    from neurodecode.linear.ridge import RidgeCV

_KIND = "neurodecode RidgeCV"
_VERSION = 1
_ARRAYS = ("coef_", "intercept_", "alpha_", "alphas_", "cv_scores_")
_AGAIN = "Save the model again"


def save_ridge(model: RidgeCV, folder: Path) -> Path:
    """Write a fitted ridge.

    Parameters
    ----------
    model : RidgeCV
        A fitted one. Folds of your own are kept as rows, not as the splitter that made them.
    folder : Path
        Appears whole or not at all; an older model of that name is replaced.

    Returns
    -------
    Path
        The folder, with ``config.json`` and ``weights.npz``.
    """
    own_folds = model.cv is not None and not isinstance(model.cv, (int, np.integer))
    folds = {
        f"{side}{k}": rows for k, fold in enumerate(model.folds_) for side, rows in zip(("train", "test"), fold, strict=False)
    }
    with atomic_folder(folder, marker="config.json") as partial:
        np.savez(partial / "weights.npz", **folds, **{name.rstrip("_"): getattr(model, name) for name in _ARRAYS})
        config = {
            "kind": _KIND,
            "version": _VERSION,
            "parameters": {**model.get_params(), "cv": None if own_folds else model.cv},
            "own_folds": own_folds,
            "folds": [fold.name for fold in model.folds_],
            "fitted": {"form_": model.form_, "precision_": model.precision_},
            "sha256": {"weights.npz": sha256_file(partial / "weights.npz")},
        }
        text = json.dumps(jsonable(config), indent=2) + "\n"
        (partial / "config.json").write_text(text, encoding="utf-8", newline="\n")
    return folder


def load_ridge(folder: Path) -> RidgeCV:
    """Read a ridge written by `save_ridge`.

    Parameters
    ----------
    folder : Path
        Its folder.

    Returns
    -------
    RidgeCV
        Fitted.

    Raises
    ------
    CorruptFileError
        If a file is missing, cut short or altered.
    FormatError
        If the folder holds something else, or a newer version.
    """
    from neurodecode.linear.ridge import RidgeCV

    config = _read_config(folder / "config.json")
    arrays = _read_arrays(folder / "weights.npz", config)
    folds = [Split(arrays[f"train{k}"], arrays[f"test{k}"], name) for k, name in enumerate(config["folds"])]
    parameters = config["parameters"]
    model = RidgeCV(**{**parameters, "cv": folds if config["own_folds"] else parameters["cv"]})
    for name, value in {**{n: arrays[n.rstrip("_")] for n in _ARRAYS}, **config["fitted"], "folds_": folds}.items():
        setattr(model, name, value)
    return model


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorruptFileError(path, "this file of a saved ridge is missing", _AGAIN) from error
    except ValueError as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", _AGAIN) from error
    if not isinstance(config, dict) or config.get("kind") != _KIND:
        found = config.get("kind") if isinstance(config, dict) else type(config).__name__
        raise FormatError(path, f"expected a {_KIND}, found {found!r}", "Give the folder that RidgeCV.save wrote")
    if config.get("version") != _VERSION:
        raise FormatError(path, f"version {config.get('version')!r}, this release reads {_VERSION}", "Update neurodecode")
    return config


def _read_arrays(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    if not path.is_file() or sha256_file(path) != config["sha256"]["weights.npz"]:
        what = "differs from the checksum in config.json" if path.is_file() else "is missing"
        raise CorruptFileError(path, f"this file of a saved ridge {what}", _AGAIN)
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CorruptFileError(path, f"not readable as arrays ({error})", _AGAIN) from error
