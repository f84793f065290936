"""The block `reconstruct` of the fMRI pipeline: images below stimuli/ that blocks of voxels follow pixel by pixel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bids_trees import SHAPE, TR, write_description, write_table, write_volume
from PIL import Image

from neurodecode.errors import ConfigError, CorruptFileError, FormatError, SplitLeakError
from neurodecode.pipeline import load_config, run_pipeline
from neurodecode.pipeline.step import read_provenance
from neurodecode.report import load_contents

PIXELS, N_BLOCKS, RUNS = (3, 4), 12, ("1", "2", "3")
RAW = ["clean.allow_raw=true", "clean.confounds=null", "clean.detrend=linear", "clean.high_pass=null", "mask=null"]
QUICK = [*RAW, "responses.method=block_average", "decode.n_permutations=3", "decode.C=0.1"]
WITH = [*QUICK, "reconstruct.n_permutations=99"]


def write_study(root: Path, subjects: tuple[str, ...] = ("01",)) -> Path:
    """Blocks of grey pictures, tilted to the left or to the right; each voxel follows the brightness of one pixel."""
    write_description(root)
    (root / "stimuli").mkdir()
    for subject in subjects:
        for run in RUNS:
            rng = np.random.default_rng(100 * int(subject) + int(run))
            stem = root / f"sub-{subject}" / "func" / f"sub-{subject}_task-look_run-{run}"
            kinds = rng.permutation(["left", "right"] * (N_BLOCKS // 2))
            tilt = np.linspace(-50, 50, PIXELS[1]) * np.where(kinds == "left", -1, 1)[:, None]
            pictures = np.clip(128 + tilt[:, None] + 40 * rng.standard_normal((N_BLOCKS, *PIXELS)), 0, 255).astype(np.uint8)
            names = [f"s{subject}r{run}p{i:02d}" for i in range(N_BLOCKS)]
            for name, picture in zip(names, pictures, strict=True):
                Image.fromarray(picture).save(root / "stimuli" / f"{name}.png")
            table = pd.DataFrame({"onset": 12.0 * np.arange(1, N_BLOCKS + 1), "duration": 6.0, "trial_type": kinds})
            files = [f"{name}.png" for name in names]
            write_table(stem.with_name(f"{stem.name}_events.tsv"), table.assign(stimulus=names, stim_file=files))
            write_volume(stem.with_name(f"{stem.name}_bold.nii.gz"), scanned(table, pictures, rng), TR)
    return root


def scanned(events: pd.DataFrame, pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A run in which each voxel follows a pixel 5 s later."""
    times, n_voxels = TR * np.arange(80), int(np.prod(SHAPE))
    signal = 1000 + 10 * rng.standard_normal((n_voxels, len(times)))
    for onset, picture in zip(events["onset"], pictures, strict=True):
        seen = (times >= onset + 5) & (times < onset + 11)
        signal[:, seen] += np.resize(picture.ravel(), n_voxels)[:, None] / 2.0
    return signal.reshape(*SHAPE, -1).astype(np.int16)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One subject, three runs."""
    return write_study(tmp_path_factory.mktemp("study") / "data")


@pytest.fixture(scope="module")
def finished(study: Path) -> Path:
    """Results with reconstructions."""
    run_pipeline(load_config("fmri_decoding", WITH), study, study.parent / "out")
    return study.parent / "out"


def results_of(out: Path) -> dict[str, Any]:
    """The reconstruction in results.json."""
    found: dict[str, Any] = json.loads((out / "results.json").read_text())["other_results"]["reconstruction"]
    return found


def test_pictures_that_voxels_follow_are_reconstructed(finished: Path) -> None:
    found = results_of(finished)
    assert found["metric"] == "pixcorr"
    assert found["score"] > 0.9
    assert found["score"] > found["baseline"] + 0.2
    assert found["p_value"] == pytest.approx(0.01)
    assert found["n_images"] == 36
    assert np.isfinite(found["chance"])


def test_the_report_shows_the_pictures_of_the_folder(finished: Path, study: Path) -> None:
    result = load_contents(finished).results["reconstruction"]
    for name, image in zip(result.stimuli, result.images, strict=True):
        with Image.open(study / "stimuli" / f"{name}.png") as opened:
            np.testing.assert_array_equal(image, np.asarray(opened.convert("RGB")))
    page = (finished / "report.html").read_text()
    assert "above their reconstructions" in page
    assert (finished / "figures" / "reconstruction_images.svg").is_file()


def test_every_picture_is_among_the_inputs(finished: Path) -> None:
    (folder,) = (finished / "sub-01").glob("*_desc-decoded_bold")
    inputs = read_provenance(folder)["recipe"]["inputs"]
    assert len([name for name in inputs if name.startswith("stimuli/")]) == 36


def test_without_the_block_nothing_is_reconstructed(study: Path, tmp_path: Path) -> None:
    results = run_pipeline(load_config("fmri_decoding", QUICK), study, tmp_path)
    assert results.results["other_results"] == {}


def test_another_picture_under_the_name_makes_the_subject_run_again(study: Path, finished: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(study, data)
    shutil.copytree(finished, out)
    assert {s.state for s in run_pipeline(load_config("fmri_decoding", WITH), data, out).statuses} == {"skipped"}
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(PIXELS)).save(data / "stimuli" / "s01r1p00.png")
    states = {s.name: s for s in run_pipeline(load_config("fmri_decoding", WITH), data, out).statuses}
    assert states["sub-01 decode"].state == "done"
    assert "stimuli/s01r1p00.png" in states["sub-01 decode"].reason
    assert sum(s.state == "skipped" for s in states.values()) == 3


def test_shuffled_labels_shuffle_the_pictures_too(study: Path, tmp_path: Path) -> None:
    results = run_pipeline(load_config("fmri_decoding", [*WITH, "decode.permute_labels=1"]), study, tmp_path)
    found = results.results["other_results"]["reconstruction"]
    assert found["score"] < found["baseline"] + 0.1
    assert found["identification"] == pytest.approx(0.5, abs=0.15)
    assert any("Control run" in note for note in results.results["notes"])


def test_subjects_are_reconstructed_one_by_one(tmp_path: Path) -> None:
    data = write_study(tmp_path / "data", ("01", "02"))
    results = run_pipeline(load_config("fmri_decoding", WITH), data, tmp_path / "out")
    assert {"reconstruction sub-01", "reconstruction sub-02"} <= set(results.results["other_results"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["reconstruct.stimulus=picture"], r"no column 'picture' \(reconstruct.stimulus\).*stim_file"),
        (["reconstruct.file=picture"], r"no column 'picture' \(reconstruct.file\)"),
        (["reconstruct.colour=red"], "reconstruct.colour"),
        (["reconstruct.n_features=0"], "n_features"),
    ],
)
def test_wrong_settings_are_named_before_the_work(study: Path, tmp_path: Path, settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_pipeline(load_config("fmri_decoding", [*WITH, *settings]), study, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda file: file.unlink(), FormatError, "no such file"),
        (lambda file: file.write_bytes(file.read_bytes()[:-30]), CorruptFileError, "s01r2p03.png"),
    ],
)
def test_missing_and_damaged_pictures(study: Path, tmp_path: Path, spoil: Any, error: type[Exception], message: str) -> None:
    data = tmp_path / "data"
    shutil.copytree(study, data)
    spoil(data / "stimuli" / "s01r2p03.png")
    with pytest.raises(error, match=message):
        run_pipeline(load_config("fmri_decoding", WITH), data, tmp_path / "out")
    assert not (tmp_path / "out" / "results.json").exists()


def test_a_picture_in_two_runs_is_a_leak_unless_pictures_are_held_out(study: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(study, data)
    path = data / "sub-01" / "func" / "sub-01_task-look_run-2_events.tsv"
    path.write_text(path.read_text().replace("s01r2p00", "s01r1p00"))
    with pytest.raises(SplitLeakError, match="s01r1p00"):
        run_pipeline(load_config("fmri_decoding", WITH), data, tmp_path / "out")
    held = load_config("fmri_decoding", [*WITH, "reconstruct.groups=stimulus"])
    assert run_pipeline(held, data, tmp_path / "out").results["other_results"]["reconstruction"]["n_images"] == 35
