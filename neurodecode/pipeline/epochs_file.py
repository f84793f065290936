"""Steps of a pipeline on a file of epochs whose metadata name a word each: read it, and compare words with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Responses, Stimuli, load, save
from neurodecode.data.hashing import sha256_array
from neurodecode.errors import ConfigError
from neurodecode.pipeline.compare import NO_MODEL, encode_options, network_of
from neurodecode.pipeline.config import Encode
from neurodecode.pipeline.networks import embed
from neurodecode.pipeline.prepare import write_digest
from neurodecode.pipeline.step import Step


def prepare_epochs(parameters: Mapping[str, Any], folder: Path) -> None:
    """Read the epochs, one trial per row.

    Parameters
    ----------
    parameters : mapping
        ``path``, ``source``, ``word`` and ``predictors``.
    folder : Path
        Where ``responses/`` and the report's data go.
    """
    from neurodecode.io import read_meeg
    from neurodecode.report import RunContents, save_contents

    epochs = read_meeg(parameters["path"])
    if not isinstance(epochs, Responses):
        raise ConfigError(f"input.file: {parameters['source']} is a continuous recording, expected epochs with metadata")
    responses = with_trials(epochs, parameters["word"], parameters["predictors"])
    write_digest(sha256_array(np.asarray(responses.data)), folder)
    counts = responses.samples["trial_type"].astype(str).value_counts().sort_index()
    table = pd.DataFrame({"recording": parameters["source"], "trial_type": counts.index, "n": counts.to_numpy()})
    contents = RunContents(
        title=parameters["source"],
        pipeline="prepare_epochs",
        quality={"Events": table},
        recordings_summary=[repr(responses)],
        notes=[f"{parameters['source']}: {note}" for note in responses.meta.get("notes", [])],
        steps=list(responses.meta.get("steps", [])),
    )
    save_contents(contents, folder)
    save(responses, folder / "responses")


def with_trials(epochs: Responses, word: str, predictors: list[str]) -> Responses:
    """Name each trial, so that features are joined to it and not to its word, which may come again.

    Parameters
    ----------
    epochs : Responses
        Epochs with metadata.
    word : str
        Column with the word.
    predictors : list of str
        Numeric columns.

    Returns
    -------
    Responses
        With the columns ``stimulus`` (number and word of the trial) and ``word``.

    Raises
    ------
    ConfigError
        If a column is missing or not numeric.
    """
    for setting, name in [("input.word", word), *(("input.predictors", name) for name in predictors)]:
        if name not in epochs.samples:
            raise ConfigError(f"{setting}: the metadata have no column {name!r}, they have {list(epochs.samples.columns)}")
    texts = [name for name in predictors if not pd.api.types.is_numeric_dtype(epochs.samples[name])]
    if texts:
        raise ConfigError(f"input.predictors: column {texts[0]!r} is not numeric, e.g. {epochs.samples[texts[0]].iloc[0]!r}")
    words = epochs.samples[word].map(str)
    names = [f"{i:05d} {text}" for i, text in enumerate(words)]
    return epochs.replace(samples=epochs.samples.assign(stimulus=names, word=words))


def compare_epochs(parameters: Mapping[str, Any], folder: Path) -> None:
    """Predict each channel at each time from predictors, word features and the layers of a network.

    Parameters
    ----------
    parameters : mapping
        ``prepared``, ``predictors``, ``frequencies``, ``model`` with ``source_of_model`` and ``cache``, ``device``, ``encode``,
        ``seed`` and ``title``.
    folder : Path
        Where the results go.
    """
    from neurodecode.report import RunContents, save_contents

    responses = load(Path(parameters["prepared"][0]) / "responses")
    contents = RunContents(
        title=parameters["title"],
        pipeline="compare",
        results=epoch_results(responses, parameters),
        erp=responses.average("trial_type"),
        units=responses.units,
        space=responses.meta.get("space"),
        steps=list(responses.meta.get("steps", [])),
        notes=[]
        if parameters["model"]
        else [NO_MODEL.replace("low-level features alone were", "predictors and word features were")],
    )
    save_contents(contents, folder)


def epoch_results(responses: Responses, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Encoding of the predictors, of the layers of a network, and of the word features alone.

    Parameters
    ----------
    responses : Responses
        Epochs with the columns ``stimulus`` and ``word``.
    parameters : mapping
        As in `compare_epochs`.

    Returns
    -------
    dict of str to result
        ``encoding``, ``layers`` and ``word features``, as far as there is something to encode.
    """
    from neurodecode.compare import encode, encode_layers

    wanted = Encode(**parameters["encode"])
    options = {**encode_options(wanted, parameters["seed"]), "groups": wanted.groups, "delays_s": None}
    low, network = low_level_of_words(responses, parameters["frequencies"]), network_of(parameters)
    nuisance = {"word features": low} if wanted.low_level else None
    results: dict[str, Any] = {}
    if parameters["predictors"]:
        chosen = predictors_of(responses, parameters["predictors"])
        results["encoding"] = encode({"predictors": chosen}, responses, nuisance=nuisance, **options)
    if network is not None:
        stimuli = Stimuli(responses.samples["stimulus"].tolist(), responses.samples["word"].tolist(), "text")
        layers = embed(stimuli, network, parameters["cache"], parameters["device"])
        results["layers"] = encode_layers(layers, responses, nuisance=nuisance, **options)
    return {**results, "word features": encode(low, responses, **options)}


def predictors_of(responses: Responses, names: list[str]) -> Responses:
    """Columns of the metadata as features of their trials.

    Parameters
    ----------
    responses : Responses
        Epochs.
    names : list of str
        Numeric columns.

    Returns
    -------
    Responses
        One row per trial, one unit per column.
    """
    values = responses.samples[names].to_numpy(np.float32)
    return Responses(values, responses.samples[["stimulus"]], pd.DataFrame({"name": names, "kind": "predictor"}))


def low_level_of_words(responses: Responses, frequencies: str | None) -> Responses:
    """Length of each word, its place in the session, and its frequency where a language is given.

    Parameters
    ----------
    responses : Responses
        Epochs with the columns ``stimulus`` and ``word``.
    frequencies : str or None
        Language.

    Returns
    -------
    Responses
        One row per trial.
    """
    from neurodecode.features import word_features

    names = ["word_length", "position_in_story", *(["log_frequency"] if frequencies else [])]
    table = responses.samples[["stimulus", "word"]].assign(story=1)
    return word_features(table, names, frequencies=frequencies, by="story")


PREPARE_EPOCHS = Step("prepare_epochs", 1, prepare_epochs)
COMPARE_EPOCHS = Step("compare_epochs", 1, compare_epochs)
