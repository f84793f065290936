"""One row of features for each row of responses: joined by stimulus, by scan of each run, or by position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.inputs import Rows
from neurodecode.data.responses import RUN_KEYS, Responses
from neurodecode.data.validate import suggest
from neurodecode.errors import DataError

_Codes = NDArray[np.int64]


class Targets(NamedTuple):
    """Responses as a matrix of which only the columns asked for are read."""

    data: Any
    """Shape (n_samples, n_targets), units varying slowest; may be a memory map."""
    order: _Codes
    """Samples in the order of the rows that they belong to, shape (n_used,)."""
    starts: _Codes
    """Where each row begins in `order`, shape (n_rows,)."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.starts)

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return int(self.data.shape[1])

    @property
    def n_presentations(self) -> _Codes:
        """Samples behind each row."""
        return np.diff(np.append(self.starts, len(self.order)))

    def read(self, columns: slice) -> NDArray[np.float32]:
        """Read some targets: the mean over the samples of each row, of those that are not NaN.

        Parameters
        ----------
        columns : slice
            Which targets.

        Returns
        -------
        array of shape (n_rows, n_columns)
            NaN where no sample of a row has a value.
        """
        values = np.asarray(self.data[:, columns])
        values = values if np.array_equal(self.order, np.arange(len(values))) else values[self.order]
        if len(self.starts) == len(self.order):
            return values
        known = np.isfinite(values)
        total = np.add.reduceat(np.where(known, values, 0).astype(np.float64), self.starts, axis=0)
        count = np.add.reduceat(known.astype(np.int64), self.starts, axis=0)
        return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)


class Aligned(NamedTuple):
    """Features and responses with one row each per scan or stimulus."""

    spaces: dict[str, NDArray[np.float32]]
    """Features by space, shape (n_rows, n_features)."""
    targets: Targets
    """Responses."""
    first: _Codes
    """First sample of the brain behind each row, shape (n_rows,)."""
    runs: _Codes
    """Run of each row; delays never reach across its border."""
    stimuli: _Codes | None
    """Stimulus of each row, where rows are joined by it."""
    notes: list[str]
    """What was averaged or left out."""


def align(spaces: Mapping[str, Responses], brain: Responses, rows: Rows, repeats: str = "average") -> Aligned:
    """Match the rows of features and responses.

    Parameters
    ----------
    spaces : mapping of str to Responses
        Feature spaces.
    brain : Responses
        Responses of a brain.
    rows : Rows
        What a row is. A series whose stimuli (the ids of its scans) come several times is joined by them too.
    repeats : {"average", "keep"}
        What becomes of several presentations of a stimulus.

    Returns
    -------
    Aligned
        Rows in the order of the brain's samples.

    Raises
    ------
    DataError
        If numbers of rows differ, naming the run, or no stimulus is common to all.
    """
    if rows.kind == "stimuli" or (rows.kind == "series" and _is_repeated_series(spaces, brain)):
        return _by_stimulus(spaces, brain, "average" if rows.kind == "series" else repeats)
    if rows.kind == "series":
        return _by_scan(spaces, brain)
    for name, space in spaces.items():
        _check_rows(name, space.n_samples, brain.n_samples, "the brain has")
    matrices = {name: space.matrix() for name, space in spaces.items()}
    return _aligned(matrices, brain, np.arange(brain.n_samples), None, [])


def run_codes(responses: Responses) -> _Codes:
    """Run of each sample, one run where there is no such column.

    Parameters
    ----------
    responses : Responses
        Samples.

    Returns
    -------
    array of shape (n_samples,)
        Numbers in order of appearance.
    """
    return responses.groups("run") if "run" in responses.samples else np.zeros(responses.n_samples, np.int64)


def _aligned(
    spaces: dict[str, NDArray[np.float32]], brain: Responses, label: _Codes, stimuli: _Codes | None, notes: list[str]
) -> Aligned:
    """Rows are the labels from 0 up; samples labelled -1 are left out."""
    order = np.argsort(label, kind="stable")[np.count_nonzero(label < 0) :]
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    targets = Targets(brain.data.reshape(brain.n_samples, -1), order, starts)
    first = order[starts]
    return Aligned(spaces, targets, first, run_codes(brain)[first], stimuli, notes)


def _check_rows(name: str, got: int, expected: int, where: str) -> None:
    if got != expected:
        raise DataError(
            f"feature space {name!r} has {got} rows where {where} {expected}: bring features to the clock of the scans with "
            "to_tr, or give both a column 'stimulus' to join them by"
        )


# --- by stimulus ---------------------------------------------------------------------------------------------------


def _is_repeated_series(spaces: Mapping[str, Responses], brain: Responses) -> bool:
    """Whether scans carry ids, one row of features each, and some come several times, as when a film is shown twice."""
    if not all("stimulus" in part.samples and part.samples["stimulus"].notna().all() for part in (*spaces.values(), brain)):
        return False
    once = not any(space.samples["stimulus"].duplicated().any() for space in spaces.values())
    return once and bool(brain.samples["stimulus"].duplicated().any())


