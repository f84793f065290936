"""Checkpoints: one folder per step with plain weights and JSON, whole or not there; a damaged one gives way to the one before."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neurodecode.data.atomic import atomic_folder, remove_folder, write_text
from neurodecode.data.hashing import sha256_file, sha256_json
from neurodecode.data.validate import require
from neurodecode.errors import CorruptFileError, DataError, FormatError

if TYPE_CHECKING:
    from torch import Tensor

MARKER, LATEST = "state.json", "latest"
_KIND, _VERSION = "neurodecode checkpoint", 1
_NAME = re.compile(r"step-(\d{9})")
_MEMBER = re.compile(r"[a-z_]+")
_REMEDY = "Remove this folder to go on from the checkpoint before it"


class Checkpoint(NamedTuple):
    """What a training was at one step."""

    step: int
    """Steps that were done."""
    path: Path
    """Its folder."""
    tensors: dict[str, dict[str, Tensor]]
    """Tensors by file and name, e.g. ``tensors["model"]["linear.weight"]``, on the CPU."""
    state: dict[str, Any]
    """JSON values: scalars, states of random numbers, place in the data, configuration."""


def save_checkpoint(
    folder: str | Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any] | None = None,
    *,
    keep: int = 2,
    best: int | None = None,
) -> Path:
    """Write a checkpoint that appears whole or not at all, then point to it, then remove old ones.

    Parameters
    ----------
    folder : str or Path
        Folder of all checkpoints of a run.
    step : int
        Steps that were done; a checkpoint of the same step is replaced.
    tensors : mapping of mappings of Tensor
        Each entry, e.g. ``model``, ``ema``, ``optimizer``, becomes a file ``<entry>.safetensors``.
    state : mapping, optional
        JSON values.
    keep : int
        Newest checkpoints that are kept.
    best : int, optional
        Step of a checkpoint that is kept beside them.

    Returns
    -------
    Path
        ``folder/step-<step>``.

    Raises
    ------
    DataError
        If the step is negative, `keep` below 1, or the name of an entry is not made of small letters.
    DiskSpaceError
        If there is no room; the older checkpoints stay.
    """
    wrong = [name for name in tensors if not _MEMBER.fullmatch(name)]
    if wrong or step < 0 or keep < 1:
        raise DataError(
            f"expected entries of small letters, step >= 0 and keep >= 1, got {wrong or list(tensors)}, {step}, {keep}"
        )
    save_file = require("safetensors.torch", "checkpoints", "decode").save_file
    root = Path(folder)
    target = root / f"step-{step:09d}"
    with atomic_folder(target, MARKER) as partial:
        for name, group in tensors.items():  # copies: safetensors refuses weights that share memory
            save_file({key: value.detach().cpu().clone().contiguous() for key, value in group.items()}, _file(partial, name))
        members = {f"{name}.safetensors": sha256_file(_file(partial, name)) for name in tensors}
        header = {"kind": _KIND, "version": _VERSION, "step": step, "sha256": members, "state": dict(state or {})}
        (partial / MARKER).write_text(json.dumps({**header, "seal": sha256_json(header)}) + "\n", encoding="utf-8")
    write_text(root / LATEST, f"{target.name}\n")
    _remove_old(root, keep, {step, best})
    return target


def load_checkpoint(folder: str | Path, step: int | str = "latest") -> Checkpoint:
    """Read a checkpoint, and check every byte of it.

    Parameters
    ----------
    folder : str or Path
        As given to `save_checkpoint`.
    step : int or "latest"
        Which one. If the latest is damaged, a warning says so and the one before is read, and so on.

    Returns
    -------
    Checkpoint
        Tensors and state.

    Raises
    ------
    FormatError
        If there is no such checkpoint.
    CorruptFileError
        If the one of that step, or every one, is damaged.
    """
    root = Path(folder)
    if step != "latest":
        return _read(root / f"step-{_as_step(step):09d}")
    damaged: list[CorruptFileError] = []
    for path in _newest_first(root):
        try:
            found = _read(path)
        except CorruptFileError as error:
            damaged.append(error)
            continue
        for fault in damaged:
            warnings.warn(f"{fault}; going on from step {found.step} instead", stacklevel=2)
        return found
    if damaged:
        raise damaged[0]
    raise FormatError(root, "there is no checkpoint", "Give the folder of a run that wrote one, or start anew without resuming")


def checkpoint_steps(folder: str | Path) -> list[int]:
    """Steps of which there are checkpoints, ascending.

    Parameters
    ----------
    folder : str or Path
        As given to `save_checkpoint`; it need not exist.

    Returns
    -------
    list of int
        Steps, whole or damaged.
    """
    root = Path(folder)
    names = [_NAME.fullmatch(path.name) for path in root.iterdir()] if root.is_dir() else []
    return sorted(int(name[1]) for name in names if name)


def _as_step(step: Any) -> int:
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise DataError(f"step must be a number of steps or 'latest', got {step!r}")
    return step


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def _newest_first(root: Path) -> list[Path]:
    """The one that is pointed to, then the others from the newest."""
    paths = [root / f"step-{step:09d}" for step in reversed(checkpoint_steps(root))]
    pointer = root / LATEST
    name = pointer.read_text(encoding="utf-8", errors="replace").strip() if pointer.is_file() else ""
    return sorted(paths, key=lambda path: path.name != name)


def _read(path: Path) -> Checkpoint:
    """One checkpoint, with every hash compared."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = _read_marker(path)
    tensors = {}
    for member, expected in header["sha256"].items():
        file = path / member
        if not _MEMBER.fullmatch(member.removesuffix(".safetensors")) or not file.is_file() or sha256_file(file) != expected:
            raise CorruptFileError(file, "this file of a checkpoint is missing or differs from its sha256 in state.json", _REMEDY)
        try:
            tensors[file.stem] = load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise CorruptFileError(file, f"not readable as tensors ({error})", _REMEDY) from error
    return Checkpoint(header["step"], path, tensors, header["state"])


def _read_marker(path: Path) -> dict[str, Any]:
    marker = path / MARKER
    if not path.is_dir():
        known = checkpoint_steps(path.parent)
        raise FormatError(path, f"there is no such checkpoint, there are those of the steps {known}", "Choose one of them")
    try:
        header: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        seal = header.pop("seal")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CorruptFileError(marker, f"it is missing or not readable as JSON ({error!r:.120})", _REMEDY) from error
    if seal != sha256_json(header):
        raise CorruptFileError(marker, "its own seal does not match: it was altered", _REMEDY)
    if header.get("kind") != _KIND or header.get("version") != _VERSION:
        raise FormatError(
            marker, f"{header.get('kind')!r} {header.get('version')!r}, expected {_KIND!r} {_VERSION}", "Update neurodecode"
        )
    return header


def _remove_old(root: Path, keep: int, wanted: set[int | None]) -> None:
    """Remove all but the newest and the best."""
    steps = checkpoint_steps(root)
    for step in set(steps[:-keep]) - wanted:
        remove_folder(root / f"step-{step:09d}")
