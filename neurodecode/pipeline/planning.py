"""Which units of work a pipeline has on a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.datasets.parts import Part
from neurodecode.errors import ConfigError
from neurodecode.io.bids import open_recording
from neurodecode.io.bids_bold import find_mask
from neurodecode.io.bids_names import BidsFile, wanted
from neurodecode.io.bids_search import MARKER, absolute, bids_files, find_recordings
from neurodecode.io.bids_tables import read_events, recording_files
from neurodecode.io.stimuli import stimulus_path
from neurodecode.pipeline.config import Config, FMRIDecoding, IEEGQuality, MEEGDecoding, ModelToBrain, ModelToEpochs, ModelToRdms
from neurodecode.pipeline.config_connectome import Connectome
from neurodecode.pipeline.config_meeg import MEEGImages, MEEGSpeech
from neurodecode.pipeline.connectome import trace_inputs
from neurodecode.pipeline.decode import DECODE
from neurodecode.pipeline.generator import generator_files, generator_folder
from neurodecode.pipeline.look import LOOK
from neurodecode.pipeline.plan_compare import checked_file, compare_items, file_items
from neurodecode.pipeline.plan_connectome import connectome_items, trace_items
from neurodecode.pipeline.plan_meeg import parts_of, retrieve_items, window_items
from neurodecode.pipeline.prepare import PREPARE_BOLD, PREPARE_MEEG
from neurodecode.pipeline.step import Item, Step

_DATATYPES = {
    "fmri_decoding": ("func",),
    "model_to_brain": ("func",),
    "meeg_decoding": ("eeg", "meg"),
    "ieeg_quality": ("ieeg",),
}
_BIDS = FMRIDecoding | MEEGDecoding | IEEGQuality | ModelToBrain
_NEED = 6.0  # memory of a run while it is prepared, in copies of its signal as float32
_BYTES = {"MB": 1e6, "GB": 1e9, "TB": 1e12}


@dataclass(frozen=True)
class Unit:
    """One run of one subject."""

    name: str
    """Its entities, e.g. ``sub-1_task-rest_run-01``."""
    subject: str
    """Label of the subject."""
    source: str
    """The data file, relative to the data set."""
    files: tuple[BidsFile, ...]
    """The data file, or the two of a surface; none where the data set is no BIDS folder but one file."""
    inputs: dict[str, str]
    """Every file that is read: name relative to the data set -> path."""
    mask: str | None
    """Mask of the run, relative to the data set."""
    output: str
    """Folder of the prepared run, relative to the output."""
    root: str
    """The data set."""
    options: dict[str, Any] = field(default_factory=dict)
    """How the loader of a public data set opens it."""


def find_units(config: Config, root: Path) -> list[Unit]:
    """Find the runs that a pipeline takes.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration.
    root : Path
        BIDS folder.

    Returns
    -------
    list of Unit
        In order of their file names.

    Raises
    ------
    FormatError
        If `root` is not a BIDS folder, or holds no recording.
    DataError
        If nothing in it fits, with what is there.
    ConfigError
        If a run fits in several spaces or resolutions, or the mask is not there.
    """
    if isinstance(config, (ModelToRdms, ModelToEpochs)):
        return [_file_unit(config, root)]
    if isinstance(config, (MEEGSpeech, MEEGImages)):
        return [_part_unit(part, root) for part in parts_of(config, root)]
    if isinstance(config, Connectome):
        name = root.resolve().name
        return [Unit(name, name, name, (), trace_inputs(config.input, root), None, f"{name}_desc-prepared", str(root))]
    chosen = config.input
    names = {"subject": chosen.subjects, "session": chosen.sessions, "task": chosen.tasks, "run": chosen.runs}
    image = {"space": chosen.space, "desc": chosen.desc, "res": chosen.res}
    question = wanted(**names, **image, datatype=list(_DATATYPES[config.pipeline]))
    groups = find_recordings(root, _derivatives(config, root), question)
    units = [_unit(config, group, root) for group in groups]
    twice = [name for name, n in Counter(unit.name for unit in units).items() if n > 1]
    if twice:
        forms = ", ".join(unit.source for unit in units if unit.name == twice[0])
        raise ConfigError(f"{twice[0]} is there in several forms ({forms}): choose one with input.space, input.res or input.desc")
    return units


def _part_unit(part: Part, root: Path) -> Unit:
    """The unit of a recording of a public data set, or of a folder of windows."""
    inputs = {_relative(path, root): str(path) for path in part.files}
    return Unit(part.name, part.subject, part.name, (), inputs, None, f"{part.name}_desc-prepared", str(root), part.options)


def _file_unit(config: ModelToRdms | ModelToEpochs, root: Path) -> Unit:
    """The unit of a pipeline that reads one file."""
    path = checked_file(config, root)
    stem = path.name.split(".")[0]
    return Unit(stem, stem, path.name, (), {path.name: str(path)}, None, f"{stem}_desc-prepared", str(root))


def _derivatives(config: _BIDS, root: Path) -> str | None:
    chosen = config.input.derivatives
    if chosen == "auto":
        return "fmriprep" if (root / "derivatives" / "fmriprep").is_dir() else None
    return chosen


def _unit(config: _BIDS, group: Sequence[BidsFile], root: Path) -> Unit:
    file = group[0]
    mask = _mask(config, file, root)
    files = [*recording_files(group), *([mask] if mask else [])]
    inputs = {_relative(path, root): str(path) for path in files}
    entities = [f"{key}-{file.entities[key]}" for key in ("sub", "ses", "task", "acq", "run") if key in file.entities]
    folders = [part for part in entities if part.startswith(("sub-", "ses-"))]
    name = "_".join(entities)
    return Unit(
        name=name,
        subject=file.entities["sub"],
        source=_relative(file.path, root),
        files=tuple(group),
        inputs=inputs,
        mask=None if mask is None else _relative(mask, root),
        output="/".join([*folders, file.datatype, f"{name}_desc-prepared_{file.suffix}"]),
        root=str(root),
    )


def _relative(path: Path, root: Path) -> str:
    """The path below the data set, with links not followed; derivatives elsewhere keep the name of their folder."""
    file, home = absolute(path), absolute(root)
    if home in file.parents:
        return file.relative_to(home).as_posix()
    other = next((p for p in file.parents if (p / MARKER).is_file()), file.parent)
    return f"{other.name}/{file.relative_to(other).as_posix()}"


def _mask(config: _BIDS, file: BidsFile, root: Path) -> Path | None:
    """The mask that the configuration names for this run, or the brain mask beside it."""
    if not isinstance(config, (FMRIDecoding, ModelToBrain)) or config.mask is None or not file.extension.startswith(".nii"):
        return None
    if config.mask.derivatives is None and config.mask.label is None:
        return find_mask(file)
    folder = config.mask.derivatives or _derivatives(config, root)
    same = {"sub": file.entities["sub"], "space": file.entities.get("space"), "res": file.entities.get("res")}
    found = [
        mask
        for mask in bids_files(root, derivatives=folder, suffix="mask", desc=config.mask.desc, subject=same["sub"])
        if mask.entities.get("label") == config.mask.label and _belongs(mask, file, same)
    ]
    if not found:
        raise ConfigError(
            f"no mask (desc {config.mask.desc!r}, label {config.mask.label!r}) fits {file.path.name} in derivatives/{folder}: "
            "set mask=null to use every voxel, or name another mask"
        )
    return max(found, key=lambda mask: len(mask.entities)).path


def _belongs(mask: BidsFile, file: BidsFile, same: Mapping[str, str | None]) -> bool:
    """Whether a mask is on the grid of a run and does not name another session, task or run."""
    on_grid = all(mask.entities.get(key) == label for key, label in same.items())
    return on_grid and all(mask.entities.get(key) in (None, file.entities.get(key)) for key in ("ses", "task", "run"))


def prepare_items(config: Config, units: Sequence[Unit], root: Path, out: Path) -> list[Item]:
    """One item per run, or the one of a file."""
    if isinstance(config, (ModelToRdms, ModelToEpochs)):
        return file_items(config, units, out)
    if isinstance(config, (MEEGSpeech, MEEGImages)):
        return window_items(config, units, out)
    if isinstance(config, Connectome):
        return trace_items(config, units, out)
    step, blocks = _prepare_step(config)
    parameters = {name: getattr(config, name).model_dump(mode="json") for name in blocks if hasattr(config, name)}
    extra = {"reference": config.reference, "high_gamma": list(config.high_gamma)} if isinstance(config, IEEGQuality) else {}
    return [
        Item(
            name=unit.name,
            step=step,
            inputs=unit.inputs,
            parameters={**parameters, **extra, "source": unit.source, "mask": unit.mask},
            output=str(out / unit.output),
            unkeyed={
                "files": unit.files,
                "root": str(root),
                "mask_path": None if unit.mask is None else unit.inputs[unit.mask],
                "columns": _columns(config),
            },
        )
        for unit in units
    ]


def _prepare_step(config: _BIDS) -> tuple[Step, tuple[str, ...]]:
    if isinstance(config, (FMRIDecoding, ModelToBrain)):
        return PREPARE_BOLD, ("clean", "responses")
    if isinstance(config, MEEGDecoding):
        return PREPARE_MEEG, ("signal", "epochs")
    return LOOK, ("onset",)


def subject_items(config: Config, units: Sequence[Unit], out: Path, *, jobs: int) -> list[Item]:
    """One item per subject; a single subject gets all jobs for its permutations."""
    if isinstance(config, IEEGQuality):
        return []
    if isinstance(config, (ModelToBrain, ModelToRdms, ModelToEpochs)):
        return compare_items(config, units, out)
    if isinstance(config, (MEEGSpeech, MEEGImages)):
        return retrieve_items(config, units, out)
    if isinstance(config, Connectome):
        return connectome_items(config, units, out)
    subjects = list(dict.fromkeys(unit.subject for unit in units))
    inner = jobs if len(subjects) == 1 else 1
    parameters = {"decode": config.decode.model_dump(mode="json"), "seed": config.compute.seed, "title": config.title}
    if isinstance(config, FMRIDecoding) and config.reconstruct is not None:
        parameters["reconstruct"] = config.reconstruct.model_dump(mode="json")
    items, generator = [], generator_folder(config, out)
    for subject in subjects:
        own = [unit for unit in units if unit.subject == subject]
        items.append(
            Item(
                name=f"sub-{subject} decode",
                step=DECODE,
                inputs={
                    **{unit.name: str(out / unit.output / "responses" / "meta.json") for unit in own},
                    **_stimulus_files(config, own),
                    **generator_files(config, out),
                },
                parameters=parameters,
                output=str(out / f"sub-{subject}" / f"sub-{subject}_desc-decoded_{own[0].files[0].suffix}"),
                unkeyed={
                    "prepared": [str(out / unit.output) for unit in own],
                    "jobs": inner,
                    "root": own[0].root,
                    "generator": None if generator is None else str(generator),
                },
            )
        )
    return items


def _columns(config: _BIDS) -> dict[str, str]:
    """Columns that the events must have, by the setting that names them."""
    if isinstance(config, IEEGQuality):
        return {}
    if isinstance(config, ModelToBrain):
        return {"stimuli.id": config.stimuli.id, "stimuli.file": config.stimuli.file}
    return {"decode.target": config.decode.target, **_stimulus_columns(config)}


def _stimulus_columns(config: FMRIDecoding | MEEGDecoding) -> dict[str, str]:
    """Columns of the events that a reconstruction needs, by the setting that names them."""
    if not isinstance(config, FMRIDecoding) or config.reconstruct is None:
        return {}
    return {"reconstruct.stimulus": config.reconstruct.stimulus, "reconstruct.file": config.reconstruct.file}


def _stimulus_files(config: FMRIDecoding | MEEGDecoding, units: Sequence[Unit]) -> dict[str, str]:
    """Every image that the runs show: name below stimuli/ -> path."""
    column = _stimulus_columns(config).get("reconstruct.file")
    if column is None:
        return {}
    names = pd.concat([read_events(unit.files[0])[column] for unit in units]).dropna().astype(str).unique()
    return {f"stimuli/{name}": str(stimulus_path(units[0].root, name)) for name in sorted(names)}


def check_compute(config: Config) -> None:
    """Refuse a device or precision that a linear pipeline does not use, instead of ignoring it."""
    compute = config.compute
    has_network = getattr(config, "model", None) is not None or isinstance(config, (MEEGSpeech, MEEGImages))
    if compute.device == "cuda" and not has_network:
        raise ConfigError(f"compute.device: {config.pipeline} runs on cpu only, got 'cuda'; leave it at auto")
    if compute.precision not in ("auto", "float64"):
        raise ConfigError(
            f"compute.precision: {config.pipeline} fits in float64 only, got {compute.precision!r}; leave it at auto"
        )


def jobs_within(config: Config, units: Sequence[Unit], root: Path, jobs: int) -> int:
    """The number of jobs that fit into ``compute.max_memory``, or an error if not even one does."""
    if config.compute.max_memory is None:
        return jobs
    text = config.compute.max_memory.replace(" ", "")
    limit = float(text[:-2]) * _BYTES[text[-2:]]
    largest = max(_nbytes(unit, root) for unit in units) * _NEED
    if largest > limit:
        need = f"one run needs about {largest / 1e9:.2f} GB"
        raise ConfigError(f"compute.max_memory: {need}, got {config.compute.max_memory}; allow more, or use a mask")
    return max(1, min(jobs, int(limit // largest)))


def _nbytes(unit: Unit, root: Path) -> int:
    """Size of the signal of a unit, or of its largest file."""
    if not unit.files:
        return max(Path(path).stat().st_size for path in unit.inputs.values())
    return int(open_recording(unit.files, root).data.nbytes)
