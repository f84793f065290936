"""Units of work of the pipelines that compare models with a brain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.errors import ConfigError
from neurodecode.io.bids_tables import read_events
from neurodecode.io.guard import existing_file
from neurodecode.io.stimuli import stimulus_path
from neurodecode.pipeline.compare import COMPARE, stimulus_names
from neurodecode.pipeline.config import Comparing, ModelToBrain, ModelToEpochs, ModelToRdms
from neurodecode.pipeline.epochs_file import COMPARE_EPOCHS, PREPARE_EPOCHS
from neurodecode.pipeline.networks import network_files
from neurodecode.pipeline.rdm_file import COMPARE_RDMS, LOOK_AT_RDMS
from neurodecode.pipeline.step import Item

if TYPE_CHECKING:
    from neurodecode.pipeline.planning import Unit

FEATURES = "features"  # folder of embeddings in the output, shared by all subjects
_ARRAYS = ("measured", "images", "model_rdms", "model_names")


def checked_file(config: ModelToRdms | ModelToEpochs, root: Path) -> Path:
    """The one file that a pipeline reads.

    Parameters
    ----------
    config : ModelToRdms or ModelToEpochs
        Configuration.
    root : Path
        Folder of the data.

    Returns
    -------
    Path
        An existing file in that folder.

    Raises
    ------
    ConfigError
        If its name leads elsewhere.
    FormatError
        If it is not there.
    """
    name = config.input.file
    if Path(name).name != name:
        raise ConfigError(f"input.file: expected the name of a file in the data folder, got {name!r}")
    return existing_file(root / name)


def file_items(config: ModelToRdms | ModelToEpochs, units: Sequence[Unit], out: Path) -> list[Item]:
    """The item that looks at the file."""
    if isinstance(config, ModelToRdms):
        step, parameters = LOOK_AT_RDMS, config.model_dump(mode="json", include=set(_ARRAYS))
    else:
        step, parameters = PREPARE_EPOCHS, config.input.model_dump(mode="json", include={"word", "predictors"})
    return [
        Item(
            name=unit.name,
            step=step,
            inputs=unit.inputs,
            parameters={**parameters, "source": unit.source},
            output=str(out / unit.output),
            unkeyed={"path": unit.inputs[unit.source]},
        )
        for unit in units
    ]


def compare_items(config: Comparing, units: Sequence[Unit], out: Path) -> list[Item]:
    """One item per subject, or the one of a file.

    Parameters
    ----------
    config : ModelToBrain, ModelToRdms or ModelToEpochs
        Configuration.
    units : sequence of Unit
        Prepared runs.
    out : Path
        Output folder.

    Returns
    -------
    list of Item
        Stimuli and files of the model are among their inputs, so that another model under the old name runs again.
    """
    network = network_files(config.model)
    subjects = list(dict.fromkeys(unit.subject for unit in units))
    make = _subject_item if isinstance(config, ModelToBrain) else _file_item
    return [make(config, [unit for unit in units if unit.subject == subject], out, network) for subject in subjects]  # type: ignore[arg-type]


def _subject_item(config: ModelToBrain, own: Sequence[Unit], out: Path, network: dict[str, str]) -> Item:
    subject, root = own[0].subject, own[0].root
    names = stimulus_names([read_events(unit.files[0]) for unit in own], config.stimuli.file)
    blocks = ("stimuli", "encode", "region", "rsa", "cka", "leakage")
    return Item(
        name=f"sub-{subject} compare",
        step=COMPARE,
        inputs={**_prepared(own, out), **{f"stimuli/{name}": str(stimulus_path(root, name)) for name in names}, **network},
        parameters={**config.model_dump(mode="json", include=set(blocks)), **_common(config)},
        output=str(out / f"sub-{subject}" / f"sub-{subject}_desc-compared_{own[0].files[0].suffix}"),
        unkeyed={"prepared": [str(out / unit.output) for unit in own], "root": root, **_where(config, out)},
    )


def _file_item(config: ModelToRdms | ModelToEpochs, own: Sequence[Unit], out: Path, network: dict[str, str]) -> Item:
    (unit,) = own
    if isinstance(config, ModelToRdms):
        step, inputs, blocks = COMPARE_RDMS, unit.inputs, {*_ARRAYS, "leave_out", "rsa"}
    else:
        step, inputs, blocks = COMPARE_EPOCHS, _prepared(own, out), {"frequencies", "encode"}
    more = {"predictors": config.input.predictors} if isinstance(config, ModelToEpochs) else {}
    return Item(
        name=f"{unit.name} compare",
        step=step,
        inputs={**inputs, **network},
        parameters={**config.model_dump(mode="json", include=blocks), **more, **_common(config)},
        output=str(out / f"{unit.name}_desc-compared"),
        unkeyed={"prepared": [str(out / unit.output)], "path": unit.inputs[unit.source], **_where(config, out)},
    )


def _prepared(units: Sequence[Unit], out: Path) -> dict[str, str]:
    return {unit.name: str(out / unit.output / "responses" / "meta.json") for unit in units}


def _common(config: Comparing) -> dict[str, Any]:
    """Parameters of every comparison; of the model only what is no place on this machine."""
    model = None if config.model is None else config.model.model_dump(mode="json", exclude={"source"})
    return {"model": model, "seed": config.compute.seed, "title": config.title}


def _where(config: Comparing, out: Path) -> dict[str, Any]:
    source = None if config.model is None else config.model.source
    return {"source_of_model": source, "cache": str(out / FEATURES), "device": config.compute.device}
