"""From finished units to ``results.json`` and the contents of the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neurodecode.data.hashing import jsonable
from neurodecode.pipeline.config import Config, IEEGQuality, ModelToBrain
from neurodecode.pipeline.execute import ItemStatus
from neurodecode.pipeline.findings import COMPARISONS, GROUP, finding, finding_sentence, group_finding, group_results
from neurodecode.pipeline.meeg_findings import retrieval_finding, retrieval_sentence
from neurodecode.pipeline.planning import Unit, subject_items
from neurodecode.pipeline.step import read_provenance
from neurodecode.pipeline.versions import versions


def collect(config: Config, data: Path, out: Path, units: Sequence[Unit], statuses: Sequence[ItemStatus]) -> Any:
    """Join what the units wrote into the contents of one report.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration.
    data, out : Path
        BIDS folder and output folder.
    units : sequence of Unit
        Runs that were prepared.
    statuses : sequence of ItemStatus
        What became of every unit.

    Returns
    -------
    RunContents
        For `neurodecode.report.write`.
    """
    from neurodecode.report import RunContents, load_contents

    runs = [load_contents(out / unit.output) for unit in units]
    failed = {s.name for s in statuses if s.state == "failed"}
    items = [item for item in subject_items(config, units, out, jobs=1) if item.name not in failed]
    subjects = {item.name.split()[0]: load_contents(item.output) for item in items}
    parts = list(subjects.values())
    results, more = (
        _results(config, subjects, [Path(item.output) for item in items]) if subjects else (_run_results(units, runs), [])
    )
    return RunContents(
        title=config.title,
        pipeline=config.pipeline,
        description=config.description,
        dataset=_data_set(data),
        configuration=config.model_dump(mode="json"),
        results=results,
        quality=_join_tables(runs),
        recordings_summary=[run.recordings_summary[0] for run in runs],
        spectra=_mean_spectra(runs),
        steps=(parts or runs)[0].steps,
        versions=versions(),
        hashes={
            name: digest for unit in units for name, digest in read_provenance(out / unit.output)["recipe"]["inputs"].items()
        },
        erp=parts[0].erp if parts else None,
        units=parts[0].units if parts else None,
        space=parts[0].space if parts else None,
        notes=[*_notes(statuses, [*parts, *runs]), *more],
        entities=_common_entities(units),
    )


def _results(config: Config, subjects: dict[str, Any], folders: list[Path]) -> tuple[dict[str, Any], list[str]]:
    """The results of the only subject, or of the group first and then of each subject; and what could not be joined."""
    from neurodecode.decode import combine_subjects

    if len(subjects) == 1:
        return dict(next(iter(subjects.values())).results), []
    group: dict[str, Any]
    if isinstance(config, ModelToBrain):
        group, notes = group_results(subjects, folders, config)
    else:
        group, notes = {"decoding": combine_subjects({name: part.results["decoding"] for name, part in subjects.items()})}, []
    single = {f"{result} {name}": value for name, part in subjects.items() for result, value in part.results.items()}
    return {**group, **single}, notes


def _run_results(units: Sequence[Unit], runs: Sequence[Any]) -> dict[str, Any]:
    """Results of single runs, named by the run where there are several."""
    if len(runs) == 1:
        return dict(runs[0].results)
    return {f"{name} {unit.name}": value for unit, run in zip(units, runs, strict=True) for name, value in run.results.items()}


def _join_tables(runs: Sequence[Any]) -> dict[str, pd.DataFrame]:
    titles = list(dict.fromkeys(title for run in runs for title in run.quality))
    return {title: pd.concat([run.quality[title] for run in runs if title in run.quality], ignore_index=True) for title in titles}


def _mean_spectra(runs: Sequence[Any]) -> Any:
    """Mean power over the runs that share channels and frequencies with the first."""
    spectra = [run.spectra for run in runs if run.spectra is not None]
    if not spectra:
        return None
    freqs, _, names = spectra[0]
    alike = [power for f, power, n in spectra if n == names and np.array_equal(f, freqs)]
    return freqs, np.mean(alike, axis=0), names


def _notes(statuses: Sequence[ItemStatus], parts: Sequence[Any]) -> list[str]:
    failed = [f"Left out: {s.name} ({s.reason})" for s in statuses if s.state == "failed"]
    return list(dict.fromkeys([*failed, *(note for part in parts for note in part.notes)]))


def _common_entities(units: Sequence[Unit]) -> dict[str, str]:
    """Subject, session, task and run as far as all units share them."""
    names = {"sub": "subject", "ses": "session", "task": "task", "run": "run"}
    values = {key: {file.entities.get(key) for unit in units for file in unit.files[:1]} for key in names}
    shared = {names[key]: next(iter(found)) for key, found in values.items() if len(found) == 1}
    return {name: label for name, label in shared.items() if label is not None}


def _data_set(root: Path) -> dict[str, Any]:
    path = root / "dataset_description.json"
    if not path.is_file():  # a folder with one file that a pipeline names
        return {"name": root.resolve().name}
    description = json.loads(path.read_text(encoding="utf-8"))
    known = {"name": "Name", "licence": "License", "citation": "HowToAcknowledge", "doi": "DatasetDOI", "authors": "Authors"}
    return {ours: description[theirs] for ours, theirs in known.items() if description.get(theirs)}


def results_table(config: Config, contents: Any, statuses: Sequence[ItemStatus]) -> dict[str, Any]:
    """The content of ``results.json``: the main result, then the rest; nothing in it depends on time or place.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration.
    contents : RunContents
        From `collect`.
    statuses : sequence of ItemStatus
        What became of every unit.

    Returns
    -------
    dict
        JSON values.
    """
    common = {
        "pipeline": config.pipeline,
        "title": config.title,
        "seed": config.compute.seed,
        "versions": contents.versions,
        "failed": sorted(s.name for s in statuses if s.state == "failed"),
        "notes": contents.notes,
    }
    if isinstance(config, IEEGQuality):
        return {**common, "contacts": {name: jsonable(table.to_dict("records")) for name, table in contents.results.items()}}
    first = next(iter(contents.results))
    main = _main(contents.results)
    others = {name: _summary(result) for name, result in contents.results.items() if name != first}
    return {**main, **common, "notes": list(dict.fromkeys([*main["notes"], *contents.notes])), "other_results": others}


def _main(results: dict[str, Any]) -> dict[str, Any]:
    """The figures of the main result: the first one, or what it and the others say over subjects."""
    first = next(iter(results.values()))
    if GROUP in results:
        kinds = ("layers ", "encoding ")
        single = [finding(result) for name, result in results.items() if name.startswith(kinds)]
        return {**group_finding(first, single), "table": jsonable(first.to_dict("records"))}
    if type(first).__name__ in COMPARISONS:
        return finding(first)
    if type(first).__name__ == "StimulusRetrieval":
        return retrieval_finding(first)
    decoded: dict[str, Any] = first.to_dict()
    return decoded


def connectome_sentence(found: dict[str, Any]) -> str:
    """Components, what they explain, and how many of them come back, in one line."""
    null = "not analysed" if found["chance"] is None else f"{found['chance']:.3f}"
    return (
        f"{found['rank']} components explain {found['score']:.3f} of the squared affinities of {found['n_names']} names in "
        f"{found['n_samples']} samples (shifted traces {null}); {found['n_stable']} come back between halves of the samples"
    )


def _summary(result: Any) -> Any:
    """A result without its large arrays."""
    if type(result).__name__ in COMPARISONS:
        return finding(result)
    if type(result).__name__ == "TrainedRetrieval":
        return jsonable({"metric": result.metric, "scores": result.scores, "mean": result.score, "chance": result.chance})
    if isinstance(result, pd.DataFrame):
        return jsonable({"table": result.to_dict("records")})
    if not hasattr(result, "metric") and not hasattr(result, "to_dict"):
        return jsonable({"table": result.to_dataframe().to_dict("records"), "split": result.split})
    if hasattr(result, "to_dict"):
        return result.to_dict()
    table = result.to_dataframe()
    return jsonable({"metric": result.metric, "chance": result.chance, "table": table.to_dict("records")})


def sentence(results: dict[str, Any]) -> str:
    """The main result in one line that says its chance level.

    Parameters
    ----------
    results : dict
        Content of ``results.json``.

    Returns
    -------
    str
        Without line breaks.
    """
    if "of" in results:
        return finding_sentence(results)
    if "n_candidates" in results:
        return retrieval_sentence(results)
    if "n_stable" in results:
        return connectome_sentence(results)
    if "score" not in results:
        name, rows = next(iter(results["contacts"].items()))
        top = ", ".join(f"{row['channel']} x {row['ratio']:.3g}" for row in rows[:3])
        return f"{name}: largest change after the onset at {top}"
    p = "not tested" if results["p_value"] is None else f"p = {results['p_value']:.3g}, {results['n_permutations']} permutations"
    return (
        f"{results['metric']} {results['score']:.3f} (chance {results['chance']:.3f}, {p}; "
        f"{results['baseline_name']} {results['baseline']:.3f}); {results['split']}"
    )
