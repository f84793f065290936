"""GIFTI and CIFTI time series."""

import pickle
from pathlib import Path

import bids_trees
import nibabel
import numpy as np
import pandas as pd
import pytest

from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io import read_cifti, read_gifti


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((7, 12)).astype(np.float32)


@pytest.fixture
def series(tmp_path: Path, rng: np.random.Generator) -> Path:
    return bids_trees.write_grayordinates(
        tmp_path / "sub-1_task-x_space-fsLR_den-91k_bold.dtseries.nii", rng.standard_normal((12, 8))
    )


@pytest.mark.parametrize(
    ("name", "hemisphere"),
    [
        ("sub-1_hemi-L_space-fsaverage5_bold.func.gii", "L"),
        ("sub-1_hemi-R_bold.func.gii", "R"),
        ("lh.run1.func.gii", "L"),
        ("S1.R.func.gii", "R"),
        ("right_side.func.gii", "R"),
        ("task.func.gii", "n/a"),
    ],
)
def test_one_hemisphere(tmp_path: Path, values: np.ndarray, name: str, hemisphere: str):
    recording = read_gifti(bids_trees.write_surface(tmp_path / name, values), tr=2.0)
    np.testing.assert_array_equal(recording.data, values)
    assert recording.channels["hemisphere"].unique().tolist() == [hemisphere]
    assert recording.channels["vertex"].tolist() == list(range(7))
    assert recording.names[3] == ("vertex_3" if hemisphere == "n/a" else f"{hemisphere}_3")
    assert recording.meta["space"]["n_vertices"] == {hemisphere: 7}


def test_the_structure_in_the_file_tells_the_hemisphere(tmp_path: Path, values: np.ndarray):
    path = bids_trees.write_surface(tmp_path / "x.func.gii", values)
    image = nibabel.load(path)
    image.meta["AnatomicalStructurePrimary"] = "CortexRight"
    image.to_filename(path)
    assert read_gifti(path, tr=2.0).channels["hemisphere"].unique().tolist() == ["R"]


def test_both_hemispheres_become_one_recording(tmp_path: Path, values: np.ndarray):
    paths = [
        bids_trees.write_surface(tmp_path / f"sub-1_hemi-{h}_space-fsaverage5_bold.func.gii", values[:n])
        for h, n in (("L", 7), ("R", 5))
    ]
    bids_trees.write_json(tmp_path / "sub-1_hemi-L_space-fsaverage5_bold.json", {"RepetitionTime": 0.8, "StartTime": 0.4})
    recording = read_gifti(paths, events=bids_trees.events(2))
    np.testing.assert_array_equal(recording.data, np.concatenate([values, values[:5]]))
    assert (recording.sfreq, recording.t0) == (1.25, 0.4)
    assert recording.meta["space"] == {"name": "fsaverage5", "type": "surface", "n_vertices": {"L": 7, "R": 5}}
    assert [source["file"] for source in recording.meta["sources"]] == [path.name for path in paths]
    assert recording.names[-1] == "R_4"
    assert len(recording.events) == 2


def test_hemispheres_that_do_not_belong_together(tmp_path: Path, values: np.ndarray):
    left = bids_trees.write_surface(tmp_path / "lh.a.func.gii", values)
    also_left = bids_trees.write_surface(tmp_path / "lh.b.func.gii", values)
    right = bids_trees.write_surface(tmp_path / "rh.a.func.gii", values[:, :9])
    with pytest.raises(DataError, match=r"lh.a.func.gii and lh.b.func.gii are both of hemisphere L"):
        read_gifti([left, also_left], tr=2.0)
    with pytest.raises(FormatError, match=r"lh.a.func.gii: it has 12 volumes, .*rh.a.func.gii has 9"):
        read_gifti([left, right], tr=2.0)
    with pytest.raises(DataError, match="got 3 files"):
        read_gifti([left, right, right], tr=2.0)


@pytest.mark.parametrize(("step", "tr"), [("2500.000000", 2.5), ("2.5", 2.5), ("720", 0.72)])
def test_time_step_in_ms_or_s(tmp_path: Path, values: np.ndarray, step: str, tr: float):
    path = with_time_step(tmp_path, values, step)
    assert 1 / read_gifti(path).sfreq == pytest.approx(tr)


