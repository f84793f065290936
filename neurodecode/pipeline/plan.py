"""Which units of work a pipeline has on a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodecode.errors import ConfigError
from neurodecode.io.bids import BidsFile, bids_files, read_bids_file, unit_inputs
from neurodecode.pipeline.config import Config, FMRIDecoding, IEEGQuality, MEEGDecoding
from neurodecode.pipeline.decode import DECODE
from neurodecode.pipeline.prepare import LOOK, PREPARE_BOLD, PREPARE_MEEG
from neurodecode.pipeline.step import Item, Step

_DATATYPES = {"fmri_decoding": ("func",), "meeg_decoding": ("eeg", "meg"), "ieeg_quality": ("ieeg",)}
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
    file: BidsFile
    """The data file."""
    inputs: dict[str, str]
    """Every file that is read: name relative to the data set -> path."""
    mask: str | None
    """Mask of the run, relative to the data set."""
    output: str
    """Folder of the prepared run, relative to the output."""


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
        If `root` is not a BIDS folder.
    ConfigError
        If nothing in it fits.
    """
    wanted = config.input
    derivatives = _derivatives(config, root)
    files = [
        file
        for datatype in _DATATYPES[config.pipeline]
        for file in bids_files(
            root,
            datatype=datatype,
            derivatives=derivatives,
            space=wanted.space,
            desc=wanted.desc or ("preproc" if derivatives else None),
            res=wanted.res,
            suffix="bold" if datatype == "func" else datatype,
        )
        if _is_wanted(file, wanted)
    ]
    if not files:
        kinds = " or ".join(_DATATYPES[config.pipeline])
        where = f"{root}" + (f" (derivatives {derivatives})" if derivatives else "")
        raise ConfigError(
            f"no {kinds} recording in {where} fits {_stated(wanted)}; `neurodecode info {root}` lists what is there"
        )
    return [_unit(config, file, root) for file in files]


def _derivatives(config: Config, root: Path) -> str | None:
    chosen = config.input.derivatives
    if chosen == "auto":
        return "fmriprep" if (root / "derivatives" / "fmriprep").is_dir() else None
    return chosen


def _is_wanted(file: BidsFile, wanted: Any) -> bool:
    entities = {"sub": wanted.subjects, "ses": wanted.sessions, "task": wanted.tasks, "run": wanted.runs}
    return all(labels is None or _matches(file.entities.get(key), key, labels) for key, labels in entities.items())


def _matches(value: str | None, key: str, labels: Sequence[str]) -> bool:
    """Whether a label is among the wanted ones, with or without its prefix and leading zeros."""
    plain = [str(label).removeprefix(f"{key}-") for label in labels]
    return value is not None and (value in plain or value.lstrip("0") in [p.lstrip("0") for p in plain if p.isdigit()])


def _stated(wanted: Any) -> str:
    given = {k: v for k, v in wanted.model_dump().items() if v is not None and v != "auto"}
    return f"input {given}" if given else "this pipeline"


def _unit(config: Config, file: BidsFile, root: Path) -> Unit:
    mask = _mask(config, file, root)
    files = [*unit_inputs(file), *([mask] if mask else [])]
    inputs = {_relative(path, root): str(path) for path in files}
    entities = [f"{key}-{file.entities[key]}" for key in ("sub", "ses", "task", "run") if key in file.entities]
    folders = [part for part in entities if part.startswith(("sub-", "ses-"))]
    name = "_".join(entities)
    output = "/".join([*folders, str(file.datatype), f"{name}_desc-prepared_{file.suffix}"])
    return Unit(
        name=name,
        subject=file.entities["sub"],
        source=_relative(file.path, root),
        file=file,
        inputs=inputs,
        mask=None if mask is None else _relative(mask, root),
        output=output,
    )


def _relative(path: Path, root: Path) -> str:
    return path.resolve().relative_to(root.resolve()).as_posix()


