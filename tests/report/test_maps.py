"""Maps: values and names of the files, and what the page draws of them or says instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import report_examples as examples

from neurodecode.report import RunContents
from neurodecode.report.maps import map_pictures, maps_of, write_maps


def pictures_of(result: Any, **members: Any) -> list[Any]:
    """What the page shows of a result's maps."""
    return list(map_pictures(maps_of("decoding", result, examples.run_of({}, **members))))


def surface_result(**changes: Any) -> Any:
    """Patterns of two vertices on each side of a small surface."""
    units = pd.DataFrame(
        {"name": ["L_0", "L_4", "R_1", "R_2"], "kind": "bold", "hemisphere": list("LLRR"), "vertex": [0, 4, 1, 2]}
    )
    space = {"name": "fsaverage5", "type": "surface", "n_vertices": {"L": 5, "R": 5}}
    members = {"patterns": np.array([[1.0, 2.0, 3.0, 4.0]]), "units": units, "space": space, "times": None}
    return examples.faces(**{**members, **changes})


def test_patterns_of_all_classes_become_nifti_with_their_values(tmp_path: Path) -> None:
    result = examples.objects()
    written = write_maps(examples.run_of({"decoding": result}), tmp_path)
    assert len(written) == 8
    assert written[3] == "maps/sub-01_task-n170_label-face_desc-pattern_map.nii.gz"
    image = nib.load(tmp_path / written[3])
    assert image.shape == (40, 20, 1)
    np.testing.assert_allclose(image.affine, result.space["affine"])
    voxels = tuple(result.units[["i", "j", "k"]].to_numpy().T)
    np.testing.assert_allclose(image.get_fdata()[voxels], result.patterns[3], rtol=1e-6)
    outside = np.ones(image.shape, bool)
    outside[voxels] = False
    assert not image.get_fdata()[outside].any()


