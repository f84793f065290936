"""Training an M/EEG network on windows and targets, and predicting with it, in batches that are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.decode.meeg_inputs import Scaling, Targets, Windows
from neurodecode.decode.meeg_ridge import SubjectRidge
from neurodecode.errors import DataError
from neurodecode.generate.conditions import held_out_uncertainty
from neurodecode.train.data import ArrayDataset

if TYPE_CHECKING:
    from torch.nn import Module

    from neurodecode.train.trainer import TrainingResult

_AT_ONCE = 2**25  # values of predictions made at once: 128 MB
_MOST = 256  # samples predicted at once


class Cut(NamedTuple):
    """Which times of windows and targets belong together."""

    start: int
    """First time of the windows."""
    n_times: int
    """Times of both; for images all times of the window."""


class Spread(NamedTuple):
    """How predictions for samples that were not trained on differ among each other, and from the truth."""

    predicted: Scaling
    """Their mean and deviation, feature by feature."""
    uncertainty: NDArray[np.float32]
    """Root of the mean squared error of each feature, at most the deviation of the truth."""


@dataclass
class Fitted:
    """What was learned about one kind of target."""

    network: Module | None
    """Brain network (and tower); None where the ridge alone was asked for."""
    scaling: Scaling
    """Of the targets."""
    shape: tuple[int, ...]
    """Shape of the target of one stimulus."""
    cut: Cut
    """Times that are used."""
    sizes: dict[str, int]
    """Of the network: ``n_channels, n_times, n_subjects``."""
    baseline: SubjectRidge | None = None
    """Ridge of each subject."""
    training: TrainingResult | None = None
    """How the training went."""
    spread: dict[str, Spread] | None = None
    """Of the predictions of the network and of the ridge (images); None where there is no head for the squared error."""
    extras: dict[str, Any] = field(default_factory=dict)
    """JSON values that the kind of decoder keeps."""


class PairDataset(ArrayDataset):
    """Windows with the targets of their stimuli; both are read from where they are, batch by batch.

    Parameters
    ----------
    split : str
        What these samples are.
    windows : Windows
        Responses.
    subject : array of shape (n_samples,)
        Number of the subject of each sample.
    targets : Targets
        Of all stimuli.
    scaling : Scaling
        Of the targets.
    cut : Cut
        Times that are used.
    same : array of shape (n_stimuli,)
        Number that stimuli of one target share: such samples cannot be told apart.
    """

    def __init__(
        self,
        split: str,
        windows: Windows,
        subject: NDArray[np.int64],
        targets: Targets,
        scaling: Scaling,
        cut: Cut,
        same: NDArray[np.int64],
    ) -> None:
        rows = targets.rows(windows.samples["stimulus"])
        super().__init__(split, row=rows, stimulus=same[rows], subject=subject)
        self.windows, self.targets, self.scaling, self.cut = windows, targets, scaling, cut

    def batch(self, index: NDArray[np.int64]) -> dict[str, Any]:
        """Tensors of some samples.

        Parameters
        ----------
        index : array of int64 of shape (n,)
            Sample numbers.

        Returns
        -------
        dict of Tensor
            ``signal, positions, subject, stimulus, targets``.
        """
        import torch

        found = super().batch(index)
        signal, positions = self.windows.read(index, self.cut.start)
        wanted = np.asarray(self.targets.data[found.pop("row").numpy()])
        if wanted.ndim == 3:
            wanted = wanted[:, :, : self.cut.n_times]
        arrays = {"signal": signal[:, :, : self.cut.n_times], "positions": positions, "targets": self.scaling.apply(wanted)}
        return {**found, **{name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}}


def train_network(
    network: Module,
    loss: Module,
    train: PairDataset,
    validation: PairDataset | None,
    settings: Mapping[str, Any],
    *,
    folder: Path | None,
    resume: bool,
    given: frozenset[str] = frozenset(),
) -> TrainingResult:
    """Train in place.

    Parameters
    ----------
    network, loss : Module
        As `Trainer.fit` takes them.
    train, validation : PairDataset
        Samples.
    settings : mapping
        Settings of the trainer.
    folder : Path or None
        Folder of the run.
    resume : bool
        Go on from its newest checkpoint.
    given : frozenset of str
        Settings that the user chose; the others give way to the size of the data.

    Returns
    -------
    TrainingResult
        How it went.
    """
    from neurodecode.train.trainer import Trainer

    told = dict(settings)
    if "batch_size" not in given:
        told["batch_size"] = min(told["batch_size"], len(train))
    if validation is None and "patience" not in given:
        told.pop("patience", None)
    return Trainer(**told).fit(network, loss, train, validation=validation, folder=folder, resume=resume)


def in_batches(
    network: Module, windows: Windows, subject: NDArray[np.int64], cut: Cut, pick: Callable[[Any], Any], size: int
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    """Predict, batch by batch.

    Parameters
    ----------
    network : Module
        Trained.
    windows : Windows
        Responses.
    subject : array of shape (n_samples,)
        Number of the subject of each sample.
    cut : Cut
        Times that are used.
    pick : callable
        From what the network gives to a Tensor (n, ...).
    size : int
        Values that are predicted for a sample.

    Yields
    ------
    tuple
        Sample numbers, and a Tensor of their predictions.
    """
    import torch

    device = next(network.parameters()).device
    step = max(1, min(_MOST, _AT_ONCE // max(size, 1)))
    network.eval()
    for start in range(0, len(windows), step):
        index = np.arange(start, min(start + step, len(windows)))
        signal, positions = windows.read(index, cut.start)
        inputs = {"signal": signal[:, :, : cut.n_times], "positions": positions, "subject": subject[index]}
        with torch.no_grad():
            given = network(**{name: torch.from_numpy(np.ascontiguousarray(v)).to(device) for name, v in inputs.items()})
        yield index, pick(given)


def predict_all(
    network: Module,
    windows: Windows,
    subject: NDArray[np.int64],
    cut: Cut,
    pick: Callable[[Any], Any] = lambda given: given,
    size: int = 1,
) -> NDArray[np.float32]:
    """Predict all samples at once.

    Parameters
    ----------
    network, windows, subject, cut, pick, size
        As in `in_batches`.

    Returns
    -------
    array of shape (n_samples, ...)
        Predictions, float32.
    """
    parts = [values.float().cpu().numpy() for _, values in in_batches(network, windows, subject, cut, pick, size)]
    return np.concatenate(parts)


def spread_of(predicted: NDArray[np.float32], true: NDArray[np.float32]) -> Spread:
    """Describe predictions.

    Parameters
    ----------
    predicted, true : array of shape (n_samples, n_features)
        Standardised predictions and targets.

    Returns
    -------
    Spread
        Mean, deviation and error of each feature.
    """
    scale = predicted.std(axis=0)
    scaling = Scaling(predicted.mean(axis=0), np.where(scale > 0, scale, 1.0).astype(np.float32))
    return Spread(scaling, held_out_uncertainty(predicted, true))


def subject_numbers(windows: Windows, known: list[str], unseen: str = "raise") -> NDArray[np.int64]:
    """Number of the subject of each sample in the map that was frozen when the decoder was fitted.

    Parameters
    ----------
    windows : Windows
        Responses.
    known : list of str
        Subjects in the order of their numbers.
    unseen : str
        ``"raise"``, or ``"mean"``: -1, which stands for the mean of all.

    Returns
    -------
    array of int64 of shape (n_samples,)
        Numbers.

    Raises
    ------
    DataError
        If a subject is not known.
    """
    numbers = {name: i for i, name in enumerate(known)}
    names = windows.subjects
    strangers = sorted(set(names) - set(known))
    if strangers and unseen != "mean":
        raise DataError(
            f"subject {strangers[0]!r} was not among the {len(known)} subjects fitted, {known[:8]}: fit_subject learns a new one "
            "from a few samples, unseen_subject='mean' takes the mean of those that are known"
        )
    return np.array([numbers.get(name, -1) for name in names], np.int64)
