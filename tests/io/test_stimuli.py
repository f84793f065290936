"""Images that events name: read when used, damage refused, nothing read from outside the folder."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import wavfile

from neurodecode.data import Recording, Responses
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io import read_stimuli
from neurodecode.io.stimuli import read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3)).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set with three pictures."""
    folder = tmp_path / "stimuli" / "digits"
    folder.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(PIXELS + i).save(folder / f"{i}.png")
    return tmp_path


def events(**changes: object) -> pd.DataFrame:
    """Pictures shown twice in another order, and a fixation cross."""
    table = {"onset": range(5), "trial_type": ["0", "1", "fix", "1", "2"], "stimulus": ["a", "b", None, "b", "c"]}
    files = ["digits/0.png", "digits/1.png", None, "digits/1.png", "digits/2.png"]
    return pd.DataFrame({**table, "stim_file": files, **changes})


def test_each_stimulus_once_with_its_pixels(root: Path) -> None:
    stimuli = read_stimuli(root, events())
    assert stimuli.ids == ["a", "b", "c"]
    assert stimuli.kind == "image"
    for i, image in enumerate(stimuli):
        np.testing.assert_array_equal(image, PIXELS + i)
    assert stimuli.table["file"].tolist() == [f"digits/{i}.png" for i in range(3)]
    assert stimuli.table["trial_type"].tolist() == ["0", "1", "2"]
    assert "onset" not in stimuli.table, "it differs between the two times that b was shown"


def test_without_names_the_file_is_the_name(root: Path) -> None:
    assert read_stimuli(root, events().drop(columns="stimulus")).ids == [f"digits/{i}.png" for i in range(3)]


def test_nothing_is_read_before_it_is_used(root: Path) -> None:
    stimuli = read_stimuli(root, events())
    (root / "stimuli" / "digits" / "1.png").write_bytes(b"no image")
    np.testing.assert_array_equal(stimuli["a"], PIXELS)
    with pytest.raises(CorruptFileError, match=r"1\.png"):
        stimuli["b"]


@pytest.mark.parametrize(
    "name", ["../secret.png", "digits/../../secret.png", "/etc/passwd", "C:\\x.png", "..\\secret.png", "digits\\0.png"]
)
def test_a_path_out_of_the_folder_is_refused(root: Path, name: str) -> None:
    Image.fromarray(PIXELS).save(root / "secret.png")
    with pytest.raises(FormatError, match="must lie below"):
        read_stimuli(root, events(stim_file=name))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"stim_file": None}, DataError, "names no file in any of 5"),
        ({"stimulus": "a"}, DataError, "'a' has 3 files"),
        ({"stim_file": "digits/9.png"}, FormatError, r"9\.png.*no such file"),
    ],
)
def test_tables_that_do_not_fit(root: Path, changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_stimuli(root, events(**changes))


def test_no_such_column(root: Path) -> None:
    with pytest.raises(DataError, match="picture"):
        read_stimuli(root, events(), files="picture")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tiff", ".webp", ".jpg"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    flat = np.full((16, 16, 3), 200, np.uint8)
    Image.fromarray(flat).save(tmp_path / f"x{suffix}")
    image = read_image(tmp_path / f"x{suffix}")
    assert image.dtype == np.uint8
    assert image.shape == (16, 16, 3)
    np.testing.assert_allclose(image, flat, atol=2)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA"])
def test_grey_palette_and_opaque_images_become_colours(tmp_path: Path, mode: str) -> None:
    Image.fromarray(np.kron([[0, 255], [255, 0]], np.ones((4, 4))).astype(np.uint8)).convert(mode).save(tmp_path / "x.png")
    image = read_image(tmp_path / "x.png")
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[0, -1].tolist() == [255, 255, 255]


def test_sixteen_bits_and_transparency_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(tmp_path / "deep.png")
    with pytest.raises(FormatError, match="8 bits per colour"):
        read_image(tmp_path / "deep.png")
    Image.fromarray(np.dstack([PIXELS, np.full((7, 5), 90, np.uint8)])).save(tmp_path / "glass.png")
    with pytest.raises(FormatError, match="partly transparent"):
        read_image(tmp_path / "glass.png")


def test_every_truncation_of_a_png_is_noticed(root: Path) -> None:
    file = root / "stimuli" / "digits" / "0.png"
    whole = file.read_bytes()
    for size in range(len(whole) - 12):  # without the end mark no pixel is lost
        file.write_bytes(whole[:size])
        with pytest.raises(CorruptFileError, match=r"0\.png"):
            read_image(file)


def test_every_flipped_bit_of_a_png_is_noticed_or_without_effect(root: Path) -> None:
    file = root / "stimuli" / "digits" / "0.png"
    whole, rng, refused = file.read_bytes(), np.random.default_rng(1), 0
    for place in rng.choice(8 * len(whole), 150, replace=False):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << (place % 8)
        file.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_image(file), PIXELS)
        except CorruptFileError as error:
            refused += "0.png" in str(error)
    assert refused > 130


def test_half_a_jpeg_is_noticed(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(tmp_path / "x.jpg")
    whole = (tmp_path / "x.jpg").read_bytes()
    for part in (0.02, 0.3, 0.9):
        (tmp_path / "x.jpg").write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(CorruptFileError):
            read_image(tmp_path / "x.jpg")


def test_a_picture_too_large_to_be_one_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with pytest.raises(CorruptFileError, match="bomb"):
        read_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"P6 2 2 255\n" + bytes(12), b"\x80\x04K\x01."])
