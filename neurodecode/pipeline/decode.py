"""The step on one subject: join its runs and decode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data import Responses, concatenate, load
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError
from neurodecode.metrics import within_group_permutation
from neurodecode.pipeline.config import Decode, Reconstruct
from neurodecode.pipeline.step import Step


def decode_subject(parameters: Mapping[str, Any], folder: Path) -> None:
    """Decode the target from all runs of a subject.

    Parameters
    ----------
    parameters : mapping
        ``prepared`` (folders of the runs), ``decode``, ``seed``, ``title`` and ``jobs``; for images ``reconstruct`` and
        ``root``.
    folder : Path
        Where the results go.
    """
    from neurodecode.report import RunContents, save_contents

    settings = Decode(**parameters["decode"])
    runs, left_out = common_units([load(Path(part) / "responses") for part in parameters["prepared"]])
    responses = concatenate(runs)
    check_columns(responses.samples, [settings.target], "events")
    pictures = _reconstruct(responses, settings, parameters) if parameters.get("reconstruct") else {}
    if settings.permute_labels is not None:
        responses = shuffle_within_runs(responses, settings.target, settings.permute_labels)
    contents = RunContents(
        title=parameters["title"],
        pipeline="decode",
        results={**_decode(responses, settings, parameters["seed"], parameters["jobs"]), **pictures},
        erp=None if responses.times is None else responses.average(settings.target),
        units=responses.units,
        space=responses.meta.get("space"),
        steps=list(responses.meta.get("steps", [])),
        notes=_notes(settings, left_out),
    )
    save_contents(contents, folder)


def _decode(responses: Responses, settings: Decode, seed: int, jobs: int) -> dict[str, Any]:
    from neurodecode import decode

    options: dict[str, Any] = {"estimator": settings.estimator, "C": settings.C, "scale": settings.scale, "random_state": seed}
    decoder = decode.LinearDecoder(settings.task, n_features=settings.n_features, **options)
    where: dict[str, Any] = {"target": settings.target, "groups": settings.groups}
    main = decoder.cross_validate(responses, **where, n_permutations=settings.n_permutations, jobs=jobs)
    results: dict[str, Any] = {"decoding": main}
    simple = decode.LinearDecoder(settings.task, **options)
    if settings.time_resolved and responses.times is not None:
        n_permutations = settings.n_permutations_over_time
        results["time course"] = decode.time_resolved(
            responses, **where, decoder=simple, n_permutations=n_permutations, jobs=jobs
        )
    if settings.generalise and responses.times is not None:
        results["generalisation over time"] = decode.generalise_over_time(responses, **where, decoder=simple)
    if settings.searchlight_mm is not None:
        results["searchlight"] = decode.searchlight(responses, **where, decoder=simple, radius_mm=settings.searchlight_mm)
    return results


def _reconstruct(responses: Responses, settings: Decode, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Reconstruct the images that were shown; in a control run each response gets the image of another."""
    from neurodecode import decode
    from neurodecode.io import read_stimuli

    wanted, seed = Reconstruct(**parameters["reconstruct"]), parameters["seed"]
    stimuli = read_stimuli(parameters["root"], responses.samples, ids=wanted.stimulus, files=wanted.file)
    if settings.permute_labels is not None:
        responses = shuffle_within_runs(responses, wanted.stimulus, settings.permute_labels)
    options: dict[str, Any] = {"groups": wanted.groups, "column": wanted.stimulus, "n_permutations": wanted.n_permutations}
    makers = _reconstructors(wanted, parameters.get("generator"), seed)
    return {
        name: decode.reconstruct(responses, stimuli, reconstructor=maker, random_state=seed, **options)
        for name, maker in makers.items()
    }


def _reconstructors(wanted: Reconstruct, generator: str | None, seed: int) -> dict[str, Any]:
    """The ridge; beside a generator also one sample, the mean of several, and the mean image that knows no response."""
    from neurodecode import decode

    ridge: dict[str, Any] = {"reconstruction": decode.RidgeReconstructor(n_features=wanted.n_features)}
    if generator is None or wanted.generator is None:
        return ridge
    from neurodecode.generate import load_generator

    counts = {"one sample": 1, f"mean of {wanted.generator.n_samples} samples": wanted.generator.n_samples}
    options: dict[str, Any] = {"n_features": wanted.n_features, "random_state": seed}
    model = load_generator(generator)
    made = {name: decode.GeneratorReconstructor(model, n_samples=n, **options) for name, n in counts.items()}
    return {**ridge, **made, "mean image": decode.MeanImage()}


def shuffle_within_runs(responses: Responses, target: str, seed: int) -> Responses:
    """A control: the same responses with the labels of each run in random order, so that nothing can be decoded."""
    labels = responses.samples[target].to_numpy(dtype=object)
    runs = responses.groups("run") if "run" in responses.samples else np.zeros(len(labels), int)
    shuffled = within_group_permutation(labels, runs, np.random.default_rng(seed))
    return responses.replace(samples=responses.samples.assign(**{target: shuffled}))


def common_units(runs: Sequence[Responses]) -> tuple[list[Responses], list[str]]:
    """Keep the units that every run has: a channel dropped as bad in one run is left out of all.

    Parameters
    ----------
    runs : sequence of Responses
        Runs of one subject.

    Returns
    -------
    runs : list of Responses
        With the same units in the same order.
    left_out : list of str
        Names of the others.

    Raises
    ------
    DataError
        If the runs have no unit in common.
    """
    everywhere = set.intersection(*(set(run.units["name"]) for run in runs))
    names = [name for name in runs[0].units["name"] if name in everywhere]
    if not names:
        raise DataError(f"the {len(runs)} runs have no unit in common, e.g. {runs[0].units['name'].iloc[0]!r} of the first")
    left_out = sorted(set().union(*(run.units["name"] for run in runs)) - everywhere)
    rows = [pd.Index(run.units["name"]).get_indexer(names) for run in runs]
    return [run.select(units=index) for run, index in zip(runs, rows, strict=True)] if left_out else list(runs), left_out


def _notes(settings: Decode, left_out: Sequence[str]) -> list[str]:
    notes = [f"Left out in all runs, since some run does not have it: {', '.join(left_out[:20])}."] if left_out else []
    if settings.permute_labels is not None:
        seed = settings.permute_labels
        notes.append(f"Control run: the labels were shuffled within runs with seed {seed}; the score should be at chance.")
    return notes


DECODE = Step("decode", 1, decode_subject)
