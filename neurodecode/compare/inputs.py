"""What is compared: named feature spaces, responses of a brain, and whether their rows are scans, stimuli or plain positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_length, check_positive
from neurodecode.errors import DataError

Kind = Literal["series", "stimuli", "position"]
_REGULAR = 1e-3  # of a TR; onsets are written with three or four digits


class Rows(NamedTuple):
    """What a row of the responses is."""

    kind: Kind
    """``series`` (scans at a fixed rate), ``stimuli`` (trials, words, images: joined by their id) or ``position`` (no more is
    known than the order)."""
    TR: float | None
    """Time between rows of a series in s."""
    why: str
    """How that was found, for the notes."""


def as_spaces(features: Any, name: str = "features") -> dict[str, Responses]:
    """Name feature spaces.

    Parameters
    ----------
    features : Responses, array_like of shape (n_samples, n_features), or a list or mapping of those
        One space or several.
    name : str
        Name of a single space; several in a list are numbered from 0 after it.

    Returns
    -------
    dict of str to Responses
        At least one space.

    Raises
    ------
    DataError
        If there is none, or one of them is not a matrix of finite numbers.
    """
    if isinstance(features, Mapping):
        named = {str(key): value for key, value in features.items()}
    elif isinstance(features, (list, tuple)) and any(_is_matrix(part) for part in features):
        named = {f"{name}{i}": part for i, part in enumerate(features)}
    else:
        named = {name: features}
    if not named:
        raise DataError(f"{name} hold no feature space, got {features!r}: give at least one")
    spaces = {key: as_responses(value, f"feature space {key!r}") for key, value in named.items()}
    for key, space in spaces.items():
        _check_finite(space, key)
    return spaces


def as_responses(data: Any, what: str) -> Responses:
    """Give an array the tables of `Responses`; `Responses` pass through.

    Parameters
    ----------
    data : Responses or array_like of shape (n_samples,) or (n_samples, n_units)
        Numbers; a float32 memory map stays on disk.
    what : str
        What they are, for the message.

    Returns
    -------
    Responses
        With made-up names of units.

    Raises
    ------
    DataError
        If it is neither, or has no row or no column.
    """
    responses = data if isinstance(data, Responses) else _from_array(data, what)
    if not responses.data.size:
        raise DataError(f"{what} hold nothing, got shape {responses.data.shape}")
    return responses


def with_groups(brain: Responses, groups: Any) -> Responses:
    """Write groups given as an array into the samples, as their run where they have none.

    Parameters
    ----------
    brain : Responses
        Responses of a brain.
    groups : None, str, or array_like of shape (n_samples,)
        A column of `samples`, or the group of each sample.

    Returns
    -------
    Responses
        With a column ``group`` (and ``run``) if `groups` is an array.

    Raises
    ------
    DataError
        If the length differs.
    """
    if groups is None or isinstance(groups, str):
        return brain
    labels = np.asarray(groups)
    check_length("groups", len(labels), brain.n_samples, "sample of the brain")
    runs = {} if "run" in brain.samples else {"run": labels}
    return brain.replace(samples=brain.samples.assign(group=labels, **runs))


def kind_of_rows(spaces: Sequence[Responses], brain: Responses, TR: float | None) -> Rows:
    """Find out what the rows are.

    In this order: `TR` was given, or the responses say their rate (``meta["sfreq"]`` in Hz or ``meta["TR"]`` in s) and have no
    time axis: a series. All have stimuli: joined by stimulus. Onsets at a fixed step within each run: a series with that step as
    TR. Otherwise nothing but the position is known.

    Parameters
    ----------
    spaces : sequence of Responses
        Feature spaces.
    brain : Responses
        Responses of a brain.
    TR : float or None
        Time between rows in s, where it is known.

    Returns
    -------
    Rows
        Kind, TR and reason.

    Raises
    ------
    DataError
        If `TR` is no positive number.
    """
    if TR is not None:
        return Rows("series", check_positive("TR", TR), f"a series at the given TR of {TR:g} s")
    step = _step_of_meta(brain)
    if step is not None:
        return Rows("series", step, f"a series: meta of the brain gives a step of {step:g} s")
    if all(_has_stimuli(part) for part in (*spaces, brain)):
        return Rows("stimuli", None, "trials, joined by their stimulus")
    step = _step_of_onsets(brain)
    if step is not None:
        return Rows("series", step, f"a series: onsets are {step:g} s apart within each run")
    return Rows("position", None, "rows without stimuli and without a clock, matched by their position")


def _from_array(data: Any, what: str) -> Responses:
    array = data if hasattr(data, "shape") else np.asarray(data)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(f"{what} must be Responses or of shape (n_samples, n_units), got shape {array.shape}")
    return Responses(array, pd.DataFrame(index=range(len(array))), pd.DataFrame(index=range(array.shape[1])))


def _is_matrix(part: Any) -> bool:
    return isinstance(part, Responses) or np.ndim(part) == 2


def _check_finite(space: Responses, name: str) -> None:
    """Refuse features that are missing: a linear model has no value to put in their place."""
    bad = ~np.isfinite(space.matrix()).all(axis=0)
    if bad.any():
        unit = space.units["name"].iloc[int(np.argmax(bad)) // (bad.size // space.n_units)]
        raise DataError(
            f"feature {unit!r} of space {name!r} holds NaN or infinite values ({int(bad.sum())} of {bad.size} do): leave the "
            "feature or those samples out, or fill them"
        )


def _has_stimuli(part: Responses) -> bool:
    return "stimulus" in part.samples and not bool(part.samples["stimulus"].isna().any())


def _step_of_meta(brain: Responses) -> float | None:
    """Time between rows as `meta` says; with a time axis the rate is that of the axis."""
    if brain.times is not None:
        return None
    if brain.meta.get("TR") is not None:
        return check_positive("TR in meta of the brain", brain.meta["TR"])
    rate = brain.meta.get("sfreq")
    return None if rate is None else 1 / check_positive("sfreq in meta of the brain", rate)


def _step_of_onsets(brain: Responses) -> float | None:
    """The one step between onsets within runs; None if there is no such step."""
    if brain.times is not None or "onset" not in brain.samples:
        return None
    runs = brain.groups("run") if "run" in brain.samples else np.zeros(brain.n_samples, np.int64)
    onset = brain.samples["onset"].to_numpy(float)
    steps = np.diff(onset)[np.diff(runs) == 0]
    if len(steps) < 2 or not np.isfinite(steps).all() or steps.min() <= 0:
        return None
    step = float(np.median(steps))
    return step if np.all(np.abs(steps - step) <= _REGULAR * step) else None
