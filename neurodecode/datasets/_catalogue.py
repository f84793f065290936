"""The data sets that come with the package: their names, manifests and loaders."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError

if TYPE_CHECKING:
    from neurodecode.data import Recording, Responses, Stimuli
    from neurodecode.datasets.manifest import Manifest


def manifest_folder() -> Path:
    """The folder of the manifests: in the wheel, or beside the source tree."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_data_manifests"
    return shipped if shipped.is_dir() else package.parent / "data_manifests"


def list() -> tuple[str, ...]:
    """Name the data sets that the package knows.

    Returns
    -------
    tuple of str
        Ids in alphabetical order.
    """
    return tuple(sorted(path.stem for path in manifest_folder().glob("*.yaml")))


def info(id: str) -> Manifest:
    """Read what is known about a data set.

    Parameters
    ----------
    id : str
        One of `list`.

    Returns
    -------
    Manifest
        Terms, files, what they must hold, and what is known to be wrong.

    Raises
    ------
    DataError
        If there is no such data set; the message names the closest.
    FormatError
        If the manifest is wrong.
    """
    from neurodecode.datasets.manifest import read_manifest

    return read_manifest(manifest_folder() / f"{_known(id)}.yaml")


def load(id: str, root: str | Path, subject: str, **options: Any) -> tuple[Recording | Responses, Stimuli]:
    """Load one recording of a data set.

    Parameters
    ----------
    id : str
        One of `list`.
    root : str or Path
        Folder that `fetch` wrote.
    subject : str
        Label, with or without ``sub-``.
    **options
        What the data set asks for besides: see ``neurodecode.datasets.ID.load``.

    Returns
    -------
    tuple of (Recording or Responses, Stimuli)
        The signal, and what its column ``stimulus`` names.

    Raises
    ------
    DataError
        If there is no such data set, subject or run.
    FormatError
        If the folder is another data set, or the recording is not what the manifest expects.
    """
    module = importlib.import_module(f"neurodecode.datasets.{_known(id)}")
    loaded: tuple[Recording | Responses, Stimuli] = module.load(root, subject, **options)
    return loaded


def _known(id: str) -> str:
    if id not in list():
        raise DataError(f"there is no data set {id!r}: {suggest(str(id), list())}")
    return id
