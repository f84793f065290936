"""Matrices of subjects inside a network: the mean of all for a stranger, and a new one from a few samples."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from neurodecode.decode.meeg_fit import PairDataset
from neurodecode.errors import DataError
from neurodecode.models.sensor_layers import SubjectLayer
from neurodecode.train.trainer import Trainer


def subject_layer(network: nn.Module) -> SubjectLayer | None:
    """Find the matrices of subjects of a network.

    Parameters
    ----------
    network : Module
        Any.

    Returns
    -------
    SubjectLayer or None
        The first one, None where there is none.
    """
    return next((module for module in network.modules() if isinstance(module, SubjectLayer)), None)


def with_mean_subject(network: nn.Module) -> nn.Module:
    """Add one subject whose matrix is the mean of those of all others.

    Parameters
    ----------
    network : Module
        With matrices of subjects.

    Returns
    -------
    Module
        A copy; the number of the new subject is the number of those before.

    Raises
    ------
    DataError
        If there are no matrices.
    """
    grown = copy.deepcopy(network)
    layer = subject_layer(grown)
    if layer is None:
        raise DataError(f"{type(network).__name__} has no matrices of subjects: its own subjects are all it can decode")
    weight = layer.weight.detach()
    layer.weight = nn.Parameter(torch.cat([weight, weight.mean(dim=0, keepdim=True)]))
    return grown


class _OneSubject(nn.Module):
    """A network of which only the last matrix of subjects learns; normalisation and dropout stay as in use."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        layer = subject_layer(network)
        assert layer is not None
        layer.weight.requires_grad_(True)
        self.handle = layer.weight.register_hook(_last_alone)  # type: ignore[no-untyped-call]

    def forward(self, **inputs: Tensor) -> Any:
        return self.network(**inputs)

    def embed(self, targets: Tensor) -> Tensor:
        embedded: Tensor = self.network.embed(targets)  # type: ignore[operator]
        return embedded

    def train(self, mode: bool = True) -> _OneSubject:
        return super().train(False)


def _last_alone(gradient: Tensor) -> Tensor:
    kept = torch.zeros_like(gradient)
    kept[-1] = gradient[-1]
    return kept


def learn_subject(network: nn.Module, loss: nn.Module, data: PairDataset, settings: Mapping[str, Any]) -> nn.Module:
    """Learn the matrix of one more subject, beginning with the mean of the others.

    Parameters
    ----------
    network : Module
        Trained on the other subjects.
    loss : Module
        As in its training; what it learns itself is thrown away.
    data : PairDataset
        Samples of the new subject, whose number is the number of those before.
    settings : mapping
        Settings of the trainer.

    Returns
    -------
    Module
        A copy with one more subject; all else is as it was, bit by bit.

    Raises
    ------
    DataError
        If there are no matrices.
    """
    told = {**settings, "weight_decay": 0.0, "batch_size": min(settings["batch_size"], len(data)), "drop_last": False}
    told.pop("patience", None)
    alone = _OneSubject(with_mean_subject(network))
    Trainer(**told).fit(alone, loss, data)
    alone.handle.remove()
    return alone.network.requires_grad_(True).eval()