def _by_stimulus(spaces: Mapping[str, Responses], brain: Responses, repeats: str) -> Aligned:
    shown = brain.samples["stimulus"].map(str).to_numpy(object)
    positions = {name: _positions(name, space) for name, space in spaces.items()}
    common = set(shown).intersection(*positions.values())
    if not common:
        example = ", ".join(f"{name!r} has {next(iter(known), None)!r}" for name, known in positions.items())
        raise DataError(f"no stimulus of the brain (e.g. {shown[0]!r}) is in every feature space ({example}): use one set of ids")
    kept = [stimulus for stimulus in dict.fromkeys(shown) if stimulus in common]
    code = {stimulus: i for i, stimulus in enumerate(kept)}
    stimulus_of = np.array([code.get(s, -1) for s in shown], np.int64)
    label = stimulus_of if repeats == "average" else _numbered(stimulus_of >= 0)
    of_row = np.arange(len(kept)) if repeats == "average" else stimulus_of[stimulus_of >= 0]
    matrices = {
        name: space.matrix()[np.array([positions[name][s] for s in kept], np.int64)[of_row]] for name, space in spaces.items()
    }
    return _aligned(matrices, brain, label, of_row, _stimulus_notes(shown, positions, kept, repeats))


def _positions(name: str, space: Responses) -> dict[str, int]:
    """Row of each stimulus of a feature space."""
    ids = space.samples["stimulus"].map(str)
    twice = ids[ids.duplicated()]
    if len(twice):
        raise DataError(
            f"stimulus {twice.iloc[0]!r} stands {int((ids == twice.iloc[0]).sum())} times in feature space {name!r}: a stimulus "
            "has one row of features, average('stimulus') them first"
        )
    return {stimulus: i for i, stimulus in enumerate(ids)}


def _numbered(used: NDArray[np.bool_]) -> _Codes:
    """Number of each used sample among the used ones, -1 for the others."""
    return np.where(used, np.cumsum(used) - 1, -1)


def _stimulus_notes(shown: NDArray[Any], positions: dict[str, dict[str, int]], kept: list[str], repeats: str) -> list[str]:
    notes = []
    missing = [s for s in dict.fromkeys(shown) if s not in set(kept)]
    if missing:
        lacking = next(name for name, known in positions.items() if missing[0] not in known)
        hint = suggest(missing[0], positions[lacking])
        notes.append(
            f"{len(missing)} of {len(missing) + len(kept)} stimuli have no features and were left out, the first is "
            f"{missing[0]!r}, which is not in {lacking!r}: {hint}"
        )
    n_used = len(shown) - int(np.isin(shown, np.array(missing, object)).sum())
    if n_used > len(kept):
        what = "averaged per stimulus" if repeats == "average" else "kept as rows of their own"
        notes.append(f"{n_used} presentations of {len(kept)} stimuli, {what}")
    return notes


# --- by scan -------------------------------------------------------------------------------------------------------


def _by_scan(spaces: Mapping[str, Responses], brain: Responses) -> Aligned:
    """Scan by scan within each run; features without runs follow the runs of the brain."""
    _check_order(brain)
    label = np.arange(brain.n_samples)
    matrices = {name: space.matrix()[_rows_of_runs(name, space, brain)] for name, space in spaces.items()}
    return _aligned(matrices, brain, label, None, [])


def _check_order(brain: Responses) -> None:
    """Refuse runs in pieces and onsets that go back: delays count rows."""
    runs = run_codes(brain)
    pieces = int(np.count_nonzero(np.diff(runs))) + 1
    if pieces > runs.max() + 1:
        raise DataError(f"{int(runs.max()) + 1} runs lie in {pieces} pieces of rows: sort the samples by run and onset")
    if "onset" in brain.samples:
        back = np.flatnonzero((np.diff(brain.samples["onset"].to_numpy(float)) <= 0) & (np.diff(runs) == 0))
        if back.size:
            raise DataError(
                f"onsets of a series must increase within a run, sample {back[0] + 1} does not: sort by run and onset"
            )


def _rows_of_runs(name: str, space: Responses, brain: Responses) -> _Codes:
    """Row of the features for each scan of the brain."""
    keys = [c for c in RUN_KEYS if c in space.samples and c in brain.samples]
    if "run" not in keys:
        _check_rows(name, space.n_samples, brain.n_samples, "the brain has")
        return np.arange(brain.n_samples)
    known = _scans_by_run(space, keys)
    wanted = _scans_by_run(brain, [c for c in RUN_KEYS if c in brain.samples])
    parts = []
    for run, scans in wanted.items():
        rows = known.get(tuple((c, v) for c, v in run if c in keys))
        label = ", ".join(f"{c}={v}" for c, v in run)
        if rows is None:
            raise DataError(
                f"feature space {name!r} has no rows for {label} of the brain, matched by {keys}; it has {list(known)[:5]}"
            )
        _check_rows(name, len(rows), len(scans), f"{label} of the brain has")
        parts.append(rows)
    return np.concatenate(parts)


def _scans_by_run(responses: Responses, columns: list[str]) -> dict[tuple[tuple[str, str], ...], _Codes]:
    """Rows of each run by its name, in order of appearance."""
    labels = responses.groups(columns)
    found = {}
    for code in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == code)
        found[tuple((c, str(responses.samples[c].iloc[rows[0]])) for c in columns)] = rows
    return found
