"""Simulated M/EEG as a folder that pipelines read."""

from __future__ import annotations

from pathlib import Path

from neurodecode.data import Responses, Stimuli, load, save
from neurodecode.data.atomic import atomic_folder
from neurodecode.errors import FormatError
from neurodecode.simulate.meeg import SimulatedMEEG
from neurodecode.simulate.pictures import LinearPictures
from neurodecode.simulate.truth import TRUTH, Truth

_MARKER = f"truth/{TRUTH}"


def write_simulated_meeg(folder: str | Path, world: SimulatedMEEG, *, pictures: LinearPictures | None = None) -> Path:
    """Write responses, targets and truth as folders of `neurodecode.save`, and what the images show.

    Parameters
    ----------
    folder : str or Path
        Appears whole or not at all; only what this function wrote is replaced.
    world : SimulatedMEEG
        Of `simulate_speech` or `simulate_images`.
    pictures : LinearPictures, optional
        What draws the images of the latents; they are written, too, as `Stimuli` under the ids of the targets.

    Returns
    -------
    Path
        The folder, with ``responses``, ``targets``, ``truth`` and ``stimuli``.

    Raises
    ------
    OutputExistsError
        If `folder` exists and holds something else.
    DataError
        If there are pictures of what has no latents.
    DiskSpaceError
        If it cannot be written.
    """
    with atomic_folder(folder, marker=_MARKER) as root:
        save(world.responses, root / "responses")
        save(world.targets, root / "targets")
        if pictures is not None:
            save(_stimuli(world.targets, pictures), root / "stimuli")
        world.truth.save(root / "truth")
    return Path(folder)


def read_simulated_meeg(folder: str | Path) -> SimulatedMEEG:
    """Open what `write_simulated_meeg` wrote; responses and targets stay memory maps.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    SimulatedMEEG
        With the same values.

    Raises
    ------
    FormatError
        If it was not written by `write_simulated_meeg`.
    CorruptFileError
        If a member is missing or damaged.
    """
    root = Path(folder)
    if not (root / _MARKER).is_file():
        raise FormatError(root, f"there is no {_MARKER} in it", "Give the folder that write_simulated_meeg wrote")
    return SimulatedMEEG(load(root / "responses"), load(root / "targets"), Truth.load(root / "truth"))


def _stimuli(targets: Responses, pictures: LinearPictures) -> Stimuli:
    images = pictures.generate({"latent": targets.data})
    return Stimuli(list(targets.samples["stimulus"]), list(images), "image")
