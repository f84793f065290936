"""What a pickle of plain data builds: arrays, scalars and containers, put together without calling anything that it names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CORES = ("numpy.core", "numpy._core")  # before and since numpy 2
ALLOWED = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    **{(f"{core}.multiarray", "_reconstruct"): "blank" for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): "scalar" for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): "filled" for core in _CORES},
}
_TYPES = re.compile(r"b1|[iu][1248]|f[248]|[SU]\d{1,6}|O8?")
_MOST_DIMS = 32
_DEEPEST = 20


class Damage(ValueError):
    """What does not fit together inside a pickle."""


@dataclass(eq=False)
class Allowed:
    """A name on the list of allowed ones; it stands for one of numpy's functions and calls none."""

    name: str
    """What it is called here: ndarray, dtype, blank, scalar or filled."""


@dataclass(eq=False)
class Raw:
    """Bytes that stay in the file."""

    start: int
    """First byte."""
    stop: int
    """One after the last."""


@dataclass(eq=False)
class Type:
    """A type of numpy under construction."""

    code: str
    """As numpy writes it without byte order, e.g. f8 or U12."""
    order: str = "|"
    """Byte order."""

    def finished(self) -> np.dtype[Any]:
        """The type."""
        return np.dtype(object) if self.code.startswith("O") else np.dtype(self.order + self.code)


@dataclass(eq=False)
class Array:
    """An array under construction."""

    shape: tuple[int, ...] | None = None
    """Lengths, once they are known."""
    type: Type | None = None
    """Type of the values."""
    fortran: bool = False
    """Whether the first axis varies fastest."""
    values: Raw | list[Any] | None = None
    """Bytes, or the objects of an array of objects."""


def call(target: Any, arguments: Any) -> Any:
    """What one of the allowed names gives for arguments.

    Parameters
    ----------
    target : object
        What is called; nothing but an `Allowed` can be.
    arguments : object
        A tuple of values.

    Returns
    -------
    Array, Type or scalar
        Under construction, or a number or text.

    Raises
    ------
    Damage
        If numpy would not have written such a call.
    """
    if not isinstance(target, Allowed) or not isinstance(arguments, tuple) or target.name not in _CALLS:
        raise Damage(f"{type(target).__name__} cannot be called")
    return _CALLS[target.name](*arguments)


def _type(code: Any, *_: Any) -> Type:
    if not isinstance(code, str) or not _TYPES.fullmatch(code):
        raise Damage(f"the type {code!r:.40} is none of plain numbers, texts and objects")
    return Type(code)


def _blank(owner: Any, *_: Any) -> Array:
    if not isinstance(owner, Allowed) or owner.name != "ndarray":
        raise Damage("only arrays of numpy itself can be built")
    return Array()


def _filled(values: Any, type_: Any, shape: Any, order: Any = "C") -> Array:
    array = Array()
    set_state(array, (1, shape, type_, order == "F", values))
    return array


@dataclass(eq=False)
class Scalar:
    """One number or text of numpy."""

    type: Type
    """Its type."""
    value: Raw
    """Its bytes."""


def _scalar(type_: Any, value: Any) -> Scalar:
    if not isinstance(type_, Type) or not isinstance(value, Raw):
        raise Damage("a scalar has no type and bytes")
    return Scalar(type_, value)


_CALLS: dict[str, Any] = {"dtype": _type, "blank": _blank, "filled": _filled, "scalar": _scalar}


def set_state(target: Any, state: Any) -> None:
    """Complete an array or a type that was begun.

    Parameters
    ----------
    target : Array or Type
        What was begun; it is changed.
    state : tuple
        As numpy writes it.

    Raises
    ------
    Damage
        If numpy would not have written such a state.
    """
    if not isinstance(state, tuple):
        raise Damage(f"a state is a {type(state).__name__}, expected a tuple")
    if isinstance(target, Type):
        _set_type(target, state)
    elif isinstance(target, Array):
        _set_array(target, *state)
    else:
        raise Damage(f"{type(target).__name__} has no state")


