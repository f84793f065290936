"""Generators from folders on this machine."""

from __future__ import annotations

from pathlib import Path

from neurodecode.errors import FormatError
from neurodecode.generate.protocol import Generator
from neurodecode.generate.storage import CONFIG, load_tiny

_PIPELINE = "model_index.json"
_GIVE = "Give the folder that TinyDiffusion.save wrote"


def load_generator(folder: str | Path) -> Generator:
    """Open a generator in a local folder; nothing is ever downloaded.

    Parameters
    ----------
    folder : str or Path
        What `TinyDiffusion.save` wrote.

    Returns
    -------
    Generator
        Ready to generate, on the CPU.

    Raises
    ------
    FormatError
        If there is no such folder, or it holds another kind of model.
    CorruptFileError
        If a file is missing, cut short or altered.
    """
    path = Path(folder)
    if not path.is_dir():
        raise FormatError(path, "there is no such folder, and ids of a hub are not looked up", _GIVE)
    if (path / _PIPELINE).is_file():
        raise FormatError(path, f"it holds a pipeline of diffusers ({_PIPELINE}), which this release does not open", _GIVE)
    if not (path / CONFIG).is_file():
        raise FormatError(path, f"there is no {CONFIG}, so this is no folder of a generator", _GIVE)
    return load_tiny(path)
