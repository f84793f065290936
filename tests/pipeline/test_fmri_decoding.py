"""The generic fMRI pipeline on a small data set after fMRIPrep, with an answer that is known."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bids_trees import SHAPE, TR, brain_mask, write_description, write_json, write_table, write_volume
from scipy.stats import gamma

from neurodecode.errors import ConfigError, DataError
from neurodecode.pipeline import load_config, make_executor, run_pipeline
from neurodecode.report import load_contents

N_TIMES, N_TRIALS, START_TIME = 160, 12, TR / 2
QUICK = ["decode.n_permutations=19", "mask.desc=brain"]


def hrf(t: np.ndarray) -> np.ndarray:
    """A response that peaks after 5 s."""
    return gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6


def write_subject(root: Path, subject: str, seed: int, amplitude: float) -> None:
    """Three runs of faces and houses; two voxels answer to faces, one drifts, and motion leaks into all."""
    rng = np.random.default_rng(seed)
    for run in (1, 2, 3):
        stem = f"sub-{subject}_task-look_run-{run}"
        raw, func = root / f"sub-{subject}/func", root / f"derivatives/fmriprep/sub-{subject}/func"
        onsets = 10 + np.arange(N_TRIALS) * 24 + rng.uniform(0, 4, N_TRIALS)
        kinds = rng.permutation(["face", "house"] * (N_TRIALS // 2))
        write_table(raw / f"{stem}_events.tsv", pd.DataFrame({"onset": onsets, "duration": 1.0, "trial_type": kinds}))
        times = START_TIME + TR * np.arange(N_TIMES)
        course = sum(hrf(times - onset) for onset, kind in zip(onsets, kinds, strict=True) if kind == "face")
        motion = np.cumsum(rng.standard_normal((N_TIMES, 6)), axis=0) * 0.05
        data = 1000 + 5 * rng.standard_normal((*SHAPE, N_TIMES)) + 40 * motion[:, 0]
        data[1:3, 1, 0] += amplitude * course
        data[..., :2] += 400  # before the steady state
        write_volume(raw / f"{stem}_bold.nii.gz", data.astype(np.int16))
        image = f"{stem}_space-T1w_desc-preproc_bold"
        write_volume(func / f"{image}.nii.gz", data.astype(np.float32))
        write_json(func / f"{image}.json", {"RepetitionTime": TR, "StartTime": START_TIME, "SliceTimingCorrected": True})
        write_volume(func / f"{stem}_space-T1w_desc-brain_mask.nii.gz", brain_mask().astype(np.uint8))
        write_table(func / f"{stem}_desc-confounds_timeseries.tsv", confounds(motion, rng))


def confounds(motion: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The columns that fMRIPrep writes and the defaults need."""
    names = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    table = pd.DataFrame({name: motion[:, i] / (1 if i < 3 else 50) for i, name in enumerate(names)})
    components = pd.DataFrame({f"a_comp_cor_{i:02d}": rng.standard_normal(N_TIMES) for i in range(6)})
    unsteady = pd.DataFrame({f"non_steady_state_outlier{i:02d}": np.eye(N_TIMES)[i] for i in range(2)})
    return pd.concat([table, components, unsteady], axis=1)


@pytest.fixture(scope="module")
def prepared_by_fmriprep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects whose faces can be told from houses."""
    root = tmp_path_factory.mktemp("look")
    write_description(root)
    write_json(root / "task-look_bold.json", {"TaskName": "look", "RepetitionTime": TR})
    write_description(root / "derivatives/fmriprep", DatasetType="derivative", GeneratedBy=[{"Name": "fMRIPrep"}])
    for seed, subject in enumerate(("01", "02")):
        write_subject(root, subject, seed, amplitude=150.0)
    return root


@pytest.fixture(scope="module")
def finished(prepared_by_fmriprep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of the generic pipeline with its defaults."""
    out = tmp_path_factory.mktemp("out")
    run_pipeline(load_config("fmri_decoding", QUICK), prepared_by_fmriprep, out)
    return out


def test_defaults_find_fmriprep_and_decode_what_was_planted(finished: Path):
    results = json.loads((finished / "results.json").read_text())
    assert results["metric"] == "roc_auc"
    assert results["score"] > 0.9
    assert results["p_value"] == pytest.approx(0.05)
    assert len(results["fold_scores"]) == 2, "one score per subject"
    assert "sub-01" in results["fold_names"]


