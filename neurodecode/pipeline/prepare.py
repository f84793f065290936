"""Steps on one run: from its files to labelled responses, with what the report says about its quality."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.data import Recording, Responses, save
from neurodecode.data.hashing import sha256_array
from neurodecode.data.validate import check_columns
from neurodecode.errors import ConfigError, DataError
from neurodecode.pipeline.config import Clean, Epochs, FMRIResponses, Signal
from neurodecode.pipeline.step import Step

SIGNAL_HASH = "signal.sha256"  # member of every prepared unit


def prepare_bold(parameters: Mapping[str, Any], folder: Path) -> None:
    """From a BOLD run to one response per block or trial.

    Parameters
    ----------
    parameters : mapping
        ``files``, ``root``, ``mask_path``, ``columns``, ``clean`` and ``responses``.
    folder : Path
        Where ``responses/`` and the report's data go.
    """
    from neurodecode.io import read_confounds
    from neurodecode.io.bids import open_recording
    from neurodecode.preprocess import fmri

    clean, wanted = Clean(**parameters["clean"]), FMRIResponses(**parameters["responses"])
    recording = open_recording(parameters["files"], parameters["root"], mask=parameters["mask_path"]).load()
    _check_columns(recording, parameters)
    write_signal_hash(recording, folder)
    table = read_confounds(parameters["files"][0]) if recording.meta.get("confounds") else None
    quality = fmri.quality(recording, table)
    chosen = None
    if clean.confounds is not None:
        if table is None:
            raise DataError(f"{parameters['source']}: no confounds table for clean.confounds={clean.confounds!r}; set it to null")
        recording, table = fmri.drop_non_steady_state(recording, table)
        chosen = fmri.select_confounds(table, clean.confounds)
    responses = bold_responses(recording, chosen, clean, wanted)
    write_unit(folder, parameters, recording, responses, {"Motion and signal": quality})


def bold_responses(recording: Recording, confounds: pd.DataFrame | None, clean: Clean, wanted: FMRIResponses) -> Responses:
    """Clean and average blocks, or estimate single-trial betas in one model with drifts and confounds.

    Parameters
    ----------
    recording : Recording
        One BOLD run.
    confounds : DataFrame, optional
        Chosen confounds, one row per volume.
    clean : Clean
        Denoising.
    wanted : FMRIResponses
        Kind of responses.

    Returns
    -------
    Responses
        One sample per block or trial.
    """
    from neurodecode.preprocess import fmri

    run = keep_types(recording, wanted.trial_types)
    options = clean.model_dump(exclude={"confounds"}) | {"detrend": clean.detrend or False}
    blocks = wanted.method == "block_average" or (wanted.method == "auto" and run.events["duration"].min() >= fmri.BLOCK_FROM)
    if blocks:
        return fmri.responses(fmri.clean(run, confounds=confounds, **options), method="block_average", lag=wanted.lag)
    scaled = fmri.clean(run, **{**options, "high_pass": None, "low_pass": None})  # drifts and confounds leave in the model
    model = {"hrf": wanted.hrf, "high_pass": clean.high_pass, "confounds": confounds}
    return fmri.responses(scaled, method="lss" if wanted.method == "auto" else wanted.method, beta_options=model)


def prepare_meeg(parameters: Mapping[str, Any], folder: Path) -> None:
    """From an EEG or MEG run to epochs.

    Parameters
    ----------
    parameters : mapping
        ``files``, ``root``, ``columns``, ``signal`` and ``epochs``.
    folder : Path
        Where ``responses/`` and the report's data go.
    """
    from neurodecode.io.bids import open_recording
    from neurodecode.preprocess import meeg

    signal, wanted = Signal(**parameters["signal"]), Epochs(**parameters["epochs"])
    recording = open_recording(parameters["files"], parameters["root"]).load()
    _check_columns(recording, parameters)
    write_signal_hash(recording, folder)
    quality = meeg.quality(recording)
    cleaned = clean_meeg(recording, signal)
    responses = meeg.epochs(
        cleaned,
        wanted.tmin,
        wanted.tmax,
        wanted.baseline,
        trial_types=wanted.trial_types,
        reject_peak_to_peak=wanted.reject_peak_to_peak,
        drop_bad=signal.bad_channels != "keep",
    )
    write_unit(folder, parameters, recording, responses, {"Channels": quality}, spectra_of(recording))


def clean_meeg(recording: Recording, signal: Signal) -> Recording:
    """Apply the steps of `Signal` in the field's order: bad channels, filters, rate, reference."""
    from neurodecode.preprocess import meeg

    if signal.find_bad_channels:
        recording = meeg.find_bad_channels(recording)
    if signal.notch:
        recording = meeg.notch(recording)
    if signal.l_freq is not None or signal.h_freq is not None:
        recording = meeg.filter(recording, signal.l_freq, signal.h_freq)
    if signal.resample is not None:
        recording = meeg.resample(recording, signal.resample)
    if recording.channels["bad"].any() and signal.bad_channels == "interpolate":
        recording = meeg.interpolate_bads(recording)
    if recording.channels["bad"].any() and signal.bad_channels == "drop":
        recording = meeg.drop_bads(recording)
    return recording if signal.reference is None else meeg.reference(recording, signal.reference)


