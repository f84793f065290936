"""Responses, or arrays with labels beside them, in one form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.errors import DataError


def as_responses(x: Responses | ArrayLike, samples: pd.DataFrame | None = None) -> Responses:
    """An array (n_samples, n_units[, n_times]) with its table of samples as an object; objects pass through."""
    if isinstance(x, Responses):
        return x
    data = np.asarray(x)
    if data.ndim not in (2, 3):
        raise DataError(f"data must be (n_samples, n_units[, n_times]), got shape {data.shape}")
    times = np.arange(data.shape[2], dtype=float) if data.ndim == 3 else None
    table = pd.DataFrame(index=range(len(data))) if samples is None else samples
    return Responses(data, table, pd.DataFrame({"name": [f"unit{i}" for i in range(data.shape[1])]}), times)


def given_labels(responses: Responses | ArrayLike, target: Any) -> Any:
    """The labels themselves, as many as samples."""
    if isinstance(target, str):
        if not isinstance(responses, Responses):
            raise DataError(f"target={target!r} names a column, but the data are a plain array: give the labels themselves")
        if target not in responses.samples:
            raise DataError(f"samples have no column {target!r}; they have {list(map(str, responses.samples.columns))}")
        return responses.samples[target]
    n = len(responses) if isinstance(responses, Responses) else len(np.asarray(responses))
    if np.shape(target) != (n,):
        raise DataError(f"target must hold one label for each of {n} samples, got shape {np.shape(target)}")
    return target


def known_codes(labels: NDArray[Any], classes: list[Any]) -> NDArray[np.int64]:
    """Position of each label among the classes that a decoder was fitted on."""
    codes = {label: i for i, label in enumerate(classes)}
    unknown = [label for label in labels.tolist() if label not in codes]
    if unknown:
        raise DataError(f"label {unknown[0]!r} was not among the classes fitted, {classes}")
    return np.array([codes[label] for label in labels.tolist()], np.int64)


def group_codes(responses: Responses, groups: Any) -> NDArray[np.int64]:
    """Number of the group of each sample, from a column, from one value per sample, or 0 where there is no such column."""
    if isinstance(groups, str):
        return responses.groups(groups) if groups in responses.samples else np.zeros(len(responses), np.int64)
    if np.shape(groups) != (len(responses),):
        raise DataError(f"groups must hold one value for each of {len(responses)} samples, got shape {np.shape(groups)}")
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def matching_data(responses: Responses | ArrayLike, shape: tuple[int, ...], unit_names: list[str] | None) -> NDArray[np.float64]:
    """Data of the units, and times, that a decoder was fitted on."""
    data = np.asarray(responses.data if isinstance(responses, Responses) else responses, float)
    if data.shape[1:] != shape:
        raise DataError(f"samples have shape {data.shape[1:]}, the decoder was fitted on {shape} (units[, times])")
    names = responses.units["name"].tolist() if isinstance(responses, Responses) else None
    if names and unit_names and names != unit_names:
        i = next(i for i, (a, b) in enumerate(zip(names, unit_names, strict=True)) if a != b)
        raise DataError(f"unit {i} is {names[i]!r}, the decoder was fitted on {unit_names[i]!r}: put units in the same order")
    return data


def check_used(data: NDArray[np.float64], used: NDArray[np.bool_], unit_names: list[str] | None) -> None:
    """Refuse NaN in units that a decoder uses, naming unit and sample."""
    wrong = ~np.isfinite(data.reshape(*data.shape[:2], -1)).all(axis=2) & used
    if wrong.any():
        row, unit = np.argwhere(wrong)[0]
        name = unit_names[unit] if unit_names else f"unit{unit}"
        raise DataError(f"unit {name!r} holds NaN or infinite values in sample {row}: interpolate or leave it out")


def spread(values: NDArray[np.float64], units: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Values of used units put in their places, 0 for the others."""
    full = np.zeros((len(values), *shape))
    full[:, units] = values.reshape(len(values), int(units.sum()), *shape[1:])
    return full
