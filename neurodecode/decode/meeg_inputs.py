"""What M/EEG decoders take: windows of one or several sensor arrays, read in batches, and the targets of what was presented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError, SplitLeakError

LAYOUT = ["layout_x", "layout_y"]
_AT_ONCE = 2**24  # values that are read at once: 64 MB of float32
_USUAL = (1e-3, 1e3)  # typical size of values that were scaled, whatever the scaling


class Scaling(NamedTuple):
    """Offset and scale of targets, found on training stimuli."""

    mean: NDArray[np.float32]
    """Shape () or (n_features,)."""
    scale: NDArray[np.float32]
    """Shape () or (n_features,), above 0."""

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Standardise values of shape (n, n_features[, n_times])."""
        mean, scale = self._beside(values)
        return np.asarray((values - mean) / scale, np.float32)

    def undo(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Bring standardised values back."""
        mean, scale = self._beside(values)
        return np.asarray(values * scale + mean, np.float32)

    def _beside(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        wide = self.mean.ndim == 1 and values.ndim == 3
        return (self.mean[:, None], self.scale[:, None]) if wide else (self.mean, self.scale)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one or several sensor arrays as one list of samples.

    Parameters
    ----------
    arrays : list of array of shape (n_samples, n_channels, n_times)
        Responses of each sensor array; may be memory maps.
    positions : list of array of shape (n_channels, 2)
        Layout of each sensor array, NaN where it is not known.
    names : list of list of str
        Channels of each sensor array.
    samples : DataFrame
        Samples of all arrays, one after the other.
    times : array of shape (n_times,)
        Time in s, the same in all.
    lacks : list of array of shape (n_samples, n_channels)
        Channels that the recordings of a sample's subject lack, bool: they are read as 0 and have no position.
    clamp : float or None
        Values are cut off here on both sides when they are read.
    """

    arrays: list[Any]
    positions: list[NDArray[np.float32]]
    names: list[list[str]]
    samples: pd.DataFrame
    times: NDArray[np.float64]
    lacks: list[NDArray[np.bool_]]
    clamp: float | None = 20.0

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    @property
    def n_channels(self) -> int:
        """Channels of the largest sensor array."""
        return max(len(names) for names in self.names)

    @property
    def sfreq(self) -> float:
        """Rate in Hz."""
        return 1.0 / float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0

    @property
    def part(self) -> NDArray[np.int64]:
        """Sensor array of each sample, (n_samples,)."""
        return np.repeat(np.arange(len(self.arrays)), [len(a) for a in self.arrays])

    @property
    def subjects(self) -> NDArray[Any]:
        """Subject of each sample as text, (n_samples,); one without a name where there is no such column."""
        if "subject" not in self.samples:
            return np.full(len(self), "", object)
        return self.samples["subject"].astype(str).to_numpy(object)

    def read(self, index: NDArray[np.int64], start: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Read some samples.

        Parameters
        ----------
        index : array of shape (n,)
            Sample numbers.
        start : int
            First time that is read.

        Returns
        -------
        signal : array of shape (n, n_channels, n_times - start)
            Values, 0 for channels that a smaller array lacks and for those without a position where values are missing.
        positions : array of shape (n, n_channels, 2)
            Layout, NaN where it is not known.
        """
        offsets = np.cumsum([0, *map(len, self.arrays)])
        part = np.searchsorted(offsets, index, side="right") - 1
        signal = np.zeros((len(index), self.n_channels, len(self.times) - start), np.float32)
        positions = np.full((len(index), self.n_channels, 2), np.nan, np.float32)
        for p in np.unique(part):
            rows, n = np.flatnonzero(part == p), len(self.names[p])
            own = index[rows] - offsets[p]
            values = np.asarray(self.arrays[p][own])[:, :, start:]
            signal[rows, :n] = np.nan_to_num(values) if np.isnan(values).any() else values
            positions[rows, :n] = np.where(self.lacks[p][own][:, :, None], np.float32(np.nan), self.positions[p])
        if self.clamp is not None:
            np.clip(signal, -self.clamp, self.clamp, out=signal)
        return signal, positions

    def take(self, index: NDArray[np.int64]) -> Windows:
        """Some samples, in ascending order; arrays are cut as they are."""
        offsets, kept = np.cumsum([0, *map(len, self.arrays)]), np.sort(index)
        rows = [kept[(kept >= a) & (kept < b)] - a for a, b in pairwise(offsets)]
        arrays = [data if len(r) == len(data) else data[r] for data, r in zip(self.arrays, rows, strict=True)]
        lacks = [mask[r] for mask, r in zip(self.lacks, rows, strict=True)]
        return replace(self, arrays=arrays, lacks=lacks, samples=self.samples.iloc[kept].reset_index(drop=True))

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """Numbers of samples, as many at once as fit into memory."""
        step = max(1, _AT_ONCE // (self.n_channels * len(self.times)))
        return (np.arange(a, min(a + step, len(self))) for a in range(0, len(self), step))


def as_windows(responses: Responses | Sequence[Responses], *, layout: bool, clamp: float | None = 20.0) -> Windows:
    """Check responses and lay them out as one list of windows.

    Parameters
    ----------
    responses : Responses or sequence of Responses
        Of one sensor array each, with one time axis.
    layout : bool
        Whether positions are needed; then channels without one are not looked at and may hold NaN.
    clamp : float or None
        As in `Windows`.

    Returns
    -------
    Windows
        Views of the data.

    Raises
    ------
    DataError
        If there is no sample, no or another time axis, no position, a value that is not finite (the message names channel and
        sample) in a channel that other samples of the subject have, or values that were not scaled.
    """
    parts = as_parts(responses)
    if not parts or not sum(map(len, parts)):
        raise DataError(f"there are no samples to decode from: got {len(parts)} Responses without one")
    for part in parts:
        if part.times is None or not _same_times(part.times, parts[0].times):
            raise DataError(
                f"every part needs the time axis of the first, got data of shape {part.data.shape}: cut windows first"
            )
    arrays = [part.data for part in parts]
    positions = [_positions(part, layout) for part in parts]
    names = [part.units["name"].tolist() for part in parts]
    if not layout and any(other != names[0] for other in names):
        raise DataError(f"this network needs one sensor array in all parts, got {len(names)} that differ: pick common channels")
    lacks = []
    for part, place, channels in zip(parts, positions, names, strict=True):
        used = np.asarray(np.isfinite(place).all(axis=1)) if layout else np.ones(len(channels), bool)
        lacks.append(_lacking(part, used, channels))
    table = pd.concat([part.samples for part in parts], ignore_index=True)
    return Windows(arrays, positions, names, table, np.asarray(parts[0].times, float), lacks, clamp)


def _same_times(a: Any, b: Any) -> bool:
    return a is not None and b is not None and len(a) == len(b) and bool(np.allclose(a, b, rtol=0, atol=1e-6))


def _positions(part: Responses, layout: bool) -> NDArray[np.float32]:
    """Layout of the channels (n_channels, 2); NaN where none is needed."""
    if not layout:
        return np.full((part.n_units, 2), np.nan, np.float32)
    check_columns(part.units, LAYOUT, "units (their 2-D layout, from neurodecode.preprocess.meeg.with_layout)")
    places = part.units[LAYOUT].to_numpy(np.float32)
    if not np.isfinite(places).all(axis=1).any():
        raise DataError(
            f"none of the {len(places)} channels has a position (layout_x, layout_y): attention has nothing to look at"
        )
    return places


def _lacking(part: Responses, used: NDArray[np.bool_], names: list[str]) -> NDArray[np.bool_]:
    """Channels that are NaN in every sample of a subject (n_samples, n_channels); any other NaN in a used channel is refused."""
    missing, empty = np.zeros((len(part), part.n_units), bool), np.zeros((len(part), part.n_units), bool)
    step = max(1, _AT_ONCE // max(1, int(np.prod(part.data.shape[1:]))))
    for start in range(0, len(part), step):
        block = np.asarray(part.data[start : start + step])
        finite = np.isfinite(block)
        missing[start : start + step], empty[start : start + step] = ~finite.all(axis=2), ~finite.any(axis=2)
        if start == 0:
            _check_scale(block[:, used])
    subject = part.groups("subject") if "subject" in part.samples else np.zeros(len(part), np.int64)
    lacking = np.stack([empty[subject == number].all(axis=0) for number in range(int(subject.max(initial=-1)) + 1)] or [used])
    wrong = missing & used & ~lacking[subject]
    if wrong.any():
        row, unit = np.argwhere(wrong)[0]
        raise DataError(
            f"channel {names[unit]!r} holds NaN or infinite values in sample {row}: interpolate it, leave the sample out, or "
            "mark it as missing in all samples of this subject (NaN)"
        )
    return lacking[subject]


def _check_scale(block: NDArray[Any]) -> None:
    """Refuse values in V or T."""
    size = float(np.sqrt(np.nanmedian(np.square(block, dtype=np.float64)))) if np.isfinite(block).any() else 1.0
    if size and not _USUAL[0] <= size <= _USUAL[1]:
        raise DataError(
            f"typical values of {size:.3g} were not scaled: scale each recording robustly on its training windows and clamp "
            "(neurodecode.preprocess.meeg) before decoding"
        )


# --- targets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Targets:
    """What is to be decoded, one row per stimulus.

    Parameters
    ----------
    data : array of shape (n_stimuli, n_features[, n_times])
        Values; may be a memory map.
    ids : Index of str
        Stimulus of each row.
    samples : DataFrame
        Table of the stimuli.
    times : array of shape (n_times,), optional
        Times of the values in s.
    """

    data: Any
    ids: pd.Index
    samples: pd.DataFrame
    times: NDArray[np.float64] | None = None

    def rows(self, stimuli: pd.Series) -> NDArray[np.int64]:
        """Row of each stimulus.

        Parameters
        ----------
        stimuli : Series of str
            Stimuli.

        Returns
        -------
        array of int64
            Rows of `data`.

        Raises
        ------
        DataError
            If a stimulus has no target.
        """
        names = stimuli.astype(str)
        rows = self.ids.get_indexer(pd.Index(names))
        if (rows < 0).any():
            missing = int((rows < 0).sum())
            raise DataError(
                f"{missing} of {len(rows)} responses have no target, e.g. stimulus {names.iloc[int(np.argmin(rows))]!r}"
            )
        return rows.astype(np.int64)


def as_targets(targets: Responses, ndim: int) -> Targets:
    """Check targets.

    Parameters
    ----------
    targets : Responses
        One row per stimulus.
    ndim : int
        Dimensions of the data: 2 for images, 3 for speech.

    Returns
    -------
    Targets
        Views of the data.

    Raises
    ------
    DataError
        If these are no targets, a stimulus stands twice, or the shape is another.
    """
    if not isinstance(targets, Responses):
        raise DataError(
            f"targets must be Responses with one row per stimulus, got {type(targets).__name__}: extract features first"
        )
    check_columns(targets.samples, ["stimulus"], "samples of the targets")
    if targets.data.ndim != ndim:
        kinds = {2: "(n_stimuli, n_features)", 3: "(n_stimuli, n_features, n_times)"}
        raise DataError(f"targets must be {kinds[ndim]}, got shape {targets.data.shape}")
    ids = pd.Index(targets.samples["stimulus"].astype(str))
    if not ids.is_unique:
        twice = ids[ids.duplicated()][0]
        raise DataError(f"targets have {int((ids == twice).sum())} rows for stimulus {twice!r}, expected one: de-duplicate them")
    return Targets(targets.data, ids, targets.samples, targets.times)


def fit_scaling(data: Any, rows: NDArray[np.int64], per_feature: bool) -> Scaling:
    """Mean and standard deviation of the targets of training stimuli, each counted once.

    Parameters
    ----------
    data : array of shape (n_stimuli, n_features[, n_times])
        Targets.
    rows : array of shape (n,)
        Rows of the training stimuli.
    per_feature : bool
        One mean and deviation per feature, else one of all values.

    Returns
    -------
    Scaling
        A deviation of 0 becomes 1.

    Raises
    ------
    DataError
        If a target is not finite.
    """
    kept = np.unique(rows)
    step = max(1, _AT_ONCE // max(1, int(np.prod(data.shape[1:]))))
    axes = tuple(i for i in range(data.ndim) if not per_feature or i != 1)
    shape = (data.shape[1],) if per_feature else ()
    n, total, squares = 0, np.zeros(shape), np.zeros(shape)
    for start in range(0, len(kept), step):
        block = np.asarray(data[kept[start : start + step]], np.float64)
        if not np.isfinite(block).all():
            bad = kept[start + int(np.argmin(np.isfinite(block).reshape(len(block), -1).all(axis=1)))]
            raise DataError(f"the target in row {bad} holds NaN or infinite values: leave its stimulus out")
        n += block.size // max(1, int(np.prod(shape)))
        total, squares = total + block.sum(axis=axes), squares + np.square(block).sum(axis=axes)
    mean = total / n
    scale = np.sqrt(np.maximum(squares / n - mean**2, 0))
    return Scaling(np.asarray(mean, np.float32), np.asarray(np.where(scale > 0, scale, 1.0), np.float32))


# --- splits ----------------------------------------------------------------------------------------------------------


def split_by_column(responses: Any, validation: Any) -> tuple[Any, Any]:
    """Take the validation samples from the column ``split`` where none are given; refuse test samples.

    Parameters
    ----------
    responses, validation : Responses, sequence of Responses, or None
        As given to `fit`.

    Returns
    -------
    tuple
        Training and validation samples; the latter None where there are none.

    Raises
    ------
    SplitLeakError
        If a sample is marked as test.
    """
    for side in (responses, validation):
        for part in as_parts(side):
            n = int((part.samples["split"].astype(str) == "test").sum()) if "split" in part.samples else 0
            if n:
                raise SplitLeakError(
                    f"{n} of {len(part)} samples are marked split='test': a decoder may not see them, neither to fit nor to "
                    "choose; select split='train' and split='validation'"
                )
    if validation is not None:
        return responses, validation
    sides = [[_marked(part, name) for part in as_parts(responses)] for name in ("train", "validation")]
    train, held = ([part for part in side if part is not None] for side in sides)
    return (train, held) if train and held else (responses, None)


def as_parts(responses: Any) -> list[Responses]:
    """Responses of one sensor array each; none where there is nothing."""
    if responses is None:
        return []
    return [responses] if isinstance(responses, Responses) else list(responses)


def _marked(part: Responses, split: str) -> Responses | None:
    """Samples of a split, None where there are none."""
    if "split" not in part.samples:
        return None
    mask = (part.samples["split"].astype(str) == split).to_numpy()
    return part.select(mask) if mask.any() else None


def check_apart(train: pd.DataFrame, other: pd.DataFrame, name: str, columns: Mapping[str, str]) -> None:
    """Refuse values that stand on both sides.

    Parameters
    ----------
    train, other : DataFrame
        Samples of both sides.
    name : str
        What the other side is.
    columns : mapping
        Columns that must be apart, and what to do where they are not.

    Raises
    ------
    SplitLeakError
        Naming a value.
    """
    for column, remedy in columns.items():
        if column in train and column in other:
            refuse_shared(set(train[column].astype(str)), other[column], name, remedy)


def refuse_shared(seen: set[str], values: pd.Series, name: str, remedy: str) -> None:
    """Refuse values that were seen before, naming the first and the column."""
    shared = sorted(set(values.astype(str)) & seen)
    if shared:
        raise SplitLeakError(f"{len(shared)} values of {values.name!r} in {name} were trained on, e.g. {shared[0]!r}: {remedy}")
