"""File names of BIDS."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodecode.errors import DataError
from neurodecode.io.bids_names import (
    ENTITIES,
    BidsFile,
    asked,
    explain_nothing,
    format_name,
    natural,
    parse_name,
    same_label,
    select,
    wanted,
)

LABEL = st.text("abcXYZ0189", min_size=1, max_size=6)
SUFFIX = st.sampled_from(["bold", "eeg", "events", "timeseries", "T1w"])
EXTENSION = st.sampled_from([".nii.gz", ".nii", ".func.gii", ".dtseries.nii", ".tsv", ".json", ".vhdr", ""])


def a_file(name: str, datatype: str = "func") -> BidsFile:
    parts = parse_name(name)
    assert parts is not None
    return BidsFile(Path("/set") / name, Path("/set"), parts.entities, parts.suffix, parts.extension, datatype)


@given(st.dictionaries(st.sampled_from(ENTITIES), LABEL, min_size=1), SUFFIX, EXTENSION)
def test_a_name_taken_apart_and_put_together_is_the_same(entities: dict[str, str], suffix: str, extension: str):
    name = format_name(entities, suffix, extension)
    assert parse_name(name) == (entities, suffix, extension)


@pytest.mark.parametrize(
    ("name", "entities", "suffix", "extension"),
    [
        ("sub-1_task-rest_run-01_bold.nii.gz", {"sub": "1", "task": "rest", "run": "01"}, "bold", ".nii.gz"),
        ("task-rest_bold.json", {"task": "rest"}, "bold", ".json"),
        ("bold.json", {}, "bold", ".json"),
        ("sub-01_hemi-L_space-fsaverage5_bold.func.gii", {"sub": "01", "hemi": "L", "space": "fsaverage5"}, "bold", ".func.gii"),
        ("sub-01_task-x_meg.ds", {"sub": "01", "task": "x"}, "meg", ".ds"),
    ],
)
def test_names_as_they_occur(name: str, entities: dict[str, str], suffix: str, extension: str):
    assert parse_name(name) == (entities, suffix, extension)


@pytest.mark.parametrize("name", ["sub-01_task_bold.nii", "sub-01__bold.nii", "sub-01_sub-02_bold.nii", "_", ".x_y"])
def test_other_names_are_none(name: str):
    assert parse_name(name) is None


@pytest.mark.parametrize(
    ("entities", "message"),
    [({"subj": "01"}, "no BIDS entity 'subj'.*did you mean 'sub'"), ({"sub": "a b"}, "'a b' of sub"), ({"sub": "a_b"}, "'a_b'")],
)
def test_names_that_cannot_be_written(entities: dict[str, str], message: str):
    with pytest.raises(DataError, match=message):
        format_name(entities, "bold", ".nii")


def test_a_question_takes_labels_with_and_without_prefix_numbers_and_lists():
    question = wanted(subject="sub-01", session=None, run=[1, "run-02"], task="rest", acquisition="mb", extension="nii.gz")
    assert question == {"sub": ("01",), "run": ("1", "02"), "task": ("rest",), "acq": ("mb",), "extension": (".nii.gz",)}
    assert asked(question) == "subject=01 run=1|02 task=rest acq=mb extension=.nii.gz"
    assert asked({}) == "this data set"


def test_a_question_for_an_unknown_entity_suggests_the_closest():
    with pytest.raises(DataError, match="no BIDS entity 'sesion'.*did you mean 'session'"):
        wanted(sesion="1")


@pytest.mark.parametrize(
    ("key", "one", "other", "equal"),
    [
        ("run", "1", "01", True),
        ("run", "1", "10", False),
        ("sub", "1", "01", False),
        ("run", None, "1", False),
        ("res", None, None, True),
    ],
)
def test_runs_are_numbers_and_subjects_are_labels(key: str, one: str | None, other: str | None, equal: bool):
    assert same_label(key, one, other) is equal


def test_select_takes_every_entity_into_account():
    files = [a_file(f"sub-{s}_task-{t}_run-0{r}_bold.nii") for s in "12" for t in ("a", "b") for r in (1, 2)]
    found = select(files, wanted(subject=1, task=["a", "b"], run="2"))
    assert [file.path.name for file in found] == ["sub-1_task-a_run-02_bold.nii", "sub-1_task-b_run-02_bold.nii"]
    assert select(files, wanted(datatype="eeg")) == []
    assert len(select(files, wanted(suffix="bold", extension=".nii"))) == 8


def test_native_space_is_a_name_without_space():
    files = [a_file("sub-1_bold.nii"), a_file("sub-1_space-T1w_bold.nii")]
    assert select(files, wanted(space="native")) == files[:1]
    assert select(files, wanted(space="T1w")) == files[1:]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"subject": "3"}, "no file has subject='3'; there are 1, 2"),
        ({"subject": "1", "task": "fces"}, "no file has task='fces'; there is faces (did you mean 'faces'?)"),
        ({"subject": "1", "session": "1"}, "no file has session='1': none of the 2 files that match so far has session"),
        ({"subject": "1", "run": [3, 4]}, "no file has run='3' or run='4'; there are 1, 2"),
    ],
)
def test_nothing_found_is_explained_by_the_entity_that_failed(filters: dict[str, object], message: str):
    files = [
        a_file("sub-1_task-faces_run-1_bold.nii"),
        a_file("sub-1_task-faces_run-2_bold.nii"),
        a_file("sub-2_task-rest_bold.nii"),
    ]
    assert explain_nothing(files, wanted(**filters)) == message


def test_run_2_comes_before_run_10():
    assert sorted(["run-10", "run-2", "rest", "run-1"], key=natural) == ["rest", "run-1", "run-2", "run-10"]


def test_a_file_is_hashable_and_knows_its_place():
    file = a_file("sub-1_run-2_hemi-L_bold.func.gii")
    assert file in {file}
    assert file.relative == "sub-1_run-2_hemi-L_bold.func.gii"
    assert file.without("hemi") == (("sub", "1"), ("run", "2"))
