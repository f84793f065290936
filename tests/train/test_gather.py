"""Two processes compute what one does: losses, gradients, whole trainings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_runs import gather_uneven, in_process, together, train_together, uneven_batch

from neurodecode.train.gather import gather_batch, gather_indices, gather_rows, n_processes
from neurodecode.train.losses import clip_loss


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"schedule": "cosine", "clip": 0.5, "ema": 0.9}, id="clipped and averaged"),
        pytest.param({"accumulate": 2, "optimizer": "sgd", "lr": 0.1}, id="accumulated"),
    ],
)
def test_two_processes_train_as_one_with_the_same_global_batch(tmp_path: Path, settings: dict[str, object]) -> None:
    """The validation set, of 21 samples, cannot be shared equally."""
    assert in_process(train_together, tmp_path / "one", settings) == 0
    together(train_together, 2, tmp_path / "two", settings)
    one, two = (json.loads((tmp_path / name / "curve.json").read_text()) for name in ("one", "two"))
    assert len(one["loss"]) >= 12
    for column in ("loss", "validation_loss"):
        values = [np.array([np.nan if v is None else v for v in curve[column].values()]) for curve in (one, two)]
        np.testing.assert_allclose(values[0], values[1], atol=1e-5, rtol=0)
    assert one["loss"]["0"] - min(one["loss"].values()) > 0.3, "nothing was learned"
    weights = [load_file(tmp_path / name / "final.safetensors") for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=2e-5, rtol=0)


def test_uneven_batches_give_the_loss_and_gradient_of_the_whole(tmp_path: Path) -> None:
    together(gather_uneven, 2, tmp_path)
    x, y = uneven_batch()
    x.requires_grad_()
    loss = clip_loss(x, y)
    loss.backward()
    parts = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(2)]
    for part in parts:
        torch.testing.assert_close(part["loss"], loss.detach(), atol=1e-6, rtol=0)
    gradient = torch.cat([part["gradient"] for part in parts]) / 2  # data parallel training takes the mean
    torch.testing.assert_close(gradient, x.grad, atol=1e-6, rtol=0)


def test_one_process_gathers_nothing() -> None:
    rows = torch.ones(3, 2, requires_grad=True)
    assert n_processes() == 1
    assert gather_batch(rows) is rows
    assert gather_rows(rows) == [rows]
    index = torch.tensor([2, 0, 1])
    assert gather_indices(index) is index
