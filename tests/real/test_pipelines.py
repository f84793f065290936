"""The shipped pipelines on real recordings: figures, chance under shuffled labels, equal bytes for any number of jobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodecode.pipeline import load_config, run_pipeline, verify
from neurodecode.pipeline.planning import find_units, subject_items
from neurodecode.pipeline.step import run_item
from neurodecode.report import load_contents

# floor of the score, its chance level, and the figure of the set's README
PIPELINES = {
    "haxby_objects": ("haxby2001", 29 / 64, 1 / 8),
    "eeg_faces": ("muse_n170", 0.646 - 0.01, 1 / 2),
    "eeg_p300": ("muse_p300", 0.749 - 0.01, 1 / 2),
}
N_SEEDS = 20


@pytest.fixture(scope="module", params=PIPELINES)
def pipeline(request: pytest.FixtureRequest, real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory):
    """A finished run of each pipeline, with few permutations: name, data, output, results."""
    name = request.param
    data, out = real(PIPELINES[name][0]), tmp_path_factory.mktemp(name)
    results = run_pipeline(quick(name, 19), data, out).results
    return name, data, out, results


def quick(name: str, n_permutations: int, *more: str):
    """A shipped pipeline without its course over time."""
    return load_config(name, [f"decode.n_permutations={n_permutations}", "decode.time_resolved=false", *more])


def test_the_score_reaches_the_reference_figure(pipeline):
    name, _, _, results = pipeline
    assert results["score"] >= PIPELINES[name][1] - 1e-9
    assert results["chance"] == PIPELINES[name][2]
    assert results["p_value"] == pytest.approx(1 / 20)
    assert results["split"].startswith("leave-one-run-out")


def test_everything_promised_is_there(pipeline):
    _, _, out, results = pipeline
    for name in ("results.json", "report.html", "scores.tsv", "methods.md", "references.bib", "dataset_description.json"):
        assert (out / name).stat().st_size > 0, name
    assert list(out.glob("figures/*.svg"))
    assert list(out.glob("figures/*.png"))
    promised = {"score", "metric", "fold_scores", "chance", "p_value", "baseline", "split", "versions", "confidence_interval"}
    assert promised <= set(results)
    assert json.loads((out / "results.json").read_text()) == results
    assert json.loads((out / "dataset_description.json").read_text())["GeneratedBy"][0]["Name"] == "neurodecode"
    assert verify(out)[1] == []


def test_no_output_names_a_folder_of_this_machine(pipeline):
    _, data, out, _ = pipeline
    for path in out.rglob("*"):
        if path.suffix in (".json", ".html", ".tsv", ".md", ".svg"):
            text = path.read_text(encoding="utf-8")
            assert str(out) not in text, path
            assert str(data.parent) not in text, path


def test_shuffled_labels_are_at_chance(pipeline, tmp_path: Path):
    """The mean of twenty runs with labels shuffled within runs is within three standard errors of chance."""
    name, data, out, _ = pipeline
    scores = shuffled_scores(name, data, out, tmp_path)
    error = np.std(scores, ddof=1) / np.sqrt(N_SEEDS)
    assert abs(np.mean(scores) - PIPELINES[name][2]) < 3 * error
    assert len(set(scores)) > 3, "each seed shuffles anew"


def shuffled_scores(name: str, data: Path, out: Path, folder: Path) -> list[float]:
    """Scores of the control runs, by the step of the pipeline that decodes, on the runs prepared in `out`."""
    scores = []
    for seed in range(N_SEEDS):
        config = quick(name, 0, f"decode.permute_labels={seed}")
        (item,) = subject_items(config, find_units(config, data), out, jobs=1)
        run_item(replace(item, output=str(folder / f"seed-{seed}")))
        scores.append(load_contents(folder / f"seed-{seed}").results["decoding"].score)
    return scores


@pytest.mark.slow
def test_shuffled_runs_lie_inside_the_permutation_null(real: Callable[..., Path], tmp_path: Path):
    """At most three of sixty control runs lie outside the central 99 % of the null of 999 permutations within runs."""
    outside = 0
    for name, (data_set, _, chance) in PIPELINES.items():
        data, out = real(data_set), tmp_path / name
        run_pipeline(quick(name, 999), data, out, jobs=2)
        null = null_scores(out)
        low, high = np.quantile(null, [0.005, 0.995])
        scores = np.array(shuffled_scores(name, data, out, tmp_path / f"{name}-shuffled"))
        beyond = int(np.sum((scores < low) | (scores > high)))
        mean, error = scores.mean(), scores.std(ddof=1) / np.sqrt(N_SEEDS)
        logging.getLogger(__name__).info(
            f"{name}: mean {mean:.4f} (chance {chance:g}, s.e. {error:.4f}), null {low:.3f} to {high:.3f}, {beyond} of 20 outside"
        )
        assert abs(mean - chance) < 3 * error
        outside += beyond
    assert outside <= 3


def null_scores(out: Path) -> np.ndarray:
    """Null scores behind the p-value of a finished run."""
    return load_contents(out).results["decoding"].null_scores


def data_files(out: Path) -> dict[str, bytes]:
    """Everything but the provenance, which holds run times."""
    return {
        p.relative_to(out).as_posix(): p.read_bytes()
        for p in sorted(out.rglob("*"))
        if p.is_file() and p.name != "provenance.json"
    }


def test_bytes_do_not_depend_on_jobs_or_on_the_run(pipeline, tmp_path: Path):
    """A second run of the same command with two jobs leaves the same bytes."""
    name, data, out, _ = pipeline
    run_pipeline(quick(name, 19), data, tmp_path, jobs=2)
    first, second = data_files(out), data_files(tmp_path)
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []


def test_contacts_of_the_seizure_onset_come_first(real: Callable[..., Path], tmp_path: Path):
    """Band power after the annotated onset over before: the README of the set has 9.4, 6.39, 3.58, 1.81 and 1.15."""
    results = run_pipeline(load_config("ieeg_quality"), real("ecog_seizure"), tmp_path).results
    rows = results["contacts"]["band power"]
    assert [row["channel"] for row in rows[:5]] == ["BTM1", "BTM3", "BTM2", "BTM4", "BTP5"]
    assert [row["ratio"] for row in rows[:5]] == pytest.approx([9.4, 6.39, 3.58, 1.81, 1.15], rel=0.01)
    assert np.median([row["ratio"] for row in rows]) == pytest.approx(0.35, abs=0.005)


@pytest.mark.parametrize(("reference", "among"), [("common_average", 1), ("bipolar", 3), ("laplacian", 3)])
def test_the_onset_is_found_under_every_reference(real: Callable[..., Path], tmp_path: Path, reference: str, among: int):
    config = load_config("ieeg_quality", [f"reference={reference}"])
    rows = run_pipeline(config, real("ecog_seizure"), tmp_path).results["contacts"]["band power"]
    assert any("BTM1" in row["channel"] for row in rows[:among])
