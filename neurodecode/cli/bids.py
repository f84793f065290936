"""The command line of a BIDS-App: conventional arguments in, a pipeline at the participant or group level out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import typer

from neurodecode import __version__
from neurodecode.errors import ConfigError

_ENTITIES = {"subject": "subjects", "session": "sessions", "task": "tasks", "run": "runs"}
_SINGLE = ("space", "desc", "res")
_PIPELINES = {"func": "fmri_decoding", "eeg": "meeg_decoding", "meg": "meeg_decoding", "ieeg": "ieeg_quality"}


def make_parser() -> argparse.ArgumentParser:
    """The arguments of a BIDS-App, with the names that fMRIPrep and the example application use."""
    parser = argparse.ArgumentParser(
        "neurodecode bids", description="Decode a BIDS data set, subject by subject, then as a group."
    )
    add = parser.add_argument
    add("bids_dir", type=Path, help="folder of the data set")
    add("output_dir", type=Path, help="folder for derivatives, results and report")
    add("analysis_level", choices=["participant", "group"], help="decode each subject, or join what is finished")
    add("--version", action="version", version=f"neurodecode {__version__}")
    add("--skip-bids-validation", action="store_true", help="accepted: what is read is checked when it is read")
    add("--pipeline", help="name or YAML file; by default chosen from the recordings that are there")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting of the pipeline; repeatable")
    _add_choice_of_data(parser.add_argument_group("which recordings"))
    _add_computing(parser.add_argument_group("how to compute"))
    return parser


def _add_choice_of_data(group: Any) -> None:
    labels = {"nargs": "+", "metavar": "LABEL"}
    group.add_argument("--participant-label", "--participant_label", **labels, help="subjects, with or without sub-")
    group.add_argument("--session-label", "--session_label", **labels, help="sessions, with or without ses-")
    group.add_argument("-t", "--task-id", "--task_id", **labels, help="tasks")
    group.add_argument("--run-label", "--run_label", **labels, help="runs")
    group.add_argument("--bids-filter-file", type=Path, help="JSON: labels per entity, also per kind of recording as in fMRIPrep")
    group.add_argument("--output-spaces", nargs="+", metavar="SPACE", help="the one space to decode in, e.g. T1w or MNI...:res-2")


def _add_computing(group: Any) -> None:
    number = {"type": int, "metavar": "N"}
    group.add_argument("--nprocs", **number, default=1, help="units of work at the same time")
    group.add_argument("--omp-nthreads", **number, help="accepted: each process uses one thread, so that numbers never change")
    group.add_argument("--mem-mb", **number, help="memory in MB: fewer processes, or an error")
    group.add_argument("--random-seed", **number, help="seed of the permutations")
    group.add_argument("-w", "--work-dir", type=Path, help="accepted: what is intermediate is a derivative, in output_dir")
    group.add_argument("--stop-on-first-crash", action="store_true", help="by default the other subjects are finished")
    group.add_argument("--reports-only", action="store_true", help="draw the report of a finished group level again")
    group.add_argument("-v", "--verbose", action="count", default=0, help="show the settings in force")


def run_bids(arguments: list[str]) -> int:
    """Run as a BIDS-App.

    Parameters
    ----------
    arguments : list of str
        What stands behind ``neurodecode bids``.

    Returns
    -------
    int
        0, or 1 if anything failed while the rest was finished.

    Raises
    ------
    NeurodecodeError
        If nothing could be done, or an argument is wrong.
    """
    from neurodecode.pipeline.outputs import redraw

    options = make_parser().parse_args(arguments)
    if options.reports_only:
        typer.echo(f"report: {redraw(options.output_dir)}")
        return 0
    config = configure(options)
    if options.verbose:
        typer.echo(json.dumps(config.model_dump(mode="json"), indent=1), err=True)
    failed = _participant(config, options) if options.analysis_level == "participant" else _group(config, options)
    if failed:
        typer.echo(f"neurodecode: {len(failed)} units failed: {'; '.join(failed)}", err=True)
    return 1 if failed else 0


def _participant(config: Any, options: argparse.Namespace) -> list[str]:
    from neurodecode.cli.progress import Progress
    from neurodecode.pipeline.run import run_participants

    on_error: Any = "abort" if options.stop_on_first_crash else "continue"
    with Progress() as progress:
        statuses = run_participants(
            config, options.bids_dir, options.output_dir, jobs=options.nprocs, on_error=on_error, progress=progress
        )
    return [f"{s.name} ({s.reason})" for s in statuses if s.state == "failed"]


def _group(config: Any, options: argparse.Namespace) -> list[str]:
    from neurodecode.cli.progress import Progress
    from neurodecode.pipeline.run import join_participants

    with Progress() as progress:
        results = join_participants(config, options.bids_dir, options.output_dir, progress=progress)
    typer.echo(results.sentence)
    typer.echo(f"report: {options.output_dir / 'report.html'}")
    return results.failed


def configure(options: argparse.Namespace) -> Any:
    """The configuration of a pipeline from the options of a BIDS-App.

    Parameters
    ----------
    options : argparse.Namespace
        From `make_parser`.

    Returns
    -------
    FMRIDecoding, MEEGDecoding or IEEGQuality
        What the pipeline is told; ``--set`` comes last and wins.

    Raises
    ------
    ConfigError
        If an option does not fit the pipeline or the data.
    """
    from neurodecode.pipeline.configure import load_config

    chosen = {**_filters(options.bids_filter_file), **_labels(options), **_space(options.output_spaces)}
    settings: dict[str, Any] = {f"input.{key}": value for key, value in chosen.items()}
    if options.mem_mb is not None:
        settings["compute.max_memory"] = f"{options.mem_mb}MB"
    if options.random_seed is not None:
        settings["compute.seed"] = options.random_seed
    overrides = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    return load_config(options.pipeline or find_pipeline(options.bids_dir), [*overrides, *options.set])


def _labels(options: argparse.Namespace) -> dict[str, list[str]]:
    given = {
        "subjects": ("sub-", options.participant_label),
        "sessions": ("ses-", options.session_label),
        "tasks": ("task-", options.task_id),
        "runs": ("run-", options.run_label),
    }
    return {key: [label.removeprefix(prefix) for label in labels] for key, (prefix, labels) in given.items() if labels}


def _space(spaces: list[str] | None) -> dict[str, str]:
    """Space and resolution as fMRIPrep writes them, e.g. ``MNI152NLin2009cAsym:res-2``."""
    if not spaces:
        return {}
    if len(spaces) > 1:
        raise ConfigError(f"--output-spaces: a pipeline decodes in one space, got {' '.join(spaces)}; run it once for each")
    space, *rest = spaces[0].split(":")
    resolution = next((part.removeprefix("res-") for part in rest if part.startswith("res-")), None)
    return {"space": space} if resolution is None else {"space": space, "res": resolution}


def _filters(path: Path | None) -> dict[str, Any]:
    """Labels per entity; those of fMRIPrep stand in a block for each kind of recording."""
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        blocks = [block for block in content.values() if isinstance(block, dict)] or [content]
        entities = {key: value for block in blocks for key, value in block.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"--bids-filter-file {path}: expected a JSON object of labels ({error})") from error
    return {key: value for name, label in entities.items() for key, value in [_filter(path, name, label)] if value is not None}


def _filter(path: Path, name: str, label: Any) -> tuple[str, Any]:
    if name in ("datatype", "suffix", "extension"):  # the pipeline says which
        return name, None
    labels = label if isinstance(label, list) else [label]
    known = name in _ENTITIES or (name in _SINGLE and len(labels) == 1)
    if not known or not all(isinstance(one, str) for one in labels):
        choices = ", ".join([*_ENTITIES, *_SINGLE])
        raise ConfigError(f"--bids-filter-file {path}: expected texts for one of {choices}, got {name!r}: {label!r}")
    return (_ENTITIES[name], labels) if name in _ENTITIES else (name, labels[0])


def find_pipeline(root: Path) -> str:
    """The pipeline for the recordings of a data set.

    Parameters
    ----------
    root : Path
        BIDS folder.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    ConfigError
        If there are several kinds of recordings.
    FormatError
        If it is no BIDS folder or holds no recording.
    """
    from neurodecode.io.bids_search import find_recordings

    kinds = {group[0].datatype for group in find_recordings(root)}
    names = sorted({_PIPELINES[kind] for kind in kinds if kind in _PIPELINES})
    if len(names) != 1:
        raise ConfigError(f"{root} holds {', '.join(sorted(kinds))}: choose one with --pipeline, e.g. --pipeline fmri_decoding")
    return names[0]
