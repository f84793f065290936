"""A recording that is shorter or longer than its header states is refused, by the file's own figures."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import meeg_files
import numpy as np
import pytest

from neurodecode.errors import CorruptFileError
from neurodecode.io.meeg import read_meeg
from neurodecode.io.meeg_lengths import check_length

CUTS = [1, 2, 5, 100, 299, 600, 601, 1000]


def cut(file: Path, n_bytes: int) -> Path:
    """Take bytes off the end of a file."""
    file.write_bytes(file.read_bytes()[:-n_bytes])
    return file


@pytest.mark.parametrize("n_bytes", CUTS)
@pytest.mark.parametrize("bdf", [False, True])
def test_edf_and_bdf_cut_short(n_bytes: int, bdf: bool, tmp_path: Path) -> None:
    file = cut(meeg_files.write_edf(tmp_path / "a.edf", bdf=bdf), n_bytes)
    with pytest.raises(CorruptFileError, match=r"a\.edf.*states 4 records"):
        read_meeg(file)


def test_edf_longer_than_stated(tmp_path: Path) -> None:
    file = meeg_files.write_edf(tmp_path / "a.edf")
    file.write_bytes(file.read_bytes() + bytes(600))
    with pytest.raises(CorruptFileError, match="states 4 records of 600 bytes, there are 5"):
        read_meeg(file)


def test_edf_that_was_not_closed(tmp_path: Path) -> None:
    file = meeg_files.write_edf(tmp_path / "a.edf")
    content = file.read_bytes()
    file.write_bytes(content[:236] + b"-1      " + content[244:])
    recording = read_meeg(file)
    assert recording.n_times == 400
    assert any("Number of records" in note for note in recording.meta["notes"])
    with pytest.raises(CorruptFileError, match="last record is incomplete: 599 of 600"):
        read_meeg(cut(file, 1))


@pytest.mark.parametrize("where", [184, 236, 252])
def test_edf_with_a_header_that_is_no_number(where: int, tmp_path: Path) -> None:
    file = meeg_files.write_edf(tmp_path / "a.edf")
    content = bytearray(file.read_bytes())
    content[where : where + 4] = b"many"
    file.write_bytes(bytes(content))
    with pytest.raises(CorruptFileError, match=r"a\.edf"):
        read_meeg(file)


def test_not_strict_reads_what_is_there(tmp_path: Path) -> None:
    file = cut(meeg_files.write_edf(tmp_path / "a.edf"), 600)
    recording = read_meeg(file, strict=False)
    assert recording.n_times == 300
    assert any("Number of records" in note for note in recording.meta["notes"])


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 4, 5])
def test_brainvision_with_half_a_sample(n_bytes: int, tmp_path: Path) -> None:
    header = meeg_files.write_brainvision(tmp_path / "a.vhdr")
    cut(tmp_path / "a.eeg", n_bytes)
    with pytest.raises(CorruptFileError, match=r"a\.vhdr.*a\.eeg has .* bytes, no multiple of the 6 bytes"):
        read_meeg(header)


def test_brainvision_with_a_marker_after_the_end(tmp_path: Path) -> None:
    header = meeg_files.write_brainvision(tmp_path / "a.vhdr", markers=(50, 390))
    cut(tmp_path / "a.eeg", 120)
    with pytest.raises(CorruptFileError, match="marker at sample 390, the data end after 380"):
        read_meeg(header)


def test_brainvision_that_states_its_samples(tmp_path: Path) -> None:
    header = meeg_files.write_brainvision(tmp_path / "a.vhdr", stated=True)
    assert read_meeg(header).n_times == 400
    cut(tmp_path / "a.eeg", 60)
    with pytest.raises(CorruptFileError, match=r"states 400 samples, a\.eeg holds 390"):
        read_meeg(header)


@pytest.mark.parametrize("part", ["a.eeg", "a.vmrk"])
def test_brainvision_with_a_part_missing(part: str, tmp_path: Path) -> None:
    header = meeg_files.write_brainvision(tmp_path / "a.vhdr")
    (tmp_path / part).unlink()
    with pytest.raises(CorruptFileError, match=part):
        read_meeg(header)


@pytest.mark.parametrize("keep", [0, 40, 90, 110, -4, -8])
def test_brainvision_markers_cut_short(keep: int, tmp_path: Path) -> None:
    header = meeg_files.write_brainvision(tmp_path / "a.vhdr", markers=(50, 150))
    markers = tmp_path / "a.vmrk"
    markers.write_bytes(markers.read_bytes()[:keep])
    with pytest.raises(CorruptFileError, match=r"a\.vmrk"):
        read_meeg(header)


@pytest.mark.parametrize("n_bytes", [1, 9, 10, 300])
def test_cnt_cut_short(n_bytes: int, tmp_path: Path) -> None:
    file = cut(meeg_files.write_cnt(tmp_path / "a.cnt"), n_bytes)
    with pytest.raises(CorruptFileError, match=r"a\.cnt"):
        read_meeg(file)


def test_cnt_that_contradicts_itself(tmp_path: Path) -> None:
    file = meeg_files.write_cnt(tmp_path / "a.cnt")
    content = bytearray(file.read_bytes())
    struct.pack_into("<i", content, 864, 170)
    file.write_bytes(bytes(content))
    with pytest.raises(
        CorruptFileError, match="states 170 samples of 3 channels, the data part has 1200 bytes.*recompute_n_samples"
    ):
        read_meeg(file)
    check_length(file, "cnt", {"recompute_n_samples": True})  # the user knows


def test_kit_cut_short(tmp_path: Path) -> None:
    entries = [(0, 16, 4, 4), (64, 4, 10, 10), (0, 0, 0, 0), (104, 2, 50, 50)]
    file = tmp_path / "a.sqd"
    file.write_bytes(b"".join(struct.pack("<4I", *entry) for entry in entries) + bytes(140))
    check_length(file, "kit", {})
    with pytest.raises(CorruptFileError, match="data up to byte 204, the file has 203"):
        check_length(cut(file, 1), "kit", {})


@pytest.mark.parametrize("n_bytes", [1, 15, 16, 17, 40, 2000, 4000])
def test_fif_cut_short(n_bytes: int, tmp_path: Path) -> None:
    file = cut(meeg_files.write_fif(tmp_path / "a_raw.fif"), n_bytes)
    with pytest.raises(CorruptFileError, match=r"a_raw\.fif"):
        read_meeg(file)


def test_fif_cut_at_every_tag(tmp_path: Path) -> None:
    file = meeg_files.write_fif(tmp_path / "a_raw.fif")
    content, position, ends = file.read_bytes(), 0, []
    while position < len(content):
        length, following = struct.unpack(">ii", content[position + 8 : position + 16])
        position = position + 16 + length if following == 0 else len(content)
        ends.append(position)
    short = tmp_path / "short_raw.fif"
    for end in ends[2:-2]:
        short.write_bytes(content[:end])
        with pytest.raises(CorruptFileError, match="blocks are not closed"):
            check_length(short, "fif", {})


def test_fif_that_points_back(tmp_path: Path) -> None:
    file = meeg_files.write_fif(tmp_path / "a_raw.fif")
    content = bytearray(file.read_bytes())
    struct.pack_into(">i", content, 36 + 12, 16)
    file.write_bytes(bytes(content))
    with pytest.raises(CorruptFileError, match="points back"):
        read_meeg(file)


def test_compressed_fif(tmp_path: Path) -> None:
    plain = meeg_files.write_fif(tmp_path / "a_raw.fif").read_bytes()
    packed = tmp_path / "b_raw.fif.gz"
    packed.write_bytes(gzip.compress(plain))
    np.testing.assert_allclose(read_meeg(packed).load().data, meeg_files.counts() * 0.5e-6, atol=1e-10)
    packed.write_bytes(gzip.compress(plain[:-2000]))
    with pytest.raises(CorruptFileError, match=r"b_raw\.fif\.gz"):
        read_meeg(packed)
    packed.write_bytes(gzip.compress(plain)[:-50])
    with pytest.raises(CorruptFileError, match=r"b_raw\.fif\.gz"):
        read_meeg(packed)
