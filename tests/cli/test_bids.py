"""The BIDS-App form: conventional options, safe in parallel, and an exit code that tells of failures."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bids_trees import write_fmriprep, write_raw
from crash.injectors import COMMAND, outputs

from neurodecode.cli.bids import configure, find_pipeline, make_parser, run_bids
from neurodecode.errors import ConfigError
from neurodecode.pipeline import verify

QUICK = ["--set", "decode.n_permutations=3"]


def settings(*arguments: str) -> Any:
    """The configuration for some options."""
    return configure(make_parser().parse_args(["data", "out", "participant", "--pipeline", "fmri_decoding", *arguments]))


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (["--participant-label", "01", "sub-02"], "input.subjects", ["01", "02"]),
        (["--participant_label", "sub-01"], "input.subjects", ["01"]),
        (["--session-label", "ses-1", "2"], "input.sessions", ["1", "2"]),
        (["--task-id", "words"], "input.tasks", ["words"]),
        (["-t", "words"], "input.tasks", ["words"]),
        (["--run-label", "01"], "input.runs", ["01"]),
        (["--output-spaces", "T1w"], "input.space", "T1w"),
        (["--output-spaces", "MNI152NLin2009cAsym:res-2"], "input.res", "2"),
        (["--mem-mb", "4000"], "compute.max_memory", "4000MB"),
        (["--random-seed", "7"], "compute.seed", 7),
        (["--random-seed", "7", "--set", "compute.seed=8"], "compute.seed", 8),
        (["--skip-bids-validation", "-w", "work", "--omp-nthreads", "4", "-vv"], "compute.seed", 0),
        (["--nprocs", "3", "--stop-on-first-crash"], "compute.seed", 0),
    ],
)
def test_options_become_settings(arguments: list[str], key: str, value: object) -> None:
    block, name = key.split(".")
    assert getattr(getattr(settings(*arguments), block), name) == value


@pytest.mark.parametrize(
    "content",
    [
        {"bold": {"task": "words", "run": ["01", "02"], "space": "T1w", "datatype": "func"}},
        {"task": "words", "run": ["01", "02"], "space": "T1w"},
    ],
)
def test_a_filter_file_chooses_recordings(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "filter.json"
    path.write_text(json.dumps(content))
    chosen = settings("--bids-filter-file", str(path), "--participant-label", "01").input
    assert (chosen.tasks, chosen.runs, chosen.space, chosen.subjects) == (["words"], ["01", "02"], "T1w", ["01"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"echo": "1"}', "expected texts for one of subject.*'echo'"),
        ('{"run": 1}', "'run': 1"),
        ('{"space": ["T1w", "MNI"]}', "'space'"),
        ("[1]", "expected a JSON object"),
        ("{", "expected a JSON object"),
    ],
)
def test_a_wrong_filter_file_is_one_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "filter.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        settings("--bids-filter-file", str(path))


def test_one_space_at_a_time() -> None:
    with pytest.raises(ConfigError, match="one space, got T1w MNI"):
        settings("--output-spaces", "T1w", "MNI")


def test_the_pipeline_is_chosen_from_the_recordings(tmp_path: Path, real: Callable[..., Path]) -> None:
    root = write_raw(tmp_path / "data")
    write_fmriprep(root / "derivatives" / "fmriprep")
    assert find_pipeline(root) == "fmri_decoding"
    assert find_pipeline(real("muse_n170")) == "meeg_decoding"
    assert find_pipeline(real("ecog_seizure")) == "ieeg_quality"
    eeg = root / "sub-01" / "eeg" / "sub-01_task-words_run-1_eeg.edf"
    eeg.parent.mkdir()
    eeg.write_bytes(b"0")
    with pytest.raises(ConfigError, match="holds eeg, func: choose one with --pipeline"):
        find_pipeline(root)


def bids(*arguments: object) -> list[str]:
    return [*COMMAND, "bids", *map(str, arguments), "--pipeline", "haxby_objects", *QUICK]


def done(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(bids(*arguments), capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def two_subjects(real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs 1 and 2 of a recording, and runs 3 and 4 as those of a second subject."""
    source, root = real("haxby2001"), tmp_path_factory.mktemp("bids") / "data"
    for pattern in ("dataset_description.json", "task-*_events.json", "sub-1/func/*run-0[1-4]*", "derivatives/slicemask/**/*"):
        for path in filter(Path.is_file, source.glob(pattern)):
            name = path.relative_to(source).as_posix()
            copies = [name, name.replace("sub-1", "sub-2")] if "run-" not in name else [name]
            if "run-03" in name or "run-04" in name:
                copies = [name.replace("sub-1", "sub-2")]
            for copy in dict.fromkeys(copies):
                (root / copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, root / copy)
    return root


