"""A fitted decoder as a folder: parameters as JSON, numbers as npz; nothing that could run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.errors import CorruptFileError, FormatError

if TYPE_CHECKING:
    from neurodecode.decode.linear import LinearDecoder

_KIND = "neurodecode LinearDecoder"
_VERSION = 1
_ARRAYS = ("coef_", "intercept_", "patterns_")


def save_decoder(decoder: LinearDecoder, folder: Path) -> Path:
    """Write a fitted decoder.

    Parameters
    ----------
    decoder : LinearDecoder
        A fitted one.
    folder : Path
        Appears whole or not at all; an older decoder of that name is replaced.

    Returns
    -------
    Path
        The folder, with ``config.json`` and ``weights.npz``.
    """
    with atomic_folder(folder, marker="config.json") as partial:
        np.savez(partial / "weights.npz", **{name.rstrip("_"): getattr(decoder, name) for name in _ARRAYS})
        config = {
            "kind": _KIND,
            "version": _VERSION,
            "parameters": decoder.get_params(),
            "fitted": {name: getattr(decoder, name) for name in ("classes_", "unit_names_", "alpha_")},
            "sha256": {"weights.npz": sha256_file(partial / "weights.npz")},
        }
        text = json.dumps(jsonable(config), indent=2) + "\n"
        (partial / "config.json").write_text(text, encoding="utf-8", newline="\n")
    return folder


def load_decoder(folder: Path) -> LinearDecoder:
    """Read a decoder written by `save_decoder`.

    Parameters
    ----------
    folder : Path
        Its folder.

    Returns
    -------
    LinearDecoder
        Fitted.

    Raises
    ------
    CorruptFileError
        If a file is missing, cut short or altered.
    FormatError
        If the folder holds something else, or a newer version.
    """
    from neurodecode.decode.linear import LinearDecoder

    config = _read_config(folder / "config.json")
    parameters = config["parameters"]
    decoder = LinearDecoder(**{**parameters, "alphas": tuple(parameters["alphas"])})
    for name, value in {**config["fitted"], **_read_arrays(folder / "weights.npz", config)}.items():
        setattr(decoder, name, value)
    return decoder


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorruptFileError(path, "this file of a saved decoder is missing", "Save the decoder again") from error
    except ValueError as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", "Save the decoder again") from error
    if not isinstance(config, dict) or config.get("kind") != _KIND:
        found = config.get("kind") if isinstance(config, dict) else type(config).__name__
        raise FormatError(path, f"expected a {_KIND}, found {found!r}", "Give the folder that LinearDecoder.save wrote")
    if config.get("version") != _VERSION:
        raise FormatError(path, f"version {config.get('version')!r}, this release reads {_VERSION}", "Update neurodecode")
    return config


def _read_arrays(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    expected = config["sha256"]["weights.npz"]
    if not path.is_file() or sha256_file(path) != expected:
        what = "differs from the checksum in config.json" if path.is_file() else "is missing"
        raise CorruptFileError(path, f"this file of a saved decoder {what}", "Save the decoder again")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name.rstrip("_")] for name in _ARRAYS}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CorruptFileError(path, f"not readable as arrays ({error})", "Save the decoder again") from error
