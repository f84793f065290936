"""What is saved comes back to the bit, and what is damaged is refused by name."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodecode.data import Intervals, LazySignal, Recording, Responses, SpikeTrains, Stimuli, load, save
from neurodecode.data import store as store_module
from neurodecode.data.tsv import read_table, write_table
from neurodecode.errors import CorruptFileError, DataError, DiskSpaceError, FormatError, NeurodecodeError, OutputExistsError

META = {"subject": "01", "space": {"name": "native", "affine": [[1.0, 0.0], [0.5, 2.0]]}, "steps": [{"step": "x", "k": None}]}


def a_recording() -> Recording:
    data = np.arange(12, dtype=np.float32).reshape(3, 4)
    data[1, 2] = np.nan
    channels = pd.DataFrame(
        {"name": ["Fz", "Cz", "Pz"], "kind": "eeg", "unit": "V", "x": [0.1, np.nan, -1e-17], "bad": [False, True, False]}
    )
    events = pd.DataFrame({"onset": [0.1, 0.3], "trial_type": ["fäce", "tab\there"], "value": [3, 4]})
    return Recording(data, 1 / 0.72, channels, events, t0=-0.36, valid=Intervals([0, 1], [0.5, 2]), meta=META)


def some_responses() -> Responses:
    samples = pd.DataFrame({"stimulus": ["a", None], "run": [1, 2], "correct": [True, False]})
    return Responses(np.ones((2, 3, 2)), samples, {"name": ["u", "v", "w"]}, [-0.1, 0.1], META)


def flat_responses() -> Responses:
    return Responses(np.ones((3, 1)), pd.DataFrame(index=range(3)), {"name": ["u"]})


def some_spikes() -> SpikeTrains:
    return SpikeTrains([1.0, 2.0, 2.5], [0, 1, 0], {"name": ["a", "b"]}, {"onset": [1.5]}, Intervals(0, 4), META)


def images() -> Stimuli:
    return Stimuli(
        ["a", "b"], [np.full((4, 5, 3), i, np.uint8) for i in range(2)], "image", pd.DataFrame({"licence": ["x", "y"]})
    )


def sounds() -> Stimuli:
    items = [(np.ones(4, np.float32), 16000), (np.zeros((4, 2), np.float32), 44100.0)]
    return Stimuli(["a", "b"], items, "audio")


def texts() -> Stimuli:
    return Stimuli(["a", "b", "c"], ["two\r\nlines\n", "", "ünïcode \u2028 end"], "text")


def videos() -> Stimuli:
    return Stimuli(["a"], [np.zeros((2, 4, 5, 3), np.uint8)], "video")


OBJECTS = [a_recording, some_responses, flat_responses, some_spikes, images, sounds, texts, videos]


def assert_equal(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    for name, value in vars(a).items():
        other = getattr(b, name)
        if name.startswith("_") or name == "items":
            continue
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, other, check_dtype=False, check_exact=True)
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other)
        else:
            assert value == other, name
    if isinstance(a, Stimuli):
        assert [a.digest(i) for i in range(len(a))] == [b.digest(i) for i in range(len(b))]


@pytest.fixture(params=OBJECTS, ids=lambda make: make.__name__)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save(request.param(), tmp_path / "saved")


class TestRoundTrip:
    @pytest.mark.parametrize("make", OBJECTS)
    @pytest.mark.parametrize("verify", [True, False])
    def test_everything_comes_back(self, make: Callable[[], Any], tmp_path: Path, verify: bool) -> None:
        folder = save(make(), tmp_path / "deep" / "object")
        assert folder == tmp_path / "deep" / "object"
        assert_equal(load(folder, verify=verify), make())
        assert [p.name for p in folder.parent.iterdir()] == ["object"]

    @pytest.mark.parametrize("make", OBJECTS)
    def test_twice_gives_the_same_bytes(self, make: Callable[[], Any], tmp_path: Path) -> None:
        one, two = save(make(), tmp_path / "1"), save(load(save(make(), tmp_path / "0")), tmp_path / "2")
        files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
        assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
        for name in files:
            assert (one / name).read_bytes() == (two / name).read_bytes(), name

    def test_data_open_as_a_memory_map(self, tmp_path: Path) -> None:
        loaded = load(save(a_recording(), tmp_path / "r"))
        assert isinstance(loaded.data, np.memmap)
        assert "not in memory" in repr(loaded)
        with pytest.raises(ValueError, match="read-only"):
            loaded.data[0, 0] = 1

    def test_a_loaded_object_can_be_saved_over_itself(self, tmp_path: Path) -> None:
        folder = save(a_recording(), tmp_path / "r")
        changed = load(folder).with_step("again", {})
        assert_equal(load(save(changed, folder)), changed)

    def test_a_lazy_signal_is_written_block_by_block(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data, log = np.arange(60, dtype=np.float32).reshape(3, 20), []

        def read(start: int, stop: int) -> np.ndarray:
            log.append(stop - start)
            return data[:, start:stop]

        monkeypatch.setattr(store_module, "_BLOCK_BYTES", 100)  # eight samples of three channels
        lazy = Recording(LazySignal(read, data.shape), 10, {"name": list("abc")})
        loaded = load(save(lazy, tmp_path / "r"))
        np.testing.assert_array_equal(loaded.data, data)
        assert log == [8, 8, 4]

    def test_a_lazy_signal_without_samples(self, tmp_path: Path) -> None:
        lazy = Recording(LazySignal(lambda a, b: np.zeros((2, b - a)), (2, 0)), 10, {"name": list("ab")})
        assert load(save(lazy, tmp_path / "r")).n_times == 0

    def test_stored_items_are_read_when_used(self, tmp_path: Path) -> None:
        loaded = load(save(images(), tmp_path / "s"))
        shutil.rmtree(tmp_path / "s" / "items")
        assert len(loaded.select(["b"])) == 1
        with pytest.raises(FileNotFoundError):
            _ = loaded["b"]

    def test_empty_objects(self, tmp_path: Path) -> None:
        nothing = Responses(np.zeros((0, 1)), pd.DataFrame({"stimulus": []}), {"name": ["u"]})
        assert load(save(nothing, tmp_path / "a")).samples.columns.tolist() == ["stimulus"]
        assert load(save(SpikeTrains([], [], {"name": []}), tmp_path / "b")).n_units == 0
        assert len(load(save(Stimuli([], [], "text"), tmp_path / "c"))) == 0
        no_times = Recording(np.zeros((1, 0)), 1, {"name": ["a"]})
        assert len(load(save(no_times, tmp_path / "d")).valid) == 0

    def test_marker_is_written_last_and_lists_every_file(self, saved: Path) -> None:
        header = json.loads((saved / "meta.json").read_text())
        files = {p.relative_to(saved).as_posix() for p in saved.rglob("*") if p.is_file()}
        assert set(header["members"]) == files - {"meta.json"}
        for name, expected in header["members"].items():
            content = (saved / name).read_bytes()
            assert expected == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


# --- tables ------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda text: text != "n/a")
NASTY = st.sampled_from(
    ["", " ", "\t", "\n", "\r", "\r\n", '"', "'", "a\tb", 'q"q', "#", "NaN", "NA", "None", "1e5", "True", "\ufeff"]
)
COLUMNS = {
    "text": st.one_of(TEXT, NASTY),
    "text or nothing": st.one_of(TEXT, NASTY, st.none()),
    "float": st.floats(),
    "int": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "nothing": st.none(),
}


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(0, 5))
    names = draw(st.lists(st.one_of(TEXT, NASTY), max_size=4, unique=True))
    kinds = [draw(st.sampled_from(sorted(COLUMNS))) for _ in names]
    columns = {name: draw(st.lists(COLUMNS[kind], min_size=n, max_size=n)) for name, kind in zip(names, kinds, strict=True)}
    return pd.DataFrame(columns, index=pd.RangeIndex(n))


class TestTables:
    @given(tables())
    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_any_table_comes_back(self, tmp_path: Path, table: pd.DataFrame) -> None:
        types = write_table(tmp_path / "t.tsv", table)
        again = read_table(tmp_path / "t.tsv", types)
        assert again.columns.tolist() == table.columns.tolist()
        assert len(again) == len(table)
        for name, kind in types.items():
            if kind == "str":
                assert again[name].isna().tolist() == table[name].isna().tolist()
                assert again[name].dropna().tolist() == table[name].dropna().tolist()
            else:
                np.testing.assert_array_equal(again[name].to_numpy(), table[name].to_numpy())
                assert again[name].dtype == table[name].dtype

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            (np.array([0.1, 1 / 3], np.float32), "float"),
            (np.array([2**64 - 1, 0], np.uint64), "uint"),
            (np.array([-1, 1], np.int16), "int"),
            (pd.array([1, 2], dtype="Int64"), "int"),
            (pd.array([1, None], dtype="Int64"), "float"),
            (pd.array([True, False], dtype="boolean"), "bool"),
            (pd.Categorical(["x", "y"]), "str"),
            (pd.array(["x", None], dtype="string"), "str"),
            (pd.Series([1, 2], dtype=object), "int"),
            (pd.Series([1, 2.5], dtype=object), "float"),
            (pd.Series([True, False], dtype=object), "bool"),
            (pd.Series([None, None], dtype=object), "str"),
        ],
    )
    def test_types_of_pandas_and_numpy(self, tmp_path: Path, values: Any, kind: str) -> None:
        table = pd.DataFrame({"c": values})
        types = write_table(tmp_path / "t.tsv", table)
        assert types == {"c": kind}
        again = read_table(tmp_path / "t.tsv", types)["c"]
        assert again.isna().tolist() == table["c"].isna().tolist()
        assert again.dropna().tolist() == table["c"].dropna().tolist()

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (pd.to_datetime(["2020-01-01"]), "column 'c' holds datetime"),
            ([[1, 2]], r"column 'c' holds mixed values, e.g. \[1, 2\]"),
            (pd.Series(["a", 1], dtype=object), "column 'c' holds mixed-integer values, e.g. 1"),
            (pd.Series([True, None], dtype=object), "column 'c' holds boolean values"),
            (np.array([1j]), "column 'c' holds complex"),
            (pd.Series([2**70], dtype=object), "column 'c' holds whole numbers beyond 64 bits"),
            (pd.Series(["\ud800"], dtype=object), "t.tsv holds a text that UTF-8 cannot write"),
        ],
    )
    def test_what_cannot_be_written_is_named(self, tmp_path: Path, values: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            write_table(tmp_path / "t.tsv", pd.DataFrame({"c": values}))

    def test_the_bids_word_for_missing_is_missing(self, tmp_path: Path) -> None:
        types = write_table(tmp_path / "t.tsv", pd.DataFrame({"c": ["n/a", "x"]}))
        assert read_table(tmp_path / "t.tsv", types)["c"].isna().tolist() == [True, False]

    def test_other_programs_can_read_it(self, tmp_path: Path) -> None:
        write_table(tmp_path / "t.tsv", pd.DataFrame({"name": ["a", None], "x": [1.5, np.nan]}))
        assert (tmp_path / "t.tsv").read_text() == "name\tx\na\t1.5\nn/a\tn/a\n"


# --- damage ------------------------------------------------------------------------------------------------------


def members(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def reseal(folder: Path, change: Callable[[dict], object]) -> None:
    """Rewrite a marker as a forger would who knows how it is sealed."""
    header = json.loads((folder / "meta.json").read_text())
    header.pop("seal")
    change(header)
    (folder / "meta.json").write_text(store_module._marker_text(header))


class TestDamage:
    @pytest.mark.parametrize("make", OBJECTS)
    def test_every_one_of_a_hundred_changed_bytes_is_noticed(
        self, make: Callable[[], Any], tmp_path: Path, rng: np.random.Generator
    ) -> None:
        folder = save(make(), tmp_path / "saved")
        files = [p for p in members(folder) if p.stat().st_size]
        for _ in range(100):
            path = files[rng.integers(len(files))]
            whole = path.read_bytes()
            at = int(rng.integers(len(whole)))
            changed = bytes([whole[at] ^ int(rng.integers(1, 256))])
            path.write_bytes(whole[:at] + changed + whole[at + 1 :])
            with pytest.raises(CorruptFileError) as caught:
                load(folder)
            assert path.name in str(caught.value)
            assert "restore" in caught.value.remedy
            path.write_bytes(whole)
        load(folder)

    def test_every_byte_of_the_marker_counts(self, tmp_path: Path) -> None:
        folder = save(flat_responses(), tmp_path / "saved")
        whole = (folder / "meta.json").read_bytes()
        for at in range(len(whole)):
            for replacement in (b"\n", b" ", b"E", bytes([whole[at] ^ 0x20])):
                if replacement != whole[at : at + 1]:
                    (folder / "meta.json").write_bytes(whole[:at] + replacement + whole[at + 1 :])
                    with pytest.raises(CorruptFileError, match="meta.json"):
                        load(folder, verify=False)

    def test_a_short_or_missing_member_is_noticed_without_reading_all(self, saved: Path) -> None:
        for path in members(saved):
            whole = path.read_bytes()
            for damage in {whole[:-1], whole + b"\0"} - {whole}:
                path.write_bytes(damage)
                with pytest.raises(CorruptFileError, match=path.name):
                    load(saved, verify=False)
            path.unlink()
            with pytest.raises(FormatError, match=path.name):
                load(saved, verify=False)
            path.write_bytes(whole)

    def test_a_folder_that_is_not_finished_or_not_ours(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="there is no meta.json, so this is not a finished neurodecode folder"):
            load(tmp_path)
        with pytest.raises(FormatError, match="no meta.json"):
            load(tmp_path / "nowhere")
        for foreign in ("{}", "[]", "3", '{"format": "anndata", "members": {}}'):
            (tmp_path / "meta.json").write_text(foreign)
            with pytest.raises(FormatError, match="was not written by neurodecode"):
                load(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "\x00", '{"a": 1', "[" * 100_000])
    def test_a_marker_that_is_no_json(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "meta.json").write_text(text)
        with pytest.raises(CorruptFileError, match="meta.json: it is not readable JSON"):
            load(tmp_path)

    def test_a_newer_version_says_what_to_do(self, saved: Path) -> None:
        reseal(saved, lambda header: header.update(version=2))
        with pytest.raises(FormatError, match="version 2, this neurodecode reads 1. Update neurodecode") as caught:
            load(saved)
        assert not isinstance(caught.value, CorruptFileError)

    def test_an_unknown_kind(self, saved: Path) -> None:
        reseal(saved, lambda header: header.update(kind="Recordin"))
        with pytest.raises(FormatError, match="kind 'Recordin' is unknown: did you mean 'Recording'"):
            load(saved)


class TestForgedMarker:
    """A marker with a correct seal gets no further than the folder it stands in, and never ends in a traceback."""

    @pytest.mark.parametrize(
        "name",
        ["../secret.npy", "/etc/hostname", "a/../../secret.npy", "..\\secret.npy", "C:/secret.npy", "./data.npy", "", "a//b"],
    )
    def test_names_outside_the_folder_are_refused(self, tmp_path: Path, name: str) -> None:
        folder = save(a_recording(), tmp_path / "saved")
        (tmp_path / "secret.npy").write_bytes(b"secret")
        recorded = {"bytes": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}
        reseal(folder, lambda header: header["members"].update({name: recorded}))
        with pytest.raises(CorruptFileError, match="is no member of a saved folder"):
            load(folder)

    def test_tables_outside_the_folder_are_refused(self, tmp_path: Path) -> None:
        folder = save(a_recording(), tmp_path / "saved")
        (tmp_path / "secret.tsv").write_text("name\nx\n")
        reseal(folder, lambda header: header["tables"].update({"../secret": {"name": "str"}}))
        with pytest.raises(CorruptFileError, match="expected the tables"):
            load(folder)

    @pytest.mark.parametrize("name", ["data.npy", "channels.tsv", "events.tsv", "valid.tsv"])
    def test_a_file_that_the_marker_does_not_vouch_for_is_not_opened(self, tmp_path: Path, name: str) -> None:
        folder = save(a_recording(), tmp_path / "saved")
        reseal(folder, lambda header: header["members"].pop(name))
        with pytest.raises(CorruptFileError, match=f"does not list the member '{name}'"):
            load(folder)

    def test_an_item_that_the_marker_does_not_vouch_for(self, tmp_path: Path) -> None:
        folder = save(images(), tmp_path / "saved")
        reseal(folder, lambda header: header["members"].pop("items/000001.npy"))
        with pytest.raises(CorruptFileError, match="items/000001.npy"):
            load(folder)

    def test_another_kind_is_refused(self, saved: Path) -> None:
        whole = (saved / "meta.json").read_text()
        for kind in {"Recording", "SpikeTrains", "Responses", "Stimuli"} - {json.loads(whole)["kind"]}:
            reseal(saved, lambda header, kind=kind: header.update(kind=kind))
            with pytest.raises(CorruptFileError):
                load(saved)
            (saved / "meta.json").write_text(whole)

    @pytest.mark.parametrize("junk", [None, 0, -1, "x", [], {}, [[1]], {"a": {"b": 1}}, 1e308, True])
    def test_nonsense_in_any_entry_is_a_corrupt_file(self, saved: Path, junk: Any) -> None:
        whole = (saved / "meta.json").read_text()
        for entry in sorted(set(json.loads(whole)) - {"seal", "format", "version", "kind", "meta"}):
            reseal(saved, lambda header, entry=entry: header.update({entry: junk}))
            try:
                load(saved)
            except NeurodecodeError as error:
                assert isinstance(error, CorruptFileError), entry  # noqa: PT017
            (saved / "meta.json").write_text(whole)

    def test_an_array_of_python_objects_is_not_unpickled(self, tmp_path: Path) -> None:
        folder = save(flat_responses(), tmp_path / "saved")
        np.save(folder / "data.npy", np.array([[print]], dtype=object), allow_pickle=True)
        self._vouch(folder, "data.npy")
        with pytest.raises(CorruptFileError, match="do not fit together"):
            load(folder)

    @pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00" + b"(" * 118, b"PK\x03\x04", b"\x80\x04."])
    def test_an_array_file_that_is_none(self, tmp_path: Path, content: bytes) -> None:
        folder = save(flat_responses(), tmp_path / "saved")
        (folder / "data.npy").write_bytes(content)
        self._vouch(folder, "data.npy")
        with pytest.raises(CorruptFileError, match="do not fit together"):
            load(folder)

    def test_members_that_contradict_each_other(self, tmp_path: Path) -> None:
        folder = save(a_recording(), tmp_path / "saved")
        np.save(folder / "data.npy", np.zeros((5, 4), np.float32))
        self._vouch(folder, "data.npy")
        with pytest.raises(CorruptFileError, match="channels has 3 rows, expected 5"):
            load(folder)

    @staticmethod
    def _vouch(folder: Path, name: str) -> None:
        content = (folder / name).read_bytes()
        recorded = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        reseal(folder, lambda header: header["members"].update({name: recorded}))


# --- writing -----------------------------------------------------------------------------------------------------


class TestSave:
    def test_a_folder_that_is_not_ours_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
        with pytest.raises(OutputExistsError, match="choose another name"):
            save(a_recording(), tmp_path / "thesis")
        assert [p.name for p in tmp_path.rglob("*")] == ["thesis", "chapter1.tex"]

    def test_an_older_object_is_replaced_whole(self, tmp_path: Path) -> None:
        save(images(), tmp_path / "x")
        assert_equal(load(save(a_recording(), tmp_path / "x")), a_recording())
        assert not (tmp_path / "x" / "items").exists()

    @pytest.mark.parametrize(
        ("thing", "message"),
        [
            ({"a": 1}, r"only \['Recording', 'Responses', 'SpikeTrains', 'Stimuli'\] can be saved, got dict"),
            (a_recording().replace(meta={"a": {1, 2}}), "meta must hold JSON values only"),
            (a_recording().replace(meta={"a": b"bytes"}), "meta must hold JSON values only"),
            (
                some_responses().replace(samples={"stimulus": ["a", {"b": 1}]}),
                "column 'stimulus' holds mixed values, e.g. {'b': 1}",
            ),
            (Stimuli(["a"], ["\ud800"], "text"), "stimulus text 000000 cannot be written in UTF-8"),
        ],
    )
    def test_what_cannot_be_saved_is_named_and_leaves_nothing(self, tmp_path: Path, thing: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            save(thing, tmp_path / "x")
        assert list(tmp_path.iterdir()) == []

    def test_numpy_values_and_nan_in_meta_become_json(self, tmp_path: Path) -> None:
        meta = {"n": np.int64(3), "x": np.nan, "shape": (2, 3), "affine": np.eye(2)}
        loaded = load(save(a_recording().replace(meta=meta), tmp_path / "x"))
        assert loaded.meta == {"n": 3, "x": None, "shape": [2, 3], "affine": [[1.0, 0.0], [0.0, 1.0]]}

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    @pytest.mark.parametrize("older", [True, False])
    def test_a_full_disk_leaves_the_older_object_or_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, older: bool
    ) -> None:
        if older:
            save(some_spikes(), tmp_path / "x")

        def full(*args: object, **options: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(np, "save", full)
        with pytest.raises(DiskSpaceError, match="x: no room to write"):
            save(a_recording(), tmp_path / "x")
        monkeypatch.undo()
        assert [p.name for p in tmp_path.iterdir()] == (["x"] if older else [])
        if older:
            assert_equal(load(tmp_path / "x"), some_spikes())

    def test_a_limit_on_file_size_is_no_success(self, tmp_path: Path) -> None:
        code = """
