"""The step on one subject that compares models with its responses: encoding, RDMs, alignment, and a check of the split."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurodecode.data import Responses, concatenate, load
from neurodecode.errors import ConfigError, LeakWarning
from neurodecode.pipeline.config import BrainRsa, Encode, Network, StimulusColumns
from neurodecode.pipeline.decode import common_units
from neurodecode.pipeline.networks import embed, low_level
from neurodecode.pipeline.rsa import brain_rdms, layers_of, model_rdms, save_rdms, subject_rsa
from neurodecode.pipeline.step import Step

ONLY_REGION = "all units"
NO_MODEL = "No model was given: low-level features alone were compared. Name one with model.source."
_FEWEST = 4  # stimuli of an RDM or of an alignment


class Spaces(NamedTuple):
    """Features of the stimuli, one row per stimulus."""

    layers: Responses | None
    """Units of all layers of a network."""
    low: Responses | None
    """Low-level features."""


def compare_subject(parameters: Mapping[str, Any], folder: Path) -> None:
    """Compare a model with all runs of a subject.

    Parameters
    ----------
    parameters : mapping
        ``prepared`` (folders of the runs), ``root``, ``stimuli``, ``model``, ``source`` and ``cache`` of the model, ``device``,
        ``encode``, ``region``, ``rsa``, ``cka``, ``leakage``, ``seed`` and ``title``.
    folder : Path
        Where the results go.
    """
    from neurodecode.io import read_stimuli
    from neurodecode.report import RunContents, save_contents

    columns = StimulusColumns(**parameters["stimuli"])
    runs, left_out = common_units([load(Path(part) / "responses") for part in parameters["prepared"]])
    brain = shown(concatenate(runs), columns, parameters["region"])
    stimuli = read_stimuli(parameters["root"], brain.samples, ids="stimulus", files=columns.file, kind=columns.kind)
    brain = brain.select(np.flatnonzero(brain.samples["stimulus"].isin(stimuli.ids)))
    network = network_of(parameters)
    layers = None if network is None else embed(stimuli, network, parameters["cache"], parameters["device"])
    wanted = Encode(**parameters["encode"])
    spaces = Spaces(layers, low_level(stimuli) if wanted.low_level or layers is None else None)
    results, notes = encodings(spaces, brain, wanted, parameters["seed"]), [] if network else [NO_MODEL]
    if parameters["leakage"]:
        results["leakage"] = leakage(spaces, brain, wanted, parameters["seed"])
    geometry, more = geometries(spaces, brain, parameters, folder)
    if left_out:
        notes.append(f"Left out in all runs, since some run does not have it: {', '.join(left_out[:20])}.")
    contents = RunContents(
        title=parameters["title"],
        pipeline="compare",
        results={**results, **geometry},
        units=brain.units,
        space=brain.meta.get("space"),
        steps=list(brain.meta.get("steps", [])),
        notes=[*notes, *more],
    )
    save_contents(contents, folder)


def network_of(parameters: Mapping[str, Any]) -> Network | None:
    """The network of a step; where it lies is no part of the step's key, as its files are."""
    if parameters["model"] is None:
        return None
    return Network(**parameters["model"], source=parameters["source_of_model"])


def shown(brain: Responses, columns: StimulusColumns, region: str) -> Responses:
    """Responses to stimuli, with the columns ``stimulus`` and, of the units, ``region``.

    Parameters
    ----------
    brain : Responses
        All responses of a subject.
    columns : StimulusColumns
        Columns of its events.
    region : str
        Column of its units.

    Returns
    -------
    Responses
        Without the rows that show nothing; without such a column of the units, all of them are one region.

    Raises
    ------
    ConfigError
        If a column was asked for and is not there, or no row shows a stimulus.
    """
    for setting, name in (("stimuli.id", columns.id), ("stimuli.file", columns.file)):
        if name not in brain.samples:
            raise ConfigError(f"{setting}: the events have no column {name!r}, they have {list(brain.samples.columns)}")
    if region not in brain.units and region != "region":
        raise ConfigError(f"region: the units have no column {region!r}, they have {list(brain.units.columns)}")
    seen = np.flatnonzero(brain.samples[columns.file].notna() & brain.samples[columns.id].notna())
    if not seen.size:
        raise ConfigError(f"stimuli.file: none of {brain.n_samples} events names a file in column {columns.file!r}")
    chosen = brain.select(seen)
    regions = brain.units.get(region, ONLY_REGION)
    samples = chosen.samples.assign(stimulus=chosen.samples[columns.id].map(str))
    return chosen.replace(samples=samples, units=chosen.units.assign(region=regions))


def regions_of(brain: Responses) -> dict[str, Responses]:
    """Responses of each region.

    Parameters
    ----------
    brain : Responses
        Units with a column ``region``; those without a value are in none.

    Returns
    -------
    dict of str to Responses
        In order of appearance.
    """
    names = brain.units["region"]
    return {str(name): brain.select(units=np.flatnonzero(names == name)) for name in dict.fromkeys(names.dropna())}


