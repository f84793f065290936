"""Opening a recording with MNE: which reader, with which defaults, and which files it consists of."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neurodecode.data import LazySignal
from neurodecode.data.convert_mne import from_mne
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import require
from neurodecode.errors import FormatError
from neurodecode.io.checksums import check_known
from neurodecode.io.meeg_lengths import brainvision_files, check_brainvision_names, cnt_names, has_mixed_rates
from neurodecode.io.mne_calls import check_options, consistent, guarded, mne_reading
from neurodecode.io.outside import check_links

READERS = {
    "fif": ("read_raw_fif", (".fif", ".fif.gz")),
    "edf": ("read_raw_edf", (".edf",)),
    "bdf": ("read_raw_bdf", (".bdf",)),
    "gdf": ("read_raw_gdf", (".gdf",)),
    "brainvision": ("read_raw_brainvision", (".vhdr", ".ahdr")),
    "eeglab": ("read_raw_eeglab", (".set",)),
    "cnt": ("read_raw_cnt", (".cnt",)),
    "ant": ("read_raw_ant", (".cnt",)),
    "kit": ("read_raw_kit", (".sqd", ".con")),
    "snirf": ("read_raw_snirf", (".snirf",)),
    "ctf": ("read_raw_ctf", (".ds",)),
    "mff": ("read_raw_egi", (".mff",)),
    "mef": ("read_raw_mef", (".mefd",)),
    "mne": ("read_raw", ()),
}
_ALONE = ("fif", "edf", "bdf", "gdf", "cnt", "ant", "kit", "snirf")  # formats in one file, which may have any name
_PATH_OPTIONS = ("mrk", "elp", "hsp")


def finished(obj: Any, file: Path, files: list[Path], notes: list[str], *, strict: bool) -> Any:
    """Our object of an MNE object, with its sources and notes."""
    with mne_reading(file, strict=strict), consistent(file):
        result = from_mne(obj)
    meta = {**result.meta, "sources": sources(files, file.parent)}
    if notes:
        meta["notes"] = [*notes]
    if isinstance(result.data, LazySignal):
        return result.replace(data=guarded(result.data, file, files, strict=strict), meta=meta)
    return result.replace(meta=meta)


def sources(files: list[Path], root: Path) -> list[dict[str, str]]:
    """Name below `root` and sha256 of each file, which must be the known one."""
    return [{"file": _name(file, root), "sha256": sha256_file(check_known(file))} for file in files]


def _name(file: Path, root: Path) -> str:
    place, base = file.absolute(), root.absolute()
    return place.relative_to(base).as_posix() if place.is_relative_to(base) else file.name


# --- opening -------------------------------------------------------------------------------------------------------


def open_mne(file: Path, kind: str, options: Mapping[str, Any]) -> Any:
    """The MNE object of a file, unread where its format allows that."""
    mne = require("mne", "reading M/EEG", "meeg")
    name, endings = READERS[kind]
    reader = getattr(mne.io, name)
    if kind != "mne":
        check_options(reader, options, f"mne.io.{name}")
    given = {"preload": must_preload(file, kind), **defaults(file, kind), **options, "verbose": "warning"}
    if not endings or file.is_dir() or file.name.lower().endswith(endings):
        return _call(mne, reader, file, kind, given)
    if kind not in _ALONE:
        raise FormatError(file, f"its content is {kind}, its name does not end in {' or '.join(endings)}", "Rename all its files")
    return _call_renamed(file, endings, lambda link: _call(mne, reader, link, kind, given))


def check_before(file: Path, kind: str) -> None:
    """Refuse a file that names files outside of its folder, before MNE opens them."""
    if kind == "brainvision":
        check_brainvision_names(file)
    elif kind in ("eeglab", "snirf"):
        check_links(file)


def _call(mne: Any, reader: Any, file: Path, kind: str, given: Mapping[str, Any]) -> Any:
    try:
        return reader(file, **given)
    except (ValueError, TypeError) as error:
        if "No raw data in" in str(error) or "It must be 1 for raw files" in str(error):
            return _open_epochs(mne, file, kind, error)
        raise


def _call_renamed(file: Path, endings: tuple[str, ...], call: Callable[[Path], Any]) -> Any:
    """Open a file through a link with an ending that MNE accepts; the link lives as long as the object."""
    folder = tempfile.mkdtemp(prefix="neurodecode-")
    link = Path(folder) / f"{file.stem}{endings[-1] if _is_gzip(file) else endings[0]}"
    try:
        link.symlink_to(file.resolve())
        obj = call(link)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(obj, shutil.rmtree, folder, ignore_errors=True)
    return obj


def defaults(file: Path, kind: str) -> dict[str, Any]:
    """Options that give channels named EOG, ECG or EMG these kinds, in the formats that do not state kinds."""
    if kind == "eeglab":
        return {"eog": "auto"}
    kinds = ("EOG", "ECG", "EMG")
    if kind == "cnt" and not all(any(name in channel.upper() for name in kinds) for channel in cnt_names(file)):
        return {name.lower(): "auto" for name in kinds}  # MNE fails where no EEG channel is left
    return {}


def must_preload(file: Path, kind: str) -> bool:
    """Channels of lower rates are resampled in the stretch that is read: only the whole recording gives the same values."""
    return kind == "gdf" or (kind in ("edf", "bdf") and has_mixed_rates(file))


def _open_epochs(mne: Any, file: Path, kind: str, error: Exception) -> Any:
    """Epochs of a file that holds no continuous data."""
    if kind == "eeglab":
        return mne.io.read_epochs_eeglab(file, verbose="warning")
    try:
        return mne.read_epochs(file, preload=True, proj=False, verbose="warning")
    except ValueError:
        raise error from None


def _is_gzip(file: Path) -> bool:
    with open(file, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def files_of(obj: Any, file: Path, kind: str, options: Mapping[str, Any]) -> list[Path]:
    """All files that a recording consists of, the one the user passed first."""
    if file.is_dir():
        return sorted(part for part in file.rglob("*") if part.is_file())
    parts = brainvision_files(file) if kind == "brainvision" else []
    parts += [Path(name).absolute() for name in getattr(obj, "filenames", ()) if name is not None]
    parts += [Path(options[name]).absolute() for name in _PATH_OPTIONS if isinstance(options.get(name), (str, Path))]
    different = {part.resolve(): part for part in reversed([file, *parts])}  # a link and its target are one file
    return [part for part in [file, *parts] if different[part.resolve()] is part]