def _mask(config: Config, file: BidsFile, root: Path) -> Path | None:
    """The mask that the configuration names for this run, the one of the run itself first."""
    if not isinstance(config, FMRIDecoding) or config.mask is None or file.suffix != "bold":
        return None
    folder = config.mask.derivatives or _derivatives(config, root)
    if folder is None:
        return None
    wanted = {"subject": file.entities["sub"], "space": file.entities.get("space"), "res": file.entities.get("res")}
    found = [
        m
        for m in bids_files(root, derivatives=folder, suffix="mask", desc=config.mask.desc, **wanted)
        if m.entities.get("label") == config.mask.label and _belongs(m, file)
    ]
    if not found:
        raise ConfigError(
            f"no mask (desc {config.mask.desc!r}, label {config.mask.label!r}) for {file.path.name} in derivatives/{folder}: "
            "set mask=null to use every voxel, or name another mask"
        )
    return max(found, key=lambda m: len(m.entities)).path


def _belongs(mask: BidsFile, file: BidsFile) -> bool:
    """A mask belongs to a run if it does not name another session, task or run."""
    return all(mask.entities.get(key) in (None, file.entities.get(key)) for key in ("ses", "task", "run"))


def prepare_items(config: Config, units: Sequence[Unit], out: Path) -> list[Item]:
    """One item per run."""
    step, blocks = _prepare_step(config)
    parameters = {name: getattr(config, name).model_dump(mode="json") for name in blocks if hasattr(config, name)}
    extra = _plain_settings(config)
    return [
        Item(
            name=unit.name,
            step=step,
            inputs=unit.inputs,
            parameters={**parameters, **extra, "source": unit.source, "mask": unit.mask},
            output=str(out / unit.output),
            unkeyed={"file": unit.file, "mask_path": None if unit.mask is None else unit.inputs[unit.mask]},
        )
        for unit in units
    ]


def _plain_settings(config: Config) -> dict[str, Any]:
    if isinstance(config, IEEGQuality):
        return {"reference": config.reference, "high_gamma": list(config.high_gamma)}
    return {"target": config.decode.target}


def _prepare_step(config: Config) -> tuple[Step, tuple[str, ...]]:
    if isinstance(config, FMRIDecoding):
        return PREPARE_BOLD, ("clean", "responses")
    if isinstance(config, MEEGDecoding):
        return PREPARE_MEEG, ("signal", "epochs")
    return LOOK, ("onset",)


def subject_items(config: Config, units: Sequence[Unit], out: Path, *, jobs: int) -> list[Item]:
    """One item per subject; a single subject gets all jobs for its permutations."""
    if isinstance(config, IEEGQuality):
        return []
    subjects = list(dict.fromkeys(unit.subject for unit in units))
    inner = jobs if len(subjects) == 1 else 1
    parameters = {"decode": config.decode.model_dump(mode="json"), "seed": config.compute.seed, "title": config.title}
    items = []
    for subject in subjects:
        own = [unit for unit in units if unit.subject == subject]
        items.append(
            Item(
                name=f"sub-{subject} decode",
                step=DECODE,
                inputs={unit.name: str(out / unit.output / "responses" / "meta.json") for unit in own},
                parameters=parameters,
                output=str(out / f"sub-{subject}" / f"sub-{subject}_desc-decoded_{own[0].file.suffix}"),
                unkeyed={"prepared": [str(out / unit.output) for unit in own], "jobs": inner},
            )
        )
    return items


def check_compute(config: Config) -> None:
    """Refuse a device or precision that a linear pipeline does not use, instead of ignoring it."""
    compute = config.compute
    if compute.device == "cuda":
        raise ConfigError(f"compute.device: {config.pipeline} runs on cpu only, got 'cuda'; leave it at auto")
    if compute.precision not in ("auto", "float64"):
        raise ConfigError(
            f"compute.precision: {config.pipeline} fits in float64 only, got {compute.precision!r}; leave it at auto"
        )


def jobs_within(config: Config, units: Sequence[Unit], jobs: int) -> int:
    """The number of jobs that fit into ``compute.max_memory``, or an error if not even one does."""
    if config.compute.max_memory is None:
        return jobs
    text = config.compute.max_memory.replace(" ", "")
    limit = float(text[:-2]) * _BYTES[text[-2:]]
    largest = max(read_bids_file(unit.file).data.nbytes for unit in units) * _NEED
    if largest > limit:
        raise ConfigError(
            f"compute.max_memory: one run needs about {largest / 1e9:.2f} GB, got {config.compute.max_memory}; allow more, or use a mask"
        )
    return max(1, min(jobs, int(limit // largest)))
