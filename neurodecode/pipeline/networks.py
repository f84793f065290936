"""Features of stimuli in a pipeline: layers of a network, and low-level features, one row per stimulus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from neurodecode.data import Responses, Stimuli
from neurodecode.pipeline.config import Network


def network_files(network: Network | None) -> dict[str, str]:
    """Files of a network, which are inputs of every step that uses it.

    Parameters
    ----------
    network : Network or None
        Which network.

    Returns
    -------
    dict of str to str
        Path by ``model/NAME``; empty without a network.

    Raises
    ------
    FormatError
        If it is not on this machine.
    CorruptFileError
        If its folder is damaged.
    """
    if network is None:
        return {}
    from neurodecode.io.model_files import find_model

    folder = find_model(network.source, revision=network.revision).folder
    return {f"model/{path.name}": str(path) for path in sorted(folder.iterdir()) if path.is_file()}


def embed(stimuli: Stimuli, network: Network, cache: str | Path, device: str = "auto") -> Responses:
    """Layers of a network, one row per stimulus: frames of sounds and films are averaged.

    Parameters
    ----------
    stimuli : Stimuli
        Of any kind.
    network : Network
        Which network, layers and pooling.
    cache : str or Path
        Folder in which embeddings are kept.
    device : str
        ``auto`` or a device of torch.

    Returns
    -------
    Responses
        Units with a column ``layer``; column ``stimulus`` in the samples.
    """
    from neurodecode import features

    by_kind: dict[str, Callable[..., Responses]] = {
        "image": features.embed_images,
        "text": features.embed_text,
        "audio": features.embed_audio,
        "video": features.embed_video,
    }
    options = {} if network.pooling is None else {"pooling": network.pooling}
    loading = {"revision": network.revision, "device": device}
    found = by_kind[stimuli.kind](stimuli, network.source, layers=network.layers, cache=cache, **options, **loading)
    return _one_row_each(found)


def low_level(stimuli: Stimuli) -> Responses:
    """Low-level features, one row per stimulus.

    Parameters
    ----------
    stimuli : Stimuli
        Of any kind.

    Returns
    -------
    Responses
        Column ``stimulus`` in the samples.
    """
    from neurodecode.features import nuisance_band

    return _one_row_each(nuisance_band(stimuli))


def _one_row_each(features: Responses) -> Responses:
    return features.average("stimulus") if features.samples["stimulus"].duplicated().any() else features
