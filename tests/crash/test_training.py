"""A training that is killed at any time and resumed gives the curve and the weights of one that was not, bit by bit."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from training_runs import N_STEPS, fit, fit_and_save, in_process, start

from neurodecode.train import load_checkpoint
from neurodecode.train.checkpoint import checkpoint_steps

EVERY = {"checkpoint_every": 3}  # so that steps are lost and done again


def contents(folder: Path) -> dict[str, str]:
    """Hash of the curve, the final weights and everything in the last checkpoint."""
    last = load_checkpoint(folder / "checkpoints").path
    files = [folder / "metrics.jsonl", folder / "final.safetensors", *sorted(last.iterdir())]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("training") / "whole"
    assert in_process(fit_and_save, folder, False, None, EVERY) == 0
    found = contents(folder)
    assert {"metrics.jsonl", "final.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"} <= set(found)
    return found


def kill_and_resume(folder: Path, whole: dict[str, str], *kills: tuple[str, int]) -> None:
    """Kill one run as often as told, let it end, and compare."""
    for kill in kills:
        assert in_process(fit_and_save, folder, True, kill, EVERY) == -signal.SIGKILL
    assert in_process(fit_and_save, folder, True, None, EVERY) == 0
    assert contents(folder) == whole


def test_killed_at_three_random_steps(tmp_path: Path, whole: dict[str, str]) -> None:
    steps = sorted(np.random.default_rng(0).choice(np.arange(1, N_STEPS), 3, replace=False).tolist())
    kill_and_resume(tmp_path / "run", whole, *(("step", step) for step in steps))


@pytest.mark.slow
def test_killed_at_ten_random_steps(tmp_path: Path, whole: dict[str, str]) -> None:
    for step in np.random.default_rng(1).choice(np.arange(1, N_STEPS), 10, replace=False).tolist():
        kill_and_resume(tmp_path / str(step), whole, ("step", step))


@pytest.mark.parametrize("call", [2, 4])
def test_killed_while_a_checkpoint_is_written(tmp_path: Path, whole: dict[str, str], call: int) -> None:
    """Renamings: lines of metrics, then for each checkpoint its folder, the pointer, and the old ones that go."""
    kill_and_resume(tmp_path / "run", whole, ("replace", call))


def test_the_comparison_would_notice(tmp_path: Path, whole: dict[str, str]) -> None:
    """Without the states of random numbers the curve is another one."""
    from neurodecode.train import random_state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_state, "restore", lambda states: None)
        fit(tmp_path / "run", callbacks=[stop_at(7)], **EVERY)
        fit(tmp_path / "run", resume=True, **EVERY)
    resumed = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    assert hashlib.sha256(resumed).hexdigest() != whole["metrics.jsonl"]


def stop_at(step: int):
    """A callback that asks for an end, as a batch system does."""
    return lambda record: os.kill(os.getpid(), signal.SIGTERM) if record["step"] == step else None


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_writes_a_checkpoint_at_the_next_border_and_ends(tmp_path: Path, name: str) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    number = getattr(signal, name)
    _, result = fit(tmp_path, callbacks=[lambda record: os.kill(os.getpid(), number) if record["step"] == 7 else None])
    assert (result.stopped, result.step) == (name, 8)
    assert checkpoint_steps(tmp_path / "checkpoints")[-1] == 8
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)] == handlers
    model, resumed = fit(tmp_path, resume=True)
    other, undisturbed = fit()
    assert resumed.curve.equals(undisturbed.curve)
    assert all(np.array_equal(a.detach(), b.detach()) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_a_process_that_is_terminated_ends_well(tmp_path: Path) -> None:
    (process,) = start(fit_and_save, [(tmp_path, False, None, {"epochs": 10**5})])
    deadline = time.monotonic() + 60
    while not checkpoint_steps(tmp_path / "checkpoints") and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 0
    found = load_checkpoint(tmp_path / "checkpoints")
    assert found.step == len((tmp_path / "metrics.jsonl").read_text().splitlines())


def test_a_damaged_newest_checkpoint_costs_one_interval(tmp_path: Path, whole: dict[str, str]) -> None:
    kill_at = ("step", 11)
    assert in_process(fit_and_save, tmp_path, False, kill_at, EVERY) == -signal.SIGKILL
    newest = load_checkpoint(tmp_path / "checkpoints")
    with open(newest.path / "optimizer.safetensors", "r+b") as file:
        file.seek(-3, 2)
        file.write(b"\xff")
    with pytest.warns(UserWarning, match=r"optimizer.safetensors.*going on from step"):
        assert load_checkpoint(tmp_path / "checkpoints").step < newest.step
    with pytest.warns(UserWarning, match="going on from step"):
        fit(tmp_path, resume=True, **EVERY)
    assert hashlib.sha256((tmp_path / "metrics.jsonl").read_bytes()).hexdigest() == whole["metrics.jsonl"]
