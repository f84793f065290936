"""Steps of a pipeline on a file of measured RDMs: look at it, and compare models with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Stimuli
from neurodecode.data.hashing import sha256_array
from neurodecode.data.validate import suggest
from neurodecode.errors import ConfigError, CorruptFileError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.pipeline.compare import NO_MODEL, network_of
from neurodecode.pipeline.config import Rsa
from neurodecode.pipeline.networks import embed, low_level
from neurodecode.pipeline.prepare import write_digest
from neurodecode.pipeline.rsa import compare, model_rdms
from neurodecode.pipeline.step import Step

_DAMAGED = "it is not a readable .npz file"
_Rdms = dict[str, NDArray[np.float64]]


def read_arrays(file: str | Path, wanted: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Read some arrays of an .npz file.

    Parameters
    ----------
    file : str or Path
        The file; pickled objects in it are refused.
    wanted : mapping of str to str
        Name of an array by the setting that names it.

    Returns
    -------
    dict of str to array
        By name.

    Raises
    ------
    FormatError
        If there is no such file.
    CorruptFileError
        If it is damaged.
    ConfigError
        If an array is not in it.
    """
    path = existing_file(file)
    try:  # opened here, since np.load leaves damaged files open
        with reading(path, _DAMAGED), open(path, "rb") as stream, np.load(stream, allow_pickle=False) as opened:
            for setting, name in wanted.items():
                if name not in opened.files:
                    raise ConfigError(f"{setting}: {path.name} holds no {name!r}: {suggest(name, opened.files)}")
            return {name: opened[name] for name in wanted.values()}
    except BadZipFile as error:  # a plain Exception
        raise CorruptFileError(path, f"{_DAMAGED} ({error})", AGAIN) from error


