"""The step that trains a generator on images that nobody was shown, and which files a generator consists of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurodecode.errors import ConfigError
from neurodecode.io.stimuli import image_files, read_image_folder
from neurodecode.pipeline.config import Config, FMRIDecoding, Generator
from neurodecode.pipeline.step import Item, Step

_OUTPUT = "generator"


def train_generator(parameters: Mapping[str, Any], folder: Path) -> None:
    """Train the small diffusion model on a folder of images.

    Parameters
    ----------
    parameters : mapping
        ``generator`` (settings), ``seed`` and ``images`` (folder).
    folder : Path
        Where the generator goes.
    """
    from neurodecode.generate import TinyDiffusion

    wanted = Generator(**parameters["generator"])
    model = TinyDiffusion(steps=wanted.training_steps, random_state=parameters["seed"])
    model.fit(read_image_folder(parameters["images"])).save(folder / _OUTPUT)


GENERATOR = Step("generator", 1, train_generator)


def wanted_generator(config: Config) -> Generator | None:
    """The generator of a pipeline that reconstructs with one."""
    reconstruct = config.reconstruct if isinstance(config, FMRIDecoding) else None
    return None if reconstruct is None else reconstruct.generator


def generator_items(config: Config, root: Path, out: Path) -> list[Item]:
    """The training, where the pipeline asks for one.

    Parameters
    ----------
    config : Config
        Configuration.
    root, out : Path
        BIDS folder and output folder.

    Returns
    -------
    list of Item
        One, or none.

    Raises
    ------
    ConfigError
        If the folder of images is not there.
    """
    wanted = wanted_generator(config)
    if wanted is None or wanted.images is None:
        return []
    images = _inside(root, wanted.images, "reconstruct.generator.images")
    inputs = {f"{wanted.images}/{path.name}": str(path) for path in image_files(images)}
    settings = {"generator": wanted.model_dump(mode="json"), "seed": config.compute.seed}
    return [Item("generator", GENERATOR, inputs, settings, str(out / _OUTPUT), {"images": str(images)})]


def generator_folder(config: Config, out: Path) -> Path | None:
    """Where the generator lies: the folder that is given, or that of the training."""
    wanted = wanted_generator(config)
    if wanted is None:
        return None
    return out / _OUTPUT / _OUTPUT if wanted.folder is None else Path(wanted.folder)


def generator_files(config: Config, out: Path) -> dict[str, str]:
    """Files of the generator, which are inputs of every reconstruction.

    Parameters
    ----------
    config : Config
        Configuration.
    out : Path
        Output folder.

    Returns
    -------
    dict of str to str
        Path by ``generator/NAME``; empty without a generator.

    Raises
    ------
    ConfigError
        If the folder of a generator that is given is not there.
    """
    folder = generator_folder(config, out)
    wanted = wanted_generator(config)
    if folder is None or wanted is None:
        return {}
    if wanted.folder is not None and not folder.is_dir():
        raise ConfigError(f"reconstruct.generator.folder: there is no folder {wanted.folder}; give what TinyDiffusion.save wrote")
    return {f"generator/{name}": str(folder / name) for name in ("config.json", "model.safetensors")}


def _inside(root: Path, name: str, setting: str) -> Path:
    """A folder below the data set."""
    folder = root / name
    if not folder.resolve().is_relative_to(root.resolve()) or not folder.is_dir():
        raise ConfigError(f"{setting}: there is no folder {name!r} in the data set {root.name}")
    return folder
