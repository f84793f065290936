"""Steps of the pipeline of dynamic connectomes: traces of all samples, and their analysis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import sha256_array
from neurodecode.errors import ConfigError, DataError
from neurodecode.io.guard import existing_file
from neurodecode.pipeline.config_connectome import Connectome, Factorise, TracesInput
from neurodecode.pipeline.prepare import write_digest
from neurodecode.pipeline.rdm_file import read_arrays
from neurodecode.pipeline.step import Step

_SIMULATED = "simulated_traces.npz"


class Samples(NamedTuple):
    """Traces of all samples."""

    traces: list[Any]
    """Recordings, or arrays (n_names, n_times)."""
    options: dict[str, Any]
    """What `DynamicConnectome.fit` is told of them."""
    table: pd.DataFrame
    """``sample, n_names, n_times, sfreq``."""
    notes: list[str]
    """What the reader must know."""


def simulate_traces(config: Connectome, folder: Path) -> Path:
    """Write the simulation that a configuration asks for, unless it is there.

    Parameters
    ----------
    config : Connectome
        With ``input.simulate``.
    folder : Path
        Where it goes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError
        If an argument is unknown.
    """
    from neurodecode.data.atomic import atomic_write
    from neurodecode.simulate import planted_traces

    given = {"random_state": config.compute.seed, **(config.input.simulate or {})}
    try:
        planted = planted_traces(**given)
    except TypeError as error:
        raise ConfigError(f"input.simulate: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        "traces": planted.traces.transpose(0, 2, 1),
        "sfreq": np.float64(planted.sfreq),
        **planted.truth.arrays,
    }
    with atomic_write(folder / _SIMULATED) as partial, open(partial, "wb") as file:
        np.savez(file, **arrays)
    return folder


def trace_inputs(config: TracesInput, root: Path) -> dict[str, str]:
    """Files that the traces are read from.

    Parameters
    ----------
    config : TracesInput
        Where traces come from.
    root : Path
        Data folder.

    Returns
    -------
    dict of str to str
        Path by name.

    Raises
    ------
    ConfigError
        If the name of a file leads elsewhere.
    FormatError
        If it is not there.
    """
    from neurodecode.datasets import celegans_neural, yemini2021

    known = {"yemini2021": config.options.get("file", yemini2021.FILE), "celegans_neural": celegans_neural.FILE}
    name = config.file or (known[config.dataset] if config.dataset else _SIMULATED)
    if Path(name).name != name:
        raise ConfigError(f"input.file: expected the name of a file in the data folder, got {name!r}")
    return {name: str(existing_file(root / name))}


def read_samples(config: TracesInput, root: Path) -> Samples:
    """Read the traces of all samples.

    Parameters
    ----------
    config : TracesInput
        Where traces come from.
    root : Path
        Data folder.

    Returns
    -------
    Samples
        Traces, and what to tell the analysis.

    Raises
    ------
    DataError
        If an array has another shape.
    """
    (path,) = trace_inputs(config, root).values()
    if config.dataset is not None:
        return _worms(config, root)
    names = {"input.array": config.array} if config.array else {"input.array": "traces", "input.sfreq": "sfreq"}
    arrays = read_arrays(path, names)
    values = np.asarray(arrays[names["input.array"]], np.float32)
    if values.ndim != 3:
        raise DataError(f"{names['input.array']} must be (n_samples, n_times, n_names), got shape {values.shape}")
    rate = float(arrays["sfreq"]) if config.sfreq is None else config.sfreq
    labels, notes = [f"name{i + 1}" for i in range(values.shape[2])], []
    if config.n_names is not None and config.n_names < values.shape[2]:
        kept = shared_names(values, config.n_names)
        values, labels = values[:, :, kept], [labels[i] for i in kept]
        notes.append(f"Of {arrays[names['input.array']].shape[2]} names the {len(kept)} that samples share most were kept.")
    if config.simulate is not None:
        notes.append("Simulated data: no animal was recorded.")
    traces = [np.ascontiguousarray(part.T) for part in values]
    called = [f"sample{i + 1}" for i in range(len(traces))]
    table = pd.DataFrame({"sample": called, "n_names": len(labels), "n_times": values.shape[1], "sfreq": rate})
    return Samples(traces, {"names": labels, "sfreq": rate, "labels": called}, table, notes)


def shared_names(values: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Names whose time course in one sample resembles the mean of the others most.

    Parameters
    ----------
    values : array of shape (n_samples, n_times, n_names)
        Traces.
    n : int
        How many.

    Returns
    -------
    array of shape (n,)
        Their numbers, in increasing order.
    """
    z = (values - values.mean(axis=1, keepdims=True)) / np.maximum(values.std(axis=1, keepdims=True), 1e-12)
    total = z.sum(axis=0)
    others = total - z
    alike = (z * others).sum(axis=1) / np.sqrt((z**2).sum(axis=1) * (others**2).sum(axis=1) + 1e-12)
    return np.sort(np.argsort(-alike.mean(axis=0), kind="stable")[:n])


