"""What of a public M/EEG data set lies in a folder: the recordings that `load` opens, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from neurodecode.data.store import MARKER
from neurodecode.data.validate import check_option
from neurodecode.datasets._things_eeg2_files import image_metadata, part_file, subject_folders
from neurodecode.datasets.brennan2019 import WORDS
from neurodecode.datasets.folders import chosen, existing_root
from neurodecode.datasets.plain_copies import copy_of
from neurodecode.datasets.things_meg import EPOCHS, epoch_files
from neurodecode.errors import FormatError
from neurodecode.io.bids_search import find_recordings
from neurodecode.io.bids_tables import recording_files


class Part(NamedTuple):
    """What one call of `load` opens."""

    name: str
    """E.g. ``sub-01_ses-0_task-0``."""
    subject: str
    """Label of the subject, as `load` takes it."""
    options: dict[str, Any]
    """What else `load` takes, e.g. ``{"session": "0", "story": "0"}``."""
    files: tuple[Path, ...]
    """Files that are read, sounds among them; images are not."""


def parts(id: str, root: str | Path, *, data: str = "raw", subjects: Sequence[str] | None = None) -> list[Part]:
    """List what of a data set lies in a folder.

    Parameters
    ----------
    id : str
        ``"meg_masc"``, ``"mous"`` (listeners), ``"brennan2019"``, ``"broderick2018"``, ``"things_meg"`` or ``"things_eeg2"``.
    root : str or Path
        Folder of the data set.
    data : {"raw", "preprocessed"}
        Of images: recordings, or the epochs that were published.
    subjects : sequence of str, optional
        Labels, with or without ``sub-``; by default all.

    Returns
    -------
    list of Part
        In the order of their names; at least one.

    Raises
    ------
    DataError
        If the data set is none of these, has no such data, or a subject is not there.
    FormatError
        If there is nothing in the folder.
    """
    check_option("data set", id, list(_FINDERS))
    finders = _FINDERS[id]
    check_option(f"data of {id}", data, list(finders))
    folder = existing_root(root)
    found = sorted(finders[data](folder), key=lambda part: part.name)
    if not found:
        raise FormatError(folder, f"it holds no {data} data of {id}", f"See `neurodecode datasets info {id}` for the layout")
    if subjects is None:
        return found
    known = list(dict.fromkeys(part.subject for part in found))
    asked = {chosen(label, known, "subject") for label in subjects}
    return [part for part in found if part.subject in asked]


def _meg_masc(root: Path) -> Iterable[Part]:
    sounds = _sounds(root / "stimuli" / "audio")
    for group in find_recordings(root, question={"datatype": ("meg",)}):
        told = group[0].entities
        visit = f"sub-{told['sub']}_ses-{told['ses']}"
        heads = sorted(group[0].path.parent.glob(f"{visit}_acq-*_headshape.pos"))
        options = {"session": told["ses"], "story": told["task"]}
        yield Part(f"{visit}_task-{told['task']}", told["sub"], options, (*recording_files(group), *heads, *sounds))


def _mous(root: Path) -> Iterable[Part]:
    texts = [root / "stimuli" / "stimuli.txt", *sorted((root / "derivatives" / "phonemes").glob("*.TextGrid"))]
    sounds = _sounds(root / "stimuli" / "audio_files")
    for group in find_recordings(root, question={"datatype": ("meg",), "task": ("auditory",)}):
        told = group[0].entities
        run = {"run": told["run"]} if "run" in told else {}
        name = "_".join([f"sub-{told['sub']}", "task-auditory", *(f"run-{number}" for number in run.values())])
        yield Part(name, told["sub"], run, (*recording_files(group), *texts, *sounds))


def _brennan2019(root: Path) -> Iterable[Part]:
    shared = [root / WORDS, *_sounds(root / "audio")]
    for file in sorted(root.glob("S[0-9]*.mat")):
        yield Part(f"sub-{file.stem}", file.stem, {}, (file, root / "proc" / file.name, *shared))


def _broderick2018(root: Path) -> Iterable[Part]:
    home = root / "Natural Speech"
    for file in sorted(home.glob("EEG/Subject*/Subject*_Run*.mat")):
        run = file.stem.split("_Run")[-1]
        subject = file.parent.name.removeprefix("Subject")
        files = (file, home / "Stimuli" / "Text" / f"Run{run}.mat")
        yield Part(f"sub-{int(subject):02d}_run-{int(run):02d}", subject, {"run": run}, files)


def _things_meg_raw(root: Path) -> Iterable[Part]:
    tables = sorted((root / "sourcedata").glob("sample_attributes_P*.csv"))
    for group in find_recordings(root, question={"datatype": ("meg",), "task": ("main",)}):
        told = group[0].entities
        options = {"session": told["ses"], "run": told["run"]}
        name = f"sub-{told['sub']}_ses-{told['ses']}_run-{int(told['run']):02d}"
        yield Part(name, told["sub"], options, (*recording_files(group), *tables))


def _things_meg_epochs(root: Path) -> Iterable[Part]:
    for table in sorted((root / "sourcedata").glob("sample_attributes_P*.csv")):
        number = table.stem.rsplit("_P", 1)[-1]
        epochs = root / EPOCHS.format(number)
        files = [path for path in (*epoch_files(epochs), copy_of(epochs) / MARKER) if path.is_file()]
        if files:
            yield Part(f"sub-BIGMEG{number}", f"BIGMEG{number}", {"data": "preprocessed"}, (table, *files))


def _things_eeg2_epochs(root: Path) -> Iterable[Part]:
    for folder in subject_folders(root, "preprocessed"):
        pickles = [part_file(folder, "preprocessed", part, 1) for part in ("training", "test")]
        files = [path for file in pickles for path in (file, copy_of(file) / MARKER) if path.is_file()]
        if files:
            label = folder.name.removeprefix("sub-")
            yield Part(folder.name, label, {"data": "preprocessed"}, (*files, *image_metadata(root)))


def _sounds(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.wav"))


_FINDERS: dict[str, dict[str, Callable[[Path], Iterable[Part]]]] = {
    "meg_masc": {"raw": _meg_masc},
    "mous": {"raw": _mous},
    "brennan2019": {"raw": _brennan2019},
    "broderick2018": {"raw": _broderick2018},
    "things_meg": {"raw": _things_meg_raw, "preprocessed": _things_meg_epochs},
    "things_eeg2": {"preprocessed": _things_eeg2_epochs},
}
