"""Contact names and references of intracranial EEG: bipolar, Laplacian, common average."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import IEEG_KINDS, check_valid, names_of, need_rows, rows_of_kind

# An optional prefix of the amplifier, the shaft (ends in a letter or a prime), an optional gap, the contact number, an
# optional "-Ref". A hyphen inside means the name is a pair already.
_CONTACT = re.compile(r"(?:(?:POL|EEG|SEEG|ECOG|IEEG)[ _-]+)?([^-]*?[^\W\d_]'*)[ _-]?(\d+)(?:-(?:Ref|Org|G\d*))?", re.IGNORECASE)
_PRIMES = str.maketrans({"’": "'", "′": "'", "`": "'", "´": "'"})


def shafts(names: Sequence[str]) -> pd.DataFrame:
    """Read shaft and contact number out of the names of intracranial contacts.

    Parameters
    ----------
    names : sequence of str
        E.g. "LA12" (shaft LA, contact 12), "B'3" (shaft B', which is another shaft than B), "POL LA1", "EEG LA01-Ref".

    Returns
    -------
    DataFrame
        ``name``, ``shaft`` (None where the name has no letter followed by a number, as in "EKGL", or is a pair, as in
        "A1-A2") and ``number`` (Int64).
    """
    found = [_CONTACT.fullmatch(str(name).strip().translate(_PRIMES)) for name in names]
    return pd.DataFrame(
        {
            "name": [str(name) for name in names],
            "shaft": pd.Series([m.group(1).strip() if m else None for m in found], dtype=object),
            "number": pd.array([int(m.group(2)) if m else None for m in found], dtype="Int64"),
        }
    )


def bipolar(recording: Recording) -> Recording:
    """Reference each contact to the next one on its shaft: A1-A2, A2-A3, ...

    Only neighbouring numbers of one shaft make a pair: gaps in the numbering are not bridged, and bad contacts are not used, so
    that neither A1-A3 nor a pair between A and A' appears. On a grid, neighbouring numbers need not be neighbouring contacts.

    Parameters
    ----------
    recording : Recording
        With channels of kind ecog, seeg or dbs whose names hold shaft and number, see `shafts`.

    Returns
    -------
    Recording
        The pairs (first minus second; position and region of the midpoint; ``anode`` and ``cathode`` in the channel table)
        in place of the contacts, then all channels of other kinds. The step lists contacts that stand in no pair.

    Raises
    ------
    DataError
        If there is no pair, two contacts have one shaft and number, or a good contact holds NaN in a valid stretch.
    """
    contacts = _contacts(recording, "bipolar")
    first, second = _pairs(contacts)
    if not len(first):
        raise DataError(
            f"bipolar found no two good contacts with neighbouring numbers on one shaft among {_listed(contacts['name'])}: "
            "check the names (shaft and number, e.g. LA1) or use common_average"
        )
    rows = [contacts["row"].to_numpy()[i] for i in (first, second)]
    data = read_signal(recording.data)
    unpaired = np.setdiff1d(contacts["row"], np.concatenate(rows))
    parameters = {"pairs": len(first), "contacts_without_pair": names_of(recording, unpaired), "bad_not_used": _bad(recording)}
    return _rebuilt(recording, "ieeg.bipolar", parameters, data[rows[0]] - data[rows[1]], _pair_table(recording.channels, *rows))


def laplacian(recording: Recording, *, ends: Literal["one_neighbour", "drop"] = "one_neighbour") -> Recording:
    """Reference each contact to the mean of its two neighbours on the shaft.

    Neighbours are found as in `bipolar`: gaps are not bridged, bad contacts are not used.

    Parameters
    ----------
    recording : Recording
        With channels of kind ecog, seeg or dbs whose names hold shaft and number, see `shafts`.
    ends : {"one_neighbour", "drop"}
        Contacts with one neighbour: take off that one (two contacts alone on a shaft then mirror each other), or leave
        the contact out.

    Returns
    -------
    Recording
        Contacts that have neighbours, under their own names, then all channels of other kinds. The step lists those left out.

    Raises
    ------
    DataError
        If no contact has a neighbour, two contacts have one shaft and number, or a good contact holds NaN in a valid stretch.
    """
    check_option("ends", ends, ("one_neighbour", "drop"))
    contacts = _contacts(recording, "laplacian")
    weights = _neighbour_weights(contacts, 1 if ends == "one_neighbour" else 2)
    kept = np.flatnonzero(weights.any(axis=1))
    if not kept.size:
        raise DataError(
            f"laplacian found no contact with enough good neighbours among {_listed(contacts['name'])}: check the names"
        )
    rows = contacts["row"].to_numpy()
    data = read_signal(recording.data)[rows]
    parameters = {
        "ends": ends,
        "contacts_left_out": contacts["name"].drop(kept).tolist(),
        "bad_not_used": _bad(recording),
    }
    signal = _weighted_difference(data, weights[kept], kept)
    return _rebuilt(recording, "ieeg.laplacian", parameters, signal, recording.channels.iloc[rows[kept]])


def common_average(
    recording: Recording, by: Literal["all", "shaft"] = "all", *, statistic: Literal["mean", "median"] = "mean"
) -> Recording:
    """Take the average of the good contacts off every contact.

    Parameters
    ----------
    recording : Recording
        With channels of kind ecog, seeg or dbs.
    by : {"all", "shaft"}
        One average over all contacts, or one per shaft (grid, strip), which needs names as in `shafts`.
    statistic : {"mean", "median"}
        The median is not moved by a few contacts with large activity.

    Returns
    -------
    Recording
        Good contacts under their own names, then all channels of other kinds. Contacts that are alone on their shaft (or
        whose name holds none) are left out with ``by="shaft"``; the step lists them.

    Raises
    ------
    DataError
        If there are fewer than two good contacts to average, or a good contact holds NaN in a valid stretch.
    """
    check_option("by", by, ("all", "shaft"))
    check_option("statistic", statistic, ("mean", "median"))
    contacts = _contacts(recording, "common_average", named=by == "shaft")
    groups = contacts["shaft"] if by == "shaft" else pd.Series("all", index=contacts.index)
    kept = np.flatnonzero(groups.map(groups.value_counts()) >= 2)
    if not kept.size:
        raise DataError(f"common_average by {by!r} needs two good contacts to average, here are {_listed(contacts['name'])}")
    rows = contacts["row"].to_numpy()[kept]
    signal = read_signal(recording.data)[rows].astype(np.float64)
    for members in groups.iloc[kept].reset_index(drop=True).groupby(groups.iloc[kept].to_numpy()).indices.values():
        signal[members] -= getattr(np, statistic)(signal[members], axis=0)
    left_out = contacts["name"].drop(contacts.index[kept]).tolist()
    parameters = {"by": by, "statistic": statistic, "contacts_left_out": left_out, "bad_not_used": _bad(recording)}
    return _rebuilt(recording, "ieeg.common_average", parameters, signal, recording.channels.iloc[rows])


def _contacts(recording: Recording, purpose: str, named: bool = True) -> pd.DataFrame:
    """Good intracranial contacts: row, name, shaft and number, in the order of the recording."""
    rows = need_rows(recording, IEEG_KINDS, purpose)
    check_valid(recording, rows, purpose)
    table = shafts(names_of(recording, rows)).assign(row=rows)
    known = table[table["shaft"].notna()]
    twice = known[known.duplicated(["shaft", "number"], keep=False)]
    if len(twice):
        same = twice.iloc[0]
        others = twice.loc[(twice["shaft"] == same["shaft"]) & (twice["number"] == same["number"]), "name"].tolist()
        raise DataError(f"{' and '.join(others)} are both contact {same['number']} of shaft {same['shaft']}: rename or drop one")
    return table if not named else _need_named(table, known, purpose)


def _need_named(table: pd.DataFrame, known: pd.DataFrame, purpose: str) -> pd.DataFrame:
    if not len(known):
        raise DataError(f"{purpose} needs names with shaft and number (e.g. LA1), got {_listed(table['name'])}")
    return known.reset_index(drop=True)


def _pairs(contacts: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of `contacts` that are neighbours: contact n and contact n + 1 of one shaft."""
    place = {key: i for i, key in enumerate(zip(contacts["shaft"], contacts["number"], strict=True))}
    pairs = [(i, place[shaft, number + 1]) for (shaft, number), i in place.items() if (shaft, number + 1) in place]
    table = np.array(pairs, np.intp).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _neighbour_weights(contacts: pd.DataFrame, least: int) -> NDArray[np.float64]:
    """Weight of each contact in the reference of each other, shape (n, n); rows sum to 1, or to 0 with too few neighbours."""
    weights = np.zeros((len(contacts), len(contacts)))
    first, second = _pairs(contacts)
    weights[first, second] = weights[second, first] = 1
    n_neighbours = weights.sum(axis=1, keepdims=True)
    return np.where(n_neighbours >= least, weights / np.maximum(n_neighbours, 1), 0)


def _weighted_difference(data: NDArray[np.float32], weights: NDArray[np.float64], kept: NDArray[np.intp]) -> NDArray[np.float64]:
    """Each kept row minus the weighted mean of its neighbours, which alone are read: NaN elsewhere does not spread."""
    signal = data[kept].astype(np.float64)
    for row, weight in zip(signal, weights, strict=True):
        used = np.flatnonzero(weight)
        row -= weight[used] @ data[used]
    return signal


def _pair_table(channels: pd.DataFrame, first: NDArray[np.intp], second: NDArray[np.intp]) -> pd.DataFrame:
    """Channel table of the pairs: what both contacts share is kept, positions are midpoints."""
    a, b = (channels.iloc[rows].reset_index(drop=True) for rows in (first, second))
    same = a.where((a == b) | (a.isna() & b.isna()))
    middle: dict[str, Any] = {axis: (a[axis] + b[axis]) / 2 for axis in "xyz" if axis in channels}
    table = same.assign(**middle, name=a["name"] + "-" + b["name"], bad=False, anode=a["name"], cathode=b["name"])
    return table.assign(kind=a["kind"], unit=a["unit"])


def _rebuilt(recording: Recording, step: str, parameters: dict[str, Any], signal: NDArray[Any], table: pd.DataFrame) -> Recording:
    """The new intracranial channels, followed by the channels of all other kinds."""
    others = np.setdiff1d(np.arange(recording.n_channels), rows_of_kind(recording, IEEG_KINDS))
    channels = pd.concat([table, recording.channels.iloc[others]], ignore_index=True)
    data = np.concatenate([np.asarray(signal, np.float32), read_signal(recording.data)[others]])
    return recording.with_step(step, parameters, data=data, channels=channels)


def _bad(recording: Recording) -> list[str]:
    rows = rows_of_kind(recording, IEEG_KINDS)
    return [recording.names[i] for i in rows if recording.channels["bad"].iloc[i]]


def _listed(names: pd.Series, most: int = 8) -> str:
    return ", ".join(names.iloc[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