def test_each_map_says_what_it_holds(tmp_path: Path) -> None:
    (first, *_) = write_maps(examples.run_of({"decoding": examples.objects()}), tmp_path)
    sidecar = json.loads((tmp_path / first.replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
    assert sidecar["Label"] == "bottle"
    assert "Haufe" in sidecar["Description"]
    table = pd.read_csv(tmp_path / "maps" / "maps.tsv", sep="\t")
    assert table["label"].tolist() == examples.OBJECTS
    assert all((tmp_path / "maps" / file).is_file() for file in table["file"])


def test_searchlight_scores_become_a_map_in_their_space(tmp_path: Path) -> None:
    result = examples.searchlight(scores=np.append(np.nan, examples.searchlight().scores[1:]))
    (name,) = write_maps(examples.run_of({"searchlight": result}), tmp_path)
    assert name == "maps/sub-01_task-n170_space-MNI152NLin2009cAsym_desc-score_map.nii.gz"
    values = nib.load(tmp_path / name).get_fdata()
    assert np.isfinite(values).all(), "viewers and other packages stumble over NaN"
    sidecar = json.loads((tmp_path / name.replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
    assert sidecar["NoEffectValue"] == 0.5


def test_vertices_become_one_gifti_per_hemisphere(tmp_path: Path) -> None:
    left, right = write_maps(examples.run_of({"decoding": surface_result()}), tmp_path)
    assert left == "maps/sub-01_task-n170_hemi-L_space-fsaverage5_label-houseAgainstFace_desc-pattern_map.func.gii"
    np.testing.assert_array_equal(nib.load(tmp_path / left).darrays[0].data, [1, 0, 0, 0, 2])
    np.testing.assert_array_equal(nib.load(tmp_path / right).darrays[0].data, [0, 3, 4, 0, 0])


def test_results_of_several_subjects_do_not_overwrite_each_other(tmp_path: Path) -> None:
    results = {"decoding sub-1": examples.objects(1), "decoding sub-2": examples.objects(2)}
    written = write_maps(examples.run_of(results, entities={"task": "x"}), tmp_path)
    assert len(set(written)) == 16
    assert "maps/task-x_label-face_desc-decodingSub2pattern_map.nii.gz" in written


@pytest.mark.parametrize(
    ("classes", "labels"),
    [(["a-b", "a b"], ["aB", "aB"]), (["<script>", "../../etc"], ["script", "etc"]), (["日本", "語"], ["x", "x"])],
)
def test_hostile_class_names_make_safe_and_different_files(classes: list[str], labels: list[str], tmp_path: Path) -> None:
    result = examples.objects(classes=classes, patterns=examples.objects().patterns[:2])
    written = write_maps(examples.run_of({"decoding": result}), tmp_path)
    assert len(set(written)) == 2
    for name, label in zip(written, labels, strict=True):
        assert f"label-{label}_desc-pattern" in name
        assert (tmp_path / name).is_file()
    assert not any(path.name.startswith("etc") for path in tmp_path.rglob("*"))


def test_maps_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    write_maps(examples.run_of({"decoding": examples.objects()}), tmp_path)
    write_maps(examples.run_of({"searchlight": examples.searchlight()}), tmp_path)
    assert len(list((tmp_path / "maps").glob("*.nii.gz"))) == 1
    write_maps(examples.run_of({"decoding": examples.regression()}), tmp_path)
    assert not (tmp_path / "maps").exists()


def test_a_folder_of_maps_that_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "precious.txt").write_text("mine", encoding="utf-8")
    write_maps(examples.run_of({"decoding": examples.regression()}), tmp_path)
    with pytest.raises(FileExistsError, match="not written by neurodecode"):
        write_maps(examples.run_of({"decoding": examples.objects()}), tmp_path)
    assert (tmp_path / "maps" / "precious.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("kind", ["faces", "regression", "over time", "regions"])
def test_what_is_no_image_makes_no_file(kind: str, tmp_path: Path) -> None:
    assert write_maps(examples.run_of({kind: examples.EVERY[kind]()}), tmp_path) == []
    assert not (tmp_path / "maps").exists()


def test_units_of_the_run_stand_in_where_a_result_has_none(tmp_path: Path) -> None:
    units, space = examples.slice_units()
    result = examples.objects(units=pd.DataFrame(), space=None)
    assert maps_of("decoding", result, RunContents("t", "p")) == []
    assert len(maps_of("decoding", result, RunContents("t", "p", units=units, space=space))) == 8


def test_a_native_slice_is_drawn_as_slices_and_says_why() -> None:
    (picture,) = pictures_of(examples.objects())
    assert picture.figure is not None
    assert "hence no glass brain" in picture.caption
    assert "(native)" in picture.caption


def test_a_template_is_drawn_as_a_glass_brain() -> None:
    (picture,) = pictures_of(examples.searchlight())
    assert picture.caption.startswith("Glass brain of the score in MNI152NLin2009cAsym")


def test_more_classes_than_fit_are_in_the_files_only() -> None:
    result = examples.objects()
    many = examples.objects(classes=[f"c{i}" for i in range(11)], patterns=np.repeat(result.patterns[:1], 11, axis=0))
    *_, last = pictures_of(many)
    assert last.figure is None
    assert "3 more classes are in the folder maps only" in last.caption


def test_sensors_without_positions_use_standard_ones_and_say_so() -> None:
    course, head = pictures_of(examples.faces())
    assert course.figure is not None
    assert "standard 10-05 positions are used for drawing only" in head.caption
    assert len([ax for ax in head.figure.axes if ax.get_title(loc="center")]) == 5


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        (examples.sensor_units(["G1", "G2", "G3", "G4"], "ecog"), "one kind of sensor among"),
        (examples.sensor_units(["one", "two", "three", "four"]), "no position is known for 4 of 4"),
    ],
)
def test_sensors_that_cannot_be_placed_give_the_reason(units: pd.DataFrame, reason: str) -> None:
    course, head = pictures_of(examples.faces(units=units))
    assert course.figure is not None
    assert head.figure is None
    assert reason in head.caption


def test_kinds_of_sensors_are_drawn_apart() -> None:
    units = pd.concat([examples.sensor_units(), examples.sensor_units(["M1", "M2", "M3"], "grad")], ignore_index=True)
    patterns = np.ones((1, 7, 58))
    pictures = pictures_of(examples.faces(units=units, patterns=patterns))
    assert [picture.figure is None for picture in pictures] == [False, False, True]


def test_channels_that_were_left_out_are_not_drawn() -> None:
    patterns = examples.faces().patterns.copy()
    patterns[0, 0] = np.nan
    course, head = pictures_of(examples.faces(patterns=patterns))
    assert len(course.figure.axes[0].get_legend().get_texts()) == 3
    assert "the 3 sensors" in head.caption


def test_patterns_without_any_value_give_the_reason() -> None:
    (picture,) = pictures_of(examples.faces(patterns=np.full((1, 4, 58), np.nan)))
    assert "none of the 4 channels has a finite value" in picture.caption


def test_patterns_in_volt_need_no_exponent_on_the_axis() -> None:
    course, _ = pictures_of(examples.faces(patterns=examples.faces().patterns * 2e-6))
    assert course.figure.axes[0].get_ylabel() == "Pattern (1e-6 a.u.)"
    assert np.abs(course.figure.axes[0].lines[0].get_ydata()).max() == pytest.approx(2.0, abs=0.02)


def test_a_surface_points_to_its_files() -> None:
    (picture,) = pictures_of(surface_result())
    assert picture.figure is None
    assert "GIFTI" in picture.caption


def test_parcels_have_no_picture() -> None:
    units = pd.DataFrame({"name": ["a", "b"], "kind": "parcel"})
    result = examples.faces(units=units, patterns=np.ones((1, 2)), times=None, space={"name": "native", "type": "parcels"})
    assert pictures_of(result) == []


def test_units_outside_their_volume_give_the_reason() -> None:
    units, space = examples.slice_units()
    (picture,) = pictures_of(examples.objects(space={**space, "shape": [10, 10, 1]}, units=units))
    assert picture.figure is None
    assert "lie outside the volume" in picture.caption
