"""Hash every output of a run again."""

from __future__ import annotations

from pathlib import Path

from neurodecode.data.leftovers import is_leftover
from neurodecode.data.store import MARKER, check_members, read_marker
from neurodecode.errors import CorruptFileError, FormatError
from neurodecode.pipeline.step import PROVENANCE, damaged_outputs, read_provenance


def verify(folder: str | Path) -> tuple[int, list[str]]:
    """Compare every recorded file below a folder with its sha256.

    Parameters
    ----------
    folder : str or Path
        Output of `run_pipeline`, or an object written by `neurodecode.data.save`.

    Returns
    -------
    n_files : int
        Files compared.
    wrong : list of str
        Files that are missing or altered, relative to `folder`.

    Raises
    ------
    FormatError
        If there is nothing to verify.
    """
    root = Path(folder)
    finished = sorted(path.parent for path in root.rglob(PROVENANCE) if not is_leftover(path.relative_to(root)))
    if not finished and (root / MARKER).is_file():
        return _verify_object(root)
    if not finished:
        raise FormatError(root, f"there is no {PROVENANCE} below it", "Pass the --out folder of a finished run")
    n_files, wrong = 0, []
    for part in finished:
        provenance = read_provenance(part)
        n_files += len(provenance["outputs"])
        wrong += [(part / name).relative_to(root).as_posix() for name in damaged_outputs(part, provenance)]
    return n_files, wrong


def _verify_object(root: Path) -> tuple[int, list[str]]:
    header = read_marker(root)
    try:
        check_members(root, header)
    except CorruptFileError as error:
        return len(header["members"]), [Path(error.path).name]
    return len(header["members"]), []