import resource, signal, sys
import numpy as np
from neurodecode.data import Recording, save
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
save(Recording(np.zeros((10, 10_000)), 100, {"name": list("abcdefghij")}), sys.argv[1])
"""
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert "OSError" in done.stderr
        assert list(tmp_path.iterdir()) == []
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000

    @pytest.mark.parametrize("step", [1, 2, 5, 8])
    def test_a_process_killed_at_any_write_leaves_no_object(self, tmp_path: Path, step: int) -> None:
        """The marker is the last file: whatever was written before the kill, nothing stands under the final name."""
        code = """
import os, signal, sys
import numpy as np
from neurodecode.data import atomic, store, Recording, save
left = int(sys.argv[2])
def counting(function):
    def counted(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)
    return counted
store._write_array = counting(store._write_array)
store.write_table = counting(store.write_table)
store._write_marker = counting(store._write_marker)
atomic._sync = counting(atomic._sync)
save(Recording(np.zeros((1, 10)), 100, {"name": ["a"]}), sys.argv[1])
"""
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x"), str(step)], check=False, capture_output=True)
        assert done.returncode == -9, done.stderr
        assert not (tmp_path / "x").exists()


@given(
    st.dictionaries(
        st.text(string.printable, max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_meta_of_json_values_comes_back(tmp_path: Path, meta: dict) -> None:
    assert load(save(a_recording().replace(meta=meta), tmp_path / "x")).meta == meta
