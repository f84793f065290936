"""What names and sidecars tell about fMRI files: identity, space, timing fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodecode.data.hashing import sha256_file
from neurodecode.errors import CorruptFileError
from neurodecode.io.bids_names import parse_name
from neurodecode.io.checksums import check_known
from neurodecode.io.guard import AGAIN, reading


def space_name(path: str | Path) -> str:
    """Space that a file name states, or ``native``."""
    name = parse_name(Path(path).name)
    return name.entities.get("space", "native") if name else "native"


def sidecar_beside(path: str | Path) -> dict[str, Any]:
    """Fields of the JSON file of the same name in the same folder; empty where there is none."""
    file = Path(path)
    beside = file.parent / (file.name.split(".")[0] + ".json")
    return read_json(beside) if beside.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that must hold named fields."""
    with reading(path, "it is not valid JSON", "Correct it, for instance with a JSON checker"):
        fields = json.loads(check_known(path).read_text(encoding="utf-8-sig"))
    if not isinstance(fields, dict):
        raise CorruptFileError(path, f"named fields were expected, got {type(fields).__name__}", AGAIN)
    return fields


def bold_meta(paths: Sequence[str | Path], space: Mapping[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """Entries of `Recording.meta` that the files alone determine."""
    name = parse_name(Path(paths[0]).name)
    entities = name.entities if name else {}
    sources = [{"file": Path(path).name, "sha256": sha256_file(path)} for path in paths]
    keys = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}
    identity = {long: entities[short] for long, short in keys.items() if short in entities}
    meta = {**identity, "modality": "bold", "preprocessed": "desc" in entities, "space": dict(space), "sources": sources}
    return {**meta, "notes": list(notes)} if notes else meta
