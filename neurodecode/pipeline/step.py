"""One step on one unit: idempotent, atomic, and able to say why it ran or was skipped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from neurodecode.data.atomic import write_text
from neurodecode.data.cache import cached
from neurodecode.data.hashing import jsonable, sha256_file, sha256_json
from neurodecode.errors import NeurodecodeError
from neurodecode.pipeline.execute import State
from neurodecode.pipeline.versions import versions

PROVENANCE = "provenance.json"
_UNCHANGED = "outputs are there and verified, inputs and settings unchanged"


class Step(NamedTuple):
    """What is done, and the number that grows when it is done differently."""

    name: str
    """Name of the step."""
    version: int
    """Part of the key: raise it when the same settings and inputs give another output."""
    run: Callable[[Mapping[str, Any], Path], Any]
    """``run(parameters, folder)`` writes its outputs into `folder`."""


@dataclass(frozen=True)
class Item:
    """A step on one unit (a run, or a subject): small and picklable, so that it travels to any worker."""

    name: str
    step: Step
    inputs: dict[str, str]  # name in the provenance -> file
    parameters: dict[str, Any]
    output: str
    unkeyed: dict[str, Any] = field(default_factory=dict)  # where things are and how many jobs: no part of the key


def run_item(item: Item) -> tuple[State, str]:
    """Run a step unless its outputs are there, whole, and made from the same inputs and settings.

    Several processes may run the same item at once: one of them computes it, the others wait and skip it.

    Parameters
    ----------
    item : Item
        The step and its unit.

    Returns
    -------
    state : {"done", "skipped"}
        Whether it was computed.
    reason : str
        Why it ran, or why it was skipped.
    """
    recipe = _recipe(item)

    def compute(folder: Path) -> None:
        start = time.perf_counter()
        with threadpool_limits(1):
            item.step.run({**item.parameters, **item.unkeyed}, folder)
        write_provenance(folder, recipe, time.perf_counter() - start)

    reason = cached(item.output, lambda output: why_run(output, recipe), compute, PROVENANCE)
    if reason is None:
        return "skipped", _UNCHANGED
    return "done", reason


def check_item(item: Item) -> tuple[State, str]:
    """Accept a step whose outputs are there, whole, and made from the same inputs and settings, and compute nothing.

    Parameters
    ----------
    item : Item
        The step and its unit.

    Returns
    -------
    state : {"skipped"}
        It is not computed.
    reason : str
        That it is there.

    Raises
    ------
    NeurodecodeError
        If it would have to run, and why.
    """
    reason = why_run_item(item)
    if reason is not None:
        raise NeurodecodeError(f"not finished ({reason}): run the participant level first")
    return "skipped", _UNCHANGED


def why_run_item(item: Item) -> str | None:
    """The reason for which an item has to run, or None if its outputs can stay."""
    return why_run(Path(item.output), _recipe(item))


def _recipe(item: Item) -> dict[str, Any]:
    hashes = {name: sha256_file(path) for name, path in item.inputs.items()}
    return {"step": item.step.name, "version": item.step.version, "parameters": jsonable(item.parameters), "inputs": hashes}


def why_run(output: Path, recipe: Mapping[str, Any]) -> str | None:
    """The reason for which a step has to run, or None if its outputs can stay."""
    if not (output / PROVENANCE).is_file():
        return "no output yet"
    try:
        old = read_provenance(output)
        damaged = damaged_outputs(output, old)
        if damaged:
            return f"output {damaged[0]} was damaged or removed"
        if old["key"] == sha256_json(recipe):
            return None
        return _what_changed(old["recipe"], recipe)
    except (NeurodecodeError, KeyError, TypeError, AttributeError):
        return "its provenance is not readable"


def _what_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if old["version"] != new["version"]:
        return f"the step is now version {new['version']}"
    if old["parameters"] != new["parameters"]:
        return f"settings changed: {', '.join(_different(old['parameters'], new['parameters']))}"
    return f"inputs changed: {', '.join(_different(old['inputs'], new['inputs']))}"


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k))


def write_provenance(folder: Path, recipe: Mapping[str, Any], seconds: float, files: Sequence[Path] | None = None) -> None:
    """Write what the outputs in `folder` (by default all its files) were made from; the only file that holds run times."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()] if files is None else files
    outputs = {p.relative_to(folder).as_posix(): sha256_file(p) for p in files}
    entry = {
        "key": sha256_json(recipe),
        "recipe": recipe,
        "outputs": outputs,
        "versions": versions(),
        "seconds": round(seconds, 3),
    }
    write_text(folder / PROVENANCE, json.dumps(entry, indent=1, sort_keys=True) + "\n")


def read_provenance(folder: Path) -> dict[str, Any]:
    """Read the provenance of a finished step."""
    path = folder / PROVENANCE
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise NeurodecodeError(f"{path} is not readable ({error}); run the pipeline again") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("outputs"), dict):
        raise NeurodecodeError(f"{path} was not written by neurodecode; run the pipeline again")
    return entry


def damaged_outputs(folder: Path, provenance: Mapping[str, Any]) -> list[str]:
    """Outputs that are missing or whose sha256 differs from the recorded one."""
    wrong = []
    for name, expected in provenance["outputs"].items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != expected:
            wrong.append(name)
    return wrong