def test_other_files_are_no_images(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(CorruptFileError):
        read_image(tmp_path / "x.png")


# --- sounds, films, texts ------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(root: Path) -> Path:
    """A data set with a file of each kind."""
    folder = root / "stimuli"
    wavfile.write(folder / "a.wav", 8000, np.arange(-100, 100, dtype=np.int16))
    (folder / "b.txt").write_bytes("Größe\r\n".encode())
    first, *rest = [Image.fromarray(np.full((8, 8, 3), 20 * i, np.uint8)) for i in range(1, 5)]
    first.save(folder / "c.gif", save_all=True, append_images=rest, duration=40)
    return root


def files(*names: str | None, **columns: object) -> pd.DataFrame:
    """Events that name files."""
    return pd.DataFrame({"onset": range(len(names)), "stim_file": names, **columns})


def test_sounds(mixed: Path) -> None:
    sounds = read_stimuli(mixed, files("a.wav", None, "a.wav"))
    assert sounds.kind == "audio"
    sound, sfreq = sounds["a.wav"]
    assert sfreq == 8000
    np.testing.assert_allclose(sound, np.arange(-100, 100) / 2**15)


def test_texts(mixed: Path) -> None:
    assert read_stimuli(mixed, files("b.txt"))["b.txt"] == "Größe\n"


def test_a_gif_is_an_image_or_a_film(mixed: Path) -> None:
    assert read_stimuli(mixed, files("c.gif"))[0].shape == (8, 8, 3)
    films = read_stimuli(mixed, files("c.gif"), kind="video", size=(4, 4))
    assert films.table["sfreq"].tolist() == [25.0]
    np.testing.assert_allclose(films[0][:, 0, 0, 0], [20, 40, 60, 80], atol=2)


def test_of_mixed_files_one_kind_is_chosen(mixed: Path) -> None:
    shown = files("a.wav", "b.txt", "digits/0.png", "c.gif")
    with pytest.raises(DataError, match=r"kinds \['audio', 'image', 'text'\], e.g. .*choose one by kind="):
        read_stimuli(mixed, shown)
    assert read_stimuli(mixed, shown, kind="audio").ids == ["a.wav"]
    assert read_stimuli(mixed, shown, kind="image").ids == ["digits/0.png", "c.gif"]
    with pytest.raises(DataError, match="names no file of kind 'audio', its files are such as 'b.txt'"):
        read_stimuli(mixed, shown.iloc[1:], kind="audio")
    with pytest.raises(DataError, match="kind='sound' is unknown"):
        read_stimuli(mixed, shown, kind="sound")  # type: ignore[arg-type]


def test_events_of_many_runs_and_objects(mixed: Path) -> None:
    one, two = files("digits/0.png", run="1"), files("digits/1.png", "digits/0.png", run="2")
    recording = Recording(np.zeros((1, 10)), 1.0, {"name": ["x"]}, two)
    responses = Responses(np.zeros((1, 1)), one, {"name": ["x"]})
    for events in ([one, two], [responses, recording], (one, recording)):
        assert read_stimuli(mixed, events).ids == ["digits/0.png", "digits/1.png"]
    assert read_stimuli(mixed, recording).ids == ["digits/1.png", "digits/0.png"]
    for wrong in ([], ["events.tsv"]):
        with pytest.raises(DataError, match="must be tables, Recordings or Responses"):
            read_stimuli(mixed, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.wav", "b.txt", "c.gif"])
def test_damage_is_found_on_access(mixed: Path, name: str) -> None:
    stimuli = read_stimuli(mixed, files(name))
    (mixed / "stimuli" / name).write_bytes(b"\xff\xfe\xfd\xfc")
    with pytest.raises(FormatError, match=name):
        stimuli[0]


def test_a_text_beyond_reason(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodecode.io.stimuli._LONGEST", 3)
    with pytest.raises(FormatError, match="Cut it into parts"):
        read_stimuli(mixed, files("b.txt"))[0]


def test_a_link_out_of_the_data_set_is_refused(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("home") / "secret.txt"
    secret.write_text("mine")
    (mixed / "stimuli" / "link.txt").symlink_to(secret)
    (mixed / "stimuli" / "folder").symlink_to(secret.parent)
    for name in ("link.txt", "folder/secret.txt"):
        with pytest.raises(FormatError, match="a link out of the data set"):
            read_stimuli(mixed, files(name))


def test_links_within_the_data_set_are_followed(mixed: Path) -> None:
    """That is how git-annex keeps contents."""
    annex = mixed / ".git" / "annex" / "objects"
    annex.mkdir(parents=True)
    (mixed / "stimuli" / "b.txt").rename(annex / "SHA256-1")
    (mixed / "stimuli" / "b.txt").symlink_to("../.git/annex/objects/SHA256-1")
    assert read_stimuli(mixed, files("b.txt"))[0] == "Größe\n"


def test_a_linked_stimuli_folder_is_followed(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("disk") / "stimuli"
    (mixed / "stimuli").rename(elsewhere)
    (mixed / "stimuli").symlink_to(elsewhere)
    assert read_stimuli(mixed, files("b.txt"))[0] == "Größe\n"