def _worms(config: TracesInput, root: Path) -> Samples:
    """Recordings of all worms of a data set, or of one of its sources."""
    from neurodecode.datasets import celegans_neural, yemini2021

    options = dict(config.options)
    if config.dataset == "yemini2021":
        names = yemini2021.subjects(root, **{key: options[key] for key in ("file",) if key in options})
        recordings = [yemini2021.load(root, name, **options)[0] for name in names]
    else:
        table = celegans_neural.worms(root)
        own = table[table["source"] == options.get("source")]
        if not len(own):
            raise ConfigError(f"input.options.source: {options.get('source')!r} is none of {sorted(set(table['source']))}")
        recordings = [celegans_neural.load(root, name, **options)[0] for name in own[own["n_labelled"] > 1]["worm"]]
    rows = [(r.meta["subject"], r.n_channels, r.n_times, r.sfreq) for r in recordings]
    table = pd.DataFrame(rows, columns=["sample", "n_names", "n_times", "sfreq"])
    return Samples(recordings, {"align": config.align, "window": config.window}, table, [])


def look_at_traces(parameters: Mapping[str, Any], folder: Path) -> None:
    """Read the traces, and say what they are.

    Parameters
    ----------
    parameters : mapping
        ``input``, ``source`` and ``root``.
    folder : Path
        Where the report's data go.
    """
    from neurodecode.report import RunContents, save_contents

    found = read_samples(TracesInput(**parameters["input"]), Path(parameters["root"]))
    first = np.asarray(getattr(found.traces[0], "data", found.traces[0]))
    write_digest(sha256_array(first), folder)
    names = found.table["n_names"]
    summary = f"{parameters['source']}: {len(found.traces)} samples, {names.min()} to {names.max()} names"
    contents = RunContents(parameters["source"], "look_at_traces", quality={"Samples": found.table}, recordings_summary=[summary])
    save_contents(contents, folder)


def analyse_connectome(parameters: Mapping[str, Any], folder: Path) -> None:
    """Find components, communities, and what of it comes back.

    Parameters
    ----------
    parameters : mapping
        ``input``, ``analysis``, ``seed``, ``title`` and ``root``.
    folder : Path
        Where the results go.
    """
    from neurodecode.analysis.connectome import DynamicConnectome
    from neurodecode.report import RunContents, save_contents

    found = read_samples(TracesInput(**parameters["input"]), Path(parameters["root"]))
    model = DynamicConnectome(**Factorise(**parameters["analysis"]).model_dump(), random_state=parameters["seed"])
    model.fit(found.traces, **found.options)
    model.save(folder / "connectome")
    contents = RunContents(
        title=parameters["title"], pipeline="connectome", results={"connectome": model.result_}, notes=found.notes
    )
    save_contents(contents, folder)


LOOK_AT_TRACES = Step("look_at_traces", 1, look_at_traces)
CONNECTOME = Step("connectome", 1, analyse_connectome)
