"""Epochs of large FIF files, read block by block: all of them at once, in double precision, would not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.convert_mne import from_mne
from neurodecode.data.validate import require
from neurodecode.io.guard import existing_file
from neurodecode.io.mne_calls import consistent, mne_reading

_BLOCK = 256 * 2**20  # bytes in double precision that are read at a time


class FifEpochs(NamedTuple):
    """Epochs of a FIF file that stay on the disk."""

    first: Responses
    """The first epoch: units, times and meta."""
    shape: tuple[int, int, int]
    """Number of epochs, of channels and of times."""
    blocks: Iterator[NDArray[np.float32]]
    """The epochs in their order, some at a time, shape (n, n_channels, n_times)."""


def open_epochs(path: str | Path) -> FifEpochs:
    """Open the epochs of a FIF file.

    Parameters
    ----------
    path : str or Path
        A file that ends in ``-epo.fif``; the parts of a file that was split are found beside it.

    Returns
    -------
    FifEpochs
        Unread but for the first epoch.

    Raises
    ------
    FormatError
        If there is no such file or it holds no epochs.
    CorruptFileError
        If it is damaged, also while it is read.
    """
    mne = require("mne", "reading M/EEG", "meeg")
    file = existing_file(path)
    with mne_reading(file), consistent(file):
        epochs = mne.read_epochs(file, preload=False, proj=False, verbose="warning")
        first = from_mne(epochs[:1].load_data())
    assert isinstance(first, Responses)
    shape = (len(epochs), *first.data.shape[1:])
    return FifEpochs(first, shape, _blocks(epochs, file, max(1, _BLOCK // max(1, 8 * shape[1] * shape[2]))))


def _blocks(epochs: Any, file: Path, step: int) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(epochs), step):
        with mne_reading(file):
            block = epochs[start : start + step].get_data(copy=False, verbose="error").astype(np.float32)
        yield block
