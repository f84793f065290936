"""No file that was made to do harm executes anything or reads outside of its folder; each ends in one of our errors."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from security import corpus

from neurodecode.data import Recording
from neurodecode.errors import ConfigError, CorruptFileError, FormatError
from neurodecode.io import read, read_gifti
from neurodecode.io.bids_tables import read_confounds
from neurodecode.io.fmri_meta import read_json
from neurodecode.pipeline.configure import load_config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that was sent; what lies beside it belongs to the user."""
    sent = tmp_path / "sent"
    sent.mkdir()
    return sent


@pytest.fixture(autouse=True)
def unmarked(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """No test may leave the mark, neither beside the folder nor in the one that commands would run in."""
    monkeypatch.chdir(folder)
    yield
    assert not [path for path in folder.parent.rglob("mark*") if path.name.startswith("mark")]


@pytest.mark.parametrize("write", corpus.REFUSED, ids=lambda write: write.__name__)
def test_refused(write: Callable[[Path], Path], folder: Path) -> None:
    path = write(folder)
    with pytest.raises(FormatError) as caught:
        np.asarray(read(path).data)
    assert path.name.split(".")[0] in str(caught.value)
    assert str(corpus.SECRET) not in str(caught.value)


@pytest.mark.parametrize("write", [corpus.set_data_outside, corpus.brainvision_above, corpus.set_link])
def test_refused_even_when_not_strict(write: Callable[[Path], Path], folder: Path) -> None:
    with pytest.raises(FormatError):
        np.asarray(read(write(folder), strict=False).data)


@pytest.mark.parametrize("write", corpus.HARMLESS, ids=lambda write: write.__name__)
def test_harmless(write: Callable[[Path], Path], folder: Path) -> None:
    recording = read(write(folder))
    assert not np.asarray(recording.data).any()
    assert "touch" in recording.meta["sources"][0]["file"]
    assert "touch" not in json.dumps({name: value for name, value in recording.meta.items() if name != "sources"})


@pytest.mark.parametrize("extension", corpus.EXTENSIONS)
def test_a_pickle_under_another_name(extension: str, folder: Path) -> None:
    path = folder / f"x{extension}"
    path.write_bytes(corpus.pickled(folder))
    with pytest.raises(FormatError, match="x"):
        read(path)


def test_the_mark_would_be_written(tmp_path: Path) -> None:
    """The corpus is live: what the package never does leaves the mark."""
    import pickle

    sent = tmp_path / "other" / "sent"
    sent.mkdir(parents=True)
    pickle.loads(corpus.pickled(sent)).close()  # noqa: S301  # on purpose: it is our own
    assert (tmp_path / "other" / "mark").exists()
    (tmp_path / "other" / "mark").unlink()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch mark']",
        "pipeline: !!python/object/apply:builtins.open [mark, w]",
        "seed: !!python/name:os.system",
        "pipeline: !!python/object/new:type {args: [x, !!python/tuple [], {}]}",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
        "[" * 3000,
    ],
)
def test_yaml_is_only_read(text: str, folder: Path) -> None:
    path = folder / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"x\.yaml|pipeline"):
        load_config(path)


@pytest.mark.parametrize("value", ["!!python/object/apply:os.system ['touch mark']", "!!python/name:os.system"])
def test_an_override_is_only_read(value: str) -> None:
    with pytest.raises(ConfigError):
        load_config("haxby_objects", [f"compute.seed={value}"])


@pytest.mark.parametrize("n_bytes", [2**28])
def test_a_gzip_bomb_is_not_unpacked_into_memory(n_bytes: int, folder: Path) -> None:
    path = folder / "x.nii.gz"
    path.write_bytes(corpus.bomb(n_bytes))
    with pytest.raises(FormatError, match="x"):
        read(path)


def test_entities_of_xml_are_not_expanded(folder: Path) -> None:
    with pytest.raises(CorruptFileError, match="amplification|entit"):
        read_gifti(corpus.billion_laughs(folder))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, '{"a": ' + "1" * 10_000 + "}", '{"a": "\ud800"}', "NaN", ""])
def test_hostile_json(text: str, folder: Path) -> None:
    path = folder / "x.json"
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(CorruptFileError, match=r"x\.json"):
        read_json(path)


@pytest.mark.parametrize("name", ["../secret.tsv", "/secret.tsv", "a/../../secret.tsv"])
def test_confounds_of_a_recording_stay_in_its_data_set(name: str, eeg: Recording, folder: Path) -> None:
    (folder.parent / "secret.tsv").write_text("a\n1\n")
    with pytest.raises(FormatError, match="outside"):
        read_confounds(eeg.replace(meta={"confounds": name}), folder)


def test_nothing_is_warned_of_instead(folder: Path) -> None:
    """An error, not a warning and data."""
    with warnings.catch_warnings(record=True), pytest.raises(FormatError):
        read(corpus.nwb_link(folder))