def test_the_report_says_what_the_defaults_did(finished: Path):
    steps = {step["step"]: step for step in load_contents(finished).steps}
    assert steps["fmri.drop_non_steady_state"]["n_volumes"] == 2
    assert steps["fmri.betas"]["method"] == "lss"
    assert steps["fmri.betas"]["high_pass"] == pytest.approx(1 / 128)
    assert len(steps["fmri.betas"]["confounds"]) == 24 + 6
    assert steps["fmri.clean"]["high_pass"] is None, "one high-pass only"


def test_what_drifts_is_left_out_and_what_answers_is_found(finished: Path):
    """The pattern is largest in the two voxels that answer to faces."""
    pattern = load_contents(finished).results["decoding sub-01"]
    best = pattern.units.iloc[np.argsort(-np.abs(pattern.patterns[0]))[:2]]
    assert sorted(best["i"]) == [1, 2]
    assert set(best["j"]) == {1}


def test_subjects_may_be_chosen_and_numbers_do_not_depend_on_jobs(prepared_by_fmriprep: Path, finished: Path, tmp_path: Path):
    again = run_pipeline(load_config("fmri_decoding", QUICK), prepared_by_fmriprep, tmp_path / "two", jobs=2)
    assert again.results == json.loads((finished / "results.json").read_text())
    one = run_pipeline(load_config("fmri_decoding", [*QUICK, "input.subjects=['02']"]), prepared_by_fmriprep, tmp_path / "one")
    assert one.results["score"] == pytest.approx(again.results["fold_scores"][1])


def test_any_executor_will_do(prepared_by_fmriprep: Path, finished: Path, tmp_path: Path):
    with ThreadPoolExecutor(2) as pool:
        threaded = run_pipeline(load_config("fmri_decoding", QUICK), prepared_by_fmriprep, tmp_path, executor=pool)
    assert threaded.results == json.loads((finished / "results.json").read_text())


def test_raw_bold_is_refused_with_a_hint(prepared_by_fmriprep: Path, tmp_path: Path):
    config = load_config("fmri_decoding", ["input.derivatives=null", "mask=null", "clean.confounds=null"])
    with pytest.raises(DataError, match="fMRIPrep"):
        run_pipeline(config, prepared_by_fmriprep, tmp_path)


def test_a_missing_mask_is_named(prepared_by_fmriprep: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="no mask .*desc 'gray'"):
        run_pipeline(
            load_config("fmri_decoding", ["mask.desc=gray", "mask.derivatives=fmriprep"]), prepared_by_fmriprep, tmp_path
        )


def test_one_class_alone_is_an_error(prepared_by_fmriprep: Path, tmp_path: Path):
    config = load_config("fmri_decoding", [*QUICK, "input.subjects=['01']", "responses.trial_types=[face]"])
    with pytest.raises(DataError, match="class"):
        run_pipeline(config, prepared_by_fmriprep, tmp_path)
    assert not (tmp_path / "results.json").exists()


def test_a_run_that_fails_is_left_out_and_named_if_told_so(prepared_by_fmriprep: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(prepared_by_fmriprep, data)
    (data / "sub-01/func/sub-01_task-look_run-2_events.tsv").write_text("onset\tduration\ttrial_type\n")
    results = run_pipeline(load_config("fmri_decoding", QUICK), data, tmp_path / "out", on_error="continue")
    assert [text.split()[0] for text in results.failed] == ["sub-01_task-look_run-2"]
    assert results.results["failed"] == ["sub-01_task-look_run-2"]
    assert any("no events" in note for note in results.results["notes"])


def test_memory_limits_jobs_or_refuses(prepared_by_fmriprep: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="max_memory"):
        run_pipeline(load_config("fmri_decoding", ["compute.max_memory=0.01MB"]), prepared_by_fmriprep, tmp_path)


@pytest.mark.parametrize("override", ["compute.device=cuda", "compute.precision=bf16"])
def test_a_device_that_is_not_used_is_refused(prepared_by_fmriprep: Path, tmp_path: Path, override: str):
    with pytest.raises(ConfigError, match="leave it at auto"):
        run_pipeline(load_config("fmri_decoding", [override]), prepared_by_fmriprep, tmp_path)


def test_executors_close_after_an_error():
    with pytest.raises(ZeroDivisionError), make_executor(2):
        raise ZeroDivisionError