def arrays_of(parameters: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays that the configuration names."""
    named = {f"measured.{name}": array for name, array in parameters["measured"].items()}
    single = {key: parameters[key] for key in ("images", "model_rdms", "model_names") if parameters[key] is not None}
    return read_arrays(parameters["path"], named | single)


def look_at_rdms(parameters: Mapping[str, Any], folder: Path) -> None:
    """Check the file, and say what it holds.

    Parameters
    ----------
    parameters : mapping
        ``path``, ``source`` and the names of its arrays.
    folder : Path
        Where the report's data go.
    """
    from neurodecode.report import RunContents, save_contents

    arrays = arrays_of(parameters)
    stacks = {name: _stack(arrays[array], name) for name, array in parameters["measured"].items()}
    n = {name: stack.shape[-1] for name, stack in stacks.items()}
    sizes = {**n, **({} if parameters["images"] is None else {"images": _count(arrays[parameters["images"]])})}
    if len(set(sizes.values())) > 1:
        raise ConfigError(f"measured: RDMs and images must be of the same conditions, got {sizes}")
    rows = [(name, len(stack), n[name], float(stack.mean())) for name, stack in stacks.items()]
    table = pd.DataFrame(rows, columns=["measured", "n_rdms", "n_conditions", "mean dissimilarity"])
    digest = sha256_array(np.concatenate([stack.ravel() for stack in stacks.values()]))
    write_digest(digest, folder)
    listed = ", ".join(f"{name} {stack.shape}" for name, stack in stacks.items())
    summary = f"{parameters['source']}: RDMs {listed}"
    contents = RunContents(parameters["source"], "look_at_rdms", quality={"RDMs": table}, recordings_summary=[summary])
    save_contents(contents, folder)


def compare_rdm_file(parameters: Mapping[str, Any], folder: Path) -> None:
    """Compare models, pixels and the layers of a network with measured RDMs.

    Parameters
    ----------
    parameters : mapping
        ``path``, the names of its arrays, ``leave_out``, ``model`` with ``source_of_model`` and ``cache``, ``device``, ``rsa``,
        ``seed`` and ``title``.
    folder : Path
        Where the results go.
    """
    from neurodecode.report import RunContents, save_contents

    arrays, settings, seed = arrays_of(parameters), Rsa(**parameters["rsa"]), parameters["seed"]
    models = {**stored_models(arrays, parameters), **image_models(arrays, parameters)}
    if not models:
        raise ConfigError("model_rdms, images: neither names an array, so there is nothing to compare")
    measured = {name: _stack(arrays[array], name) for name, array in parameters["measured"].items()}
    contents = RunContents(
        title=parameters["title"],
        pipeline="compare",
        results=rdm_results(models, measured, settings, seed),
        notes=[] if parameters["model"] else [NO_MODEL],
    )
    save_contents(contents, folder)


def rdm_results(models: _Rdms, measured: _Rdms, settings: Rsa, seed: int) -> dict[str, Any]:
    """Models against each measured set: per subject with a ceiling, and against the mean of all its RDMs.

    Parameters
    ----------
    models : dict of str to array of shape (n, n)
        Model RDMs.
    measured : dict of str to array of shape (..., n, n)
        Measured RDMs; the first axis is that of subjects, further ones (sessions) are averaged.
    settings : Rsa
        Measure and test.
    seed : int
        Seed of draws.

    Returns
    -------
    dict of str to RdmComparison
        ``rsa NAME`` by subjects, ``rsa NAME (mean)``, and ``measured NAME``: the other measured sets against this one.
    """
    results: dict[str, Any] = {}
    means = {name: stack.reshape(-1, *stack.shape[-2:]).mean(axis=0) for name, stack in measured.items()}
    for name, stack in measured.items():
        subjects = stack.mean(axis=tuple(range(1, stack.ndim - 2))) if stack.ndim > 3 else stack
        results[f"rsa {name}"] = compare(models, subjects, settings, seed)
        if stack.ndim > 2:
            results[f"rsa {name} (mean)"] = compare(models, means[name], settings, seed)
    first, *others = means
    if others:
        results[f"measured {first}"] = compare({name: means[name] for name in others}, means[first], settings, seed)
    return results


def stored_models(arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> _Rdms:
    """Model RDMs of the file, without those that are to be left out.

    Parameters
    ----------
    arrays : mapping of str to array of any shape
        Arrays of the file.
    parameters : mapping
        ``model_rdms``, ``model_names`` and ``leave_out``.

    Returns
    -------
    dict of str to array of shape (n, n)
        By name.

    Raises
    ------
    ConfigError
        If there are not as many names as RDMs, or one that is to be left out is not there.
    """
    if parameters["model_rdms"] is None:
        return {}
    rdms = arrays[parameters["model_rdms"]]
    stored = parameters["model_names"]
    names = [f"model {i}" for i in range(len(rdms))] if stored is None else [str(name) for name in arrays[stored]]
    if len(set(names)) != len(rdms):
        raise ConfigError(f"model_names: {len(rdms)} model RDMs need as many different names, got {names}")
    for name in parameters["leave_out"]:
        if name not in names:
            raise ConfigError(f"leave_out: there is no model {name!r}: {suggest(name, names)}")
    return {name: np.asarray(m, float) for name, m in zip(names, rdms, strict=True) if name not in parameters["leave_out"]}


def image_models(arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]) -> _Rdms:
    """RDMs of pixels, of low-level features and of the layers of a network.

    Parameters
    ----------
    arrays : mapping of str to array of any shape
        Arrays of the file.
    parameters : mapping
        ``images``, ``model``, ``source_of_model``, ``cache`` and ``device``.

    Returns
    -------
    dict of str to array of shape (n, n)
        In the order of the images; empty without images.

    Raises
    ------
    ConfigError
        If a network has no images to look at.
    """
    from neurodecode.compare import rdm

    network = network_of(parameters)
    if parameters["images"] is None:
        if network is not None:
            raise ConfigError("model: a network needs images, name their array with images=...")
        return {}
    images = arrays[parameters["images"]]
    ids = [f"image{i:05d}" for i in range(len(images))]  # RDMs have their rows sorted by name
    stimuli = Stimuli(ids, list(images), "image")
    layers = None if network is None else embed(stimuli, network, parameters["cache"], parameters["device"])
    return {"pixels": rdm(images.reshape(len(images), -1)), **model_rdms(layers, low_level(stimuli))}


def _count(images: NDArray[Any]) -> int:
    """Number of images, which must be colours in uint8."""
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ConfigError(f"images: expected uint8 of shape (n, height, width, 3), got {images.dtype} {images.shape}")
    return len(images)


def _stack(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Measured RDMs as float64, of at least two axes."""
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ConfigError(f"measured.{name}: expected RDMs of shape (..., n, n), got shape {array.shape}")
    return np.asarray(array, np.float64)


LOOK_AT_RDMS = Step("look_at_rdms", 1, look_at_rdms)
COMPARE_RDMS = Step("compare_rdms", 1, compare_rdm_file)