@pytest.mark.parametrize(
    ("step", "message"), [("0.000", "neither its header nor"), ("35", "got 35"), ("-1", "of -1"), ("x", "TimeStep is 'x'")]
)
def test_no_usable_time_step(tmp_path: Path, values: np.ndarray, step: str, message: str):
    with pytest.raises(FormatError, match=message):
        read_gifti(with_time_step(tmp_path, values, step))


def with_time_step(folder: Path, values: np.ndarray, step: str) -> Path:
    path = bids_trees.write_surface(folder / "lh.func.gii", values)
    image = nibabel.load(path)
    for array in image.darrays:
        array.meta["TimeStep"] = step
    image.to_filename(path)
    return path


def test_one_array_of_two_dimensions_is_a_time_series_too(tmp_path: Path, values: np.ndarray):
    array = nibabel.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_TIME_SERIES")
    nibabel.GiftiImage(darrays=[array]).to_filename(tmp_path / "lh.func.gii")
    np.testing.assert_array_equal(read_gifti(tmp_path / "lh.func.gii", tr=2.0).data, values)


@pytest.mark.parametrize("kind", ["label", "surface", "one map", "empty", "uneven"])
def test_other_surface_files_are_no_time_series(tmp_path: Path, kind: str):
    array = nibabel.gifti.GiftiDataArray
    points, triangles = np.zeros((4, 3), np.float32), np.zeros((2, 3), np.int32)
    arrays = {
        "label": [array(np.zeros(4, np.int32), intent="NIFTI_INTENT_LABEL")],
        "surface": [array(points, intent="NIFTI_INTENT_POINTSET"), array(triangles, intent="NIFTI_INTENT_TRIANGLE")],
        "one map": [array(np.zeros(4, np.float32), intent="NIFTI_INTENT_SHAPE")],
        "empty": [],
        "uneven": [array(np.zeros(n, np.float32), intent="NIFTI_INTENT_TIME_SERIES") for n in (4, 5)],
    }[kind]
    nibabel.GiftiImage(darrays=arrays).to_filename(tmp_path / "x.gii")
    with pytest.raises(FormatError, match=r"(no time series|no data array).*Only time series"):
        read_gifti(tmp_path / "x.gii", tr=2.0)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.98])
def test_a_truncated_surface(tmp_path: Path, values: np.ndarray, keep: float):
    path = bids_trees.write_surface(tmp_path / "lh.func.gii", values)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CorruptFileError, match="no GIFTI file that nibabel can read"):
        read_gifti(path, tr=2.0)


def test_a_damaged_array_in_a_surface(tmp_path: Path, values: np.ndarray):
    path = bids_trees.write_surface(tmp_path / "lh.func.gii", values)
    text = path.read_text()
    start = text.index("<Data>") + 6
    path.write_text(text[: start + 8] + "AAAA" + text[start + 12 :])
    with pytest.raises(CorruptFileError, match=r"lh.func.gii: it is no GIFTI file that nibabel can read"):
        read_gifti(path, tr=2.0)


# --- CIFTI ---------------------------------------------------------------------------------------------------------


def test_grayordinates(series: Path):
    recording = read_cifti(series)
    expected = nibabel.load(series).get_fdata(dtype=np.float32).T
    np.testing.assert_array_equal(np.asarray(recording.data), expected)
    np.testing.assert_array_equal(recording.data[:, 3:7], expected[:, 3:7])
    assert recording.data[:, 3:3].shape == (8, 0)
    assert recording.names == ["L_0", "L_2", "L_5", "R_1", "R_3", "R_8", "1_2_1", "1_2_2"]
    table = recording.channels
    assert table["hemisphere"].tolist() == ["L"] * 3 + ["R"] * 3 + ["n/a"] * 2
    assert table["structure"].tolist()[::3] == ["CORTEX_LEFT", "CORTEX_RIGHT", "THALAMUS_LEFT"]
    assert table["vertex"].tolist() == [0, 2, 5, 1, 3, 8, -1, -1]
    assert table[["i", "j", "k"]].to_numpy().tolist() == [[-1] * 3] * 6 + [[1, 2, 1], [1, 2, 2]]
    assert table[["x", "y", "z"]].isna().all(axis=1).tolist() == [True] * 6 + [False] * 2
    np.testing.assert_allclose(table[["x", "y", "z"]].iloc[-1], nibabel.affines.apply_affine(bids_trees.AFFINE, [1, 2, 2]))


