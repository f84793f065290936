"""Units of a network: which layer and which index each column of its responses stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.errors import DataError

Layers = str | int | Sequence[int]


class Site(NamedTuple):
    """One place in a network from which responses are taken."""

    name: str
    """``hidden`` for the hidden states, ``projection`` for the embedding that a model is trained to compare, and so on."""
    layer: int
    """Number of the layer: 0 is the input of the first block, n the output of block n."""
    grid: tuple[int, int] | None = None
    """Rows and columns of patches, where each patch has units of its own."""


class Block(NamedTuple):
    """Some rows of responses."""

    values: Mapping[Site, NDArray[np.float32]]
    """Responses (n_rows, n_units) by site; the same sites and numbers of units in every block."""
    samples: pd.DataFrame
    """One row per row."""


def choose_layers(layers: Layers, n_states: int) -> list[int]:
    """Turn a choice of layers into their numbers.

    Parameters
    ----------
    layers : "all", int or sequence of int
        0 is the input of the first block, n the output of block n, as in ``hidden_states`` of transformers; negative numbers
        count from the last.
    n_states : int
        Number of layers there are, the input included.

    Returns
    -------
    list of int
        Numbers from 0 to n_states - 1, in the order asked for.

    Raises
    ------
    DataError
        If a layer is unknown or named twice.
    """
    if isinstance(layers, str):
        if layers != "all":
            raise DataError(f"layers must be 'all' or numbers of layers, got {layers!r}")
        return list(range(n_states))
    asked = np.atleast_1d(np.asarray(layers))
    if asked.dtype.kind not in "iu" or asked.ndim != 1 or not asked.size:
        raise DataError(f"layers must be 'all' or whole numbers, got {layers!r}")
    wrong = asked[(asked < -n_states) | (asked >= n_states)]
    if wrong.size:
        raise DataError(f"there is no layer {wrong[0]}: this model has layers 0 (input) to {n_states - 1}")
    chosen = [int(k) % n_states for k in asked]
    if len(set(chosen)) < len(chosen):
        raise DataError(f"layers must differ, got {layers!r}, which are {chosen} of {n_states}")
    return chosen


def as_settings_layers(layers: Layers) -> Any:
    """Write a choice of layers as a JSON value.

    Parameters
    ----------
    layers : "all", int or sequence of int
        As in `choose_layers`.

    Returns
    -------
    str or list of int
        Equal for equal choices.
    """
    return layers if isinstance(layers, str) else np.atleast_1d(np.asarray(layers)).tolist()


def unit_table(values: Mapping[Site, NDArray[np.float32]]) -> pd.DataFrame:
    """Make the table of units of a block, in the order in which `join_sites` lays them side by side.

    Parameters
    ----------
    values : mapping of Site to array of shape (n_rows, n_units)
        Responses by site.

    Returns
    -------
    DataFrame
        ``name, layer, index, site``, and ``patch_row, patch_column`` where patches have units of their own (units of one patch
        follow each other).
    """
    return pd.concat([_units_of(site, array.shape[1]) for site, array in values.items()], ignore_index=True)


def _units_of(site: Site, n_units: int) -> pd.DataFrame:
    stem = f"{site.name}.{site.layer}"
    if site.grid is None:
        index = np.arange(n_units)
        return pd.DataFrame({"name": [f"{stem}.{i}" for i in index], "layer": site.layer, "index": index, "site": site.name})
    rows, columns = site.grid
    row, column, index = (a.ravel() for a in np.indices((rows, columns, n_units // (rows * columns))))
    names = [f"{stem}.{r}.{c}.{i}" for r, c, i in zip(row, column, index, strict=True)]
    table = pd.DataFrame({"name": names, "layer": site.layer, "index": index, "site": site.name})
    return table.assign(patch_row=row, patch_column=column)


def join_sites(values: Mapping[Site, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Lay the responses of all sites side by side.

    Parameters
    ----------
    values : mapping of Site to array of shape (n_rows, n_units)
        Responses by site.

    Returns
    -------
    array of shape (n_rows, n_units of all sites)
        As float32.
    """
    return np.concatenate([np.asarray(a, np.float32) for a in values.values()], axis=1)


def mean_row(parts: Iterable[Mapping[Site, NDArray[np.float32]]]) -> tuple[dict[Site, NDArray[np.float32]], int]:
    """Average over all rows of some blocks, in float64.

    Parameters
    ----------
    parts : iterable of mapping of Site to array of shape (n_rows, n_units)
        At least one row in all.

    Returns
    -------
    means : dict of Site to array of shape (1, n_units)
        Mean by site.
    n_rows : int
        Number of rows that were averaged.
    """
    total: dict[Site, Any] = {}
    n_rows = 0
    for part in parts:
        total = {site: total.get(site, 0.0) + array.sum(0, dtype=np.float64) for site, array in part.items()}
        n_rows += len(next(iter(part.values())))
    return {site: (sums / n_rows)[None].astype(np.float32) for site, sums in total.items()}, n_rows
