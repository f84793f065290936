"""THINGS-MEG (Hebart et al. 2023): four people see 22,448 images of 1,854 object concepts (MEG, OpenNeuro ds004212)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording, Responses, Stimuli
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_option
from neurodecode.datasets._things_meg_trials import attributes_file, read_trials, with_trials
from neurodecode.datasets.plain_copies import copy_of, has_copy, is_current, open_copy, origin, write_responses
from neurodecode.datasets.shown import files_or_words, in_words
from neurodecode.errors import FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest
    from neurodecode.io.fif_epochs import FifEpochs

EPOCHS = "derivatives/preprocessed/preprocessed_P{}-epo.fif"


def load(
    root: str | Path,
    subject: str,
    *,
    data: Literal["raw", "preprocessed"] = "raw",
    session: int | str = 1,
    run: int | str = 1,
    images: str | Path | None = None,
    converted: str | Path | None = None,
    verify: bool = True,
    manifest: Manifest | None = None,
) -> tuple[Recording | Responses, Stimuli]:
    """Open one run as it was recorded, or all trials of a subject as the authors preprocessed them.

    Parameters
    ----------
    root : str or Path
        Folder that ``datasets.fetch("things_meg", root=...)`` wrote.
    subject : str
        "1" to "4" (also "BIGMEG1" and so on).
    data : {"raw", "preprocessed"}
        CTF recordings at 1200 Hz, or epochs at 200 Hz from -0.1 to 1.3 s (0.1 to 40 Hz, z-scored by the baseline).
    session : int or str
        1 to 12; raw data only.
    run : int or str
        1 to 10; raw data only.
    images : str or Path, optional
        Folder of the THINGS images, with one folder per concept; they need a password that the THINGS initiative gives. Without
        it the stimuli are words.
    converted : str or Path, optional
        Where `convert` wrote to, by default `root`. Preprocessed data that were not converted are read into memory (8 GB).
    verify : bool
        Compare the sha256 of the plain copy.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    signal : Recording or Responses
        Raw data in T, unread until used: the onsets of its events are those of the optical sensor (``sample`` of the files; the
        logged ones, ``onset_logged``, differ by some 150 ms). Preprocessed data without a unit, a memory map once they are
        converted. Both have ``stimulus`` (name of the image), ``concept``, ``split`` (train, or test: 200 images shown 12
        times), ``test_concept`` (whether the test set has the concept too, so that a split without common concepts can leave it
        out), ``repeat`` and ``trial_type`` (exp, test, catch). Catch trials have no stimulus.
    stimuli : Stimuli
        All images that the subject saw, read when they are indexed, or their concepts in words.

    Raises
    ------
    DataError
        If there is no such subject, session or run.
    FormatError
        If the folder is no BIDS data set, tables of trials and recordings do not fit each other, or data are not what the
        manifest expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    check_option("data", data, ("raw", "preprocessed"))
    table, number = attributes_file(root, subject)
    trials = read_trials(table)
    if data == "raw":
        signal: Recording | Responses = _run(Path(root), number, session, run, trials, table)
    else:
        signal = _epochs(Path(root), converted, number, trials, table, verify)
    check_expectations(signal, manifest or info("things_meg"), root)
    return signal, _stimuli(trials, images)


def convert(root: str | Path, subject: str, *, converted: str | Path | None = None, progress: bool = True) -> Path:
    """Make a plain copy of the preprocessed epochs of a subject, which opens as a memory map.

    Parameters
    ----------
    root : str or Path
        As in `load`.
    subject : str
        As in `load`.
    converted : str or Path, optional
        Where to write, in the same layout; by default beside the epochs.
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    Path
        Folder of the copy; that of an unchanged file is left as it is.

    Raises
    ------
    DataError
        If there is no such subject.
    FormatError
        If there are no such epochs.
    CorruptFileError
        If the file is damaged.
    DiskSpaceError
        If there is no room.
    """
    from neurodecode.io.fif_epochs import open_epochs

    table, number = attributes_file(root, subject)
    name = EPOCHS.format(number)
    file, folder = Path(root) / name, copy_of(Path(converted or root) / name)
    if not (file.is_file() and is_current(file, folder)):
        epochs = open_epochs(file)
        samples = _samples(read_trials(table), epochs.shape[0], number, table)
        meta = {**_meta(epochs.first, file, number), "converted": origin(file, name)["converted"]}
        blocks = _told(epochs, f"converting P{number}", progress)
        write_responses(folder, epochs.shape, blocks, samples, _units(epochs.first), _times(epochs.first), meta)
    return folder


