"""Small trainings for tests: a linear world, a network with dropout, and processes that are killed or train together."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from neurodecode.data import atomic
from neurodecode.train import ArrayDataset, Trainer, clip_loss, gather_batch

SETTINGS: dict[str, Any] = {"epochs": 4, "batch_size": 16, "lr": 3e-3, "device": "cpu", "log_every": 1}
N_TRAIN, N_VALIDATION, N_INPUTS, N_OUTPUTS = 80, 24, 12, 6
PRELOADED = ["torch._dynamo", "accelerate", "pandas", "safetensors.torch", "tqdm.auto", "neurodecode.train.loop"]
N_STEPS = SETTINGS["epochs"] * N_TRAIN // SETTINGS["batch_size"]


def world(split: str = "train", n: int = N_TRAIN, noise: float = 0.5) -> ArrayDataset:
    """Responses that hold embeddings, linearly, in noise."""
    mixing = np.random.default_rng(0).standard_normal((N_OUTPUTS, N_INPUTS))
    rng = np.random.default_rng([1, split == "train"])
    targets = rng.standard_normal((n, N_OUTPUTS))
    responses = targets @ mixing + noise * rng.standard_normal((n, N_INPUTS))
    return ArrayDataset(split, x=responses.astype(np.float32), y=targets.astype(np.float32))


def network(dropout: float = 0.1, seed: int = 0) -> nn.Module:
    """Two layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(N_INPUTS, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, N_OUTPUTS))


def contrast(model: nn.Module, batch: dict[str, torch.Tensor], progress: float) -> torch.Tensor:
    """Contrastive loss over the samples of all processes."""
    return clip_loss(gather_batch(model(batch["x"])), gather_batch(batch["y"]), temperature=0.5)


def contrast_in_noise(model: nn.Module, batch: dict[str, torch.Tensor], progress: float) -> torch.Tensor:
    """The same with noise from every stream of random numbers."""
    noise = random.random() + np.random.random() + torch.rand(())  # noqa: NPY002
    return clip_loss(model(batch["x"] + 0.1 * noise * torch.randn_like(batch["x"])), batch["y"], temperature=0.5)


def fit(folder: Path | None = None, *, resume: bool = False, callbacks: Any = (), **settings: Any) -> tuple[nn.Module, Any]:
    """The training that is killed: dropout, noise, averages, a schedule, accumulation."""
    model = network()
    options = {**SETTINGS, "ema": 0.9, "schedule": "one_cycle", "warmup": 0.2, "clip": 1.0, **settings}
    validation = world("validation", N_VALIDATION)
    trainer = Trainer(**options)
    result = trainer.fit(
        model, contrast_in_noise, world(), validation=validation, folder=folder, resume=resume, callbacks=callbacks
    )
    return model, result


# --- processes -----------------------------------------------------------------------------------------------------


def in_process(function: Callable[..., None], *arguments: Any) -> int | None:
    """Exit code of a function in a process of its own, forked from a clean server that has torch loaded."""
    (process,) = start(function, [arguments])
    process.join(120)
    return process.exitcode


def start(function: Callable[..., None], every: list[tuple[Any, ...]]) -> list[Any]:
    """One process for each list of arguments."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    processes = [context.Process(target=function, args=arguments) for arguments in every]
    for process in processes:
        process.start()
    return processes


def fit_and_save(folder: Path, resume: bool, kill: tuple[str, int] | None, settings: dict[str, Any]) -> None:
    """Train, and keep the final weights; ``("step", 5)`` dies there, ``("replace", 5)`` at the fifth renaming on disk."""
    torch.set_num_threads(1)
    if kill is not None and kill[0] == "replace":
        _die_at_replace(kill[1])
    at = kill[1] if kill is not None and kill[0] == "step" else None
    model, _ = fit(folder, resume=resume, callbacks=[lambda record: die() if record["step"] == at else None], **settings)
    save_file(model.state_dict(), folder / "final.safetensors")


def die() -> None:
    """At once, without a last word."""
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_replace(number: int) -> None:
    replace, left = os.replace, [number]

    def dying(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            die()
        replace(*arguments)

    atomic.os.replace = dying  # type: ignore[attr-defined]


def together(function: Callable[..., None], n: int, *arguments: Any) -> None:
    """Run a function in `n` processes that know each other, as torchrun would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = start(_as_rank, [(rank, n, port, function, arguments) for rank in range(n)])
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * n


def _as_rank(rank: int, n: int, port: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in names.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    function(*arguments)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def train_together(out: Path, settings: dict[str, Any]) -> None:
    """Train without any noise, and keep curve and weights of the first process."""
    model = network(dropout=0.0)
    options = {**SETTINGS, **settings}
    result = Trainer(**options).fit(model, contrast, world(), validation=world("validation", 21))
    if os.environ.get("RANK", "0") == "0":
        out.mkdir()
        result.curve.to_json(out / "curve.json", double_precision=15)
        save_file(model.state_dict(), out / "final.safetensors")


def gather_uneven(out: Path) -> None:
    """Loss and gradient of an uneven batch in two processes: five rows and three."""
    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group("gloo")
    x, y = uneven_batch()
    rows = slice(0, 5) if rank == 0 else slice(5, 8)
    own = x[rows].clone().requires_grad_()
    loss = clip_loss(gather_batch(own), gather_batch(y[rows]))
    loss.backward()
    save_file({"loss": loss.detach(), "gradient": own.grad}, out / f"{rank}.safetensors")


def uneven_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Eight rows."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 4, generator=generator), torch.randn(8, 4, generator=generator)
