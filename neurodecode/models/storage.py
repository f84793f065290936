"""The folder that a network is on disk: its settings as JSON and its weights, nothing that could run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import sha256_file
from neurodecode.errors import CorruptFileError, FormatError

if TYPE_CHECKING:
    from torch.nn import Module

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_AGAIN = "Save the network again, or copy the folder again from its origin"


def save_network(network: Module, config: Mapping[str, Any], folder: str | Path) -> Path:
    """Write a network so that the folder appears whole or not at all.

    Parameters
    ----------
    network : Module
        What to save.
    config : mapping
        Arguments of its constructor, JSON values.
    folder : str or Path
        Final name; an older network there is replaced.

    Returns
    -------
    Path
        The folder, with ``config.json`` and ``model.safetensors``.
    """
    from safetensors.torch import save_file

    with atomic_folder(folder, CONFIG) as partial:
        weights = {name: value.detach().cpu().clone().contiguous() for name, value in network.state_dict().items()}
        save_file(weights, partial / WEIGHTS)
        header = {"network": type(network).__name__, "config": dict(config), "sha256": sha256_file(partial / WEIGHTS)}
        (partial / CONFIG).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
    return Path(folder)


def read_config(folder: str | Path, network: str) -> dict[str, Any]:
    """Read the constructor's arguments of a saved network, with its weights checked.

    Parameters
    ----------
    folder : str or Path
        Written by `save_network`.
    network : str
        Name of the class that is expected.

    Returns
    -------
    dict
        Arguments by name.

    Raises
    ------
    FormatError
        If the folder holds something else.
    CorruptFileError
        If a file is missing or damaged.
    """
    path = Path(folder) / CONFIG
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        kind, config, expected = header["network"], header["config"], header["sha256"]
    except FileNotFoundError as error:
        raise FormatError(path, "there is no such file", "Give the folder that a network was saved to") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptFileError(path, f"it is not the description of a network ({error!r:.120})", _AGAIN) from error
    if kind != network:
        raise FormatError(path, f"expected a {network}, found {kind!r}", f"Give the folder that {network}.save wrote")
    weights = path.with_name(WEIGHTS)
    if not weights.is_file() or sha256_file(weights) != expected:
        raise CorruptFileError(weights, "it is missing or differs from its sha256 in config.json", _AGAIN)
    return dict(config)


def load_weights(network: Module, folder: str | Path) -> None:
    """Give a network the weights that were saved with it.

    Parameters
    ----------
    network : Module
        Built from what `read_config` gave; changed in place.
    folder : str or Path
        Written by `save_network`.

    Raises
    ------
    CorruptFileError
        If names or shapes do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / WEIGHTS
    try:
        network.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError, OSError) as error:
        raise CorruptFileError(path, f"it does not fit its config.json ({' '.join(str(error).split())[:200]})", _AGAIN) from error


class Stored:
    """What a network that keeps the arguments of its constructor in ``config`` is saved and loaded by."""

    config: dict[str, Any]

    def save(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors``.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all.
        """
        save_network(self, self.config, folder)  # type: ignore[arg-type]

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : str or Path
            The folder.

        Returns
        -------
        Module
            The network with its weights.

        Raises
        ------
        CorruptFileError
            If a file is damaged.
        FormatError
            If the folder holds another network.
        """
        network = cls(**read_config(folder, cls.__name__))
        load_weights(network, folder)  # type: ignore[arg-type]
        return network
