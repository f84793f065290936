"""Sidecars, events and confounds."""

from pathlib import Path

import bids_trees
import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io import bids_files, read_confounds, read_events, sidecar
from neurodecode.io.bids_tables import confounds_path, events_path, read_tsv


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = bids_trees.write_raw(tmp_path / "set", runs=("1",))
    bids_trees.write_fmriprep(root / "derivatives" / "fmriprep", runs=("1",))
    return root


def run_file(tree: Path, ending: str = "_bold.nii.gz") -> Path:
    return tree / "sub-01" / "func" / f"sub-01_task-words_run-1{ending}"


def test_the_nearer_sidecar_wins(tree: Path):
    assert sidecar(run_file(tree))["RepetitionTime"] == 2.0
    bids_trees.write_json(tree / "sub-01" / "sub-01_bold.json", {"RepetitionTime": 1.5, "EchoTime": 0.03})
    bids_trees.write_json(run_file(tree, "_bold.json"), {"EchoTime": 0.02})
    assert sidecar(run_file(tree)) == {
        "TaskName": "words",
        "RepetitionTime": 1.5,
        "SliceTiming": [0.0, 1.0, 0.5],
        "EchoTime": 0.02,
    }


def test_of_one_folder_the_more_specific_sidecar_wins(tree: Path):
    bids_trees.write_json(tree / "bold.json", {"TaskName": "any", "Manufacturer": "x"})
    assert sidecar(run_file(tree))["TaskName"] == "words"
    assert sidecar(run_file(tree))["Manufacturer"] == "x"


@pytest.mark.parametrize("name", ["task-rest_bold.json", "run-2_bold.json", "task-words_eeg.json", "task-words_acq-mb_bold.json"])
def test_sidecars_of_other_files_do_not_apply(tree: Path, name: str):
    bids_trees.write_json(tree / name, {"RepetitionTime": 9.0})
    assert sidecar(run_file(tree))["RepetitionTime"] == 2.0


def test_run_numbers_in_sidecars_are_numbers(tree: Path):
    bids_trees.write_json(tree / "run-01_task-words_bold.json", {"RepetitionTime": 9.0})
    assert sidecar(run_file(tree))["RepetitionTime"] == 9.0


@pytest.mark.parametrize("text", ["{", "[1]", "\xff", "[" * 100000])
def test_a_damaged_sidecar_is_named(tree: Path, text: str):
    path = run_file(tree, "_bold.json")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptFileError, match=path.name):
        sidecar(run_file(tree))


def test_events_of_a_run(tree: Path):
    table = read_events(run_file(tree))
    assert table["onset"].tolist() == [0, 6, 12, 18]
    assert table["trial_type"].tolist() == ["face", "house", "face", "house"]
    np.testing.assert_array_equal(table["response_time"], [0.5, np.nan, 0.5, np.nan])
    pd.testing.assert_frame_equal(table, read_events(run_file(tree, "_events.tsv")))


def test_events_of_a_derivative_are_those_of_the_raw_run(tree: Path):
    for file in bids_files(tree, derivatives="fmriprep", suffix="bold"):
        assert events_path(file) == run_file(tree, "_events.tsv")


def test_inherited_events_apply_and_the_nearest_wins(tree: Path):
    own = run_file(tree, "_events.tsv")
    shared = bids_trees.write_table(tree / "task-words_events.tsv", bids_trees.events(2))
    assert events_path(run_file(tree)) == own
    own.unlink()
    assert events_path(run_file(tree)) == shared
    assert len(read_events(run_file(tree))) == 2


def test_a_run_without_events_has_an_empty_table(tree: Path):
    run_file(tree, "_events.tsv").unlink()
    assert read_events(run_file(tree)).columns.tolist() == ["onset", "duration"]
    assert len(read_events(run_file(tree))) == 0


