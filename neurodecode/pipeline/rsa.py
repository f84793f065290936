"""RDMs of a subject and of the models that are compared with it, and the same over subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.pipeline.config import BrainRsa, Rsa

RDMS = "rdms.npz"
_FEWEST = 4  # conditions
_Rdms = dict[str, NDArray[np.float64]]


def layers_of(features: Responses) -> dict[str, Responses]:
    """The units of each layer.

    Parameters
    ----------
    features : Responses
        Units with a column ``layer``.

    Returns
    -------
    dict of str to Responses
        By the name of the layer, ``layer N``.
    """
    number = features.units["layer"]
    return {f"layer {k}": features.select(units=np.flatnonzero(number == k)) for k in dict.fromkeys(number)}


def low_level_rdm(features: Responses) -> NDArray[np.float64]:
    """RDM of features that have units of measurement of their own: Euclidean, after z-scoring each.

    Parameters
    ----------
    features : Responses
        One row per stimulus.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Squared distances per feature.
    """
    from neurodecode.compare import rdm

    values = features.matrix().astype(np.float64)
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return rdm(features.replace(data=scaled.reshape(np.shape(features.data))), "euclidean", "stimulus")


def model_rdms(features: Responses | None, low: Responses | None) -> _Rdms:
    """RDMs of each layer (correlation distance) and of the low-level features.

    Parameters
    ----------
    features : Responses or None
        Layers of a network.
    low : Responses or None
        Low-level features.

    Returns
    -------
    dict of str to array of shape (n_stimuli, n_stimuli)
        Stimuli sorted by name.
    """
    from neurodecode.compare import rdm

    layers = {} if features is None else layers_of(features)
    found = {name: rdm(layer, "correlation", "stimulus") for name, layer in layers.items()}
    return found if low is None else {**found, "low-level": low_level_rdm(low)}


def brain_rdms(regions: Mapping[str, Responses], settings: BrainRsa) -> _Rdms:
    """RDM of each region; a region of one unit has none where the distance is a correlation.

    Parameters
    ----------
    regions : mapping of str to Responses
        Responses by region.
    settings : BrainRsa
        Distance.

    Returns
    -------
    dict of str to array of shape (n_stimuli, n_stimuli)
        Stimuli sorted by name.
    """
    from neurodecode.compare import rdm

    enough = 2 if settings.distance == "correlation" else 1
    chosen = {name: part for name, part in regions.items() if part.n_units >= enough}
    return {name: rdm(part, settings.distance, "stimulus", missing="drop") for name, part in chosen.items()}


def compare(models: _Rdms, measured: NDArray[np.float64], settings: Rsa, seed: int) -> Any:
    """Score models against measured RDMs, by the settings of a pipeline.

    Parameters
    ----------
    models : dict of str to array of shape (n, n)
        Model RDMs.
    measured : array of shape (n_subjects, n, n) or (n, n)
        Measured RDMs.
    settings : Rsa
        Measure and test.
    seed : int
        Seed of draws.

    Returns
    -------
    RdmComparison
        Scores, intervals, p values and ceilings.
    """
    from neurodecode.compare import compare_models

    options: dict[str, Any] = {"n_bootstrap": settings.n_bootstrap, "correction": settings.correction, "random_state": seed}
    alone = np.ndim(measured) == 2 or len(measured) == 1
    over = "stimuli" if alone else settings.over
    return compare_models(models, measured, settings.measure, over=over, missing="drop", **options)


def subject_rsa(models: _Rdms, brain: _Rdms, settings: BrainRsa, seed: int) -> dict[str, Any]:
    """Compare the RDMs of one subject.

    Parameters
    ----------
    models, brain : dict of str to array of shape (n, n)
        RDMs of models, and of regions.
    settings : BrainRsa
        Measure and test.
    seed : int
        Seed of draws.

    Returns
    -------
    dict of str to RdmComparison
        ``rsa`` of the only region, or ``rsa REGION`` of each.
    """
    names = {region: "rsa" if len(brain) == 1 else f"rsa {region}" for region in brain}
    return {names[region]: compare(models, found, settings, seed) for region, found in brain.items()}


def save_rdms(folder: Path, conditions: Sequence[str], models: _Rdms, brain: _Rdms) -> None:
    """Write the RDMs of a subject for the comparison over subjects."""
    named = {f"model:{name}": found for name, found in models.items()} | {f"brain:{name}": found for name, found in brain.items()}
    np.savez(folder / RDMS, conditions=np.array(conditions, str), **named)  # type: ignore[arg-type]


def group_rsa(folders: Sequence[Path], settings: BrainRsa, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Compare models with the RDMs of several subjects, over the stimuli that all of them saw.

    Parameters
    ----------
    folders : sequence of Path
        What the subjects left, at least two.
    settings : BrainRsa
        Measure and test.
    seed : int
        Seed of draws.

    Returns
    -------
    results : dict of str to RdmComparison
        By region, as in `subject_rsa`.
    notes : list of str
        Why there is none, where there is none.
    """
    parts = []
    for folder in folders:
        with np.load(folder / RDMS, allow_pickle=False) as file:
            parts.append({name: file[name] for name in file.files})
    common = set.intersection(*(set(part["conditions"].tolist()) for part in parts))
    if len(common) < _FEWEST:
        return {}, [f"RDMs are not compared over subjects: {len(common)} stimuli were shown to all, {_FEWEST} are needed"]
    shared = [_restricted(part, common) for part in parts]
    names = [name for name in shared[0] if all(name in part for part in shared)]
    models = {name.removeprefix("model:"): shared[0][name] for name in names if name.startswith("model:")}
    brain = {name.removeprefix("brain:"): np.stack([p[name] for p in shared]) for name in names if name.startswith("brain:")}
    return subject_rsa(models, brain, settings, seed), []


def _restricted(part: Mapping[str, NDArray[Any]], common: set[str]) -> _Rdms:
    """RDMs of some conditions; conditions are sorted, so that subjects agree in their order."""
    kept = np.flatnonzero([name in common for name in part["conditions"].tolist()])
    return {name: found[np.ix_(kept, kept)] for name, found in part.items() if name != "conditions"}
