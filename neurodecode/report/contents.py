"""Everything that one report page shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.errors import DataError

Spectra = tuple[NDArray[np.float64], NDArray[np.float64], list[str]]


@dataclass(frozen=True, eq=False)
class RunContents:
    """What a run of a pipeline found and did: the input of the report.

    Parameters
    ----------
    title : str
        Heading of the page.
    pipeline : str
        Name of the pipeline.
    description : str
        One or two sentences: what was decoded or measured, and from what.
    dataset : dict
        ``name``, ``licence`` and ``citation`` of the data (`dataset_description.json`); all optional.
    configuration : dict
        The resolved configuration.
    results : dict of str to result
        Results by name: those of `neurodecode.decode`, or a table. The first one is the headline. A table with the columns
        ``channel, band, ratio`` is drawn as power ratios per contact.
    quality : dict of str to DataFrame
        Tables of data quality by title; tables of known columns are drawn as well (see `neurodecode.report.quality`).
    recordings_summary : list of str
        One short text per recording.
    spectra : tuple (freqs, power, names), optional
        Frequencies in Hz (n_freqs,), power spectral density (n_channels, n_freqs) and channel names.
    steps : list of dict
        Steps applied, from ``meta["steps"]``: ``{"step": name, **parameters}``.
    versions : dict of str to str
        Package versions.
    hashes : dict of str to str
        The sha256 of each input file, by path inside the data set.
    erp : Responses, optional
        Averages per class for the figure of evoked responses, one sample per class (``trial_type``).
    units : DataFrame, optional
        Units of the results that carry none of their own.
    space : dict, optional
        ``meta["space"]`` of the results that carry none of their own.
    notes : list of str
        What the reader must see: warnings, and what was skipped with the reason.
    entities : dict of str to str
        Subject, session, task and run, for the names of the maps.

    Raises
    ------
    DataError
        If title or pipeline is empty, or the spectra do not fit each other.
    """

    title: str
    pipeline: str
    description: str = ""
    dataset: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, pd.DataFrame] = field(default_factory=dict)
    recordings_summary: list[str] = field(default_factory=list)
    spectra: Spectra | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    erp: Responses | None = None
    units: pd.DataFrame | None = None
    space: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    entities: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("title", "pipeline"):
            if not getattr(self, name):
                raise DataError(f"{name} of a report must be a text, got {getattr(self, name)!r}")
        if self.spectra is not None:
            _check_spectra(*self.spectra)

    def members(self) -> dict[str, Any]:
        """The members by name, not copied."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _check_spectra(freqs: Any, power: Any, names: list[str]) -> None:
    """The three parts of the spectra must fit each other."""
    expected = (len(names), len(freqs))
    if np.shape(power) != expected:
        raise DataError(f"power of the spectra must be (n_channels, n_freqs) = {expected}, got {np.shape(power)}")