def keep_types(recording: Recording, trial_types: list[str] | None) -> Recording:
    """Keep the events of some trial types; None keeps all."""
    if trial_types is None:
        return recording
    check_columns(recording.events, ["trial_type"], "events")
    kinds = recording.events["trial_type"].astype(str)
    if not kinds.isin(trial_types).any():
        raise DataError(f"no event has trial_type in {trial_types}; there are {sorted(kinds.unique())}")
    return recording.replace(events=recording.events[kinds.isin(trial_types)])


def _check_columns(recording: Recording, parameters: Mapping[str, Any]) -> None:
    """Fail before the long work: no events, or no such column."""
    if not len(recording.events):
        raise DataError(f"{parameters['source']}: there are no events; the *_events.tsv of the run is empty or missing")
    for setting, name in parameters["columns"].items():
        if name not in recording.events:
            columns = ", ".join(map(str, recording.events.columns))
            raise ConfigError(f"{parameters['source']}: its events have no column {name!r} ({setting}); there are {columns}")


def write_signal_hash(recording: Recording, folder: Path) -> None:
    """Leave the hash of a signal, by which the same recording under two names is found."""
    write_digest(sha256_array(recording.data), folder)


def write_digest(digest: str, folder: Path) -> None:
    """Leave a hash by which the same data under two names are found."""
    (folder / SIGNAL_HASH).write_text(digest + "\n", encoding="utf-8")


def spectra_of(recording: Recording) -> tuple[Any, Any, list[str]]:
    """Frequencies (Hz), power (n_channels, n_freqs) and channel names for the report."""
    from neurodecode.preprocess import meeg

    spectrum = meeg.psd(recording)
    return spectrum.freqs, spectrum.power, spectrum.names


def write_unit(
    folder: Path,
    parameters: Mapping[str, Any],
    recording: Recording,
    responses: Responses | None,
    quality: dict[str, pd.DataFrame],
    spectra: Any = None,
    results: dict[str, Any] | None = None,
) -> None:
    """Save the responses, and what the report says about the run."""
    from neurodecode.report import RunContents, save_contents

    done = recording if responses is None else responses
    name = Path(parameters["source"]).name
    tables = {title: table.assign(recording=name) for title, table in {**quality, **_drops(done)}.items()}
    contents = RunContents(
        title=name,
        pipeline=parameters["source"],
        quality={**tables, "Events": _event_counts(recording, name)},
        recordings_summary=[repr(recording)],
        spectra=spectra,
        steps=list(done.meta.get("steps", [])),
        results=results or {},
        notes=[f"{name}: {note}" for note in done.meta.get("notes", [])],
    )
    save_contents(contents, folder)
    if responses is not None:
        save(responses, folder / "responses")


def _event_counts(recording: Recording, name: str) -> pd.DataFrame:
    kinds = recording.events.get("trial_type", pd.Series("event", index=recording.events.index)).astype(str)
    counts = kinds.value_counts().sort_index()
    return pd.DataFrame({"recording": name, "trial_type": counts.index, "n": counts.to_numpy()})


def _drops(done: Recording | Responses) -> dict[str, pd.DataFrame]:
    """How many events became responses, and why the others did not."""
    drops = done.meta.get("drops")
    return {"Events that became responses": pd.DataFrame([drops])} if drops else {}


PREPARE_BOLD = Step("prepare_bold", 1, prepare_bold)
PREPARE_MEEG = Step("prepare_meeg", 1, prepare_meeg)
