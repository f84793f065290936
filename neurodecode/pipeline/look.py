"""The step that looks at one intracranial run: contacts, references, line noise, high gamma, an annotated onset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.pipeline.config import Onset
from neurodecode.pipeline.prepare import keep_types, spectra_of, write_signal_hash, write_unit
from neurodecode.pipeline.step import Step

REFERENCES = ("none", "common_average", "bipolar", "laplacian")


def look_at_ieeg(parameters: Mapping[str, Any], folder: Path) -> None:
    """Describe the contacts of an intracranial run under every reference, and in detail under the chosen one.

    Parameters
    ----------
    parameters : mapping
        ``files``, ``root``, ``reference``, ``high_gamma`` and ``onset``.
    folder : Path
        Where the report's data go.
    """
    from neurodecode.io.bids import open_recording
    from neurodecode.preprocess import ieeg, meeg

    recording = open_recording(parameters["files"], parameters["root"]).load()
    write_signal_hash(recording, folder)
    contacts = ieeg.mark_flat(recording.pick(kind=["ecog", "seeg", "dbs"]))
    onset = find_onset(contacts, Onset(**parameters["onset"]))
    low, high = parameters["high_gamma"]
    wanted = Onset(**parameters["onset"])
    gamma = wanted.model_copy(update={"l_freq": low, "h_freq": high})
    cleaned = ieeg.remove_line_noise(refer(contacts, parameters["reference"]))
    results = {"band power": onset_ratios(cleaned, onset, wanted), "high gamma": onset_ratios(cleaned, onset, gamma)}
    tables = {"Channels": meeg.quality(contacts), "References compared": compare_references(contacts, onset, wanted)}
    measured = {"l_freq": wanted.l_freq, "h_freq": wanted.h_freq, "after": wanted.after, "onset": onset}
    done = cleaned.with_step("ieeg.band_power_ratio", measured)
    write_unit(folder, parameters, done, None, tables, spectra_of(recording), results)


def find_onset(recording: Recording, wanted: Onset) -> float:
    """Time of the annotated onset.

    Parameters
    ----------
    recording : Recording
        With events.
    wanted : Onset
        Which event.

    Returns
    -------
    float
        Onset in s of the first event of that kind.

    Raises
    ------
    DataError
        If there is no such event.
    """
    kinds = None if wanted.trial_type is None else [wanted.trial_type]
    events = keep_types(recording, kinds).events
    if not len(events):
        raise DataError(f"there are {len(events)} events, so none to compare band power around: annotate the onset in events.tsv")
    return float(events["onset"].iloc[0])


def refer(recording: Recording, how: str) -> Recording:
    """Reference contacts anew: ``none``, ``common_average``, ``bipolar`` or ``laplacian``."""
    from neurodecode.preprocess import ieeg

    return recording if how == "none" else getattr(ieeg, how)(recording)


def onset_ratios(recording: Recording, onset: float, wanted: Onset) -> pd.DataFrame:
    """Power in a band after the onset over the power before it, the largest first.

    Parameters
    ----------
    recording : Recording
        Intracranial recording.
    onset : float
        Time of the onset in s.
    wanted : Onset
        Band and window.

    Returns
    -------
    DataFrame
        ``channel, before, after, ratio, band``.
    """
    from neurodecode.preprocess import ieeg

    table = ieeg.band_power_ratio(recording, onset, wanted.l_freq, wanted.h_freq, after=wanted.after)
    table = table.sort_values("ratio", ascending=False, kind="stable", ignore_index=True)
    return table.rename(columns={"name": "channel"}).assign(band=f"{wanted.l_freq:g}-{wanted.h_freq:g} Hz")


def compare_references(contacts: Recording, onset: float, wanted: Onset) -> pd.DataFrame:
    """What each reference does to line noise and to the change at the onset.

    Parameters
    ----------
    contacts : Recording
        Intracranial contacts as recorded.
    onset : float
        Time of the onset in s.
    wanted : Onset
        Band and window.

    Returns
    -------
    DataFrame
        One row per reference: ``n_channels``, median ``line_noise`` and ``line_noise_after_notch`` (power at the mains
        frequency over its neighbours, 1 for none), the ``largest_ratio`` at the onset and the channel it is ``at``. A
        reference that the names of the contacts do not allow has missing values.
    """
    return pd.DataFrame([{"reference": how, **_reference_row(contacts, how, onset, wanted)} for how in REFERENCES])


def _reference_row(contacts: Recording, how: str, onset: float, wanted: Onset) -> dict[str, Any]:
    from neurodecode.preprocess import ieeg, meeg

    try:
        referenced = refer(contacts, how)
    except DataError:  # contacts without neighbours on a shaft have no bipolar or Laplacian reference
        return {"n_channels": 0, "line_noise": np.nan, "line_noise_after_notch": np.nan, "largest_ratio": np.nan, "at": None}
    cleaned = ieeg.remove_line_noise(referenced)
    noise = [float(meeg.quality(r)["line_noise_ratio"].median()) for r in (referenced, cleaned)]
    top = onset_ratios(cleaned, onset, wanted).iloc[0]
    sizes = {"n_channels": referenced.n_channels, "line_noise": noise[0], "line_noise_after_notch": noise[1]}
    return {**sizes, "largest_ratio": top["ratio"], "at": top["channel"]}


LOOK = Step("look_at_ieeg", 1, look_at_ieeg)
