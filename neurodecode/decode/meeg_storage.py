"""A fitted decoder of M/EEG as a folder: settings as JSON, weights as safetensors, numbers as npz; nothing that could run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.decode.meeg_fit import Cut, Fitted, Spread
from neurodecode.decode.meeg_inputs import Scaling
from neurodecode.decode.meeg_ridge import SubjectRidge
from neurodecode.errors import CorruptFileError, DataError, FormatError

if TYPE_CHECKING:
    from neurodecode.decode.meeg_decoder import MEEGDecoder

_VERSION = 1
_CONFIG = "config.json"
_AGAIN = "Save the decoder again"


def save_meeg_decoder(decoder: MEEGDecoder, folder: Path) -> Path:
    """Write a fitted decoder.

    Parameters
    ----------
    decoder : MEEGDecoder
        A fitted one.
    folder : Path
        Appears whole or not at all; an older decoder of that name is replaced.

    Returns
    -------
    Path
        The folder.
    """
    with atomic_folder(folder, marker=_CONFIG) as partial:
        members = {name: _save_member(fitted, partial, name) for name, fitted in decoder.members_.items()}
        own = callable(decoder.network)
        config = {
            "kind": _kind(type(decoder)),
            "version": _VERSION,
            "parameters": {**decoder.get_params(), **({"network": None} if own else {})},
            "own_network": f"{decoder.network!r:.200}" if own else None,
            "subjects": decoder.subjects_,
            "montage": decoder.montage_,
            "times": decoder.times_,
            "seen": {side: {c: sorted(values) for c, values in seen.items()} for side, seen in decoder.seen_.items()},
            "selected_on": decoder.selected_on_,
            "members": members,
            "sha256": {path.name: sha256_file(path) for path in sorted(partial.iterdir())},
        }
        (partial / _CONFIG).write_text(json.dumps(jsonable(config), indent=2) + "\n", encoding="utf-8", newline="\n")
    return folder


def load_meeg_decoder(kind: type, folder: Path, network: Any) -> Any:
    """Read a decoder written by `save_meeg_decoder`.

    Parameters
    ----------
    kind : type
        Class of the decoder.
    folder : Path
        Its folder.
    network : callable or None
        What makes the network, where it was fitted with one of the user's own.

    Returns
    -------
    MEEGDecoder
        Fitted.

    Raises
    ------
    CorruptFileError
        If a file is missing, cut short or altered.
    FormatError
        If the folder holds something else, or a newer version.
    DataError
        If a network of the user's own is needed and not given.
    """
    config = _read_config(folder / _CONFIG, kind)
    if config["own_network"] is not None and network is None:
        raise DataError(f"{folder} was fitted with {config['own_network']}: pass it as network, code is not stored")
    for name, expected in config["sha256"].items():
        _check_file(folder / name, expected)
    parameters = dict(config["parameters"])
    parameters |= {"network": network} if config["own_network"] is not None else {}
    parameters |= {"baseline_lags": tuple(parameters["baseline_lags"])} if "baseline_lags" in parameters else {}
    decoder = kind(**parameters)
    decoder.subjects_, decoder.montage_ = list(config["subjects"]), config["montage"]
    decoder.times_, decoder.selected_on_ = np.asarray(config["times"], float), config["selected_on"]
    decoder.seen_ = {side: {c: set(values) for c, values in seen.items()} for side, seen in config["seen"].items()}
    decoder.members_ = {name: _load_member(decoder, folder, name, told) for name, told in config["members"].items()}
    return decoder


def _kind(decoder: type) -> str:
    return f"neurodecode {decoder.__name__}"


def _save_member(fitted: Fitted, folder: Path, name: str) -> dict[str, Any]:
    """Write the files of one target, and give the rest as JSON values."""
    if fitted.network is not None:
        from safetensors.torch import save_file

        weights = {key: value.detach().cpu().clone().contiguous() for key, value in fitted.network.state_dict().items()}
        save_file(weights, folder / f"{name}.safetensors")
    arrays: dict[str, NDArray[Any]] = {"scaling.mean": fitted.scaling.mean, "scaling.scale": fitted.scaling.scale}
    ridge = fitted.baseline
    if ridge is not None:
        arrays |= {"ridge.coef": ridge.coef, "ridge.intercept": ridge.intercept}
        arrays |= {"ridge.lags": ridge.lags} if ridge.lags is not None else {}
    for source, spread in (fitted.spread or {}).items():
        arrays |= {f"{source}.mean": spread.predicted.mean, f"{source}.scale": spread.predicted.scale}
        arrays |= {f"{source}.uncertainty": spread.uncertainty}
    np.savez(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    training = fitted.training
    return {
        "network": fitted.network is not None,
        "shape": fitted.shape,
        "cut": fitted.cut,
        "sizes": fitted.sizes,
        "extras": fitted.extras,
        "ridge_subjects": None if ridge is None else ridge.subjects,
        "spread": None if fitted.spread is None else list(fitted.spread),
        "training": None if training is None else {k: v for k, v in vars(training).items() if k != "curve"},
        "curve": None if training is None else training.curve.to_dict("list"),
    }


def _load_member(decoder: Any, folder: Path, name: str, told: Mapping[str, Any]) -> Fitted:
    arrays = _read_arrays(folder / f"{name}.npz")
    fitted = Fitted(None, _scaling(arrays, "scaling"), tuple(told["shape"]), Cut(*told["cut"]), dict(told["sizes"]))
    fitted.extras, fitted.training = dict(told["extras"]), _training(told)
    if told["ridge_subjects"] is not None:
        fitted.baseline = SubjectRidge(
            told["ridge_subjects"], arrays["ridge.coef"], arrays["ridge.intercept"], arrays.get("ridge.lags")
        )
    if told["spread"] is not None:
        fitted.spread = {s: Spread(_scaling(arrays, s), arrays[f"{s}.uncertainty"]) for s in told["spread"]}
    if told["network"]:
        fitted.network = _load_network(decoder, fitted, folder / f"{name}.safetensors")
    return fitted


def _load_network(decoder: Any, fitted: Fitted, path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = decoder._build(fitted)
    try:
        network.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError, OSError) as error:
        raise CorruptFileError(path, f"it does not fit its {_CONFIG} ({' '.join(str(error).split())[:200]})", _AGAIN) from error
    return network.eval()


def _training(told: Mapping[str, Any]) -> Any:
    if told["training"] is None:
        return None
    import pandas as pd

    from neurodecode.train.trainer import TrainingResult

    return TrainingResult(curve=pd.DataFrame(told["curve"]), **told["training"])


def _scaling(arrays: Mapping[str, NDArray[Any]], name: str) -> Scaling:
    return Scaling(arrays[f"{name}.mean"], arrays[f"{name}.scale"])


def _read_config(path: Path, kind: type) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorruptFileError(path, "this file of a saved decoder is missing", _AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", _AGAIN) from error
    if not isinstance(config, dict) or config.get("kind") != _kind(kind):
        found = config.get("kind") if isinstance(config, dict) else type(config).__name__
        raise FormatError(path, f"expected a {_kind(kind)}, found {found!r}", f"Give the folder that {kind.__name__}.save wrote")
    if config.get("version") != _VERSION:
        raise FormatError(path, f"version {config.get('version')!r}, this release reads {_VERSION}", "Update neurodecode")
    return config


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file() or sha256_file(path) != expected:
        what = f"differs from the checksum in {_CONFIG}" if path.is_file() else "is missing"
        raise CorruptFileError(path, f"this file of a saved decoder {what}", _AGAIN)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CorruptFileError(path, f"not readable as arrays ({error})", _AGAIN) from error
