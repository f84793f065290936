"""Data sets: one ``load(root, subject, ...)`` each, a manifest, and a miniature in the true layout on disk.

A new module with ``load`` in ``neurodecode.datasets`` needs a row in `MINIATURES` and ``data_manifests/NAME.yaml``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from contracts.members import modules
from datasets import meeg_miniatures, miniatures, speech_miniatures, worm_miniatures
from house.source import ROOT

from neurodecode.data import Recording, Responses, Stimuli
from neurodecode.datasets.lock import lock_name, read_lock
from neurodecode.datasets.manifest import read_manifest
from neurodecode.errors import FormatError, NeurodecodeError
from neurodecode.simulate.gain_control import simulate_adaptation, write_benucci


class Miniature(NamedTuple):
    """A data set of a few kilobytes."""

    write: Callable[[Path], object]
    """Writes it as its authors lay it out."""
    subject: str
    """One of its subjects."""
    options: dict[str, Any] = {}  # noqa: RUF012
    """What else `load` is told."""


MINIATURES: dict[str, Miniature] = {
    "haxby2001": Miniature(miniatures.write_haxby2001, "1", {"manifest": miniatures.haxby2001()}),
    "auditory_oddball": Miniature(miniatures.write_auditory_oddball, "001", {"manifest": miniatures.auditory_oddball()}),
    "benucci2013": Miniature(lambda root: write_benucci(root, simulate_adaptation()), "3"),
    "brennan2019": Miniature(speech_miniatures.write_brennan2019, "01"),
    "broderick2018": Miniature(speech_miniatures.write_broderick2018, "1"),
    "celegans_neural": Miniature(worm_miniatures.write_celegans_neural, "worm0", {"source": "Kato2015"}),
    "libribrain": Miniature(speech_miniatures.write_libribrain, "0", {"manifest": speech_miniatures.libribrain()}),
    "meg_masc": Miniature(speech_miniatures.write_meg_masc, "01", {"manifest": speech_miniatures.meg_masc()}),
    "mous": Miniature(speech_miniatures.write_mous, "A2002", {"manifest": speech_miniatures.mous()}),
    "things_eeg2": Miniature(meeg_miniatures.converted_things_eeg2, "01", {"manifest": meeg_miniatures.things_eeg2()}),
    "things_meg": Miniature(meeg_miniatures.write_things_meg, "1", {"manifest": meeg_miniatures.things_meg()}),
    "yemini2021": Miniature(worm_miniatures.write_yemini2021, "worm2"),
}


def members() -> dict[str, Any]:
    """The ``load`` of each module of a data set."""
    found = {module.__name__.split(".")[-1]: getattr(module, "load", None) for module in modules("datasets")[1:]}
    return {name: load for name, load in found.items() if inspect.isfunction(load) and load.__module__.endswith(f".{name}")}


def check_dataset(load: Callable[..., Any], miniature: Miniature, folder: Path) -> None:
    """The contract."""
    assert list(inspect.signature(load).parameters)[:2] == ["root", "subject"], "load begins with root and subject"
    root = folder / "data"
    miniature.write(root)
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    signal, stimuli = load(root, miniature.subject, **miniature.options)
    assert isinstance(signal, (Recording, Responses)), f"the first of two is Recording or Responses, got {type(signal).__name__}"
    assert isinstance(stimuli, Stimuli), f"the second of two is Stimuli, got {type(stimuli).__name__}"
    untouched = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before
    assert untouched, "loading must not write"
    table = signal.samples if isinstance(signal, Responses) else signal.events
    assert "stimulus" in table, "a column `stimulus` says what was presented"
    unknown = set(table["stimulus"].dropna()) - set(stimuli.ids)
    assert not unknown, f"stimuli without an item: {sorted(unknown)[:3]}"
    assert signal.meta.get("subject"), "meta names the subject"
    assert signal.meta.get("sources"), "meta names the files with their sha256"
    again, _ = load(root, miniature.subject, **miniature.options)
    np.testing.assert_array_equal(np.asarray(again.data), np.asarray(signal.data))
    with pytest.raises(NeurodecodeError, match="nobody"):
        load(root, "nobody", **miniature.options)
    with pytest.raises(FormatError, match="nowhere"):
        load(folder / "nowhere", miniature.subject, **miniature.options)


def check_manifest(path: Path) -> None:
    """A checked manifest; what is wrong with hashes and sizes of files that only an archive lists stands in known_issues."""
    manifest = read_manifest(path)
    locked = read_lock(path.with_name(lock_name(manifest.id)))
    if not manifest.files and not locked:
        assert any("sha256" in issue.text for issue in manifest.known_issues), f"{path.name}: no hashes, and nothing says so"


def test_every_member_has_a_miniature_and_a_manifest() -> None:
    missing = set(members()) - set(MINIATURES)
    assert not missing, f"add a row to MINIATURES in {Path(__file__).name} for {sorted(missing)}"
    assert set(MINIATURES) <= set(members()), "a row has no data set"
    unlisted = [name for name in members() if not (ROOT / "data_manifests" / f"{name}.yaml").is_file()]
    assert not unlisted, f"add data_manifests/NAME.yaml for {unlisted}"


def test_manifests() -> None:
    for path in sorted((ROOT / "data_manifests").glob("*.yaml")):
        check_manifest(path)


@pytest.mark.parametrize("name", MINIATURES)
def test_dataset(name: str, tmp_path: Path) -> None:
    check_dataset(members()[name], MINIATURES[name], tmp_path)


def planted_write(root: Path) -> None:
    """Responses of one subject to two words."""
    (root / "s1").mkdir(parents=True)
    np.save(root / "s1" / "betas.npy", np.arange(6.0).reshape(2, 3))


def planted_load(root: Path, subject: str) -> tuple[Responses, Stimuli]:
    """A good one."""
    folder = Path(root) / subject
    if not folder.is_dir():
        raise FormatError(folder, "there is no such subject", "Choose one of the folders")
    data = np.load(folder / "betas.npy", allow_pickle=False)
    meta = {"subject": subject, "sources": [{"file": "betas.npy", "sha256": "0" * 64}]}
    responses = Responses(data, {"stimulus": ["a", "b"]}, {"name": ["u", "v", "w"]}, meta=meta)
    return responses, Stimuli(["a", "b"], ["tree", "house"], "text")


class TestTheContractItself:
    """A data set that breaks one promise is noticed."""

    MINIATURE = Miniature(planted_write, "s1")

    def test_a_good_one_passes(self, tmp_path: Path) -> None:
        check_dataset(planted_load, self.MINIATURE, tmp_path)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda responses, stimuli: (responses, None), "Stimuli"),
            (lambda responses, stimuli: (responses.data, stimuli), "Recording or Responses"),
            (lambda responses, stimuli: (responses.replace(samples={"row": [0, 1]}), stimuli), "column `stimulus`"),
            (lambda responses, stimuli: (responses, stimuli.select(["a"])), "without an item"),
            (lambda responses, stimuli: (responses.replace(meta={"subject": "s1"}), stimuli), "their sha256"),
        ],
    )
    def test_a_bad_one_is_noticed(self, tmp_path: Path, spoil: Any, message: str) -> None:
        def load(root: Path, subject: str) -> Any:
            return spoil(*planted_load(root, subject))

        with pytest.raises(AssertionError, match=message):
            check_dataset(load, self.MINIATURE, tmp_path)

    def test_a_file_left_behind(self, tmp_path: Path) -> None:
        def load(root: Path, subject: str) -> Any:
            loaded = planted_load(root, subject)
            (root / "cache.npy").write_bytes(b"")
            return loaded

        with pytest.raises(AssertionError, match="must not write"):
            check_dataset(load, self.MINIATURE, tmp_path)

    def test_manifests(self, tmp_path: Path) -> None:
        good = (ROOT / "data_manifests" / "haxby2001.yaml").read_text(encoding="utf-8")
        path = tmp_path / "haxby2001.yaml"
        path.write_text(good, encoding="utf-8")
        check_manifest(path)
        path.write_text(good.replace("no sha256", "nothing"), encoding="utf-8")
        with pytest.raises(AssertionError, match="no hashes"):
            check_manifest(path)
        path.write_text(good.replace("licence:", "license:"), encoding="utf-8")
        with pytest.raises(FormatError, match="licence"):
            check_manifest(path)
