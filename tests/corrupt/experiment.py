"""The damage experiment: copies of a case are damaged, read in another process, and what comes out is counted."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from corrupt.cases import CASES
from corrupt.injectors import damage
from corrupt.worker import Worker


class Row(NamedTuple):
    """One damaged copy and what came of it."""

    seed: int
    """What `damage` was given."""
    what: str
    """How it was damaged."""
    outcome: str
    """error, same, noted, silent, unnamed, foreign, hang or crash."""
    text: str
    """The message, if any."""


def experiment(case: str, kind: str, seeds: range, data: Path | None, folder: Path, worker: Worker, known: str = "") -> list[Row]:
    """Damage a case once per seed and read it; `known` writes down its sha256 before, in a sidecar or a lock."""
    item = CASES[case]
    whole = folder / "whole"
    whole.mkdir(parents=True)
    main = item.place(data, whole)
    if known:
        _write_down(whole, item.target, known)
    expected = worker.read(case, main, _size(whole))
    assert expected.kind == "data", f"{case} cannot be read before it is damaged: {expected.text}"
    rows = []
    for seed in seeds:
        copy = folder / f"{kind}{seed}"
        shutil.copytree(whole, copy)
        what = damage(copy / item.target, kind, seed, item.header)
        found = worker.read(case, copy / item.main, _size(whole))
        outcome = found.kind
        if outcome == "data":
            noted = set(found.notes) - set(expected.notes)
            outcome = "same" if found.text == expected.text else "noted" if noted else "silent"
        rows.append(Row(seed, what, outcome, found.text))
        shutil.rmtree(copy)
    shutil.rmtree(whole)
    return rows


def _write_down(root: Path, target: str, known: str) -> None:
    """Write the sha256 of a file where readers look for it."""
    content = (root / target).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if known == "sidecar":
        (root / f"{target}.sha256").write_text(f"{digest}  {Path(target).name}\n", encoding="utf-8")
    else:
        (root / "set.lock.tsv").write_text(f"path\tbytes\tsha256\n{target}\t{len(content)}\t{digest}\n", encoding="utf-8")


def counts(rows: list[Row]) -> dict[str, int]:
    """How often each outcome came."""
    return dict(Counter(row.outcome for row in rows))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