def encodings(spaces: Spaces, brain: Responses, wanted: Encode, seed: int) -> dict[str, Any]:
    """Encode all layers, and the low-level features alone.

    Parameters
    ----------
    spaces : Spaces
        Features.
    brain : Responses
        Responses with a column ``stimulus``.
    wanted : Encode
        Settings.
    seed : int
        Seed of permutations and of split halves.

    Returns
    -------
    dict
        ``layers`` (LayerResult) where there is a network, and ``low-level features`` (ComparisonResult); the latter is called
        ``encoding`` where it is the only one.
    """
    from neurodecode.compare import encode, encode_layers

    options = {**encode_options(wanted, seed), "groups": wanted.groups}
    if spaces.layers is None:
        return {"encoding": encode(spaces.low, brain, delays_s=None, **options)}
    nuisance = None if spaces.low is None else {"low-level": spaces.low}
    found = {"layers": encode_layers(spaces.layers, brain, nuisance=nuisance, delays_s=None, **options)}
    if spaces.low is None:
        return found
    return {**found, "low-level features": encode(spaces.low, brain, delays_s=None, **options)}


def encode_options(wanted: Encode, seed: int) -> dict[str, Any]:
    """Arguments of `neurodecode.compare.encode` by the settings of a pipeline."""
    return {"n_permutations": wanted.n_permutations, "correction": wanted.correction, "random_state": seed}


def leakage(spaces: Spaces, brain: Responses, wanted: Encode, seed: int) -> Any:
    """What features without any stimulus predict on the very rows and folds of the encoding.

    Parameters
    ----------
    spaces : Spaces
        Features.
    brain : Responses
        Responses.
    wanted : Encode
        Settings.
    seed : int
        Seed of the noise.

    Returns
    -------
    LeakageResult
        A split that leaks says so in the result; the run goes on.
    """
    from neurodecode.compare import leakage_check
    from neurodecode.compare.prepare import prepare

    features = spaces.low if spaces.layers is None else spaces.layers
    problem = prepare(features, brain, delays_s=None, groups=wanted.groups)
    rows = problem.aligned.targets.read(slice(None))
    folds = [(split.train, split.test) for split in problem.outer.splits]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)
        return leakage_check(rows, cv=folds, groups=problem.aligned.runs, random_state=seed)


def geometries(spaces: Spaces, brain: Responses, parameters: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """RDMs and alignment of each region, as far as they were asked for and there are enough stimuli.

    Parameters
    ----------
    spaces : Spaces
        Features.
    brain : Responses
        Responses.
    parameters : mapping
        ``rsa``, ``cka`` and ``seed``.
    folder : Path
        Where the RDMs go.

    Returns
    -------
    results : dict
        ``rsa`` and ``alignment``.
    notes : list of str
        What was left out.
    """
    from neurodecode.compare import conditions_of

    names = conditions_of(brain, "stimulus")
    if len(names) < _FEWEST:
        return {}, [f"No RDMs: {len(names)} stimuli were shown, {_FEWEST} are needed."]
    results: dict[str, Any] = {}
    regions = regions_of(brain)
    if parameters["rsa"] is not None:
        settings = BrainRsa(**parameters["rsa"])
        models, measured = model_rdms(*spaces), brain_rdms(regions, settings)
        save_rdms(folder, names.tolist(), models, measured)
        results |= subject_rsa(models, measured, settings, parameters["seed"])
    if parameters["cka"] and spaces.layers is not None:
        results["alignment"] = alignment(layers_of(spaces.layers), regions)
    return results, []


def alignment(layers: Mapping[str, Responses], regions: Mapping[str, Responses]) -> pd.DataFrame:
    """Debiased centred kernel alignment of each layer with each region, over stimuli.

    Parameters
    ----------
    layers, regions : mapping of str to Responses
        Columns ``stimulus``.

    Returns
    -------
    DataFrame
        ``region, layer, metric, score, chance, n_units, n_stimuli``. Chance is 0, as the estimate is debiased.
    """
    from neurodecode.compare import cka

    rows = []
    for region, responses in regions.items():
        mean = responses.average("stimulus")
        values = mean.matrix()
        values = values[:, np.isfinite(values).all(axis=0)]
        for layer, features in layers.items():
            order = pd.Index(features.samples["stimulus"]).get_indexer(mean.samples["stimulus"])
            score = cka(features.matrix()[order], values) if values.size else float("nan")
            rows.append((region, layer, "debiased CKA", score, 0.0, values.shape[1], len(values)))
    return pd.DataFrame(rows, columns=["region", "layer", "metric", "score", "chance", "n_units", "n_stimuli"])


def stimulus_names(tables: Sequence[pd.DataFrame], column: str) -> list[str]:
    """Every file that events name, sorted.

    Parameters
    ----------
    tables : sequence of DataFrame
        Events of the runs.
    column : str
        Column with the file.

    Returns
    -------
    list of str
        Names below ``stimuli/``.
    """
    return sorted(pd.concat([table[column] for table in tables]).dropna().astype(str).unique())


COMPARE = Step("compare", 1, compare_subject)
