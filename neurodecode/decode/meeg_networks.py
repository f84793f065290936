"""Networks of M/EEG decoders by name, put behind one call; torch is loaded with this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from neurodecode.models import ATM, NICE, BrainProjector, MelTower, meeg_conv
from neurodecode.models.meeg_conv import Heads


class SpeechPair(nn.Module):
    """A brain network and what makes speech comparable with what it predicts.

    Parameters
    ----------
    brain : Module
        From ``signal``, ``positions`` and ``subject`` to (n, n_features, n_times).
    tower : Module, optional
        From ``features`` (n, n_inputs, n_times) to (n, n_features, n_times), trained with the brain network; by default targets
        stay.
    """

    def __init__(self, brain: nn.Module, tower: nn.Module | None = None) -> None:
        super().__init__()
        self.brain, self.tower = brain, tower

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Predict the embedding of speech.

        Parameters
        ----------
        signal : Tensor of shape (n, n_channels, n_times)
            Responses.
        positions : Tensor of shape (n, n_channels, 2)
            Layout.
        subject : Tensor of shape (n,), int64
            Number of the subject.

        Returns
        -------
        Tensor of shape (n, n_features, n_times)
            Predictions.
        """
        predicted: Tensor = self.brain(signal=signal, positions=positions, subject=subject)
        return predicted

    def embed(self, targets: Tensor) -> Tensor:
        """Make targets comparable.

        Parameters
        ----------
        targets : Tensor of shape (n, n_inputs, n_times)
            Features of speech.

        Returns
        -------
        Tensor of shape (n, n_features, n_times)
            What predictions are compared with.
        """
        return targets if self.tower is None else self.tower(features=targets)


class ImagePair(nn.Module):
    """An encoder of one embedding, which is what the contrast reads, and a linear head on it for the squared error.

    Parameters
    ----------
    encoder : Module
        From ``signal``, ``positions`` and ``subject`` to (n, n_features).
    n_features : int
        Of the embedding.
    """

    def __init__(self, encoder: nn.Module, n_features: int) -> None:
        super().__init__()
        self.encoder, self.mse = encoder, nn.Linear(n_features, n_features)

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Heads:
        """Predict the embedding of images.

        Parameters
        ----------
        signal : Tensor of shape (n, n_channels, n_times)
            Responses.
        positions : Tensor of shape (n, n_channels, 2)
            Layout.
        subject : Tensor of shape (n,), int64
            Number of the subject.

        Returns
        -------
        Heads
            Both predictions.
        """
        embedded = self.encoder(signal=signal, positions=positions, subject=subject)
        return Heads(embedded, self.mse(embedded))


class Plain(nn.Module):
    """A network that takes the signal alone, e.g. one of braindecode.

    Parameters
    ----------
    network : Module
        From (n, n_channels, n_times) to (n, width).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Call it.

        Parameters
        ----------
        signal : Tensor of shape (n, n_channels, n_times)
            Responses.
        positions, subject : Tensor
            Not used.

        Returns
        -------
        Tensor of shape (n, width)
            Further axes are flattened.
        """
        given: Tensor = self.network(signal)
        return given.flatten(1)


class Projection(nn.Module):
    """The whole window as one vector, mapped linearly (and on, through residual blocks).

    Parameters
    ----------
    n_channels, n_times : int
        Of the windows.
    width : int
        Of the output.
    **options
        As in `neurodecode.models.BrainProjector`: ``hidden, n_blocks, dropout``.
    """

    def __init__(self, n_channels: int, n_times: int, width: int, **options: Any) -> None:
        super().__init__()
        self.map = BrainProjector(n_channels * n_times, width, **options)

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Map windows.

        Parameters
        ----------
        signal : Tensor of shape (n, n_channels, n_times)
            Responses.
        positions, subject : Tensor
            Not used.

        Returns
        -------
        Tensor of shape (n, width)
            Outputs.
        """
        mapped: Tensor = self.map(responses=signal.flatten(1))
        return mapped


def build_speech(
    network: Any, options: Mapping[str, Any] | None, *, n_channels: int, n_times: int, n_features: int, n_subjects: int
) -> nn.Module:
    """Make a network that predicts features over time.

    Parameters
    ----------
    network : str or callable
        As in `neurodecode.decode.SpeechDecoder`.
    options : mapping or None
        Sizes.
    n_channels, n_times, n_features, n_subjects : int
        Of the data.

    Returns
    -------
    Module
        Called with ``signal, positions, subject``.
    """
    sizes: dict[str, Any] = {"n_subjects": n_subjects, "n_features": n_features, **(options or {})}
    if callable(network):
        made: nn.Module = network(n_channels=n_channels, n_times=n_times, **sizes)
        return made
    return meeg_conv.speech(**sizes)


def build_image(
    network: Any, options: Mapping[str, Any] | None, *, n_channels: int, n_times: int, n_features: int, n_subjects: int
) -> nn.Module:
    """Make a network with two heads that predicts one embedding.

    Parameters
    ----------
    network : str or callable
        As in `neurodecode.decode.MEEGImageDecoder`.
    options : mapping or None
        Sizes.
    n_channels, n_times, n_features, n_subjects : int
        Of the data.

    Returns
    -------
    Module
        Called with ``signal, positions, subject``, gives `neurodecode.models.meeg_conv.Heads`.
    """
    given = dict(options or {})
    if callable(network):
        return ImagePair(Plain(network(n_chans=n_channels, n_times=n_times, n_outputs=n_features, **given)), n_features)
    if network == "conv":
        return meeg_conv.image(n_subjects, n_features, n_times=n_times, n_heads=2, **given)
    if network == "projection":
        return ImagePair(Projection(n_channels, n_times, n_features, **given), n_features)
    if network == "nice":
        return ImagePair(NICE(n_features, n_channels, n_times, **given), n_features)
    return ImagePair(ATM(n_features, n_channels, n_times, n_subjects, **given), n_features)


def build_tower(options: Mapping[str, Any] | None, n_inputs: int) -> tuple[nn.Module, int]:
    """Make the tower that learns what of speech the brain tells.

    Parameters
    ----------
    options : mapping or None
        As in `neurodecode.models.mel_tower.MelTower`.
    n_inputs : int
        Features of speech.

    Returns
    -------
    tuple
        The tower, and the number of its outputs.
    """
    tower = MelTower(n_inputs, **(options or {}))
    return tower, tower.n_outputs
