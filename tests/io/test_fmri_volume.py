"""NIfTI runs, masks and segmentations."""

import gzip
import pickle
from pathlib import Path

import bids_trees
import nibabel
import numpy as np
import pytest

from neurodecode.data import LazySignal, load, save
from neurodecode.data.hashing import sha256_file
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io import read_dseg, read_mask, read_nifti
from neurodecode.io.volume import Mask


@pytest.fixture(params=[".nii", ".nii.gz"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return bids_trees.write_volume(tmp_path / f"sub-01_ses-2_task-words_run-03_bold{request.param}", bids_trees.bold(0))


def test_values_times_and_places(run: Path):
    recording = read_nifti(run)
    expected = bids_trees.bold(0).astype(np.float32)
    assert recording.data.shape == (60, 12)
    np.testing.assert_array_equal(np.asarray(recording.data), expected.reshape(60, 12))
    assert (recording.sfreq, recording.t0) == (0.5, 0.0)
    row = recording.channels.set_index("name").loc["2_4_1"]
    assert row[["i", "j", "k"]].tolist() == [2, 4, 1]
    np.testing.assert_allclose(row[["x", "y", "z"]].astype(float), nibabel.affines.apply_affine(bids_trees.AFFINE, [2, 4, 1]))
    np.testing.assert_array_equal(recording.pick("2_4_1").data[0], expected[2, 4, 1])


def test_meta_names_the_run_and_its_file(run: Path):
    meta = read_nifti(run).meta
    assert {k: meta[k] for k in ("subject", "session", "task", "run", "modality", "preprocessed")} == {
        "subject": "01",
        "session": "2",
        "task": "words",
        "run": "03",
        "modality": "bold",
        "preprocessed": False,
    }
    assert meta["sources"] == [{"file": run.name, "sha256": sha256_file(run)}]
    assert meta["space"] == {"name": "native", "type": "volume", "shape": [4, 5, 3], "affine": bids_trees.AFFINE.tolist()}


def test_only_the_volumes_asked_for_are_read(run: Path, monkeypatch: pytest.MonkeyPatch):
    recording = read_nifti(run)
    assert isinstance(recording.data, LazySignal)
    seen = []
    original = type(recording.data._read._file).read
    monkeypatch.setattr(
        type(recording.data._read._file),
        "read",
        lambda self, a, b, **options: seen.append((a, b)) or original(self, a, b, **options),
    )
    part = recording.crop(4.0, 10.0)
    assert seen == [(2, 5)]
    np.testing.assert_array_equal(part.data, bids_trees.bold(0).reshape(60, 12)[:, 2:5])
    assert recording.data[:, 3:3].shape == (60, 0)


def test_a_lazy_recording_travels_between_processes_and_to_disk(run: Path, tmp_path: Path):
    recording = read_nifti(run, mask=bids_trees.brain_mask())
    copy = pickle.loads(pickle.dumps(recording))  # noqa: S301 our own bytes
    np.testing.assert_array_equal(np.asarray(copy.data), np.asarray(recording.data))
    again = load(save(recording, tmp_path / "saved"))
    np.testing.assert_array_equal(np.asarray(again.data), bids_trees.bold(0)[bids_trees.brain_mask()])
    assert again.meta == recording.meta


@pytest.mark.parametrize("kind", ["array", "path", "mask", "image"])
def test_a_mask_in_any_form_keeps_its_voxels_in_c_order(run: Path, tmp_path: Path, kind: str):
    inside = bids_trees.brain_mask()
    path = bids_trees.write_volume(tmp_path / "mask.nii.gz", inside.astype(np.uint8))
    mask = {"array": inside, "path": path, "mask": read_mask(path), "image": nibabel.load(path)}[kind]
    recording = read_nifti(run, mask=mask)
    np.testing.assert_array_equal(recording.channels[["i", "j", "k"]].to_numpy(), np.argwhere(inside))
    np.testing.assert_array_equal(np.asarray(recording.data), bids_trees.bold(0)[inside])


def test_masks_that_do_not_fit_name_both_files(run: Path, tmp_path: Path):
    other = bids_trees.write_volume(tmp_path / "other.nii", np.ones((4, 5, 4), np.uint8))
    with pytest.raises(
        DataError, match=rf"{run.name} with mask .*other.nii: the mask has shape \(4, 5, 4\), the images \(4, 5, 3\)"
    ):
        read_nifti(run, mask=other)
    moved = bids_trees.write_volume(tmp_path / "moved.nii", np.ones((4, 5, 3), np.uint8), affine=np.eye(4))
    with pytest.raises(DataError, match="affine of the mask differs from that of the images by up to 20"):
        read_nifti(run, mask=moved)
    with pytest.raises(DataError, match="selects no voxel"):
        read_nifti(run, mask=np.zeros((4, 5, 3), bool))


def test_scaled_integers_get_their_true_values(tmp_path: Path):
    image = nibabel.Nifti1Image(np.random.default_rng(0).standard_normal((3, 3, 3, 5)).astype(np.float32), np.eye(4))
    image.set_data_dtype(np.int16)
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(tmp_path / "scaled.nii.gz")
    again = nibabel.load(tmp_path / "scaled.nii.gz")
    assert again.dataobj.slope != 1
    recording = read_nifti(tmp_path / "scaled.nii.gz", tr=2.0)
    np.testing.assert_array_equal(recording.data[:, 2:4], again.get_fdata(dtype=np.float32)[..., 2:4].reshape(27, 2))


def test_the_sidecar_beside_gives_the_times(run: Path):
    bids_trees.write_json(run.with_name(run.name.split(".")[0] + ".json"), {"RepetitionTime": 1.25, "StartTime": 0.6})
    recording = read_nifti(run)
    assert (recording.sfreq, recording.t0) == (0.8, 0.6)
    assert recording.meta["notes"] == ["the header gives a repetition time of 2 s; 1.25 s, as stated outside of it, was used"]
    assert read_nifti(run, sidecar={}).sfreq == 0.5
    assert read_nifti(run, tr=4.0).sfreq == 0.25


def test_events_are_attached(run: Path):
    assert read_nifti(run, events=bids_trees.events()).events["trial_type"].tolist() == ["face", "house", "face", "house"]


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 3, 1)])
def test_one_volume_is_no_time_series(tmp_path: Path, shape: tuple[int, ...]):
    path = bids_trees.write_volume(tmp_path / "mask.nii", np.ones(shape, np.uint8))
    with pytest.raises(FormatError, match=r"no time series: shape .* This is one volume: use read_mask"):
        read_nifti(path)
    assert read_mask(path).data.shape == (4, 5, 3)


