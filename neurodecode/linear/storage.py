"""A fitted ridge as a folder: parameters as JSON, numbers as npz; nothing that could run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.data.splits import Split
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.linear.delays import Delayer

if TYPE_CHECKING:
    from neurodecode.linear.banded import BandedRidgeCV
    from neurodecode.linear.ridge import RidgeCV
    from neurodecode.linear.trf import TRF

_Model = TypeVar("_Model", "RidgeCV", "BandedRidgeCV", "TRF")
_VERSION = 1
_SHARED = ("coef_", "intercept_", "alpha_", "alphas_", "cv_scores_")
_MEMBERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # arrays, and what JSON can hold
    "RidgeCV": (_SHARED, ("form_", "precision_")),
    "BandedRidgeCV": ((*_SHARED, "gamma_", "candidates_", "surface_"), ("form_", "widths_")),
    "TRF": ((*_SHARED, "times_"), ()),
}
_AGAIN = "Save the model again"


def save_ridge(model: RidgeCV | BandedRidgeCV | TRF, folder: Path) -> Path:
    """Write a fitted ridge.

    Parameters
    ----------
    model : RidgeCV, BandedRidgeCV or TRF
        A fitted one. Folds of your own are kept as rows, not as the splitter that made them.
    folder : Path
        Appears whole or not at all; an older model of that name is replaced.

    Returns
    -------
    Path
        The folder, with ``config.json`` and ``weights.npz``.
    """
    arrays, fitted = _MEMBERS[type(model).__name__]
    own_folds = model.cv is not None and not isinstance(model.cv, (int, np.integer))
    folds: dict[str, Any] = {
        f"{side}{k}": rows for k, fold in enumerate(model.folds_) for side, rows in zip(("train", "test"), fold, strict=False)
    }
    held: dict[str, Any] = {name.rstrip("_"): getattr(model, name) for name in arrays if hasattr(model, name)}
    with atomic_folder(folder, marker="config.json") as partial:
        np.savez(partial / "weights.npz", **folds, **held)
        config = {
            "kind": f"neurodecode {type(model).__name__}",
            "version": _VERSION,
            "parameters": {**_as_json(model.get_params()), "cv": None if own_folds else model.cv},
            "own_folds": own_folds,
            "folds": [fold.name for fold in model.folds_],
            "fitted": {name: getattr(model, name) for name in fitted},
            "sha256": {"weights.npz": sha256_file(partial / "weights.npz")},
        }
        text = json.dumps(jsonable(config), indent=2) + "\n"
        (partial / "config.json").write_text(text, encoding="utf-8", newline="\n")
    return folder


def load_ridge(folder: Path) -> RidgeCV:
    """Read a `RidgeCV` written by `save_ridge`.

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

    return load_model(folder, RidgeCV)


def load_model(folder: Path, kind: type[_Model]) -> _Model:
    """Read a model written by `save_ridge`.

    Parameters
    ----------
    folder : Path
        Its folder.
    kind : type
        ``RidgeCV``, ``BandedRidgeCV`` or ``TRF``.

    Returns
    -------
    RidgeCV, BandedRidgeCV or TRF
        Fitted.

    Raises
    ------
    CorruptFileError
        If a file is missing, cut short or altered.
    FormatError
        If the folder holds something else, or a newer version.
    """
    config = _read_config(folder / "config.json", kind.__name__)
    arrays = _read_arrays(folder / "weights.npz", config)
    folds = [Split(arrays[f"train{k}"], arrays[f"test{k}"], name) for k, name in enumerate(config["folds"])]
    parameters = _from_json(config["parameters"])
    model = kind(**{**parameters, "cv": folds if config["own_folds"] else parameters["cv"]})
    held = {name: arrays[name.rstrip("_")] for name in _MEMBERS[kind.__name__][0] if name.rstrip("_") in arrays}
    for name, value in {**held, **config["fitted"], "folds_": folds}.items():
        setattr(model, name, value)
    return model


def _as_json(value: Any) -> Any:
    """Parameters as JSON values; a generator of random numbers has no state worth keeping after the fit."""
    if isinstance(value, dict):
        return {key: _as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(part) for part in value]
    if isinstance(value, Delayer):
        return {"delays": value.delays, "sfreq": value.sfreq}
    return None if isinstance(value, np.random.Generator) else value


def _from_json(parameters: dict[str, Any]) -> dict[str, Any]:
    """The same the other way round."""
    if "delays" not in parameters:
        return parameters
    given = parameters["delays"]
    parts = [None if part is None else Delayer(**part) for part in (given if isinstance(given, list) else [given])]
    return {**parameters, "delays": parts if isinstance(given, list) else parts[0]}


def _read_config(path: Path, kind: str) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorruptFileError(path, "this file of a saved ridge is missing", _AGAIN) from error
    except ValueError as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", _AGAIN) from error
    if not isinstance(config, dict) or config.get("kind") != f"neurodecode {kind}":
        found = config.get("kind") if isinstance(config, dict) else type(config).__name__
        raise FormatError(path, f"expected a neurodecode {kind}, found {found!r}", f"Give the folder that {kind}.save wrote")
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
