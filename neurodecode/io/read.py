"""One door for all formats."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from neurodecode.io.sniff import header_beside, sniff, unsupported

_MEEG = ("fif", "edf", "bdf", "gdf", "brainvision", "eeglab", "cnt", "ant", "kit", "snirf", "ctf", "mff", "mef", "mne")
_READERS = {
    **dict.fromkeys(_MEEG, ("neurodecode.io.meeg", "read_meeg")),
    "nwb": ("neurodecode.io.nwb", "read_nwb"),
    "nifti": ("neurodecode.io.fmri", "read_nifti"),
    "cifti": ("neurodecode.io.fmri", "read_cifti"),
    "gifti": ("neurodecode.io.fmri", "read_gifti"),
    "neurodecode": ("neurodecode.data", "load"),
}


def read(path: str | Path, **options: Any) -> Any:
    """Read a file or folder with the reader that its content asks for.

    Parameters
    ----------
    path : str or Path
        A recording, or a folder written by `neurodecode.data.save`.
    **options
        Passed to that reader; see `neurodecode.io.meeg.read_meeg`, `neurodecode.io.nwb.read_nwb`,
        ``neurodecode.io.fmri`` and `neurodecode.data.load`.

    Returns
    -------
    Recording, Responses, SpikeTrains or Stimuli
        Continuous signals are a Recording, epochs are Responses, sorted units are SpikeTrains.

    Raises
    ------
    FormatError
        If there is no such path, or its content is not something neurodecode reads; the message says what to use instead.
    CorruptFileError
        If the file is damaged.
    """
    kind = sniff(path)
    if kind in _READERS and not header_beside(path):
        module, name = _READERS[kind]
        return getattr(importlib.import_module(module), name)(path, **options)
    raise unsupported(path, kind)
