"""One short trainer: any network, any loss, on one processor or many."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError

from neurodecode.data.validate import require, suggest
from neurodecode.errors import ConfigError, DataError
from neurodecode.train.config import TrainerConfig
from neurodecode.train.data import as_dataset, refuse_test_split
from neurodecode.train.random_state import seeded
from neurodecode.train.run import Run, begin, best_weights, deterministic, go_on
from neurodecode.train.signals import Request, watching

if TYPE_CHECKING:
    from torch.nn import Module

    from neurodecode.train.loop import Callback
    from neurodecode.train.objective import Loss


@dataclass(frozen=True)
class TrainingResult:
    """How a training went; the network itself holds the weights."""

    curve: pd.DataFrame
    """One row per logged step: step, epoch, loss, lr, validation_loss, ..."""
    step: int
    """Steps that were done."""
    best_step: int | None
    """Step whose weights the network has; None without validation, where it has the last."""
    best_value: float | None
    """The validated value at that step."""
    stopped: str
    """``finished``, ``patience``, or the name of the signal that ended it: then the network has the last weights."""


class Trainer:
    """Train a network, choose its weights by validation, and survive a kill.

    Parameters
    ----------
    config : TrainerConfig, optional
        All settings at once.
    **settings
        Settings by name, as in `TrainerConfig`, e.g. ``epochs=20, batch_size=64, lr=1e-3``.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of range.

    Examples
    --------
    >>> from neurodecode.train import Trainer
    >>> Trainer(epochs=3, lr=1e-4).config.epochs
    3
    """

    def __init__(self, config: TrainerConfig | None = None, **settings: Any) -> None:
        unknown = [name for name in settings if name not in TrainerConfig.model_fields]
        if unknown:
            raise ConfigError(f"unknown setting {unknown[0]!r} of the trainer: {suggest(unknown[0], TrainerConfig.model_fields)}")
        try:
            base = {} if config is None else config.model_dump()
            self.config = TrainerConfig(**{**base, **settings})
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}, got {first['input']!r}") from error

    def fit(
        self,
        model: Module,
        loss: Loss,
        train: Any,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Iterable[Callback] = (),
    ) -> TrainingResult:
        """Train a network in place.

        Parameters
        ----------
        model : Module
            The network.
        loss : callable
            ``loss(model, batch, progress)`` gives a number, or numbers by name with ``loss`` among them, each a mean over the
            batch; `progress` runs from 0 to 1. Where it is a Module, its parameters are trained too.
        train : mapping of arrays, ArrayDataset or map-style torch Dataset
            Training samples. A batch of arrays is a dictionary of tensors by name.
        validation : the same, optional
            Samples to choose the weights on, cut from the training samples.
        folder : str or Path, optional
            Folder of the run: ``metrics.jsonl`` and ``checkpoints/``. Without it nothing is written.
        resume : bool
            Go on from the newest checkpoint in `folder`, or begin where there is none.
        callbacks : iterable of callable
            Each is called with every line of ``metrics.jsonl``, after it and a checkpoint that is due were written.

        Returns
        -------
        TrainingResult
            The curve, and which weights the network has now: those of the best validation, else the moving averages, else
            the last.

        Raises
        ------
        SplitLeakError
            If a data set is called a test split.
        DataError
            If there is nothing to train, the loss becomes NaN, or `resume` meets other settings, data or another network.
        OutputExistsError
            If `folder` holds a run and `resume` is False.
        """
        require("torch", "training", "decode")
        from neurodecode.train.objective import Objective

        train, validation = _checked(train, "train"), None if validation is None else _checked(validation, "validation")
        if self.config.patience is not None and validation is None:
            raise DataError(f"patience={self.config.patience} needs validation samples, got none")
        run = begin(self.config, Objective(model, loss), train, validation, None if folder is None else Path(folder))
        with ExitStack() as stack:
            stack.enter_context(seeded(self.config.seed, run.accelerator.process_index))
            stack.enter_context(deterministic(self.config.deterministic))
            request = stack.enter_context(watching())
            go_on(run, resume)
            _train(run, request, callbacks)
        return _finish(run, request)


def _checked(data: Any, split: str) -> Any:
    dataset = as_dataset(data, split)
    refuse_test_split(dataset)
    return dataset


def _train(run: Run, request: Request, callbacks: Iterable[Callback]) -> None:
    from tqdm.auto import tqdm

    from neurodecode.train.loop import train_epochs

    hidden = None if run.accelerator.is_local_main_process else True
    with tqdm(total=run.n_steps, initial=run.step, desc="training", unit="step", disable=hidden) as bar:
        train_epochs(run, request, list(callbacks), bar)


def _finish(run: Run, request: Request) -> TrainingResult:
    """Give the network the weights that were chosen."""
    stopped = "patience" if run.is_out_of_patience else "finished"
    if request.signal and not run.is_over:
        stopped = signal.Signals(request.signal).name
    else:
        weights = best_weights(run)
        if weights:
            run.objective.model.load_state_dict(weights)
    run.objective.eval()
    return TrainingResult(run.log.curve(), run.step, run.best_step, run.best_value, stopped)
