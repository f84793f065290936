"""THINGS-EEG2 (Gifford et al. 2022): ten people see 16,740 images of objects in rapid succession (EEG)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neurodecode.data import Recording, Responses, Stimuli
from neurodecode.data.convert_mne import with_montage
from neurodecode.data.validate import check_option
from neurodecode.datasets._things_eeg2_files import (
    Data,
    ImageList,
    Part,
    convert_file,
    image_list,
    open_plain,
    part_file,
    sources,
    subject_folder,
)
from neurodecode.datasets.folders import existing_root
from neurodecode.datasets.shown import files_or_words, in_words
from neurodecode.errors import CorruptFileError, FormatError

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

TARGET = 99999  # code of the trials on which people pressed a button
MONTAGE = "standard_1005"


def load(
    root: str | Path,
    subject: str,
    *,
    data: Data = "preprocessed",
    part: Part = "training",
    session: int | str = 1,
    images: str | Path | None = None,
    converted: str | Path | None = None,
    verify: bool = True,
    manifest: Manifest | None = None,
) -> tuple[Recording | Responses, Stimuli]:
    """Open one part of a subject.

    Parameters
    ----------
    root : str or Path
        Folder with ``eeg_dataset/`` and ``image_set/`` as the authors' code lays them out, or with the folders ``sub-XX``
        themselves and ``image_metadata.npy``.
    subject : str
        "01" to "10".
    data : {"preprocessed", "raw"}
        Epochs as the authors (17 channels, 100 Hz) or others (63 channels, 250 Hz) made them, or one session as recorded.
    part : {"training", "test"}
        16,540 images four times each, or 200 images of other concepts 80 times each.
    session : int or str
        1 to 4; raw data only.
    images : str or Path, optional
        Folder with ``training_images/`` and ``test_images/``, by default where ``image_metadata.npy`` lies. Where it is left out
        and there are no images, the stimuli are words.
    converted : str or Path, optional
        Where `convert` wrote to, by default `root`.
    verify : bool
        Compare the sha256 of the plain copies.
    manifest : Manifest, optional
        What is expected, by default the manifest of the data set.

    Returns
    -------
    signal : Responses or Recording
        A memory map. Of preprocessed data the samples have ``stimulus`` (name of the image), ``concept``, ``split`` (train or
        test), ``subject`` and ``repeat``; values are whitened, without a unit. The authors shuffled the repeats over sessions, so
        that there is no ``session``. Raw data are in V; of their events ``trial_type`` is training, test or target (where a
        button had to be pressed; without ``stimulus``), ``value`` the code.
    stimuli : Stimuli
        All images of the part, read when they are indexed, or their concepts in words.

    Raises
    ------
    DataError
        If there is no such subject or session.
    FormatError
        If the folder is another one, the pickles were not converted yet, or the data are not what the manifest expects.
    CorruptFileError
        If a file is damaged.
    """
    from neurodecode.datasets._catalogue import info
    from neurodecode.datasets.expectations import check_expectations

    check_option("data", data, ("preprocessed", "raw"))
    check_option("part", part, ("training", "test"))
    base = existing_root(root)
    folder, label = subject_folder(converted or base, subject, data)
    file = part_file(folder, data, part, session)
    signal, listed = open_plain(file, verify), image_list(base, part)
    role = "raw" if data == "raw" else f"preprocessed_{part}"
    signal = signal.replace(meta={**signal.meta, "subject": label, "role": role})
    told = (
        _with_events(signal, listed, part, file) if isinstance(signal, Recording) else _with_samples(signal, listed, part, file)
    )
    check_expectations(told, manifest or info("things_eeg2"), folder)
    return with_montage(told, MONTAGE), _stimuli(listed, images, part)


def convert(
    root: str | Path, subject: str, *, data: Data = "preprocessed", converted: str | Path | None = None, progress: bool = True
) -> list[Path]:
    """Make plain copies of the pickles of a subject, once.

    The published files are pickled dictionaries, which Python and numpy would execute. They are read by
    `neurodecode.io.plain_pickle.read_plain_pickle`, which cannot, and written as folders of `neurodecode.data.save` (float32
    ``data.npy`` that opens as a memory map, tables, ``meta.json``), block by block. The pickles are not needed any more then.

    Parameters
    ----------
    root : str or Path
        As in `load`.
    subject : str
        As in `load`.
    data : {"preprocessed", "raw"}
        Which files.
    converted : str or Path, optional
        Where to write, in the same layout; by default beside the pickles.
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    list of Path
        Folders of the copies; those of unchanged files are left as they are.

    Raises
    ------
    DataError
        If there is no such subject.
    FormatError
        If there are no such files, or one holds anything but plain data; nothing of it is executed.
    CorruptFileError
        If a file is cut off.
    DiskSpaceError
        If there is no room.
    """
    from tqdm.auto import tqdm

    check_option("data", data, ("preprocessed", "raw"))
    folder, label = subject_folder(root, subject, data)
    files = sources(folder, data)
    if not files:
        raise FormatError(folder, f"it has no pickles of {data} data", "Fetch them, and unpack them there")
    target = Path(root) if converted is None else Path(converted)
    folders = [target / file.relative_to(root).with_suffix("") for file in files]
    for file, copy in zip(tqdm(files, desc=f"converting sub-{label}", disable=not progress), folders, strict=True):
        convert_file(file, copy, label, data)
    return folders


def _with_samples(responses: Responses, listed: ImageList, part: Part, file: Path) -> Responses:
    """Names of the images for their numbers."""
    number = responses.samples["image"].to_numpy()
    n_images = int(number[-1]) + 1 if len(number) else 0
    if n_images != len(listed.ids):
        what = f"it has responses to {n_images} images, image_metadata.npy lists {len(listed.ids)} of the {part} part"
        raise FormatError(file, what, "Take both files from the same release")
    samples = pd.DataFrame(
        {
            "stimulus": np.array(listed.ids, object)[number],
            "concept": np.array(listed.concepts, object)[number],
            "split": "train" if part == "training" else "test",
            "subject": responses.meta["subject"],
            "repeat": responses.samples["repeat"],
        }
    )
    return responses.replace(samples=samples)


def _with_events(recording: Recording, listed: ImageList, part: Part, file: Path) -> Recording:
    """Names of the images for the codes of the events; code i + 1 is row i."""
    events = recording.events
    code = events["value"].to_numpy()
    target = code == TARGET
    wrong = code[~target & ((code < 1) | (code > len(listed.ids)))]
    if len(wrong):
        what = f"it has the code {wrong[0]}, image_metadata.npy lists {len(listed.ids)} images of the {part} part"
        raise CorruptFileError(file, what, "Take both files from the same release")
    row = np.where(target, -1, code - 1)
    named = {
        "trial_type": np.where(target, "target", part),
        "stimulus": np.array([*listed.ids, None], object)[row],
        "concept": np.array([*listed.concepts, None], object)[row],
    }
    repeat = events.groupby("value").cumcount()
    return recording.replace(events=events.assign(**named, repeat=repeat))


def _stimuli(listed: ImageList, images: str | Path | None, part: Part) -> Stimuli:
    table = pd.DataFrame({"id": listed.ids, "concept": listed.concepts, "file": [path.name for path in listed.paths]})
    paths = listed.paths
    if images is not None:
        paths = [Path(images) / f"{part}_images" / path.parent.name / path.name for path in paths]
    there = images is not None or any(path.parent.parent.is_dir() for path in paths[:1])
    return files_or_words(table, [in_words(concept) for concept in listed.concepts], paths if there else None, "image")
