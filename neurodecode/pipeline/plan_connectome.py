"""Units of work of the pipeline of dynamic connectomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.pipeline.config_connectome import Connectome
from neurodecode.pipeline.connectome import CONNECTOME, LOOK_AT_TRACES
from neurodecode.pipeline.step import Item

if TYPE_CHECKING:
    from neurodecode.pipeline.planning import Unit


def trace_items(config: Connectome, units: Sequence[Unit], out: Path) -> list[Item]:
    """The item that looks at the traces."""
    return [_item(config, unit, unit.name, LOOK_AT_TRACES, {"source": unit.source}, out / unit.output) for unit in units]


def connectome_items(config: Connectome, units: Sequence[Unit], out: Path) -> list[Item]:
    """The item that analyses all samples together."""
    more = {"analysis": config.analysis.model_dump(mode="json"), "seed": config.compute.seed, "title": config.title}
    folder = "{}_desc-decoded"
    return [_item(config, u, f"{u.name} analyse", CONNECTOME, more, out / folder.format(u.name)) for u in units]


def _item(config: Connectome, unit: Unit, name: str, step: Any, more: dict[str, Any], output: Path) -> Item:
    told = {"input": config.input.model_dump(mode="json"), **more}
    return Item(name, step, unit.inputs, told, str(output), {"root": unit.root})
