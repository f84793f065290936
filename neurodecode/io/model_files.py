"""Where the files of a pretrained model lie, whether they are whole, and what identifies them."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from neurodecode.data.describe import memory
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, DiskSpaceError, FormatError

log = logging.getLogger(__name__)

_NEEDED = ("*.json", "*.txt", "*.model", "*.safetensors")  # never a file that can hold code
_PICKLES = (".bin", ".pt", ".ckpt", ".h5", ".msgpack")
_LIBRARIES = ("diffusers", "transformers")
PIPELINE = "model_index.json"  # what a folder of diffusers has in place of config.json
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_AGAIN = "Copy or download the model again"


class ModelFiles(NamedTuple):
    """Files of one model on this machine."""

    name: str
    """Hub id, or name of the local folder."""
    revision: str | None
    """Commit of the hub; None for a local folder."""
    folder: Path
    """Where the files are."""


def find_model(model: str | Path, *, revision: str | None = None, download: bool = False) -> ModelFiles:
    """Find a model in a folder or in the hub's cache on this machine, and check that its files are whole.

    Parameters
    ----------
    model : str or Path
        A folder with ``config.json`` (transformers) or ``model_index.json`` (diffusers) and safetensors weights, or an id of the
        Hugging Face hub such as ``openai-community/gpt2``.
    revision : str, optional
        Branch, tag or commit of a hub id.
    download : bool
        Fetch what the cache lacks. Nothing is ever fetched without it; ``HF_HUB_OFFLINE`` forbids it even then.

    Returns
    -------
    ModelFiles
        Name, commit and folder.

    Raises
    ------
    FormatError
        If there is no such folder, the model is not on this machine, or has no safetensors weights; the message says what to
        run.
    CorruptFileError
        If a file is missing or damaged.
    DiskSpaceError
        If a download does not fit on the disk.
    """
    folder = Path(model)
    if not folder.is_dir():
        return _from_hub(str(model), revision, download)
    check_whole(folder)
    return ModelFiles(folder.resolve().name, None, folder)


def _from_hub(name: str, revision: str | None, download: bool) -> ModelFiles:
    """Look a hub id up in the cache, or fetch it where that was asked for."""
    if not _HUB_ID.fullmatch(name):
        raise FormatError(name, "there is no such folder, and it is no id of the hub (owner/name)", "Check the path of the model")
    hub = require("huggingface_hub", "models of the hub", "decode")
    if download:
        _announce(hub, name, revision)
    try:
        found = hub.snapshot_download(name, revision=revision, local_files_only=not download, allow_patterns=list(_NEEDED))
    except _failures(hub) as error:
        raise FormatError(name, _absence(error, download), _remedy(name, revision)) from error
    folder = Path(found)
    check_whole(folder)
    return ModelFiles(name, folder.name if _COMMIT.fullmatch(folder.name) else revision, folder)


def _failures(hub: Any) -> tuple[type[Exception], ...]:
    """What a call of the hub may raise: its own errors, and those of the client that it speaks HTTP with."""
    client = sys.modules[type(hub.utils.get_session()).__module__.partition(".")[0]]
    return OSError, ValueError, getattr(client, "HTTPError", OSError)


def _absence(error: Exception, download: bool) -> str:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    what = "it cannot be downloaded" if download else "it is neither a folder nor in the cache of models on this machine"
    return f"{what} ({first:.200})"


def _remedy(name: str, revision: str | None) -> str:
    of = f" --revision {revision}" if revision else ""
    return (
        f"Give the folder of a model; or run `hf download {name}{of} --dry-run` to see how large it is and the same without "
        "--dry-run to fetch it; or pass download=True"
    )


def _announce(hub: Any, name: str, revision: str | None) -> None:
    """Say how much will be fetched, and refuse what does not fit or has no safe weights."""
    try:
        siblings = hub.HfApi().model_info(name, revision=revision, files_metadata=True).siblings or []
    except _failures(hub) as error:
        raise FormatError(name, _absence(error, True), _remedy(name, revision)) from error
    wanted = [s for s in siblings if any(Path(s.rfilename).match(pattern) for pattern in _NEEDED)]
    if not any(s.rfilename.endswith(".safetensors") for s in wanted):
        raise FormatError(name, f"none of its {len(siblings)} files is safetensors", _CONVERT)
    size = sum(s.size or 0 for s in wanted)
    cache = Path(hub.constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(p for p in [cache, *cache.parents] if p.exists())).free
    if size > free:
        raise DiskSpaceError(f"{name} needs {memory(size)} in {cache}, {memory(free)} are free. Set HF_HOME to a larger disk")
    log.info("fetching %s: %s in %d files", name, memory(size), len(wanted))


_CONVERT = (
    "Other weights are pickles and can run code: open it where it is trusted and write it again with save_pretrained(), which "
    "writes safetensors"
)


def check_whole(folder: Path) -> None:
    """Check that a folder holds a readable configuration and complete safetensors weights.

    Parameters
    ----------
    folder : Path
        Folder of a model of transformers or of a pipeline of diffusers, whose parts are checked one by one.

    Raises
    ------
    FormatError
        If there is no configuration, or no safetensors weights.
    CorruptFileError
        If a file is missing, cut or altered so that it cannot be read.
    """
    if (folder / PIPELINE).is_file():
        _check_pipeline(folder)
        return
    if not (folder / "config.json").is_file():
        raise FormatError(
            folder, "there is no config.json, so this is no folder of a model", "Give a folder of save_pretrained()"
        )
    for path in sorted(folder.glob("*.json")):
        _read_json(path)
    for path in weight_files(folder):
        _check_weights(path)


def _check_pipeline(folder: Path) -> None:
    """Check the parts that the index of a pipeline names: known libraries only, and whole weights."""
    index = _read_json(folder / PIPELINE)
    if not isinstance(index, dict) or not isinstance(index.get("_class_name"), str):
        raise FormatError(folder / PIPELINE, "it names no class of diffusers", "Give a folder of save_pretrained()")
    parts = {name: value for name, value in index.items() if isinstance(value, list) and any(value)}
    for name, (library, *_) in parts.items():
        if library not in _LIBRARIES:
            raise FormatError(folder / PIPELINE, f"its part {name!r} is code of its own ({library!r})", "Such code is never run")
        if not (folder / name).is_dir():
            raise CorruptFileError(folder, f"its part {name!r} is missing", _AGAIN)
        for path in sorted((folder / name).glob("*.json")):
            _read_json(path)
        pickles = [path.name for path in (folder / name).iterdir() if path.suffix in _PICKLES]
        weights = sorted((folder / name).glob("*.safetensors"))
        if pickles and not weights:
            raise FormatError(folder / name, f"there is no safetensors, only {pickles}", _CONVERT)
        for path in weights:
            _check_weights(path)


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files that hold a model's weights.

    Parameters
    ----------
    folder : Path
        Folder of a model.

    Returns
    -------
    list of Path
        One file, or the shards that the index names.

    Raises
    ------
    FormatError
        If there are none.
    CorruptFileError
        If a shard is missing.
    """
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if not index.is_file():
        there = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
        raise FormatError(folder, f"there is no model.safetensors{f', only {there}' if there else ''}", _CONVERT)
    table = _read_json(index)
    names = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(names, dict) or not all(isinstance(n, str) and Path(n).name == n for n in names.values()):
        raise CorruptFileError(index, "its weight_map does not name files of this folder", _AGAIN)
    shards = [folder / name for name in sorted(set(names.values()))]
    missing = [p.name for p in shards if not p.is_file()]
    if missing:
        raise CorruptFileError(folder, f"{len(missing)} of {len(shards)} files of weights are missing, e.g. {missing[0]}", _AGAIN)
    return shards


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptFileError(path, f"it is not readable JSON ({error})", _AGAIN) from error


def _check_weights(path: Path) -> None:
    """Compare the header of a safetensors file with its size."""
    safetensors = require("safetensors", "weights of models", "decode")
    try:
        with safetensors.safe_open(path, framework="numpy"):
            pass
    except (safetensors.SafetensorError, OSError) as error:
        raise CorruptFileError(path, f"it is no whole safetensors file ({error})", _AGAIN) from error


def identity(files: ModelFiles) -> dict[str, Any]:
    """Identify a model by its name, its commit and the content of its files.

    Parameters
    ----------
    files : ModelFiles
        A model on this machine.

    Returns
    -------
    dict
        ``id, revision`` and ``files``: the sha256 of configuration, preprocessing, vocabulary and weights by name. Of files in
        the hub's cache that are named by their sha256, that name is taken; others are read once per process.
    """
    named = sorted(p for pattern in _NEEDED for p in files.folder.glob(pattern) if not p.name.lower().startswith("readme"))
    return {"id": files.name, "revision": files.revision, "files": {p.name: _content(p) for p in named}}


def _content(path: Path) -> str:
    blob = path.resolve().name
    return blob if path.is_symlink() and _SHA256.fullmatch(blob) else sha256_file(path)
