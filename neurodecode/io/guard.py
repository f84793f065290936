"""Turn what the field's readers raise on a damaged or missing file into our two errors."""

from __future__ import annotations

import binascii
import csv
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.parsers.expat import ExpatError

from neurodecode.errors import CorruptFileError, FormatError, NeurodecodeError
from neurodecode.io.checksums import check_known

AGAIN = "Copy or download the file again, and compare its checksum with the one of its origin"
# What gzip, zlib, struct, expat and nibabel raise on bytes that are not what the header says; ImageFileError and the
# header errors of nibabel are plain Exceptions, so that they are recognised by the module they come from.
_LOW_LEVEL = (OSError, EOFError, zlib.error, binascii.Error, struct.error, ExpatError, ValueError, KeyError, IndexError)
_ALSO = (TypeError, AttributeError, OverflowError, AssertionError, RecursionError, csv.Error)


def existing_file(path: str | Path) -> Path:
    """Return the path of a file that is there, not empty and as its known checksum says, or say what is wrong with it."""
    file = Path(path)
    if file.is_symlink() and not file.exists():
        raise FormatError(file, "it is a link to content that is not on this machine", "Fetch it, e.g. with `datalad get`")
    if not file.exists():
        near = file.parent if file.parent.is_dir() else None
        where = f"The folder {near} exists, the file does not" if near else f"The folder {file.parent} does not exist either"
        raise FormatError(file, "there is no such file", f"{where}: check the path")
    if file.is_dir():
        raise FormatError(file, "this is a folder, expected a file", "Give the file itself, or use read_bids for a BIDS folder")
    if file.stat().st_size == 0:
        raise CorruptFileError(file, "the file is empty (0 bytes)", AGAIN)
    return check_known(file)


@contextmanager
def reading(path: str | Path, what: str = "it cannot be read", remedy: str = AGAIN) -> Iterator[None]:
    """Re-raise any low-level failure inside the block as an error that names the file.

    Parameters
    ----------
    path : str or Path
        The file that is being read.
    what : str
        What could not be done, without a full stop.
    remedy : str
        What the user can do about it.

    Raises
    ------
    FormatError
        If the file is missing or may not be opened.
    CorruptFileError
        If its bytes are not what its format demands.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError) as error:
        raise FormatError(path, f"it cannot be opened ({error.strerror})", "Check the path and its permissions") from error
    except NeurodecodeError:
        raise
    except (*_LOW_LEVEL, *_ALSO) as error:
        raise CorruptFileError(path, f"{what} ({_cause(error)})", remedy) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] != "nibabel":
            raise
        raise CorruptFileError(path, f"{what} ({_cause(error)})", remedy) from error


def _cause(error: Exception) -> str:
    """Type and text of an error on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
