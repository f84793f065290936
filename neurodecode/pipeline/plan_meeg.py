"""Units of work of the pipelines that find speech and images in M/EEG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.data.hashing import sha256_file
from neurodecode.pipeline.config_meeg import MEEGImages, Retrieving
from neurodecode.pipeline.meeg_retrieve import FIND_IMAGES, FIND_SPEECH
from neurodecode.pipeline.meeg_windows import LOOK_AT_WINDOWS, members_of
from neurodecode.pipeline.step import Item

if TYPE_CHECKING:
    from neurodecode.pipeline.planning import Unit

_BLOCKS = {"decoder", "retrieval"}


def window_items(units: Sequence[Unit], out: Path) -> list[Item]:
    """The item that looks at a folder of windows."""
    return [
        Item(
            name=unit.name,
            step=LOOK_AT_WINDOWS,
            inputs=unit.inputs,
            parameters={"source": unit.source},
            output=str(out / unit.output),
            unkeyed={"path": unit.root},
        )
        for unit in units
    ]


def window_inputs(root: Path) -> dict[str, str]:
    """Files that identify the windows of a folder."""
    return members_of(root)


def retrieve_items(config: Retrieving, units: Sequence[Unit], out: Path) -> list[Item]:
    """The item that trains and looks up: one for all subjects, who share a network.

    Parameters
    ----------
    config : MEEGSpeech or MEEGImages
        Configuration.
    units : sequence of Unit
        The folder of windows.
    out : Path
        Output folder.

    Returns
    -------
    list of Item
        One.
    """
    (unit,) = units
    images = isinstance(config, MEEGImages)
    blocks = _BLOCKS | ({"zero_shot", "course", "pictures"} if images else set())
    common: dict[str, Any] = {"seed": config.compute.seed, "title": config.title, "source": unit.source}
    hashes = {name: sha256_file(path) for name, path in unit.inputs.items()}
    return [
        Item(
            name=f"{unit.name} decode",
            step=FIND_IMAGES if isinstance(config, MEEGImages) else FIND_SPEECH,
            inputs=unit.inputs,
            parameters={**config.model_dump(mode="json", include=blocks), **common},
            output=str(out / f"{unit.name}_desc-decoded"),
            unkeyed={
                "path": unit.root,
                "device": config.compute.device,
                "training": str(out / "training"),
                "inputs_key": hashes,
            },
        )
    ]
