"""Losses and schedules beside those of torch and transformers."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from neurodecode.train import losses as L
from neurodecode.train.schedules import rate_factor


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 8, generator=generator), torch.randn(16, 8, generator=generator)


def test_clip_is_the_one_of_transformers(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    clip = pytest.importorskip("transformers.models.clip.modeling_clip")
    logits = F.normalize(batch[1]) @ F.normalize(batch[0]).T / 0.07
    peer = getattr(clip, "image_text_contrastive_loss", None) or clip.clip_loss  # renamed with release 5
    torch.testing.assert_close(L.clip_loss(*batch), peer(logits))


@pytest.mark.parametrize("side", [0, 1])
def test_one_direction_is_cross_entropy(batch: tuple[torch.Tensor, torch.Tensor], side: int) -> None:
    x, y = batch[side], batch[1 - side]
    expected = F.cross_entropy(F.normalize(x) @ F.normalize(y).T / 0.2, torch.arange(16))
    torch.testing.assert_close(L.clip_loss(x, y, temperature=0.2, symmetric=False), expected)


def test_soft_clip_is_cross_entropy_with_soft_labels(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = map(F.normalize, batch)
    expected = F.cross_entropy(x @ y.T / 0.1, F.softmax(y @ y.T / 0.1, dim=1))
    torch.testing.assert_close(L.soft_clip(*batch, temperature=0.1, symmetric=False), expected)


def test_siglip_is_binary_cross_entropy(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = map(F.normalize, batch)
    summed = F.binary_cross_entropy_with_logits(10 * x @ y.T - 10, torch.eye(16), reduction="sum")
    torch.testing.assert_close(L.siglip_loss(*batch), summed / 16)


@pytest.mark.parametrize(("n_steps", "warmup"), [(40, 0.25), (100, 0.1)])
def test_one_cycle_is_the_one_of_torch(n_steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    peer = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2.0, total_steps=n_steps, pct_start=warmup, cycle_momentum=False)
    for step in range(n_steps):
        assert 2 * rate_factor(step, n_steps, "one_cycle", warmup) == pytest.approx(peer.get_last_lr()[0], abs=1e-7)
        optimizer.step()
        if step + 1 < n_steps:
            peer.step()


def test_cosine_is_the_one_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for step in range(30):
        assert rate_factor(step, 30, "cosine") == pytest.approx(peer.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        peer.step()
