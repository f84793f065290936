"""Plain data in pickles: dictionaries, lists, texts, numbers and numpy arrays, read without executing anything.

A pickle is a program for a small stack machine, and Python's own reader runs whatever it names. Here the machine knows only the
instructions that plain data need, the only names it accepts are those of numpy's arrays (`neurodecode.io.pickle_values.ALLOWED`),
and even these are not called: arrays are described, checked, and opened as memory maps of the file. A length is compared with
the file before anything is allocated.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.guard import AGAIN, existing_file, reading
from neurodecode.io.pickle_values import ALLOWED, Allowed, Damage, Finisher, Raw, call, set_state

_MOST_STEPS = 10_000_000  # instructions; names of a hundred thousand images take a million
_LONGEST_NAME = 200
_HARM = "Do not open it with pickle or numpy, for it may have been made to do harm; ask its authors for plain .npy files"
_BROKEN = (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error, RecursionError)
_NUMPY = b"\x93NUMPY"


def read_plain_pickle(path: str | Path) -> Any:
    """Read plain data from a pickle, or from an .npy file that holds one.

    Parameters
    ----------
    path : str or Path
        A pickle of protocol 3 to 5, or what ``numpy.save`` makes of a dictionary.

    Returns
    -------
    object
        Dictionaries, lists, tuples, texts, numbers, and read-only arrays; those of more than a kilobyte are memory maps.

    Raises
    ------
    FormatError
        If there is no such file, it is no pickle, it names anything but numpy's arrays, or uses an instruction that plain data
        do not need; the message says which.
    CorruptFileError
        If it is cut off or its parts do not fit together.
    """
    file = existing_file(path)
    start = _start(file)
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        machine = _Machine(content, start, file)
        try:
            return Finisher(content, partial(_mapped, content, file)).finish(machine.run())
        except _BROKEN as error:
            what = f"its parts do not fit together at byte {machine.position} ({type(error).__name__}: {error!s:.200})"
            raise CorruptFileError(file, what, AGAIN) from error


def _start(file: Path) -> int:
    """First byte of the pickle."""
    with open(file, "rb") as opened:
        if opened.read(len(_NUMPY)) != _NUMPY:
            return 0
        opened.seek(0)
        with reading(file, "its header cannot be read"):
            version = np.lib.format.read_magic(opened)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            *_, type_ = read(opened)
        if not type_.hasobject:
            raise FormatError(file, f"it is a plain array of type {type_}, expected a dictionary", "Open it with numpy.load")
        return opened.tell()


def _mapped(content: mmap.mmap, file: Path, type_: np.dtype[Any], start: int, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    """Numbers of the file: a few are copied, many stay where they are."""
    size = int(np.prod(shape, dtype=object)) * type_.itemsize
    if size <= 1024:
        flat = np.frombuffer(content[start : start + size], type_) if size else np.zeros(0, type_)
        return flat.reshape(shape, order=order)
    return np.memmap(file, type_, "r", start, shape, order)


class _Machine:
    """The stack machine.

    Parameters
    ----------
    content : bytes-like
        The whole file.
    start : int
        First byte of the program.
    path : Path
        The file, for messages.
    """

    def __init__(self, content: Any, start: int, path: Path) -> None:
        self.content, self.position, self.path = content, start, path
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Run to the end, which must be that of the file, and give the one value that is left."""
        for _ in range(_MOST_STEPS):
            code = self._take(1)
            if code == b".":
                return self._result()
            if code not in _INSTRUCTIONS:
                what = f"it holds the instruction {code!r} at byte {self.position - 1}, which no pickle of plain data needs"
                raise FormatError(self.path, what, _HARM)
            _INSTRUCTIONS[code](self)
        raise FormatError(self.path, f"it has more than {_MOST_STEPS} instructions", _HARM)

    def _result(self) -> Any:
        if self.position != len(self.content) or self.marks or len(self.stack) != 1:
            rest = len(self.content) - self.position
            raise Damage(f"it ends with {len(self.stack)} values and {rest} bytes left")
        return self.stack[0]

    # arguments

    def _take(self, size: int) -> bytes:
        """The next bytes."""
        raw = self._skip(size)
        return bytes(self.content[raw.start : raw.stop])

    def _skip(self, size: int) -> Raw:
        """Pass over bytes, which must be there."""
        start = self.position
        if size > len(self.content) - start:
            raise Damage(f"{size} bytes are announced, the file ends after {len(self.content) - start}")
        self.position = start + size
        return Raw(start, self.position)

    def number(self, form: str) -> Any:
        """A number of fixed width, as `struct` describes it."""
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def raw(self, form: str) -> Raw:
        """As many bytes as a number says."""
        return self._skip(self.number(form))

    def text(self, form: str) -> str:
        """As many bytes of UTF-8 as a number says."""
        return self._take(self.number(form)).decode("utf-8", "surrogatepass")

    def line(self) -> str:
        """Text up to the end of the line."""
        end = self.content.find(b"\n", self.position, self.position + _LONGEST_NAME)
        if end < 0:
            raise Damage(f"no line of a name ends within {_LONGEST_NAME} bytes")
        return self._take(end + 1 - self.position)[:-1].decode("ascii")

    # effects

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take the uppermost value."""
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """Take all values since the last mark."""
        values, self.stack = self.stack, self.marks.pop()
        return values

    def mark(self) -> None:
        """Begin a collection of values."""
        self.marks.append(self.stack)
        self.stack = []

    def extend(self, values: list[Any]) -> None:
        """Append values to the list below them."""
        if type(self.stack[-1]) is not list:
            raise Damage(f"values are appended to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(values)

    def update(self, pairs: list[Any]) -> None:
        """Set keys and values, one after the other, of the dictionary below them."""
        if type(self.stack[-1]) is not dict or len(pairs) % 2:
            raise Damage(f"{len(pairs)} keys and values are set of a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))

    def name(self, module: Any, name: Any) -> None:
        """Put an allowed name on the stack."""
        if (module, name) not in ALLOWED:
            what = f"it asks for {module!s:.80}.{name!s:.80}, which is none of the names that plain arrays need"
            raise FormatError(self.path, what, _HARM)
        self.push(Allowed(ALLOWED[module, name]))

    def tuple_of(self, size: int) -> None:
        """Join the uppermost values."""
        if len(self.stack) < size:
            raise Damage(f"a tuple of {size} is made of {len(self.stack)} values")
        self.stack[-size:] = [tuple(self.stack[-size:])]

    def remember(self, key: int) -> None:
        """Keep the uppermost value under a number."""
        self.memo[key] = self.stack[-1]


Instruction = Callable[[_Machine], Any]


def _reduce(machine: _Machine) -> None:
    arguments = machine.pop()
    machine.push(call(machine.pop(), arguments))


def _build(machine: _Machine) -> None:
    state = machine.pop()
    set_state(machine.stack[-1], state)


def _stack_name(machine: _Machine) -> None:
    name = machine.pop()
    machine.name(machine.pop(), name)


def _setitem(machine: _Machine) -> None:
    value = machine.pop()
    machine.update([machine.pop(), value])


_INSTRUCTIONS: dict[bytes, Instruction] = {
    b"\x80": lambda m: m.number("<B"),  # protocol
    b"\x95": lambda m: m.number("<Q"),  # length of a frame, which only helps those who read ahead
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"\x8a": lambda m: m.push(int.from_bytes(m._take(m.number("<B")), "little", signed=True)),
    b"G": lambda m: m.push(m.number(">d")),
    b"\x8c": lambda m: m.push(m.text("<B")),
    b"X": lambda m: m.push(m.text("<I")),
    b"\x8d": lambda m: m.push(m.text("<Q")),
    b"C": lambda m: m.push(m.raw("<B")),
    b"B": lambda m: m.push(m.raw("<I")),
    b"\x8e": lambda m: m.push(m.raw("<Q")),
    b"\x96": lambda m: m.push(m.raw("<Q")),
    b"(": lambda m: m.mark(),
    b"]": lambda m: m.push([]),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.since_mark()),
    b"}": lambda m: m.push({}),
    b"s": _setitem,
    b"u": lambda m: m.update(m.since_mark()),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"h": lambda m: m.push(m.memo[m.number("<B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"c": lambda m: m.name(m.line(), m.line()),
    b"\x93": _stack_name,
    b"R": _reduce,
    b"b": _build,
}
