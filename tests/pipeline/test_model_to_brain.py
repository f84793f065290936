"""The pipeline model_to_brain on a small study whose voxels follow the second block of a known network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny_models
from bids_trees import SHAPE, TR, write_description, write_table, write_volume
from PIL import Image

from neurodecode.data import Stimuli
from neurodecode.data.hashing import jsonable
from neurodecode.errors import ConfigError, CorruptFileError, FormatError, NeurodecodeError
from neurodecode.features import embed_images
from neurodecode.pipeline import ItemStatus, load_config, plan, run_participants, run_pipeline, verify
from neurodecode.pipeline.collect import collect, results_table, sentence
from neurodecode.pipeline.planning import find_units
from neurodecode.pipeline.step import read_provenance
from neurodecode.report import load_contents

N_BLOCKS, N_TIMES, RUNS = 14, 96, ("1", "2", "3")
RAW = ["clean.allow_raw=true", "clean.confounds=null", "clean.detrend=linear", "clean.high_pass=null", "mask=null"]
QUICK = [*RAW, "responses.method=block_average", "encode.n_permutations=49", "rsa.n_bootstrap=20"]
LAYER = 2


def picture_of(rng: np.random.Generator) -> np.ndarray:
    """Coloured stripes of a random direction, colour and width, so that pictures differ as pictures do."""
    y, x = np.mgrid[:32, :32] / 32
    angle, frequency, phase = rng.uniform(0, np.pi), rng.uniform(1, 6), rng.uniform(0, 6)
    wave = np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    colours = rng.uniform(0, 255, (2, 3))
    picture = colours[0] + (wave[..., None] + 1) / 2 * (colours[1] - colours[0])
    return np.clip(picture + 10 * rng.standard_normal((32, 32, 3)), 0, 255).astype(np.uint8)


def write_study(root: Path, model: Path, subjects: tuple[str, ...] = ("01",)) -> Path:
    """Blocks of pictures, the same for all subjects; each voxel follows a mixture of the units of one layer of the network."""
    write_description(root)
    (root / "stimuli").mkdir()
    rng = np.random.default_rng(7)
    names = [f"p{i:03d}.png" for i in range(N_BLOCKS * len(RUNS))]
    pictures = [picture_of(rng) for _ in names]
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture).save(root / "stimuli" / name)
    units = embed_images(Stimuli(names, pictures, "image"), model, layers=LAYER).matrix().astype(float)
    units = (units - units.mean(0)) / units.std()
    mixing = rng.standard_normal((units.shape[1], int(np.prod(SHAPE))))
    drive = units @ mixing / np.sqrt(units.shape[1])
    for subject in subjects:
        for number, run in enumerate(RUNS):
            rows = np.arange(number * N_BLOCKS, (number + 1) * N_BLOCKS)
            own = np.random.default_rng(100 * int(subject) + number)
            stem = root / f"sub-{subject}" / "func" / f"sub-{subject}_task-look_run-{run}"
            table = pd.DataFrame({"onset": 12.0 * np.arange(1, N_BLOCKS + 1), "duration": 6.0, "trial_type": "picture"})
            write_table(stem.with_name(f"{stem.name}_events.tsv"), table.assign(stim_file=[names[i] for i in rows]))
            write_volume(stem.with_name(f"{stem.name}_bold.nii.gz"), scanned(table, drive[rows], own), TR)
    return root


def scanned(events: pd.DataFrame, drive: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A run in which each voxel follows its drive 5 s later."""
    times = TR * np.arange(N_TIMES)
    signal = 1000 + 5 * rng.standard_normal((drive.shape[1], len(times)))
    for onset, values in zip(events["onset"], drive, strict=True):
        signal[:, (times >= onset + 5) & (times < onset + 11)] += 20 * values[:, None]
    return signal.reshape(*SHAPE, -1).astype(np.int16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network of two blocks, whose weights are so large that its layers see pictures differently."""
    import torch
    from transformers import ViTModel

    folder = tiny_models.write_model("vit", tmp_path_factory.mktemp("model") / "vit")
    net = ViTModel.from_pretrained(folder)
    with torch.no_grad():
        for name, weights in net.named_parameters():
            if weights.ndim == 2 and "embed" not in name and "pooler" not in name:
                weights.mul_(20)
    net.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """One subject."""
    return write_study(tmp_path_factory.mktemp("study") / "data", model)


@pytest.fixture(scope="module")
def settings(model: Path) -> list[str]:
    """Settings with the network."""
    return [*QUICK, f"model.source={model}"]


@pytest.fixture(scope="module")
def finished(study: Path, settings: list[str]) -> Path:
    """Output with the network."""
    run_pipeline(load_config("model_to_brain", settings), study, study.parent / "out")
    return study.parent / "out"


def computed(config: Any, data: Path, out: Path) -> tuple[dict[str, Any], list[ItemStatus]]:
    """Results without the page, which takes longer than they do; and what became of each unit."""
    states = run_participants(config, data, out, on_error="abort")
    return results_table(config, collect(config, data, out, find_units(config, data), states), states), states


def results_of(out: Path) -> dict[str, Any]:
    """Content of results.json."""
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_the_layer_that_voxels_follow_wins(finished: Path) -> None:
    found = results_of(finished)
    scores = {row["layer"]: row["median"] for row in found["layers"]}
    assert scores[str(LAYER)] > max(scores["0"], scores["1"]) + 0.03
    assert found["score"] > 0.5
    assert found["score"] > found["other_results"]["low-level features"]["score"] + 0.1
    assert found["fraction_significant"] > 0.8


def test_the_main_result_says_what_it_is_to_be_compared_with(finished: Path) -> None:
    found = results_of(finished)
    assert (found["metric"], found["chance"]) == ("r", 0.0)
    assert found["baseline_name"].startswith("nuisance features alone")
    assert "3 folds over 3 runs, each held out whole" in found["split"]
    assert found["n_permutations"] == 49
    for text in ("chance 0", "no ceiling", "q < 0.05 in", "nuisance features alone", "held out whole", "largest"):
        assert text in sentence(found)


def test_rdms_and_alignment_are_nearer_to_that_layer_than_to_the_first(finished: Path) -> None:
    others = results_of(finished)["other_results"]
    rdms = {row["model"]: row["score"] for row in others["rsa"]["models"]}
    alignment = {row["layer"]: row["score"] for row in others["alignment"]["table"]}
    assert alignment[f"layer {LAYER}"] > alignment["layer 0"] + 0.05
    assert rdms[f"layer {LAYER}"] > max(rdms["layer 0"], rdms["low-level"]) + 0.05
    assert {row["chance"] for row in others["alignment"]["table"]} == {0.0}


def test_the_split_was_checked_for_leaks(finished: Path) -> None:
    rows = results_of(finished)["other_results"]["leakage"]["table"]
    assert {row["features"] for row in rows} == {"OASM", "AR noise"}
    assert not any(row["leaks"] for row in rows)


def test_results_keep_their_types_and_the_page_is_there(finished: Path) -> None:
    results = load_contents(finished).results
    kinds = {name: type(result).__name__ for name, result in results.items()}
    assert kinds == {
        "layers": "LayerResult",
        "low-level features": "ComparisonResult",
        "leakage": "LeakageResult",
        "rsa": "RdmComparison",
        "alignment": "DataFrame",
    }
    assert results["layers"].best.units["region"].unique().tolist() == ["all units"]
    assert (finished / "report.html").stat().st_size > 10_000
    assert verify(finished)[1] == []


def test_pictures_and_weights_are_inputs_without_their_place(finished: Path, model: Path) -> None:
    (folder,) = (finished / "sub-01").glob("*_desc-compared_bold")
    recipe = read_provenance(folder)["recipe"]
    assert len([name for name in recipe["inputs"] if name.startswith("stimuli/")]) == N_BLOCKS * len(RUNS)
    assert "model/model.safetensors" in recipe["inputs"]
    assert str(model) not in json.dumps(recipe)


def test_a_second_run_skips_all_and_gives_the_same_numbers(study: Path, finished: Path, settings: list[str]) -> None:
    again, states = computed(load_config("model_to_brain", settings), study, finished)
    assert {status.state for status in states} == {"skipped"}
    assert json.loads(json.dumps(jsonable(again))) == results_of(finished)


def test_another_network_in_the_folder_runs_again(study: Path, finished: Path, model: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "vit"
    shutil.copytree(finished, out)
    shutil.copytree(model, other)
    moved = load_config("model_to_brain", [*QUICK, f"model.source={other}"])
    assert {status.state for status in run_participants(moved, study, out)} == {"skipped"}
    tiny_models.write_model("vit", other, seed=3)
    states = {status.name: status for status in run_participants(moved, study, out)}
    assert states["sub-01 compare"].state == "done"
    assert "model/model.safetensors" in states["sub-01 compare"].reason


def test_without_a_network_low_level_features_are_compared(study: Path, tmp_path: Path) -> None:
    results, _ = computed(load_config("model_to_brain", [*QUICK, "leakage=false", "rsa=null"]), study, tmp_path)
    assert any("No model was given" in note for note in results["notes"])
    assert results["baseline_name"] == "training mean (a constant prediction)"
    assert results["other_results"] == {}


@pytest.fixture(scope="module")
def group(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three subjects who saw the same."""
    return write_study(tmp_path_factory.mktemp("group") / "data", model, ("01", "02", "03"))


@pytest.fixture(scope="module")
def of_group(model: Path) -> Any:
    """Settings for them."""
    chosen = [*QUICK, f"model.source={model}", "model.layers=[0, 2]", "encode.n_permutations=0", "leakage=false"]
    return load_config("model_to_brain", chosen)


def test_several_subjects_are_tested_as_a_group(group: Path, of_group: Any) -> None:
    found, _ = computed(of_group, group, group.parent / "out")
    assert found["of"] == "chosen layers in all units, mean over 3 subjects"
    assert found["p_value"] == pytest.approx(1 / 8)
    assert found["score"] > found["baseline"]
    assert {"rsa over subjects", "layers sub-01", "layers sub-03"} <= set(found["other_results"])
    low, high = found["other_results"]["rsa over subjects"]["ceiling"]
    assert 0.3 < low <= high
    assert "mean over 3 subjects" in sentence(found)


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_the_number_of_jobs(group: Path, of_group: Any, tmp_path: Path) -> None:
    run_pipeline(of_group, group, tmp_path / "one")
    run_pipeline(of_group, group, tmp_path / "two", jobs=2)
    assert (tmp_path / "one" / "results.json").read_bytes() == (tmp_path / "two" / "results.json").read_bytes()


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("stimuli.file=picture", ConfigError, r"no column 'picture' \(stimuli.file\).*stim_file"),
        ("region=area", ConfigError, "region: the units have no column 'area'"),
        ("encode.n_permutation=3", ConfigError, "unknown key 'encode.n_permutation'.*n_permutations"),
        ("encode.correction=holm", ConfigError, "encode.correction"),
        ("model.pooling=middle", NeurodecodeError, "pooling"),
        ("model.layers=[9]", NeurodecodeError, "no layer 9"),
        ("compute.precision=bf16", ConfigError, "float64 only"),
    ],
)
def test_wrong_settings_are_named(
    study: Path, settings: list[str], tmp_path: Path, setting: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_pipeline(load_config("model_to_brain", [*settings, setting]), study, tmp_path)


def test_cuda_without_a_network_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="runs on cpu only"):
        plan(load_config("model_to_brain", [*QUICK, "compute.device=cuda"]), study, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), FormatError, "no model.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{"), CorruptFileError, "config.json"),
        (lambda folder: shutil.rmtree(folder), FormatError, "no such folder"),
    ],
)
def test_a_network_that_is_not_whole_is_named_before_the_work(
    study: Path, model: Path, tmp_path: Path, spoil: Any, error: type[Exception], message: str
) -> None:
    folder = tmp_path / "vit"
    shutil.copytree(model, folder)
    spoil(folder)
    with pytest.raises(error, match=message):
        plan(load_config("model_to_brain", [*QUICK, f"model.source={folder}"]), study, tmp_path / "out")


def test_a_damaged_picture_is_named(study: Path, settings: list[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(study, data)
    file = data / "stimuli" / "p003.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(CorruptFileError, match="p003.png"):
        run_pipeline(load_config("model_to_brain", settings), data, tmp_path / "out")
