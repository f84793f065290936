"""Content hashes of files, arrays and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np


def sha256_file(path: str | Path) -> str:
    """Hash a file; the result is remembered as long as its size and modification time stay the same.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        The sha256 in hexadecimal digits.
    """
    status = Path(path).stat()
    return _sha256_file(str(Path(path).resolve()), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _sha256_file(path: str, size: int, mtime_ns: int) -> str:
    """Hash a file whose size and time of change are part of the memory's key."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_array(data: Any) -> str:
    """Hash the numbers of an array: shape and float32 values, whatever file they came from.

    Parameters
    ----------
    data : array_like
        Real numbers; a lazy signal is read.

    Returns
    -------
    str
        The sha256 in hexadecimal digits.
    """
    array = np.ascontiguousarray(data, dtype=np.float32)
    return hashlib.sha256(str(array.shape).encode() + array.tobytes()).hexdigest()


def sha256_json(value: Any) -> str:
    """Hash a JSON value in canonical form (sorted keys, no blanks).

    Parameters
    ----------
    value : JSON value
        Settings, for example.

    Returns
    -------
    str
        The sha256 in hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def jsonable(value: Any) -> Any:
    """Turn numpy numbers, arrays, paths and tuples into plain JSON values.

    Parameters
    ----------
    value : object
        A value, or mappings and lists of values.

    Returns
    -------
    JSON value
        NaN and infinities become None; what JSON does not know is passed on as it is.
    """
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
