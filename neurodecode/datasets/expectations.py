"""What a manifest expects of a recording, checked on every load."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.data import Recording, Responses
from neurodecode.datasets.manifest import Expect, Manifest
from neurodecode.errors import FormatError


def check_expectations(
    signal: Recording | Responses, manifest: Manifest, root: str | Path, *, leave_out: Collection[str] = ()
) -> None:
    """Compare a recording with the ``expect`` block of its manifest.

    Parameters
    ----------
    signal : Recording or Responses
        As it was read, with ``meta["sources"]``.
    manifest : Manifest
        What it must be.
    root : str or Path
        Folder of the data set, for the message.
    leave_out : collection of str
        Fields of ``expect`` that do not apply, e.g. the shape where a mask was given.

    Raises
    ------
    FormatError
        Naming the file, and what was expected and what came. Known issues of the manifest may waive a check for their files.
    """
    files = [str(source.get("file", "")) for source in signal.meta.get("sources", [])]
    waived = {name for issue in manifest.known_issues for name in issue.waives if any(fnmatchcase(f, issue.files) for f in files)}
    for name, check in _CHECKS.items():
        fault = None if name in waived or name in leave_out else check(signal, manifest.expect)
        if fault is not None:
            where = Path(root) / files[0] if files else Path(root)
            remedy = f"Compare it with `neurodecode datasets verify {manifest.id}`, and fetch it again"
            raise FormatError(where, f"{manifest.id} {manifest.version} has {fault}", remedy)


def _shape(signal: Recording | Responses, expect: Expect) -> str | None:
    known = expect.shape.get(str(signal.meta.get("modality")))
    wanted = expect.shape.get(str(signal.meta.get("role")), known)
    got = tuple(signal.data.shape)
    if wanted is None or (len(wanted) == len(got) and all(w in (None, g) for w, g in zip(wanted, got, strict=True))):
        return None
    return f"shape {tuple('any' if w is None else w for w in wanted)}, got {got}"


def _sfreq(signal: Recording | Responses, expect: Expect) -> str | None:
    if expect.sfreq is None or not isinstance(signal, Recording) or np.isclose(signal.sfreq, expect.sfreq, rtol=1e-4):
        return None
    return f"a sampling rate of {expect.sfreq:g} Hz, got {signal.sfreq:g} Hz"


def _events(signal: Recording | Responses, expect: Expect) -> str | None:
    table = signal.events if isinstance(signal, Recording) else signal.samples
    return _counts("events", expect.n_events, table.get("trial_type", ()))


def _channels(signal: Recording | Responses, expect: Expect) -> str | None:
    table = signal.channels if isinstance(signal, Recording) else signal.units
    return _counts("channels", expect.channel_kinds, table.get("kind", ()))


def _samples(signal: Recording | Responses, expect: Expect) -> str | None:
    wanted = expect.n_samples_per_subject
    if wanted is None or not isinstance(signal, Responses) or len(signal) == wanted:
        return None
    return f"{wanted} samples per subject, got {len(signal)}"


def _counts(what: str, wanted: Mapping[str, int], values: Any) -> str | None:
    """The first kind whose number is another one."""
    names = [str(value) for value in values]
    wrong = {name: names.count(name) for name, n in wanted.items() if names.count(name) != n}
    return next((f"{wanted[name]} {what} {name!r}, got {n}" for name, n in wrong.items()), None)


_CHECKS: dict[str, Any] = {
    "shape": _shape,
    "sfreq": _sfreq,
    "n_events": _events,
    "channel_kinds": _channels,
    "n_samples_per_subject": _samples,
}
