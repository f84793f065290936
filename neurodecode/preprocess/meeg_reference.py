"""The EEG reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.data import Recording
from neurodecode.data.lazy import read_signal
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import check_valid, names_of, need_rows, put_rows, rows_of_kind, rows_of_names


def reference(recording: Recording, to: str | Sequence[str] = "average") -> Recording:
    """Reference EEG to the average of the good EEG channels, or to one or more channels.

    Parameters
    ----------
    recording : Recording
        With channels of kind eeg. For intracranial contacts see `neurodecode.preprocess.ieeg`.
    to : str or sequence of str
        ``"average"``, or names of EEG channels whose mean is taken off (e.g. ``["TP9", "TP10"]``); a single one is 0 afterwards.

    Returns
    -------
    Recording
        All EEG channels, bad ones too, against the new reference; other kinds as they were.

    Raises
    ------
    DataError
        If there is no good EEG channel, a name is unknown, or a reference channel is bad or holds NaN in a valid stretch.
    """
    names = names_of(recording, need_rows(recording, ["eeg"], "reference")) if to == "average" else _named(recording, to)
    rows = rows_of_kind(recording, ["eeg"])
    data = read_signal(recording.data)
    sources = rows_of_names(recording, names, "reference")
    check_valid(recording, sources, "reference")
    signal = data[rows] - data[sources].mean(axis=0, dtype=np.float64)
    parameters = {"to": to if isinstance(to, str) else list(to), "n_channels": len(sources)}
    return recording.with_step("meeg.reference", parameters, data=put_rows(recording, rows, signal))


def _named(recording: Recording, to: str | Sequence[str]) -> list[str]:
    """The reference channels, which must be good EEG channels."""
    names = recording.pick([to] if isinstance(to, str) else list(to)).channels
    for name, kind, bad in zip(names["name"], names["kind"], names["bad"], strict=True):
        if kind != "eeg" or bad:
            raise DataError(
                f"{name!r} cannot be a reference: it is {'bad' if bad else f'of kind {kind!r}'}, give good EEG channels"
            )
    return names["name"].tolist()
