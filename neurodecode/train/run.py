"""One training in progress: what it holds, how it begins, is stored and goes on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodecode.data.validate import require
from neurodecode.errors import DataError, OutputExistsError
from neurodecode.train import random_state
from neurodecode.train.checkpoint import Checkpoint, checkpoint_steps, load_checkpoint, save_checkpoint
from neurodecode.train.config import FREE, TrainerConfig
from neurodecode.train.ema import copy_of
from neurodecode.train.gather import gather_rows
from neurodecode.train.log import MetricLog
from neurodecode.train.sampler import BatchSampler

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

    from neurodecode.train.objective import Objective

CHECKPOINTS = "checkpoints"
COUNTERS = ("step", "epoch", "position", "best_step", "best_value", "waited")


@dataclass
class Run:
    """A training in progress."""

    config: TrainerConfig
    """Settings."""
    accelerator: Any
    """Devices and processes."""
    objective: Objective
    """Network and loss."""
    wrapped: Any
    """The same as it is called in training: on its device and, with several processes, averaging gradients."""
    optimizer: Optimizer
    """With one group for matrices, which decay, and one for the rest."""
    sampler: BatchSampler
    """Order of the training samples."""
    train: Any
    """Training samples."""
    validation: Any
    """Validation samples, or None."""
    log: MetricLog
    """Lines of metrics."""
    folder: Path | None
    """Folder of the run; None keeps everything in memory."""
    ema: dict[str, Tensor] | None = None
    """Moving average of the weights of the network."""
    step: int = 0
    """Steps that were done."""
    epoch: int = 0
    """Epochs that were done."""
    position: int = 0
    """Batches of this epoch that were done."""
    best_step: int | None = None
    """Step of the best validation."""
    best_value: float | None = None
    """Its value."""
    waited: int = 0
    """Validations since then."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    """Weights of that step, where there is no folder."""

    @property
    def n_steps(self) -> int:
        """Steps of the whole training."""
        return self.config.epochs * -(-len(self.sampler) // self.config.accumulate)

    @property
    def progress(self) -> float:
        """Part that is done, 0 to 1."""
        return self.step / self.n_steps

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or the patience is at its end."""
        return self.epoch >= self.config.epochs or self.is_out_of_patience

    @property
    def is_out_of_patience(self) -> bool:
        """Whether validation has not become better for long enough."""
        return self.config.patience is not None and self.waited >= self.config.patience


def begin(config: TrainerConfig, objective: Objective, train: Any, validation: Any, folder: Path | None) -> Run:
    """Build a run at step 0."""
    accelerate = require("accelerate", "training", "decode")
    accelerator = accelerate.Accelerator(cpu=config.device == "cpu", mixed_precision="no")
    wrapped = accelerator.prepare(objective)
    sampler = BatchSampler(len(train), config.batch_size, config.seed, drop_last=config.drop_last, limit=config.batches_per_epoch)
    log = MetricLog(folder if accelerator.is_main_process else None, config.tensorboard)
    ema = copy_of(objective.model) if config.ema is not None else None
    optimizer = build_optimizer(config, objective)
    return Run(config, accelerator, objective, wrapped, optimizer, sampler, train, validation, log, folder, ema)


def build_optimizer(config: TrainerConfig, objective: Module) -> Optimizer:
    """The optimizer, with weight decay for matrices only."""
    import torch

    parameters = [p for p in objective.parameters() if p.requires_grad]
    if not parameters:
        raise DataError(f"{type(objective).__name__} has no parameter that requires a gradient: there is nothing to train")
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.betas[0])
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr, betas=config.betas)


def store(run: Run) -> None:
    """Write a checkpoint; every process takes part, the first one writes."""
    if run.folder is None:
        return
    states = _of_all_processes(random_state.capture(), run.accelerator.device)
    if run.accelerator.is_main_process:
        tensors, settings = _optimizer_tensors(run.optimizer)
        groups = {"model": run.objective.model.state_dict(), "optimizer": tensors}
        groups |= {"ema": run.ema} if run.ema is not None else {}
        groups |= {"loss": _state_of(run.objective.loss)} if _state_of(run.objective.loss) else {}
        state = {
            **{name: getattr(run, name) for name in COUNTERS},
            "random": states,
            "optimizer": settings,
            "n_samples": len(run.train),
            "config": run.config.model_dump(mode="json"),
        }
        save_checkpoint(run.folder / CHECKPOINTS, run.step, groups, state, best=run.best_step)
    run.accelerator.wait_for_everyone()


