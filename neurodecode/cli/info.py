"""What a file, a folder or this machine holds, in a few lines."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

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
    """Subjects, tasks, runs, trial types and derivatives of a BIDS folder, and the command to run next."""
    from neurodecode.io.bids import describe_bids

    return f"{describe_bids(root)}"


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
