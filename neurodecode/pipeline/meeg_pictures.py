"""The generator of a pipeline that makes pictures of M/EEG, and what a decoder has to learn for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurodecode.data import Responses, Stimuli
from neurodecode.errors import ConfigError
from neurodecode.pipeline.config_meeg import Pictures
from neurodecode.pipeline.meeg_windows import Windows


class Drawing(NamedTuple):
    """What makes pictures of predictions."""

    generator: Any
    """Makes pictures of embeddings."""
    targets: dict[str, Responses]
    """What a decoder is fitted on, by name; what is looked up comes first."""
    stimuli: Stimuli
    """Images in the size of the pictures."""


def prepare_drawing(wanted: Pictures, windows: Windows, source: str, seed: int, folder: Path) -> Drawing:
    """Open the generator, or train one on the training images alone.

    Parameters
    ----------
    wanted : Pictures
        Which one.
    windows : Windows
        With their images.
    source : str
        Name of the windows, for messages.
    seed : int
        Of the training.
    folder : Path
        Where a trained generator goes.

    Returns
    -------
    Drawing
        Generator, targets and images.

    Raises
    ------
    ConfigError
        If there are no images, or no generator.
    """
    if windows.stimuli is None:
        raise ConfigError(f"pictures: the windows {source!r} come without their images: add stimuli/, or leave pictures out")
    small = windows.stimuli if wanted.size is None else resized(windows.stimuli, wanted.size)
    if wanted.folder is None and wanted.train is None:
        return _simulated(windows, small)
    if wanted.folder is not None:
        from neurodecode.generate import load_generator

        generator: Any = load_generator(wanted.folder)
    else:
        generator = _trained(wanted, windows, small, seed, folder)
    return Drawing(generator, {"images": windows.targets, **_encoded(generator, small, windows.targets)}, small)


def _simulated(windows: Windows, small: Stimuli) -> Drawing:
    """Pictures that are linear in the latent, which is what is looked up, too."""
    if windows.truth is None:
        raise ConfigError(
            "pictures: only simulated images bring a generator of their own, got none: name a folder, or train={} a TinyDiffusion"
        )
    from neurodecode.simulate import LinearPictures

    size = int(small.items[0].shape[0])
    return Drawing(LinearPictures(windows.targets.n_units, size=size), {"latent": windows.targets}, small)


def _trained(wanted: Pictures, windows: Windows, small: Stimuli, seed: int, folder: Path) -> Any:
    from neurodecode.generate import TinyDiffusion

    samples = windows.responses.samples
    names = samples.loc[samples["split"] == "train", "stimulus"].astype(str).unique().tolist()
    generator = TinyDiffusion(**{"random_state": seed, **(wanted.train or {})}).fit(small.select(names))
    generator.save(folder / "generator")
    return generator


def _encoded(generator: Any, small: Stimuli, known: Responses) -> dict[str, Responses]:
    """Embeddings that the generator needs, with the columns of the stimuli, such as their concept."""
    from neurodecode.decode.meeg_generation import generator_targets

    columns = known.samples.drop_duplicates("stimulus").set_index("stimulus")
    found = generator_targets(generator, small)
    return {name: table.replace(samples=table.samples.join(columns, on="stimulus")) for name, table in found.items()}


def resized(stimuli: Stimuli, size: int) -> Stimuli:
    """Squares out of the middle of images, averaged to one size; read when they are indexed.

    Parameters
    ----------
    stimuli : Stimuli
        Images.
    size : int
        Side in pixels.

    Returns
    -------
    Stimuli
        Under the same names.
    """
    return replace(stimuli, items=_Squares(stimuli, size))


class _Squares(Sequence[Any]):
    """Images of a `Stimuli`, cut and averaged when they are indexed."""

    def __init__(self, stimuli: Stimuli, size: int) -> None:
        self._stimuli, self._size = stimuli, size

    def __len__(self) -> int:
        return len(self._stimuli)

    def __getitem__(self, index: Any) -> Any:
        from PIL import Image

        image = self._stimuli[int(index)]
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        square = Image.fromarray(image[top : top + side, left : left + side])
        return np.asarray(square.resize((self._size, self._size), Image.Resampling.BOX))
