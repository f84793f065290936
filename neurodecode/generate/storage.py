"""A trained generator as a folder: JSON and safetensors, nothing that could run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.generate.compaction import Compaction
from neurodecode.generate.conditions import Embedding
from neurodecode.generate.network import build_network

if TYPE_CHECKING:
    from neurodecode.generate.tiny import TinyDiffusion

KIND = "neurodecode TinyDiffusion"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
_VERSION = 1
_AGAIN = "Save or copy the generator again"
_NET, _EMBEDDING = "network.", "embedding."


def save_tiny(model: TinyDiffusion, folder: Path) -> Path:
    """Write a fitted generator.

    Parameters
    ----------
    model : TinyDiffusion
        A fitted one.
    folder : Path
        Appears whole or not at all.

    Returns
    -------
    Path
        The folder.
    """
    torch = require("torch", "generators", "decode")
    save_file = require("safetensors.torch", "generators", "decode").save_file
    network = {_NET + name: value.detach().cpu().contiguous() for name, value in model.network_.state_dict().items()}
    members = {_EMBEDDING + name: torch.from_numpy(value) for name, value in model.embedding_._asdict().items()}
    with atomic_folder(folder, marker=CONFIG) as partial:
        save_file({**network, **members}, partial / WEIGHTS)
        config = {
            "kind": KIND,
            "version": _VERSION,
            "parameters": {**model.get_params(), "device": "cpu"},
            "compaction": model.compaction_._asdict(),
            "losses": model.losses_,
            "digests": model.digests_,
            "sha256": {WEIGHTS: sha256_file(partial / WEIGHTS)},
        }
        text = json.dumps(jsonable(config), indent=2) + "\n"
        (partial / CONFIG).write_text(text, encoding="utf-8", newline="\n")
    return folder


def load_tiny(folder: Path) -> TinyDiffusion:
    """Read a generator written by `save_tiny`.

    Parameters
    ----------
    folder : Path
        Its folder.

    Returns
    -------
    TinyDiffusion
        Fitted, on the CPU.

    Raises
    ------
    CorruptFileError
        If a file is missing, cut short or altered.
    FormatError
        If the folder holds something else, or a newer version.
    """
    import numpy as np

    from neurodecode.generate.tiny import TinyDiffusion

    config, tensors = read_config(folder / CONFIG), _read_weights(folder)
    try:
        model = TinyDiffusion(**config["parameters"])
        shapes = {name: tuple(config["compaction"][name]) for name in ("shape", "size")}
        model.compaction_ = Compaction(**{**config["compaction"], **shapes})
        model.embedding_ = Embedding(*(tensors[_EMBEDDING + name].numpy() for name in Embedding._fields))
        n_components = len(model.embedding_.scale)
        network = build_network(model.compaction_, model.channels, model.patch, n_components, model.random_state)
        network.load_state_dict({k.removeprefix(_NET): v for k, v in tensors.items() if k.startswith(_NET)})
        model.losses_, model.digests_ = np.asarray(config["losses"], float), list(config["digests"])
    except (KeyError, TypeError, ValueError, RuntimeError, DataError) as error:
        raise CorruptFileError(folder / CONFIG, f"it does not describe {WEIGHTS} ({error!s:.200})", _AGAIN) from error
    model.network_ = network.eval()
    return model


def read_config(path: Path) -> dict[str, Any]:
    """Read what says that a folder holds a `TinyDiffusion`.

    Parameters
    ----------
    path : Path
        Its ``config.json``.

    Returns
    -------
    dict
        Parameters, sizes, hashes.

    Raises
    ------
    CorruptFileError
        If it is missing or no JSON.
    FormatError
        If it describes something else, or a newer version.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorruptFileError(path, "this file of a saved generator is missing", _AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"not readable as JSON ({error})", _AGAIN) from error
    if not isinstance(config, dict) or config.get("kind") != KIND:
        found = config.get("kind") if isinstance(config, dict) else type(config).__name__
        raise FormatError(path, f"expected a {KIND}, found {found!r}", "Give the folder that TinyDiffusion.save wrote")
    if config.get("version") != _VERSION:
        raise FormatError(path, f"version {config.get('version')!r}, this release reads {_VERSION}", "Update neurodecode")
    if not isinstance(config.get("sha256"), dict) or WEIGHTS not in config["sha256"]:
        raise CorruptFileError(path, f"it has no checksum of {WEIGHTS}", _AGAIN)
    return config


def _read_weights(folder: Path) -> dict[str, Any]:
    path, expected = folder / WEIGHTS, read_config(folder / CONFIG)["sha256"][WEIGHTS]
    if not path.is_file() or sha256_file(path) != expected:
        what = "differs from the checksum in config.json" if path.is_file() else "is missing"
        raise CorruptFileError(path, f"this file of a saved generator {what}", _AGAIN)
    safetensors = require("safetensors", "generators", "decode")
    load_file = require("safetensors.torch", "generators", "decode").load_file
    try:
        return dict(load_file(path))
    except (safetensors.SafetensorError, OSError) as error:
        raise CorruptFileError(path, f"not readable as tensors ({error})", _AGAIN) from error