def _set_type(target: Type, state: tuple[Any, ...]) -> None:
    if len(state) < 5 or state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
        raise Damage("a type has fields or inner types, expected plain numbers, texts or objects")
    target.order = str(state[1])


def _set_array(target: Array, version: Any, shape: Any, type_: Any, fortran: Any, values: Any) -> None:
    good = version == 1 and isinstance(shape, tuple) and isinstance(type_, Type) and isinstance(values, (Raw, list))
    if not good or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > _MOST_DIMS:
        raise Damage(f"an array has the shape {shape!r:.60} and values of kind {type(values).__name__}")
    target.shape, target.type, target.fortran, target.values = shape, type_, bool(fortran), values


# --- finished values -----------------------------------------------------------------------------------------------


class Finisher:
    """Turns what was built into plain values; arrays of numbers stay in the file.

    Parameters
    ----------
    content : bytes-like
        The whole file.
    mapped : callable
        ``mapped(dtype, start, shape, order)`` opens numbers of the file as a memory map.
    """

    def __init__(self, content: Any, mapped: Any) -> None:
        self._content, self._mapped = content, mapped
        self._done: dict[int, Any] = {}
        self._open: set[int] = set()

    def finish(self, value: Any, depth: int = 0) -> Any:
        """Finish a value and what is inside it; what occurs twice is finished once.

        Parameters
        ----------
        value : object
            As it was built.
        depth : int
            How many containers are around it.

        Returns
        -------
        object
            None, bool, int, float, str, bytes, list, tuple, dict or array.

        Raises
        ------
        Damage
            If a container holds itself, more than 20 are inside each other, or an array does not fit its bytes.
        """
        if value is None or type(value) in (bool, int, float, str):
            return value
        key = id(value)
        if key in self._done:
            return self._done[key]
        if key in self._open or depth > _DEEPEST:
            raise Damage(f"a {type(value).__name__} holds itself, or more than {_DEEPEST} containers are inside each other")
        self._open.add(key)
        self._done[key] = self._finished(value, depth + 1)
        return self._done[key]

    def _finished(self, value: Any, depth: int) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(self.finish(item, depth) for item in value)
        if isinstance(value, dict):
            return {_key(key): self.finish(item, depth) for key, item in value.items()}
        if isinstance(value, Raw):
            return bytes(self._content[value.start : value.stop])
        if isinstance(value, Scalar):
            return self._numbers(value.type.finished(), value.value, (), False).item()
        if isinstance(value, Array):
            return self._array(value, depth)
        raise Damage(f"a {type(value).__name__} stands where a value is expected")

    def _array(self, value: Array, depth: int) -> Any:
        if value.shape is None or value.type is None:
            raise Damage("an array was begun and not completed")
        type_, values = value.type.finished(), value.values
        if isinstance(values, Raw):
            return self._numbers(type_, values, value.shape, value.fortran)
        if isinstance(values, list) and type_.hasobject and len(value.shape) < 2:
            return self._objects(values, value.shape, depth)
        raise Damage(f"an array of type {type_} and shape {value.shape} holds a {type(values).__name__}")

    def _numbers(self, type_: np.dtype[Any], values: Raw, shape: tuple[int, ...], fortran: bool) -> NDArray[Any]:
        size = values.stop - values.start
        if type_.hasobject or math.prod(shape) * type_.itemsize != size:
            raise Damage(f"an array of type {type_} and shape {shape} has {size} bytes")
        array: NDArray[Any] = self._mapped(type_, values.start, shape, "F" if fortran else "C")
        return array

    def _objects(self, values: Sequence[Any], shape: tuple[int, ...], depth: int) -> Any:
        """The one object of an array without axes, or a list."""
        if len(values) != math.prod(shape):
            raise Damage(f"an array of objects of shape {shape} holds {len(values)}")
        items = [self.finish(item, depth) for item in values]
        return items if shape else items[0]


def _key(key: Any) -> Any:
    if type(key) not in (str, int):
        raise Damage(f"a dictionary has a {type(key).__name__} as key, expected texts or whole numbers")
    return key