@pytest.fixture(scope="module")
def in_sequence(two_subjects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both subjects by one command, then the group."""
    out = tmp_path_factory.mktemp("sequence")
    first = done(two_subjects, out, "participant")
    assert first.returncode == 0, first.stderr
    assert not (out / "results.json").exists(), "results are for the group level"
    joined = done(two_subjects, out, "group")
    assert joined.returncode == 0, joined.stderr
    assert joined.stderr.count("skipped") == 6, "the group level computes nothing"
    assert "report: " in joined.stdout
    return out


def test_subjects_in_parallel_give_the_same_bytes(two_subjects: Path, in_sequence: Path, tmp_path: Path) -> None:
    """The second subject is even computed twice at the same time."""
    labels = [["1"], ["sub-2"], ["2"]]
    processes = [
        subprocess.Popen(bids(two_subjects, tmp_path, "participant", "--participant-label", *label), stderr=subprocess.DEVNULL)
        for label in labels
    ]
    assert [process.wait(timeout=240) for process in processes] == [0, 0, 0]
    assert done(two_subjects, tmp_path, "group").returncode == 0
    assert outputs(tmp_path) == outputs(in_sequence)
    assert verify(tmp_path)[1] == []


def test_one_failing_subject_is_told_and_the_other_is_finished(
    two_subjects: Path, in_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(two_subjects, data)
    for path in data.glob("sub-1/func/*events.tsv"):
        path.write_text("onset\tduration\ttrial_type\n")
    result = done(data, out, "participant")
    assert result.returncode == 1, result.stderr
    assert "2 units failed: sub-1" in result.stderr
    finished = outputs(in_sequence)
    assert {name: digest for name, digest in outputs(out).items() if name.startswith("sub-2/")} == {
        name: digest for name, digest in finished.items() if name.startswith("sub-2/")
    }
    assert run_bids([str(data), str(out), "group", "--pipeline", "haxby_objects", *QUICK]) == 1
    assert "run the participant level first" in capsys.readouterr().err
    assert json.loads((out / "results.json").read_text())["failed"] == [
        "sub-1_task-objectviewing_run-01",
        "sub-1_task-objectviewing_run-02",
    ]


def test_reports_only_draws_again(two_subjects: Path, in_sequence: Path, tmp_path: Path) -> None:
    shutil.copytree(in_sequence, tmp_path / "out")
    (tmp_path / "out" / "report.html").unlink()
    assert run_bids([str(two_subjects), str(tmp_path / "out"), "group", "--reports-only"]) == 0
    assert (tmp_path / "out" / "report.html").read_bytes() == (in_sequence / "report.html").read_bytes()


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for option, says in (("--help", "{participant,group}"), ("--version", "neurodecode ")):
        with pytest.raises(SystemExit) as ended:
            run_bids([option])
        assert ended.value.code == 0
        assert says in capsys.readouterr().out


def test_a_wrong_level_is_exit_code_2() -> None:
    wrong = subprocess.run([*COMMAND, "bids", "data", "out", "everyone"], capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2
    assert "everyone" in wrong.stderr