def test_trial_types_that_look_like_numbers_stay_text(tree: Path):
    path = run_file(tree, "_events.tsv")
    path.write_text("onset\tduration\ttrial_type\tvalue\n1.5\tn/a\t01\t3\n2\t1\tn/a\t4\n")
    table = read_events(path)
    assert table["trial_type"].iloc[0] == "01"
    assert table["trial_type"].isna().tolist() == [False, True]
    assert table["value"].tolist() == [3, 4]
    assert np.isnan(table["duration"].iloc[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start\tduration\n1\t2\n", r"no column 'onset', its columns are \['start', 'duration'\]"),
        ("onset,duration\n1,2\n", r"no column 'onset', its columns are \['onset,duration'\]"),
        ("onset\tduration\nsoon\t2\n", "'onset' must hold seconds, found 'soon'"),
        ("onset\tduration\n1\tlong\n", "'duration' must hold seconds, found 'long'"),
        ("onset\tduration\n1\t2\nn/a\t2\n", "row 2 of 2 has no onset"),
        ("onset\tduration\n1\t2\t3\n", "row 1 has 3 values, the header 2 columns"),
        ("onset\tonset\n1\t2\n", "different names"),
        ("", "different names"),
    ],
)
def test_events_that_cannot_be_used_say_why(tree: Path, text: str, message: str):
    path = run_file(tree, "_events.tsv")
    path.write_text(text)
    with pytest.raises(FormatError, match=message) as error:
        read_events(run_file(tree))
    assert path.name in str(error.value)


@pytest.mark.parametrize("content", [b"onset\xff\xfe\n1\n", b"\x00\x01\x02" * 50])
def test_a_binary_table_is_damaged(tmp_path: Path, content: bytes):
    path = tmp_path / "sub-1_events.tsv"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="events.tsv"):
        read_events(path)


def test_a_missing_table_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(FormatError, match="there is no such file"):
        read_events(tmp_path / "sub-1_events.tsv")


def test_a_table_written_on_windows_with_a_mark_of_its_encoding(tmp_path: Path):
    path = tmp_path / "sub-1_events.tsv"
    path.write_bytes("\ufeffonset\tduration\r\n1\t2\r\n\r\n".encode())
    assert read_events(path).to_dict("list") == {"onset": [1], "duration": [2]}


def test_quoted_values_may_hold_tabs(tmp_path: Path):
    path = tmp_path / "x.tsv"
    path.write_text('a\tb\n"one\ttwo"\t3\n')
    assert read_tsv(path).to_dict("list") == {"a": ["one\ttwo"], "b": [3]}


def test_confounds_of_every_form_of_a_run(tree: Path):
    path = tree / "derivatives" / "fmriprep" / "sub-01" / "func" / "sub-01_task-words_run-1_desc-confounds_timeseries.tsv"
    files = bids_files(tree, derivatives="fmriprep", suffix="bold")
    assert {confounds_path(file) for file in files} == {path}
    table = read_confounds(files[0])
    assert table.shape == (bids_trees.N_VOLUMES, 3)
    assert np.isnan(table["trans_x_derivative1"].iloc[0])
    pd.testing.assert_frame_equal(table, read_confounds(path))


def test_confounds_under_their_old_name(tree: Path):
    path = next((tree / "derivatives").rglob("*confounds_timeseries.tsv"))
    old = path.rename(path.with_name(path.name.replace("timeseries", "regressors")))
    assert confounds_path(bids_files(tree, derivatives="fmriprep", suffix="bold")[0]) == old


def test_confounds_of_a_recording_need_the_root(tree: Path, eeg: Recording):
    name = next((tree / "derivatives").rglob("*confounds_timeseries.tsv")).relative_to(tree).as_posix()
    recording = eeg.replace(meta={"confounds": name})
    assert len(read_confounds(recording, tree)) == bids_trees.N_VOLUMES
    assert len(read_confounds(recording, tree / "derivatives" / "fmriprep")) == bids_trees.N_VOLUMES
    with pytest.raises(DataError, match="root is missing"):
        read_confounds(recording)
    with pytest.raises(DataError, match="knows of no table of confounds"):
        read_confounds(eeg, tree)
    with pytest.raises(FormatError, match="there is no such file"):
        read_confounds(recording, tree.parent)


def test_a_raw_run_has_no_confounds(tree: Path):
    assert confounds_path(run_file(tree)) is None
    with pytest.raises(FormatError, match="no table desc-confounds_timeseries"):
        read_confounds(run_file(tree))