def test_five_dimensions_are_refused(tmp_path: Path):
    path = tmp_path / "five.nii"
    nibabel.Nifti1Image(np.zeros((2, 2, 2, 3, 2), np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(FormatError, match=r"no time series: shape \(2, 2, 2, 3, 2\)"):
        read_nifti(path, tr=2.0)


def test_voxels_must_be_real_numbers(tmp_path: Path):
    path = tmp_path / "complex.nii"
    nibabel.Nifti1Image(np.zeros((2, 2, 2, 3), np.complex64), np.eye(4)).to_filename(path)
    with pytest.raises(FormatError, match="voxels are complex64, expected real numbers"):
        read_nifti(path, tr=2.0)


def test_other_images_are_named(tmp_path: Path):
    nibabel.MGHImage(np.zeros((2, 2, 2, 3), np.float32), np.eye(4)).to_filename(tmp_path / "x.mgz")
    with pytest.raises(FormatError, match="this is a MGHImage, expected NIfTI.*mri_convert"):
        read_nifti(tmp_path / "x.mgz")
    bids_trees.write_surface(tmp_path / "x.func.gii", np.zeros((3, 4)))
    with pytest.raises(FormatError, match="this is a GiftiImage.*read_gifti"):
        read_nifti(tmp_path / "x.func.gii")
    bids_trees.write_grayordinates(tmp_path / "x.dtseries.nii", np.zeros((4, 8)))
    with pytest.raises(FormatError, match="CIFTI file of grayordinates. Use read_cifti"):
        read_nifti(tmp_path / "x.dtseries.nii")


def test_a_missing_file_a_folder_an_empty_file_and_a_dead_link(tmp_path: Path):
    with pytest.raises(FormatError, match="there is no such file.*The folder .* exists"):
        read_nifti(tmp_path / "x.nii")
    with pytest.raises(FormatError, match="does not exist either"):
        read_nifti(tmp_path / "no" / "x.nii")
    with pytest.raises(FormatError, match="this is a folder"):
        read_nifti(tmp_path)
    (tmp_path / "empty.nii").touch()
    with pytest.raises(CorruptFileError, match="empty"):
        read_nifti(tmp_path / "empty.nii")
    (tmp_path / "annexed.nii").symlink_to(tmp_path / "content-that-was-not-fetched")
    with pytest.raises(FormatError, match="link to content that is not on this machine"):
        read_nifti(tmp_path / "annexed.nii")


@pytest.mark.parametrize("keep", [0.02, 0.2, 0.5, 0.95, 0.999])
def test_a_truncated_file_is_noticed_when_it_is_opened(run: Path, keep: float):
    content = run.read_bytes()
    run.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(CorruptFileError) as error:
        read_nifti(run)
    assert str(run) in str(error.value)
    assert "Copy or download the file again" in str(error.value)


def test_a_truncated_file_says_how_much_is_missing(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii", bids_trees.bold(0))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorruptFileError, match=r"it holds 1000 bytes, its header \(shape \(4, 5, 3, 12\), int16\) demands 1792"):
        read_nifti(path)


def test_a_changed_byte_in_compressed_data_is_noticed_when_the_end_is_read(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii.gz", bids_trees.bold(0))
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[-1] ^= 1
    damaged = bytearray(gzip.compress(bytes(plain)))
    damaged[-8:] = path.read_bytes()[-8:]  # checksum and length of the original
    path.write_bytes(bytes(damaged))
    recording = read_nifti(path)
    with pytest.raises(CorruptFileError, match=r"x.nii.gz: volumes 0 to 11 of 12 cannot be read \(BadGzipFile: CRC"):
        recording.load()


def test_damage_in_the_middle_is_noticed_when_it_is_read(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii.gz", bids_trees.bold(0, (20, 20, 20)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(bytes(content))
    recording = read_nifti(path)
    with pytest.raises(CorruptFileError, match="cannot be read"):
        recording.load()


def test_a_file_that_vanishes_after_it_was_opened(run: Path):
    recording = read_nifti(run)
    run.unlink()
    with pytest.raises(FormatError, match=run.name):
        recording.load()


def test_a_gzip_file_of_several_parts_is_intact(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii.gz", bids_trees.bold(0))
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(plain[:900]) + gzip.compress(plain[900:]))
    np.testing.assert_array_equal(np.asarray(read_nifti(path).data), bids_trees.bold(0).reshape(60, 12))


@pytest.mark.parametrize("content", [b"hello world" * 100, bytes(2000)])
def test_files_that_are_no_images(tmp_path: Path, content: bytes):
    path = tmp_path / "x.nii"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"x.nii: it is no image that nibabel can open \(\w+"):
        read_nifti(path)


def test_every_damaged_header_byte_gives_our_error_or_a_recording(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii", bids_trees.bold(0))
    content = path.read_bytes()
    for position in range(0, 352, 3):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x9A]) + content[position + 1 :])
        try:
            np.asarray(read_nifti(path).data)
        except (FormatError, DataError):
            continue


def test_a_header_with_an_impossible_shape(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "x.nii.gz", bids_trees.bold(0))
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[42:44] = np.int16(30000).tobytes()  # first dimension
    path.write_bytes(gzip.compress(bytes(plain)))
    with pytest.raises(CorruptFileError, match="it is truncated"):
        read_nifti(path)


# --- masks and segmentations ---------------------------------------------------------------------------------------


def test_a_mask_of_any_two_values(tmp_path: Path):
    inside = bids_trees.brain_mask()
    path = bids_trees.write_volume(tmp_path / "m.nii.gz", 255 * inside.astype(np.float32))
    mask = read_mask(path)
    assert isinstance(mask, Mask)
    np.testing.assert_array_equal(mask.data, inside)
    np.testing.assert_allclose(mask.affine, bids_trees.AFFINE)


def test_probabilities_need_a_threshold(tmp_path: Path):
    values = np.linspace(0, 1, 60, dtype=np.float32).reshape(4, 5, 3)
    path = bids_trees.write_volume(tmp_path / "p.nii", values)
    with pytest.raises(FormatError, match=r"this has 60 values \(0, 0.0169492, .*Give threshold="):
        read_mask(path)
    np.testing.assert_array_equal(read_mask(path, threshold=0.5).data, values > 0.5)


def test_a_time_series_is_no_mask(run: Path):
    with pytest.raises(FormatError, match=r"one volume was expected, got shape \(4, 5, 3, 12\). Use read_nifti"):
        read_mask(run)


def test_a_mask_with_nan_is_refused(tmp_path: Path):
    values = np.ones((4, 5, 3), np.float32)
    values[0, 0, :2] = np.nan
    with pytest.raises(FormatError, match="holds 2 NaN"):
        read_mask(bids_trees.write_volume(tmp_path / "m.nii", values))


def test_an_atlas_with_its_names(tmp_path: Path):
    labels = np.arange(60, dtype=np.int16).reshape(4, 5, 3) % 4
    path = bids_trees.write_volume(tmp_path / "atlas-x_dseg.nii.gz", labels)
    assert read_dseg(path).names == {}
    (tmp_path / "atlas-x_dseg.tsv").write_text("index\tname\n1\t17\n2\tleft\n3\tright\n")
    atlas = read_dseg(path)
    np.testing.assert_array_equal(atlas.labels, labels)
    assert atlas.names == {1: "17", 2: "left", 3: "right"}
    np.testing.assert_allclose(atlas.affine, bids_trees.AFFINE)


@pytest.mark.parametrize("table", ["label\tname\n1\ta\n", "index\tname\nx\ta\n", "index\tname\n1\n"])
def test_a_damaged_table_of_names_is_named(tmp_path: Path, table: str):
    path = bids_trees.write_volume(tmp_path / "a_dseg.nii", np.ones((4, 5, 3), np.int16))
    (tmp_path / "a_dseg.tsv").write_text(table)
    with pytest.raises(CorruptFileError, match="a_dseg.tsv"):
        read_dseg(path)


def test_probabilities_are_no_atlas(tmp_path: Path):
    path = bids_trees.write_volume(tmp_path / "p.nii", np.full((4, 5, 3), 0.25, np.float32))
    with pytest.raises(FormatError, match="labels must be whole numbers, found 0.25"):
        read_dseg(path)
