"""Calcium of 577 worms from twelve laboratories in one table (Simeon et al. 2024): named neurons of *C. elegans*, resampled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_option, require, suggest
from neurodecode.errors import DataError, FormatError
from neurodecode.io.guard import existing_file, reading

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

FILE = "worm_data_short.parquet"
TRACES = ("calcium_data", "smooth_calcium_data", "residual_calcium", "smooth_residual_calcium")
_COLUMNS = ("source_dataset", "worm", "neuron", "is_labeled_neuron", "median_dt")
_REMEDY = "Fetch the file again; docs/datasets.md says where it comes from"


def load(
    root: str | Path,
    subject: str,
    *,
    source: str,
    trace: str = "calcium_data",
    labelled: bool = True,
    manifest: Manifest | None = None,
) -> tuple[Recording, Stimuli]:
    """Open one worm of one source; only its rows are read from the file.

    Parameters
    ----------
    root : str or Path
        Folder with ``worm_data_short.parquet``.
    subject : str
        ``worm0`` and so on; each source counts its own.
    source : str
        Name of the experiment, e.g. ``Kato2015`` or ``Yemini2021``.
    trace : {"calcium_data", "smooth_calcium_data", "residual_calcium", "smooth_residual_calcium"}
        Calcium, or its derivative ("residual"), as it is or smoothed; all were resampled to one clock by the collection.
    labelled : bool
        Leave out neurons without a name.
    manifest : Manifest, optional
        What is expected, by default the manifest of the collection.

    Returns
    -------
    recording : Recording
        One channel per neuron, of kind calcium, z-scored by the collection. No events: the collection does not keep stimuli.
    stimuli : Stimuli
        Empty.

    Raises
    ------
    DataError
        If there is no such source or worm, or it has no neuron with a name.
    FormatError
        If the file is not there or is no such table.
    CorruptFileError
        If it is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    check_option("trace", trace, TRACES)
    path = _checked(root, (*_COLUMNS, trace))
    rows = _rows(path, [*_COLUMNS, trace], [("source_dataset", "==", source), ("worm", "==", subject)])
    if not len(rows):
        raise _absent(path, source, subject)
    rows = rows[rows["is_labeled_neuron"]] if labelled else rows
    if not len(rows):
        raise DataError(f"{subject} of {source} has no neuron with a name: pass labelled=False")
    with reading(path, "the traces of a worm do not fit each other", _REMEDY):
        data = np.stack([np.asarray(values, np.float32) for values in rows[trace]])
        sfreq = 1 / float(rows["median_dt"].iloc[0])
    channels = pd.DataFrame({"name": rows["neuron"].astype(str).tolist(), "kind": "calcium", "unit": "a.u."})
    origin = {"file": FILE, "sha256": sha256_file(path), "rows": {"source_dataset": source, "worm": subject}}
    meta = {"subject": f"{source}-{subject}", "modality": "calcium", "species": "C. elegans", "sources": [origin]}
    recording = Recording(data, sfreq, channels, _no_events(), meta=meta)
    check_expectations(recording, manifest or info("celegans_neural"), root)
    return recording, Stimuli([], [], "text")


def worms(root: str | Path) -> pd.DataFrame:
    """List the worms of the collection.

    Parameters
    ----------
    root : str or Path
        As in `load`.

    Returns
    -------
    DataFrame
        ``source``, ``worm`` and ``n_labelled``, the number of its neurons with a name.

    Raises
    ------
    FormatError
        If the file is not there or is no such table.
    """
    table = _rows(_checked(root, _COLUMNS), list(_COLUMNS[:4]), None)
    counted = table.groupby(["source_dataset", "worm"], sort=True)["is_labeled_neuron"].sum().reset_index()
    return counted.rename(columns={"source_dataset": "source", "is_labeled_neuron": "n_labelled"})


def _checked(root: str | Path, columns: tuple[str, ...]) -> Path:
    """The file, with the columns that are read."""
    path = existing_file(Path(root) / FILE)
    parquet = require("pyarrow.parquet", "reading parquet files", "connectome")
    with reading(path, "it is not a readable parquet file", _REMEDY):
        there = parquet.read_schema(path).names
    missing = [name for name in columns if name not in there]
    if missing:
        raise FormatError(path, f"it has no column {missing[0]!r}, only {there[:12]}", _REMEDY)
    return path


def _rows(path: Path, columns: list[str], filters: Any) -> pd.DataFrame:
    with reading(path, "it is not a readable parquet file", _REMEDY):
        table: pd.DataFrame = pd.read_parquet(path, columns=columns, filters=filters, engine="pyarrow")
    return table


def _absent(path: Path, source: str, subject: str) -> DataError:
    """What is there instead."""
    table = _rows(path, ["source_dataset", "worm"], None).drop_duplicates()
    sources = sorted(table["source_dataset"].unique())
    if source not in sources:
        return DataError(f"there is no source {source!r}: {suggest(source, sources)}")
    own = sorted(table.loc[table["source_dataset"] == source, "worm"])
    return DataError(f"there is no worm {subject!r} in {source}: {suggest(subject, own)}")


def _no_events() -> pd.DataFrame:
    return pd.DataFrame({"onset": [], "duration": [], "trial_type": pd.Series(dtype=str), "stimulus": pd.Series(dtype=str)})