def test_space_of_grayordinates(series: Path):
    recording = read_cifti(series)
    space = recording.meta["space"]
    assert (space["name"], space["type"]) == ("fsLR", "cifti")
    assert space["n_vertices"] == bids_trees.N_VERTICES
    assert space["shape"] == list(bids_trees.SHAPE)
    np.testing.assert_allclose(space["affine"], bids_trees.AFFINE)
    assert (recording.sfreq, recording.t0) == (0.5, 0.0)


def test_times_of_grayordinates(series: Path):
    beside = series.with_name(series.name.split(".")[0] + ".json")
    bids_trees.write_json(beside, {"RepetitionTime": 1.0, "StartTime": 0.25})
    assert (read_cifti(series).sfreq, read_cifti(series).t0) == (1.0, 0.25)
    assert read_cifti(series, tr=4.0, sidecar={}).sfreq == 0.25


def test_a_lazy_series_travels_between_processes(series: Path):
    recording = read_cifti(series)
    copy = pickle.loads(pickle.dumps(recording))  # noqa: S301 our own bytes
    np.testing.assert_array_equal(np.asarray(copy.data), np.asarray(recording.data))


def test_parcels(tmp_path: Path):
    mask = np.zeros(bids_trees.SHAPE, bool)
    mask[0, 0] = True
    models = nibabel.cifti2.BrainModelAxis.from_mask(mask, name="thalamus_left", affine=bids_trees.AFFINE)
    parcels = nibabel.cifti2.ParcelsAxis.from_brain_models([("one", models[:1]), ("two", models[1:])])
    axes = (nibabel.cifti2.SeriesAxis(1.5, 0.72, 5, "SECOND"), parcels)
    path = tmp_path / "x.ptseries.nii"
    nibabel.Cifti2Image(np.arange(10, dtype=np.float32).reshape(5, 2), axes).to_filename(path)
    recording = read_cifti(path)
    np.testing.assert_array_equal(np.asarray(recording.data), [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]])
    assert recording.channels[["name", "kind", "region"]].to_numpy().tolist() == [
        ["one", "parcel", "one"],
        ["two", "parcel", "two"],
    ]
    assert (recording.t0, recording.meta["space"]["type"]) == (1.5, "parcels")


def test_maps_and_series_of_something_else_are_refused(tmp_path: Path, series: Path):
    models = nibabel.load(series).header.get_axis(1)
    scalars = nibabel.cifti2.ScalarAxis(["a", "b"])
    nibabel.Cifti2Image(np.zeros((2, 8), np.float32), (scalars, models)).to_filename(tmp_path / "x.dscalar.nii")
    with pytest.raises(FormatError, match=r"its axes are \['ScalarAxis', 'BrainModelAxis'\]. Only dtseries"):
        read_cifti(tmp_path / "x.dscalar.nii")
    hertz = nibabel.cifti2.SeriesAxis(0, 1, 2, "HERTZ")
    nibabel.Cifti2Image(np.zeros((2, 8), np.float32), (hertz, models)).to_filename(tmp_path / "x.dtseries.nii")
    with pytest.raises(FormatError, match="its series is in HERTZ, expected SECOND"):
        read_cifti(tmp_path / "x.dtseries.nii")


def test_a_volume_is_no_cifti_file(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii", bids_trees.bold(0))
    with pytest.raises(FormatError, match="this is a Nifti1Image, expected CIFTI-2. Use read_nifti"):
        read_cifti(path)


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.9, 0.999])
def test_a_truncated_series(series: Path, keep: float):
    content = series.read_bytes()
    series.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CorruptFileError, match=series.name):
        read_cifti(series)


def test_a_damaged_description_of_grayordinates(series: Path):
    content = series.read_bytes()
    series.write_bytes(content.replace(b"<BrainModel ", b"<BrainMode> ", 1))
    with pytest.raises(CorruptFileError, match=series.name):
        read_cifti(series)


def test_tables_hold_whole_numbers(series: Path):
    table = read_cifti(series).channels
    assert all(pd.api.types.is_integer_dtype(table[name]) for name in ("vertex", "i", "j", "k"))
