"""The loop: batches to steps, steps to epochs, and what happens at the border between two steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError
from neurodecode.train.data import Batches, iterate
from neurodecode.train.ema import copy_of, update_ema, using
from neurodecode.train.random_state import seeded
from neurodecode.train.run import Run, store
from neurodecode.train.sampler import even_batches, own_share
from neurodecode.train.schedules import rate_factor
from neurodecode.train.signals import Request

if TYPE_CHECKING:
    from torch import Tensor

Callback = Callable[[dict[str, Any]], None]


def train_epochs(run: Run, request: Request, callbacks: Iterable[Callback], bar: Any) -> None:
    """Train until all epochs are done, the patience is at its end, or a signal asks for an end."""
    while not run.is_over and not _asked(run, request):
        for values in _steps_of_epoch(run):
            record = _finish_step(run, values)
            stops = _asked(run, request)
            if record:
                run.log.write(record)
                bar.set_postfix(loss=f"{record['loss']:.4g}", refresh=False)
            if _is_due(run) or stops:
                store(run)
            for callback in callbacks if record else ():
                callback(record)
            bar.update()
            if stops:
                return


def _steps_of_epoch(run: Run) -> Iterator[dict[str, Tensor]]:
    """Do the steps that are left of this epoch, one at a time."""
    accelerator, config = run.accelerator, run.config
    whole = run.sampler.epoch(run.epoch)
    own = [own_share(batch, accelerator.process_index, accelerator.num_processes) for batch in whole]
    batches = Batches(run.train, own, (config.seed, run.epoch))
    stream = iterate(batches, range(run.position, len(own)), config.workers)
    run.objective.train()
    while run.position < len(own):
        group = whole[run.position : run.position + config.accumulate]
        yield _step(run, islice(stream, len(group)), [len(batch) for batch in group])
        if run.position == 0:  # the epoch ended with this step
            return


def _step(run: Run, batches: Iterable[Any], sizes: list[int]) -> dict[str, Tensor]:
    """One step of the optimizer; each batch counts by its samples."""
    rate = run.config.lr * rate_factor(run.step, run.n_steps, run.config.schedule, run.config.warmup)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    total: dict[str, Tensor] = {}
    for i, batch in enumerate(batches):
        share = sizes[i] / sum(sizes)
        with nullcontext() if i + 1 == len(sizes) else run.accelerator.no_sync(run.wrapped):
            with _precision(run):
                values = run.wrapped(batch=_on_device(run, batch), progress=run.progress)
            run.accelerator.backward(values["loss"] * share if len(sizes) > 1 else values["loss"])
        for name, value in values.items():
            total[name] = total.get(name, 0) + value.detach() * share
    _update(run)
    run.step += 1
    run.position += len(sizes)
    return total


def _update(run: Run) -> None:
    """Clip, step, average."""
    if run.config.clip is not None:
        run.accelerator.clip_grad_norm_(run.objective.parameters(), run.config.clip)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    if run.ema is not None:
        update_ema(run.ema, run.objective.model, run.config.ema, run.step)  # type: ignore[arg-type]


def _finish_step(run: Run, values: dict[str, Tensor]) -> dict[str, Any]:
    """The line of this step, empty where none is due; at the end of an epoch the validation belongs to it."""
    ends = run.position >= len(run.sampler)
    epoch = run.epoch
    if ends:
        run.epoch, run.position = run.epoch + 1, 0
    if not ends and run.step % run.config.log_every:
        return {}
    told = {name: float(run.accelerator.reduce(value, "mean")) for name, value in values.items()}
    if not math.isfinite(told["loss"]):
        raise DataError(f"the loss is {told['loss']} at step {run.step}: look for NaN in the data, or lower lr={run.config.lr}")
    record = {"step": run.step, "epoch": epoch, "loss": told.pop("loss"), "lr": run.optimizer.param_groups[0]["lr"], **told}
    if ends and run.validation is not None:
        found = validate(run)
        _compare(run, found)
        record |= {f"validation_{name}": value for name, value in found.items()}
    return record


def validate(run: Run) -> dict[str, float]:
    """Mean over the validation samples of what the loss tells, with the weights that would be kept and always the same noise."""
    import torch

    rank, world = run.accelerator.process_index, run.accelerator.num_processes
    whole = even_batches(len(run.validation), run.config.batch_size)
    if len(whole[-1]) < world:
        raise DataError(f"{len(run.validation)} validation samples are too few for {world} processes: give at least one to each")
    own = [np.array_split(batch, world)[rank] for batch in whole]
    batches = Batches(run.validation, own, (run.config.seed, 0))
    sums: dict[str, Any] = {}
    with seeded(run.config.seed, rank), using(run.objective.model, run.ema), evaluating(run), torch.no_grad(), _precision(run):
        for index, batch in zip(own, iterate(batches, range(len(own)), run.config.workers), strict=True):
            for name, value in run.objective(batch=_on_device(run, batch), progress=run.progress).items():
                sums[name] = sums.get(name, 0) + value.double() * len(index)
    return {name: float(run.accelerator.reduce(value, "sum")) / len(run.validation) for name, value in sums.items()}


def _compare(run: Run, found: dict[str, float]) -> None:
    """Keep the best validation, or count how long there was none."""
    name, sign = run.config.monitor, 1 if run.config.mode == "min" else -1
    if name not in found:
        raise DataError(f"monitor={name!r} is nothing that the loss tells: {suggest(name, found)}")
    if run.best_value is not None and not sign * found[name] < sign * run.best_value:
        run.waited += 1
        return
    run.best_value, run.best_step, run.waited = found[name], run.step, 0
    if run.folder is None:
        run.best_weights = dict(run.ema) if run.ema is not None else copy_of(run.objective.model)
        run.best_weights = {key: value.clone() for key, value in run.best_weights.items()}


def _is_due(run: Run) -> bool:
    """Whether this step is stored: the best, the last, and those of the clock."""
    every = run.config.checkpoint_every
    on_time = run.position == 0 if every is None else run.step % every == 0
    return on_time or run.best_step == run.step or run.is_over


def _asked(run: Run, request: Request) -> bool:
    """Whether any process was asked to end: they must all stop at the same step."""
    if run.accelerator.num_processes == 1:
        return bool(request.signal)
    import torch

    flag = torch.tensor([request.signal], device=run.accelerator.device)
    request.signal = int(run.accelerator.gather(flag).max())
    return bool(request.signal)


def _precision(run: Run) -> Any:
    """Bfloat16 where it is asked for; weights and losses stay in float32."""
    import torch

    wanted = run.config.precision == "bf16"
    return torch.autocast(run.accelerator.device.type, torch.bfloat16) if wanted else nullcontext()


def _on_device(run: Run, batch: Any) -> Any:
    from accelerate.utils import send_to_device

    device = run.accelerator.device
    return batch if device.type == "cpu" else send_to_device(batch, device, non_blocking=True)


@contextmanager
def evaluating(run: Run) -> Iterator[None]:
    """Dropout and the like off within a block."""
    run.objective.eval()
    try:
        yield
    finally:
        run.objective.train()
