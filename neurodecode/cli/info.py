"""What a file, a folder or this machine holds, in a few lines."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurodecode.io.bids_summary import BidsSummary

_GENERIC = {"func": "fmri_decoding", "eeg": "meeg_decoding", "meg": "meeg_decoding", "ieeg": "ieeg_quality"}
_EXTRAS = {"fmri": "nilearn", "meeg": "mne", "calcium": "tifffile", "decode": "torch", "bayes": "arviz", "cluster": "distributed"}


def describe(path: Path) -> str:
    """Describe a recording, a saved object, or a BIDS folder with the command to run next.

    Parameters
    ----------
    path : Path
        File or folder.

    Returns
    -------
    str
        Lines for the terminal.

    Raises
    ------
    FormatError
        If nothing in the package can read it.
    """
    if (path / "dataset_description.json").is_file():
        return describe_data_set(path)
    from neurodecode.io import read

    return repr(read(path))


def describe_data_set(root: Path) -> str:
    """Describe a BIDS folder.

    Parameters
    ----------
    root : Path
        Folder with a ``dataset_description.json``.

    Returns
    -------
    str
        Subjects, tasks, runs, trial types and derivatives, and the command to run next.
    """
    from neurodecode.io.bids_summary import describe_bids

    summary = describe_bids(root)
    table = summary.recordings
    lines = [f"{summary.name}: {len(table)} recordings of {len(summary.subjects)} subjects ({_shown(summary.subjects)})"]
    for (task, datatype), runs in table.fillna("n/a").groupby(["task", "datatype"], sort=False):
        sizes = f"{len(runs)} runs, {runs['subject'].nunique()} subjects, {runs['n_events'].sum()} events"
        lines.append(f"  task {task} ({datatype}): {sizes}")
        lines += [f"    {kind}: {n} events" for kind, n in summary.trial_types.get(str(task), {}).items()]
    for derivative in summary.derivatives:
        made = f", made by {', '.join(derivative.pipelines)}" if derivative.pipelines else ""
        spaces = f" in {', '.join(derivative.spaces)}" if derivative.spaces else ""
        lines.append(f"  derivatives/{derivative.name}: {derivative.n_recordings} recordings{spaces}{made}")
    return "\n".join([*lines, "next:", *(f"  {command}" for command in _next_commands(root, summary))])


def _shown(labels: list[str], most: int = 8) -> str:
    return ", ".join(labels[:most]) + (", ..." if len(labels) > most else "")


def _next_commands(root: Path, summary: BidsSummary) -> list[str]:
    """A command for each task that a pipeline takes: the one named for it, else the generic one for its kind of recording."""
    from neurodecode.pipeline import load_config, named_pipelines

    configs = {name: load_config(name) for name in named_pipelines()}
    inputs = {name: config.input for name, config in configs.items() if hasattr(config.input, "tasks")}  # others read one file
    named = {task: name for name, chosen in inputs.items() for task in chosen.tasks or []}
    tasks = summary.recordings[["task", "datatype"]].dropna().drop_duplicates().itertuples(index=False)
    commands = []
    for task, datatype in tasks:
        if task in named:
            commands.append(f"neurodecode run {named[task]} --data {root} --out OUT")
        elif datatype in _GENERIC:
            options = f"--set input.tasks=[{task}]" + (_image_options(summary) if datatype == "func" else "")
            commands.append(f"neurodecode run {_GENERIC[datatype]} --data {root} --out OUT {options}")
    if summary.recordings.empty and any(d.name == "fmriprep" and d.n_recordings for d in summary.derivatives):
        commands.append(f"neurodecode run fmri_decoding --data {root} --out OUT{_image_options(summary)}")
    return commands


def _image_options(summary: BidsSummary) -> str:
    """The space to choose where fMRIPrep left several, or the reminder to run it first."""
    fmriprep = next((d for d in summary.derivatives if d.name == "fmriprep"), None)
    if fmriprep is None:
        return "  (after fMRIPrep: raw BOLD is refused unless clean.allow_raw=true)"
    return f" --set input.space={fmriprep.spaces[0]}" if len(fmriprep.spaces) > 1 else ""


def describe_system() -> str:
    """Versions, processors, memory, accelerator and extras of this machine."""
    from neurodecode.pipeline.versions import versions

    lines = [f"{name} {version}" for name, version in versions().items()]
    lines.append(f"processors {os.cpu_count()}; memory {_memory_gb():.1f} GB; accelerator {_accelerator()}")
    for extra, package in _EXTRAS.items():
        state = "installed" if importlib.util.find_spec(package) else f"not installed: pip install 'neurodecode[{extra}]'"
        lines.append(f"extra {extra}: {state}")
    return "\n".join(lines)


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):  # not every system tells
        return float("nan")


def _accelerator() -> str:
    if importlib.util.find_spec("torch") is None:
        return "unknown without torch"
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
