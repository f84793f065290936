"""Windows of M/EEG with what they are windows of: looked at where they lie, or simulated first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from neurodecode.data import Responses, Stimuli, load
from neurodecode.data.hashing import sha256_json
from neurodecode.data.validate import check_columns, suggest
from neurodecode.errors import ConfigError, FormatError
from neurodecode.pipeline.config_meeg import MEEGSpeech, Retrieving
from neurodecode.pipeline.prepare import write_digest
from neurodecode.pipeline.step import Step

_MEMBERS = ("responses", "targets")
_OPTIONAL = ("stimuli", "truth")
_PICTURES = "pictures"  # argument of a simulation that is no argument of simulate_images
_REMEDY = "Write both with neurodecode.save: windows with a column `split`, and one row of targets per stimulus"


class Windows(NamedTuple):
    """Everything that decoding needs."""

    responses: Responses
    """Windows with ``stimulus``, ``subject`` and ``split``."""
    targets: Responses
    """One row per stimulus."""
    stimuli: Stimuli | None
    """Images, where there are any."""
    truth: Any
    """What was put into simulated windows, or None."""


def members_of(folder: Path) -> dict[str, str]:
    """Files that say what a folder of windows holds: each has the hashes of its siblings.

    Parameters
    ----------
    folder : Path
        Folder of windows.

    Returns
    -------
    dict of str to str
        Path by name.

    Raises
    ------
    FormatError
        If there are no windows or no targets.
    """
    for name in _MEMBERS:
        if not (folder / name / "meta.json").is_file():
            raise FormatError(folder / name, "there are no such windows or targets", _REMEDY)
    found = {f"{name}/meta.json": folder / name / "meta.json" for name in (*_MEMBERS, "stimuli")}
    found["truth/truth.json"] = folder / "truth" / "truth.json"
    return {name: str(path) for name, path in found.items() if path.is_file()}


def open_windows(folder: Path) -> Windows:
    """Open a folder of windows; arrays stay memory maps.

    Parameters
    ----------
    folder : Path
        With ``responses`` and ``targets``, and perhaps ``stimuli`` and ``truth``.

    Returns
    -------
    Windows
        As they are.

    Raises
    ------
    FormatError
        If there are no windows or no targets.
    DataError
        If samples lack a column.
    """
    there = members_of(folder)
    responses, targets = (load(folder / name) for name in _MEMBERS)
    check_columns(responses.samples, ["stimulus", "subject", "split"], "samples of the windows")
    check_columns(targets.samples, ["stimulus"], "samples of the targets")
    stimuli = load(folder / "stimuli") if "stimuli/meta.json" in there else None
    truth = None
    if "truth/truth.json" in there:
        from neurodecode.simulate import Truth

        truth = Truth.load(folder / "truth")
    return Windows(responses, targets, stimuli, truth)


def simulate_windows(config: Retrieving, folder: Path) -> Path:
    """Write the simulation that a configuration asks for, unless it is there.

    Parameters
    ----------
    config : MEEGSpeech or MEEGImages
        With ``input.simulate``.
    folder : Path
        Where it goes.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError
        If an argument is unknown.
    OutputExistsError
        If the folder holds something else.
    """
    from neurodecode import simulate

    given = dict(config.input.simulate or {})
    make = simulate.simulate_speech if isinstance(config, MEEGSpeech) else simulate.simulate_images
    pictures = given.pop(_PICTURES, None)
    known = list(make.__kwdefaults__ or {})
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConfigError(f"input.simulate: {unknown[0]!r} is unknown: {suggest(unknown[0], [*known, _PICTURES])}")
    given = {"random_state": config.compute.seed, **given}
    if _same(folder, given):
        return folder
    world = make(**given)
    drawn = None if pictures is None else simulate.LinearPictures(world.targets.n_units, **pictures)
    return simulate.write_simulated_meeg(folder, world, pictures=drawn)


def _same(folder: Path, given: Mapping[str, Any]) -> bool:
    """Whether the folder holds this very simulation."""
    from neurodecode.simulate import Truth

    if not (folder / "truth" / "truth.json").is_file():
        return False
    truth = Truth.load(folder / "truth")
    told = {**truth.parameters, "random_state": truth.random_state}
    return all(told.get(name) == value for name, value in given.items())


def look_at_windows(parameters: Mapping[str, Any], folder: Path) -> None:
    """Check windows and targets, and say what they are.

    Parameters
    ----------
    parameters : mapping
        ``path`` and ``source``.
    folder : Path
        Where the report's data go.
    """
    found = open_windows(Path(parameters["path"]))
    samples = found.responses.samples
    columns = [name for name in ("subject", "split") if name in samples]
    table = samples.groupby(columns, sort=True)["stimulus"].agg(windows="size", stimuli="nunique").reset_index()
    shape = " x ".join(map(str, found.responses.data.shape))
    summary = f"{parameters['source']}: {shape} (windows, channels, times), {len(found.targets)} stimuli"
    digest = sha256_json({"responses": found.responses.meta, "samples": samples.astype(str).to_dict("list")})
    write_digest(digest, folder)
    steps = list(found.responses.meta.get("steps", []))
    write_look(parameters["source"], {"Windows of each split": pd.DataFrame(table)}, summary, steps, folder)


def write_look(source: str, quality: dict[str, pd.DataFrame], summary: str, steps: list[Any], folder: Path) -> None:
    """Leave for the report what was seen of a folder or recording.

    Parameters
    ----------
    source : str
        What was looked at.
    quality : dict of str to DataFrame
        Tables by their title.
    summary : str
        One line.
    steps : list of dict
        What was done to the signal.
    folder : Path
        Where it goes.
    """
    from neurodecode.report import RunContents, save_contents

    contents = RunContents(source, "look_at_windows", quality=quality, recordings_summary=[summary], steps=steps)
    save_contents(contents, folder)


LOOK_AT_WINDOWS = Step("look_at_windows", 1, look_at_windows)