def epoch_files(file: Path) -> list[Path]:
    """A file of preprocessed epochs, and those that it goes on in where it was split."""
    return [file, *sorted(file.parent.glob(f"{file.stem}-*.fif"))]


def _run(root: Path, number: str, session: Any, run: Any, trials: pd.DataFrame, table: Path) -> Recording:
    """A raw run with its events."""
    from neurodecode.io import read_bids

    recording = read_bids(root, subject=f"BIGMEG{number}", session=_two(session), task="main", run=run, datatype="meg")
    mine = trials[(trials["session_nr"] == int(recording.meta["session"])) & (trials["run_nr"] == int(recording.meta["run"]))]
    return with_trials(recording, mine, table)


def _two(session: Any) -> str:
    """Sessions are written with two digits."""
    text = str(session).removeprefix("ses-")
    return f"{int(text):02d}" if text.isdecimal() else text


def _epochs(root: Path, converted: str | Path | None, number: str, trials: pd.DataFrame, table: Path, verify: bool) -> Responses:
    """The preprocessed epochs: their plain copy, or read into memory."""
    from neurodecode.io.fif_epochs import open_epochs

    name = EPOCHS.format(number)
    copy = Path(converted or root) / name
    if has_copy(copy):
        opened: Responses = open_copy(copy, verify, "Run neurodecode.datasets.things_meg.convert(root, subject) again")
        return opened
    epochs = open_epochs(root / name)
    samples = _samples(trials, epochs.shape[0], number, table)
    data, row = np.empty(epochs.shape, np.float32), 0
    for block in epochs.blocks:
        data[row : row + len(block)] = block
        row += len(block)
    return Responses(data, samples, _units(epochs.first), _times(epochs.first), _meta(epochs.first, root / name, number))


def _told(epochs: FifEpochs, what: str, progress: bool) -> Iterator[NDArray[np.float32]]:
    """The blocks, with a bar that counts epochs."""
    from tqdm.auto import tqdm

    with tqdm(total=epochs.shape[0], desc=what, disable=not progress) as bar:
        for block in epochs.blocks:
            yield block
            bar.update(len(block))


def _samples(trials: pd.DataFrame, n_epochs: int, number: str, table: Path) -> pd.DataFrame:
    """One row per epoch."""
    if len(trials) != n_epochs:
        what = f"it has {len(trials)} trials, the preprocessed file {n_epochs} epochs"
        raise FormatError(table, what, "Take both from the same version of the data set")
    return trials.assign(subject=f"BIGMEG{number}", session=trials["session_nr"], run=trials["run_nr"])


def _units(first: Responses) -> pd.DataFrame:
    """Sensors; z-scores have no unit."""
    return first.units.assign(unit="a.u.")


def _times(first: Responses) -> NDArray[np.float64]:
    assert first.times is not None
    return first.times


def _meta(first: Responses, file: Path, number: str) -> dict[str, Any]:
    """What is known of the epochs; a file that was split has several sources."""
    parts = epoch_files(file)
    named = [{"file": f"derivatives/preprocessed/{part.name}", "sha256": sha256_file(part)} for part in parts]
    return {**first.meta, "subject": f"BIGMEG{number}", "role": "preprocessed", "sources": named}


def _stimuli(trials: pd.DataFrame, images: str | Path | None) -> Stimuli:
    """Every image that was shown, once."""
    shown = trials[trials["stimulus"].notna()].drop_duplicates("stimulus")
    table = shown[["stimulus", "concept", "split", "things_image_nr"]].rename(columns={"stimulus": "id"}).reset_index(drop=True)
    words = [in_words(concept) for concept in table["concept"]]
    if images is None:
        return files_or_words(table, words, None, "image")
    endings = shown["image_path"].astype(str).str.rsplit("/").str[-1]
    paths = [Path(images) / concept / name for concept, name in zip(table["concept"], endings, strict=True)]
    return files_or_words(table, words, paths, "image")
