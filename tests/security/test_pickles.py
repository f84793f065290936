"""Pickles made to do harm: none is executed, none fills the memory, each ends in an error that names file and fault."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.plain_pickle import read_plain_pickle


class Calls:
    """An object whose unpickling calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


class Updates:
    """An object that is made by one call and completed by a state."""

    def __init__(self, function: Callable[..., Any], arguments: Any, state: Any) -> None:
        self._parts = (function, arguments, state)

    def __reduce__(self) -> Any:
        return self._parts


@pytest.fixture(autouse=True)
def unmarked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No test may leave the mark."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob("mark"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "raw_eeg_test.npy"


TOUCH = Calls(os.system, "touch mark")
CALLS: dict[str, tuple[Any, str]] = {
    "system": (TOUCH, "system"),
    "inside a dictionary": ({"raw_eeg_data": np.zeros(3), "ch_names": [TOUCH]}, "system"),
    "as a key": ({TOUCH: 1}, "system"),
    "open": (Calls(open, "mark", "w"), "open"),
    "eval": (Calls(eval, "open('mark', 'w')"), "eval"),
    "exec": (Calls(exec, "open('mark', 'w')"), "exec"),
    "getattr": (Calls(getattr, "", "join"), "getattr"),
    "import": (Calls(builtins.__import__, "os"), "__import__"),
    "nested": (Calls(eval, Calls(str, TOUCH)), "eval|system|str"),
    "numpy.load": (Calls(np.load, "mark"), "load"),
    "numpy.memmap": (Calls(np.memmap, "mark", "u1", "w+", 0, (4,)), "memmap"),
    "numpy.fromfile": (Calls(np.fromfile, "mark"), "fromfile"),
    "a class of its own": (Path("mark"), "Path"),
    "an exception": (ValueError("x"), "ValueError"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_calls(name: str, protocol: int, file: Path) -> None:
    value, asked = CALLS[name]
    file.write_bytes(pickle.dumps(value, protocol=protocol))
    with pytest.raises(
        FormatError, match=rf"raw_eeg_test.*(asks for .*({asked}|unpickle_exception)|instruction).*made to do harm"
    ):
        read_plain_pickle(file)


@pytest.mark.parametrize("name", CALLS)
def test_calls_inside_an_array_file(name: str, file: Path) -> None:
    np.save(file, np.array([CALLS[name][0]], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="raw_eeg_test"):
        read_plain_pickle(file)


def test_the_pickles_are_live(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Calls(open, "lived", "w"))).close()  # noqa: S301  # on purpose: it is our own
    assert (tmp_path / "lived").exists()


# --- programs written by hand -----------------------------------------------------------------------------------------

NUMPY_ARRAY = b"cnumpy\nndarray\n"
BLANK = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n(\x8c\x02f8\x89\x88tR"
PROGRAMS: dict[str, bytes] = {
    "text protocol": b"cos\nsystem\n(S'touch mark'\ntR.",
    "instance": b"(S'touch mark'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nX\x0a\x00\x00\x00touch marko.",
    "new object": b"\x80\x02cos\nsystem\n\x8c\x0atouch mark\x85\x81.",
    "persistent": b"\x8c\x01xQ.",
    "extension": b"\x82\x01.",
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__class__\x93.",
    "module with a name inside": b"\x80\x04\x8c\x0cnumpy.memmap\x8c\x07ndarray\x93.",
    "a list as a module": b"\x80\x04]]\x93.",
    "called text": b"\x8c\x01x)R.",
    "called number": b"K\x01)R.",
    "called array": NUMPY_ARRAY + b")R.",
    "called with a list": BLANK + b"]R.",
    "array of another kind": BLANK + b"\x8c\x01x)C\x01b\x87R.",
    "type with a function as code": b"cnumpy\ndtype\ncnumpy\nndarray\n\x89\x88\x87R.",
    "type with fields": b"cnumpy\ndtype\n\x8c\x05f4,f4\x89\x88\x87R.",
    "state of a name": NUMPY_ARRAY + b"N}\x8c\x08__code__K\x01s\x86b.",
    "state of a list": b"]N}\x8c\x01xK\x01s\x86b.",
    "state of a dictionary": b"}}\x8c\x01xK\x01sb.",
    "append to a text": b"\x8c\x01xK\x01a.",
    "set in a list": b"]K\x01K\x02s.",
    "array without state": BLANK + NUMPY_ARRAY + b"K\x00\x85C\x01b\x87R.",
    "nothing": b".",
    "mark that stays open": b"(K\x01.",
    "mark that is not there": b"K\x01t.",
    "unknown memory": b"h\x05.",
    "negative length": BLANK + NUMPY_ARRAY + b"K\x00\x85C\x01b\x87R(K\x01J\xff\xff\xff\xff\x85" + DTYPE + b"\x89C\x00tb.",
    "name without an end": b"c" + b"a" * 5000,
    "number of 255 bytes": b"\x8a\xff" + b"\xff" * 255 + b"\x85" * 3,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str, file: Path) -> None:
    file.write_bytes(PROGRAMS[name])
    with pytest.raises(FormatError, match="raw_eeg_test"):
        read_plain_pickle(file)


def shaped(*shape: int, content: bytes = b"\0" * 8) -> bytes:
    """A program for an array of a shape over some bytes."""
    lengths = b"(" + b"".join(b"\x8a\x0a" + n.to_bytes(10, "little") for n in shape) + b"t"
    blank = BLANK + NUMPY_ARRAY + lengths + b"C\x01b\x87R"
    return blank + b"(K\x01" + lengths + DTYPE + b"\x89C" + bytes([len(content)]) + content + b"tb."


BOMBS: dict[str, bytes] = {
    "an array of 2**60 numbers": shaped(2**60),
    "lengths whose product is 2**64": shaped(2**32, 2**32),
    "lengths whose product is nothing": shaped(2**62, 0, 2**62, content=b""),
    "bytes that are not there": b"\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "text that is not there": b"\x8d" + struct.pack("<Q", 2**63) + b"x.",
    "a memory of four thousand million": b"]r\xff\xff\xff\xff0.",
    "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N",
    "lists of lists of lists": b"]" + b"q\x00" + b"".join(b"](h%ch%ce" % (i, i) + b"q%c" % (i + 1) for i in range(40)) + b"\x86.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_no_memory(name: str, file: Path) -> None:
    file.write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="raw_eeg_test"):
            read_plain_pickle(file)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_one_array_is_well_built(file: Path) -> None:
    """The hostile arrays above differ from a good one in what they are refused for."""
    file.write_bytes(shaped(1, content=struct.pack("<d", 2.5)))
    assert read_plain_pickle(file).tolist() == [2.5]


def test_a_laugh_of_lists_is_finished_once(file: Path) -> None:
    """Sixteen levels of a list that holds the one below twice: 65536 ends, 17 lists."""
    value: Any = [1]
    for _ in range(16):
        value = [value, value]
    file.write_bytes(pickle.dumps(value, protocol=4))
    found = read_plain_pickle(file)
    assert found[0] is found[1]


def test_too_many_instructions(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurodecode.io.plain_pickle._MOST_STEPS", 1000)
    file.write_bytes(b"N" * 2000 + b".")
    with pytest.raises(FormatError, match="more than 1000 instructions"):
        read_plain_pickle(file)


def test_a_header_that_is_code(file: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    file.write_bytes(buffer.getvalue().replace(b"{'descr': '<f8'", b"open('mark','w')"[:15]))
    with pytest.raises(CorruptFileError, match="header"):
        read_plain_pickle(file)