def go_on(run: Run, resume: bool) -> None:
    """Bring a run to where its newest checkpoint was, or check that the folder is free for a new one."""
    steps = checkpoint_steps(run.folder / CHECKPOINTS) if run.folder is not None else []
    if steps and not resume:
        raise OutputExistsError(
            f"{run.folder} holds a run with checkpoints up to step {steps[-1]}: resume it, or choose another folder"
        )
    run.accelerator.wait_for_everyone()  # nobody writes before all have looked
    if not steps:
        run.log.rewind(0)
        return
    found = load_checkpoint(run.folder / CHECKPOINTS)  # type: ignore[operator]
    _check_same(run, found)
    for name in COUNTERS:
        setattr(run, name, found.state[name])
    _load_tensors(run, found)
    run.log.rewind(run.step)
    states = found.state["random"]
    if len(states) != run.accelerator.num_processes:
        warnings.warn(
            f"the run was stored by {len(states)} processes and goes on with {run.accelerator.num_processes}: "
            "it cannot go on exactly, since each process draws from a stream of its own",
            stacklevel=2,
        )
        return
    random_state.restore(states[run.accelerator.process_index])


def best_weights(run: Run) -> dict[str, Tensor]:
    """Weights of the network at its best validation; the averages where they were validated."""
    if run.best_step is None:
        return run.ema or {}
    if run.folder is None:
        return run.best_weights
    tensors = load_checkpoint(run.folder / CHECKPOINTS, run.best_step).tensors
    return tensors.get("ema", tensors["model"])


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Only algorithms that give the same bits again, within a block."""
    import torch

    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if wanted:
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


def _check_same(run: Run, found: Checkpoint) -> None:
    """Refuse to go on with other settings or data: the result would be that of neither."""
    then, now = found.state["config"], run.config.model_dump(mode="json")
    other = {name: (then.get(name), value) for name, value in now.items() if name not in FREE and then.get(name) != value}
    if found.state["n_samples"] != len(run.train):
        other["n_samples"] = (found.state["n_samples"], len(run.train))
    if other:
        told = ", ".join(f"{name} was {old!r} and is {new!r}" for name, (old, new) in other.items())
        raise DataError(f"{found.path} is of another run: {told}. Resume with the same settings, or choose another folder")


def _load_tensors(run: Run, found: Checkpoint) -> None:
    tensors = found.tensors
    try:
        run.objective.model.load_state_dict(tensors["model"])
        if "loss" in tensors:
            run.objective.loss.load_state_dict(tensors["loss"])  # type: ignore[attr-defined]
        run.optimizer.load_state_dict(_optimizer_state(tensors["optimizer"], found.state["optimizer"]))
        for name, value in (run.ema or {}).items():
            value.copy_(tensors["ema"][name])
    except (RuntimeError, KeyError, ValueError, AttributeError) as error:
        raise DataError(f"{found.path} is of another network: {' '.join(str(error).split())[:300]}") from error


def _state_of(loss: Any) -> dict[str, Tensor]:
    """What a loss has learned."""
    return loss.state_dict() if hasattr(loss, "state_dict") else {}


def _optimizer_tensors(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of an optimizer as tensors by name, and the rest as JSON values."""
    import torch

    whole = optimizer.state_dict()
    named = {f"{k}.{name}": value for k, state in whole["state"].items() for name, value in state.items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}
    scalars = {name: value for name, value in named.items() if name not in tensors}
    return tensors, {"groups": whole["param_groups"], "scalars": scalars}


def _optimizer_state(tensors: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, Any]:
    """The same the other way round."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **settings["scalars"]}.items():
        number, _, member = name.partition(".")
        state.setdefault(int(number), {})[member] = value
    return {"state": state, "param_groups": settings["groups"]}


def _of_all_processes(value: Any, device: Any) -> list[Any]:
    """A JSON value of each process, sent as bytes."""
    import torch

    text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(device)
    return [json.loads(part.cpu().numpy().tobytes()) for part in gather_rows(text)]
