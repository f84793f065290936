"""A full or forbidden disk, told by the file that found no room."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodecode.errors import DiskSpaceError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def free_bytes(path: Path) -> int:
    """Bytes that are free where a path is, or will be."""
    whole = path.absolute()
    return shutil.disk_usage(next(p for p in [whole, *whole.parents] if p.exists())).free


@contextmanager
def room(target: Path) -> Iterator[None]:
    """Say which file found no room, or may not be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        what = f"{target}: it cannot be written ({error.strerror}; {free_bytes(target)} bytes are free)"
        raise DiskSpaceError(f"{what}. Free some space or choose another folder, and run the same command again") from error
