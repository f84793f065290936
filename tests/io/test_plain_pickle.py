"""Plain data in pickles: what numpy and pickle wrote comes back equal, arrays stay in the file, and damage is named."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.io.plain_pickle import read_plain_pickle

EEG: dict[str, Any] = {
    "preprocessed_eeg_data": np.random.default_rng(0).standard_normal((5, 4, 3, 10)),
    "ch_names": ["Pz", "P3", "Oz"],
    "times": np.linspace(-0.2, 0.79, 10),
    "sfreq": 1000,
    "highpass": 0.01,
    "offset": -70000,
    "count": 2**40,
    "nothing": None,
    "flags": (True, False),
    "names": np.array(["ab", "ä"]),
    "codes": np.array(["x", "yz"], dtype=object),
    "letters": [np.str_("Fp1"), np.float32(0.5), np.int64(3), np.bool_(True)],
    "big": np.arange(6, dtype=">i4").reshape(2, 3),
    "turned": np.asfortranarray(np.arange(400.0).reshape(20, 20)),
    "empty": np.zeros((0, 3)),
}


def same(ours: Any, theirs: Any) -> None:
    """Equal values of equal kinds; scalars of numpy come as those of Python, arrays of objects as lists."""
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            same(ours[key], value)
    elif isinstance(theirs, np.ndarray) and theirs.dtype != object:
        assert ours.dtype == theirs.dtype
        assert not ours.flags.writeable or ours.size == 0
        np.testing.assert_array_equal(ours, theirs)
    elif isinstance(theirs, (list, tuple, np.ndarray)):
        assert len(ours) == len(theirs)
        for mine, yours in zip(ours, theirs, strict=True):
            same(mine, yours)
    else:
        assert type(ours) is type(theirs.item() if isinstance(theirs, np.generic) else theirs)
        assert ours == theirs or theirs != theirs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "preprocessed_eeg_training.npy"


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_plain_pickle(protocol: int, file: Path) -> None:
    file.write_bytes(pickle.dumps(EEG, protocol=protocol))
    same(read_plain_pickle(file), EEG)


def test_what_numpy_saves(file: Path) -> None:
    np.save(file, EEG, allow_pickle=True)  # type: ignore[arg-type]
    same(read_plain_pickle(file), EEG)


def test_names_of_numpy_before_version_2(file: Path) -> None:
    old = pickle.dumps(EEG["times"], protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy._core" not in old
    file.write_bytes(old)
    same(read_plain_pickle(file), EEG["times"])


def test_large_arrays_stay_in_the_file(file: Path) -> None:
    np.save(file, EEG, allow_pickle=True)  # type: ignore[arg-type]
    data = read_plain_pickle(file)["preprocessed_eeg_data"]
    assert isinstance(data, np.memmap)
    assert Path(str(data.filename)) == file
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 0


def test_what_occurs_twice_is_one(file: Path) -> None:
    names = ["a", "b"]
    file.write_bytes(pickle.dumps([names, names, {"x": names}], protocol=4))
    first, second, third = read_plain_pickle(file)
    assert first is second is third["x"]


@pytest.mark.parametrize("length", [1, 10, 60, 200, 1000, -1])
@pytest.mark.parametrize("saved", [True, False])
def test_cut_off(length: int, saved: bool, file: Path) -> None:
    if saved:
        np.save(file, EEG, allow_pickle=True)  # type: ignore[arg-type]
    else:
        file.write_bytes(pickle.dumps(EEG, protocol=4))
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises((CorruptFileError, FormatError), match="preprocessed_eeg_training"):
        read_plain_pickle(file)


def test_more_after_the_end(file: Path) -> None:
    file.write_bytes(pickle.dumps(EEG, protocol=4) + b"x")
    with pytest.raises(CorruptFileError, match="1 bytes left"):
        read_plain_pickle(file)


def test_a_plain_array(file: Path) -> None:
    np.save(file, np.arange(3.0))
    with pytest.raises(FormatError, match=r"plain array of type float64.*numpy\.load"):
        read_plain_pickle(file)


@pytest.mark.parametrize(
    "value", [{1.5: 0}, {(1, 2): 0}, {1, 2}, 1j, np.array([1j]), np.zeros(1, [("a", "f4")]), np.array([["a"]], object)]
)
def test_what_is_not_plain(value: Any, file: Path) -> None:
    file.write_bytes(pickle.dumps(value, protocol=4))
    with pytest.raises(FormatError):
        read_plain_pickle(file)


def test_a_list_that_holds_itself(file: Path) -> None:
    inner: list[Any] = []
    inner.append([inner])
    file.write_bytes(pickle.dumps(inner, protocol=4))
    with pytest.raises(CorruptFileError, match="holds itself"):
        read_plain_pickle(file)


def test_a_hundred_lists_inside_each_other(file: Path) -> None:
    value: Any = 1
    for _ in range(100):
        value = [value]
    file.write_bytes(pickle.dumps(value, protocol=4))
    with pytest.raises(CorruptFileError, match="inside each other"):
        read_plain_pickle(file)


ARRAYS = hnp.arrays(
    st.sampled_from(["<f4", ">f8", "<i2", "u1", "?", "<U5", "S3"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(max_size=300)
    | st.binary(max_size=300)
    | ARRAYS
)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=PLAIN, protocol=st.integers(3, 5))
def test_any_plain_value(value: Any, protocol: int, file: Path) -> None:
    file.write_bytes(pickle.dumps(value, protocol=protocol))
    same(read_plain_pickle(file), value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), protocol=st.integers(3, 5))
def test_any_changed_byte_is_read_or_refused(position: int, byte: int, protocol: int, file: Path) -> None:
    small = {"a": EEG["times"], "b": EEG["letters"], "c": EEG["codes"]}
    content = bytearray(pickle.dumps(small, protocol=protocol))
    content[position % len(content)] = byte
    file.write_bytes(bytes(content))
    assert str(file) in (complaint(file) or str(file))


def complaint(file: Path) -> str | None:
    """What a documented error says; any other passes on and fails the test."""
    try:
        read_plain_pickle(file)
    except FormatError as error:
        return str(error)
    return None
