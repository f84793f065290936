"""A decoder whose training is killed at any step and resumed is the one of a training that was not, bit by bit."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from meeg_worlds import KILLED, SPLITS, fit_speech_and_save
from training_runs import in_process

N_STEPS = KILLED["epochs"] * (2 * SPLITS["train"] // KILLED["batch_size"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Weights of a decoder that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert in_process(fit_speech_and_save, folder, False, None) == 0
    return weights(folder)


def weights(folder: Path) -> bytes:
    return (folder / "decoder" / "speech.safetensors").read_bytes()


def kill_and_resume(folder: Path, *steps: int) -> bytes:
    """Kill one training as often as told, let it end, and give its weights."""
    for step in steps:
        assert in_process(fit_speech_and_save, folder, True, step) == -signal.SIGKILL
    assert not (folder / "decoder").exists()
    assert in_process(fit_speech_and_save, folder, True, None) == 0
    return weights(folder)


def random_steps(n: int) -> list[int]:
    return sorted(np.random.default_rng(4).choice(np.arange(1, N_STEPS), n, replace=False).tolist())


def test_killed_at_two_random_steps(tmp_path: Path, whole: bytes) -> None:
    assert kill_and_resume(tmp_path, *random_steps(2)) == whole


@pytest.mark.slow
def test_killed_at_ten_random_steps(tmp_path: Path, whole: bytes) -> None:
    assert kill_and_resume(tmp_path, *random_steps(10)) == whole
    last = random_steps(10)[-1]
    assert kill_and_resume(tmp_path / "once", last) == whole
