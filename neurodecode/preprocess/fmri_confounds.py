"""Nuisance signals of fMRIPrep: which to take out, how much the head moved, which volumes to leave out."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Intervals, Recording
from neurodecode.data.validate import check_length, suggest
from neurodecode.errors import DataError
from neurodecode.preprocess._runs import name_of

TRANSLATIONS = ("trans_x", "trans_y", "trans_z")  # mm
ROTATIONS = ("rot_x", "rot_y", "rot_z")  # rad
MOTION = TRANSLATIONS + ROTATIONS
HEAD_RADIUS = 50.0  # mm
SCRUB_ABOVE = 0.5  # mm of framewise displacement; the threshold of fMRIPrep's motion outliers
PARTS = ("motion6", "motion12", "motion24", "acompcor6", "tcompcor6", "wmcsf", "global", "scrub", "cosine")

_MOTION_ENDINGS = {6: ("",), 12: ("", "_derivative1"), 24: ("", "_derivative1", "_power2", "_derivative1_power2")}
_COMPONENTS = {"acompcor": "a_comp_cor", "tcompcor": "t_comp_cor"}
_NAMED = {"wmcsf": ["white_matter", "csf"], "global": ["global_signal"]}


def select_confounds(table: pd.DataFrame, strategy: str | Sequence[str] = "motion24+acompcor6") -> pd.DataFrame:
    """Choose nuisance signals from an fMRIPrep confounds table.

    Parameters
    ----------
    table : DataFrame of shape (n_times, n_columns)
        Columns as fMRIPrep names them: trans_x ... rot_z, a_comp_cor_00, global_signal, motion_outlier00, ...
    strategy : str or sequence of str
        Parts joined by "+": ``motion6`` (3 translations, 3 rotations), ``motion12`` (and their differences), ``motion24`` (and
        the squares of all; Friston et al. 1996), ``acompcor6`` or ``tcompcor6`` (as many components as the number says),
        ``wmcsf`` (mean signals), ``global``, ``scrub`` (one column per outlier volume: those of the table, else framewise
        displacement above 0.5 mm), ``cosine`` (drifts; with ``high_pass=None`` only). Or the names of columns.

    Returns
    -------
    DataFrame
        The columns in that order, finite. Missing motion differences and squares are computed. A missing value in the first
        row, where a difference is not defined, takes the value of the second row, as in nilearn.

    Raises
    ------
    DataError
        If a part is unknown, columns are missing, or a value is missing after the first row.
    """
    named = [strategy] if isinstance(strategy, str) and strategy in table else strategy
    if isinstance(named, str):
        parts = [_part(table, part) for part in named.split("+")]
        chosen = pd.concat(parts, axis=1) if parts else table
    else:
        chosen = _columns(_with_motion_terms(table, named), named, "the list of columns")
    return _filled(chosen.loc[:, ~chosen.columns.duplicated()])


def framewise_displacement(confounds: pd.DataFrame) -> NDArray[np.float64]:
    r"""How far the head moved from one volume to the next.

    :math:`FD_t = \sum |\Delta trans_t| + 50\,mm \sum |\Delta rot_t|` (Power et al. 2012, NeuroImage 59:2142).

    Parameters
    ----------
    confounds : DataFrame of shape (n_times, n_columns)
        With trans_x, trans_y, trans_z in mm and rot_x, rot_y, rot_z in rad.

    Returns
    -------
    NDArray[np.float64]
        Displacement in mm, shape (n_times,); 0 for the first volume.

    Raises
    ------
    DataError
        If one of the six columns is missing.
    """
    motion = _columns(confounds, MOTION, "framewise displacement").to_numpy(np.float64)
    steps = np.abs(np.diff(motion, axis=0, prepend=motion[:1]))
    return np.asarray(steps[:, :3].sum(axis=1) + HEAD_RADIUS * steps[:, 3:].sum(axis=1))


def n_non_steady_state(confounds: pd.DataFrame) -> int:
    """Count the first volumes before the magnetisation is steady, as fMRIPrep marked them.

    Parameters
    ----------
    confounds : DataFrame of shape (n_times, n_columns)
        With one column ``non_steady_state_outlierXX`` per such volume, or none.

    Returns
    -------
    int
        Number of volumes up to the last one marked.
    """
    marks = [name for name in confounds if str(name).startswith("non_steady_state_outlier")]
    rows = np.flatnonzero(confounds[marks].to_numpy(np.float64).any(axis=1)) if marks else np.zeros(0, int)
    return int(rows[-1]) + 1 if rows.size else 0


def drop_non_steady_state(recording: Recording, confounds: pd.DataFrame) -> tuple[Recording, pd.DataFrame]:
    """Leave out the first volumes before the magnetisation is steady, from the recording and from its confounds.

    The clock stays: `t0` moves on, and every event is kept, since the response to an early event may reach into the volumes
    that are left.

    Parameters
    ----------
    recording : Recording
        One run.
    confounds : DataFrame of shape (n_times, n_columns)
        The whole confounds table of the run.

    Returns
    -------
    Recording
        Without its first volumes.
    DataFrame
        Its confounds, without the same rows and the columns that marked them.

    Raises
    ------
    DataError
        If the table has another length, or all volumes are marked.
    """
    check_length(f"confounds of {name_of(recording)}", len(confounds), recording.n_times, "volume")
    n = n_non_steady_state(confounds)
    if n >= recording.n_times:
        raise DataError(f"all {recording.n_times} volumes of {name_of(recording)} are marked as non-steady state")
    t0, end = recording.t0 + n / recording.sfreq, recording.t0 + recording.duration
    shorter = recording.with_step(
        "fmri.drop_non_steady_state",
        {"n_volumes": n},
        data=recording.data[:, n:],
        t0=t0,
        valid=recording.valid.intersection(Intervals([t0], [end])),
    )
    marks = [name for name in confounds if str(name).startswith("non_steady_state_outlier")]
    return shorter, confounds.iloc[n:].drop(columns=marks).reset_index(drop=True)


def _part(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """The columns of one part of a strategy."""
    name = part.strip().lower()
    match = re.fullmatch(r"(motion|acompcor|tcompcor)(\d+)", name)
    if name in _NAMED:
        return _columns(table, _NAMED[name], name)
    if name == "cosine":
        return _columns(table, [str(column) for column in table if str(column).startswith("cosine")] or ["cosine00"], name)
    if name == "scrub":
        return _outliers(table)
    if match and match[1] in _COMPONENTS:
        return _columns(table, [f"{_COMPONENTS[match[1]]}_{i:02d}" for i in range(int(match[2]))], name)
    if match and int(match[2]) in _MOTION_ENDINGS:
        names = [base + ending for ending in _MOTION_ENDINGS[int(match[2])] for base in MOTION]
        return _columns(_with_motion_terms(table, names), names, name)
    raise DataError(f"confound strategy {part!r} is unknown: {suggest(name, PARTS)}, joined by '+', or give a list of columns")


def _columns(table: pd.DataFrame, names: Sequence[str], purpose: str) -> pd.DataFrame:
    missing = [name for name in names if name not in table]
    if missing:
        shown = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
        held = ", ".join(map(str, table.columns[:12])) + (", ..." if table.shape[1] > 12 else "")
        raise DataError(
            f"{purpose} needs {len(missing)} columns that the confounds table lacks ({shown}); it has {held}. "
            "Choose a strategy it can serve, e.g. 'motion6', or read the desc-confounds_timeseries.tsv of fMRIPrep"
        )
    return table[list(names)]


def _with_motion_terms(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The table with those of the named motion differences and squares that it lacks, where the motion itself is there."""
    added: dict[str, pd.Series] = {}
    for name in names:
        base = re.sub("(_derivative1)?(_power2)?$", "", name)
        if name in table or base not in MOTION or base not in table:
            continue
        term = table[base].astype(float)
        term = term.diff() if "_derivative1" in name else term
        added[name] = term**2 if name.endswith("_power2") else term
    return table.assign(**added)


def _outliers(table: pd.DataFrame) -> pd.DataFrame:
    """One column per outlier volume: those fMRIPrep marked, else those that moved too far."""
    marked = table.filter(regex="^motion_outlier")
    if marked.shape[1]:
        return marked
    volumes = np.flatnonzero(framewise_displacement(table) > SCRUB_ABOVE)
    spikes = np.arange(len(table))[:, None] == volumes
    return pd.DataFrame(spikes.astype(float), index=table.index, columns=[f"motion_outlier{i:02d}" for i in range(len(volumes))])


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    values = table.astype(float).reset_index(drop=True)
    if len(values) > 1:
        values.iloc[0] = values.iloc[0].fillna(values.iloc[1])
    lost = values.columns[values.isna().any()]
    if len(lost):
        row = int(np.flatnonzero(values[lost[0]].isna())[0])
        raise DataError(
            f"confound {lost[0]!r} is missing in row {row}, expected a gap in the first row at most: repair the table"
        )
    return values
