"""The command line: what a person sees, and that mistakes are one line and exit code 2."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bids_trees import write_description, write_fmriprep, write_raw

from neurodecode.data import Recording, save


def neurodecode(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    command = [sys.executable, "-c", "from neurodecode.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One line that says all parts, exit code 2, no traceback."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]  # lines of progress begin with a bracket
    assert done.returncode == 2, done
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("neurodecode: ")
    for part in parts:
        assert part in lines[0]


def test_help_and_version():
    shown = neurodecode("--help").stdout
    assert all(command in shown for command in ("run", "pipelines", "info", "verify", "report"))
    assert neurodecode("--version").stdout.startswith("neurodecode ")


def test_pipelines_are_listed_with_their_titles():
    shown = neurodecode("pipelines").stdout
    assert "haxby_objects" in shown
    assert "Faces against houses" in shown


def test_system_lists_versions_and_extras():
    shown = neurodecode("info", "--system").stdout
    assert all(word in shown for word in ("numpy", "python", "memory", "extra fmri"))


def test_info_describes_a_saved_object_and_verify_notices_damage(tmp_path: Path):
    recording = Recording(np.ones((2, 50)), 10, pd.DataFrame({"name": ["a", "b"]}), meta={"subject": "07"})
    folder = save(recording, tmp_path / "object")
    assert "sub-07" in neurodecode("info", folder).stdout
    assert "verified" in neurodecode("verify", folder).stdout
    with open(folder / "data.npy", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x00")
    damaged = neurodecode("verify", folder)
    assert damaged.returncode == 2
    assert "data.npy" in damaged.stderr


def test_info_names_the_next_command(real: Callable[..., Path]):
    shown = neurodecode("info", real("haxby2001")).stdout
    assert all(word in shown for word in ("objectviewing", "slicemask", "face", "neurodecode run haxby_objects"))
    assert "neurodecode run eeg_faces" in neurodecode("info", real("muse_n170")).stdout
    assert "neurodecode run ieeg_quality" in neurodecode("info", real("ecog_seizure")).stdout


def test_info_names_the_space_where_fmriprep_left_several(tmp_path: Path):
    root = write_raw(tmp_path / "data")
    shown = neurodecode("info", root).stdout
    assert "after fMRIPrep" in shown
    write_fmriprep(root / "derivatives" / "fmriprep")
    shown = neurodecode("info", root).stdout
    assert "neurodecode run fmri_decoding" in shown
    assert "--set input.space=" in shown


def test_info_of_derivatives_without_raw_recordings_names_a_command(tmp_path: Path):
    root = write_description(tmp_path / "data").parent
    write_fmriprep(root / "derivatives" / "fmriprep")
    shown = neurodecode("info", root).stdout
    assert f"neurodecode run fmri_decoding --data {root} --out OUT --set input.space=" in shown


def test_wrong_pipeline_key_path_and_value_are_one_line(tmp_path: Path):
    refused(neurodecode("run", "haxby_object", "--data", tmp_path, "--out", tmp_path / "o"), "haxby_objects")
    wrong_key = neurodecode("run", "haxby_objects", "--data", tmp_path, "--out", tmp_path / "o", "--set", "decode.n_perm=1")
    refused(wrong_key, "decode.n_perm", "n_permutations")
    missing = tmp_path / "nowhere"
    refused(neurodecode("run", "haxby_objects", "--data", missing, "--out", tmp_path / "o"), str(missing))
    refused(neurodecode("info", missing), str(missing))
    refused(neurodecode("verify", tmp_path), str(tmp_path))
    refused(neurodecode("report", tmp_path), str(tmp_path))
    assert not (tmp_path / "o").exists()


@pytest.fixture
def two_runs(real: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of two fMRI runs that may be spoilt."""
    source, root = real("haxby2001"), tmp_path / "data"
    for pattern in ("dataset_description.json", "task-*_events.json", "sub-1/func/*run-0[12]*", "derivatives/slicemask/**/*"):
        for path in source.glob(pattern):
            if path.is_file():
                target = root / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return root


def run_haxby(root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The eight-way pipeline with few permutations."""
    out = root.parent / "out"
    return neurodecode("run", "haxby_objects", "--data", root, "--out", out, "--set", "decode.n_permutations=3", *more)


def events_of(root: Path, run: int) -> Path:
    """Event file of a run."""
    return root / f"sub-1/func/sub-1_task-objectviewing_run-0{run}_events.tsv"


def test_a_run_a_skip_and_a_dry_run(two_runs: Path):
    assert "no output yet" in run_haxby(two_runs, "--dry-run").stdout
    first = run_haxby(two_runs)
    assert first.returncode == 0, first.stderr
    assert "balanced_accuracy" in first.stdout
    assert "chance 0.125" in first.stdout
    again = run_haxby(two_runs)
    assert again.stderr.count("skipped (outputs are there and verified") == 3
    assert "settings changed: decode" in run_haxby(two_runs, "--set", "decode.C=0.1").stderr
    out = two_runs.parent / "out"
    assert "verified" in neurodecode("verify", out).stdout
    page = (out / "report.html").read_bytes()
    assert neurodecode("report", out).returncode == 0
    assert len((out / "report.html").read_bytes()) == len(page)


def test_a_missing_target_column_is_one_line(two_runs: Path):
    refused(run_haxby(two_runs, "--set", "decode.target=category"), "category", "trial_type")


def test_empty_events_are_one_line(two_runs: Path):
    events_of(two_runs, 2).write_text("onset\tduration\ttrial_type\n", encoding="utf-8")
    refused(run_haxby(two_runs), "run-02", "no events")


def test_a_missing_onset_column_is_one_line(two_runs: Path):
    path = events_of(two_runs, 1)
    path.write_text(path.read_text(encoding="utf-8").replace("onset", "start"), encoding="utf-8")
    refused(run_haxby(two_runs), "onset", "run-01_events.tsv")


def test_a_recording_that_stands_twice_is_refused_with_both_names(two_runs: Path):
    folder = two_runs / "sub-1/func"
    for path in sorted(folder.glob("*run-01*")):
        shutil.copyfile(path, folder / path.name.replace("run-01", "run-09"))
    refused(run_haxby(two_runs), "run-01_bold.nii.gz", "run-09_bold.nii.gz", "same recording")


def test_a_single_run_is_decoded_from_blocks_with_a_gap_or_refused_with_the_reason(two_runs: Path):
    refused(run_haxby(two_runs, "--set", "input.runs=['1']"), "class")


def test_a_damaged_file_is_one_line(two_runs: Path):
    path = two_runs / "sub-1/func/sub-1_task-objectviewing_run-01_bold.nii.gz"
    path.write_bytes(path.read_bytes()[:-5000])
    refused(run_haxby(two_runs), path.name)


def test_a_nan_channel_is_one_line(real: Callable[..., Path], tmp_path: Path):
    root = tmp_path / "data"
    shutil.copytree(real("muse_n170"), root)
    path = root / "sub-1/ses-1/eeg/sub-1_ses-1_task-n170_run-02_eeg.eeg"
    signal = np.fromfile(path, dtype="<f4").reshape(-1, 4)
    signal[1000:2000, 2] = np.nan
    signal.tofile(path)
    done = neurodecode("run", "eeg_faces", "--data", root, "--out", tmp_path / "out", "--set", "decode.n_permutations=1")
    refused(done, "AF8", "run-02", "NaN")
