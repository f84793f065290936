"""The samples of all processes as one batch, with gradient, so that a loss over pairs does not depend on their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def n_processes() -> int:
    """Number of processes that train together; 1 where nothing was launched."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather_batch(local: Tensor) -> Tensor:
    r"""Concatenate the rows of all processes, in the order of the processes.

    Every process computes the loss L of the whole batch from what this returns, and so the full gradient with respect to its
    own rows :math:`z_r`; nothing has to be sent backwards. Data parallel training then takes the mean over the W processes of
    :math:`\partial L / \partial z_r \cdot \partial z_r / \partial \theta`, which is the gradient of L over W: the gradient of the
    own rows is multiplied by W here. Parameters of the loss itself, such as a temperature, and means over the local rows need
    no such factor, so that both kinds of loss may be added.

    Parameters
    ----------
    local : Tensor of shape (n_local, ...)
        Rows of this process; their number may differ between processes, the other sizes must not.

    Returns
    -------
    Tensor of shape (n_global, ...)
        `local` itself where there is one process.
    """
    world = n_processes()
    if world == 1:
        return local
    import torch.distributed as dist

    rows = gather_rows(local.detach())
    if not local.requires_grad:
        return _joined(rows)
    own = local.clone()
    own.register_hook(lambda gradient: gradient * world)  # type: ignore[no-untyped-call]
    rows[dist.get_rank()] = own
    return _joined(rows)


def gather_indices(index: Tensor) -> Tensor:
    """Gather row numbers that count within each process, so that they count within the whole batch.

    Parameters
    ----------
    index : Tensor of shape (n_local,), int64
        Row numbers below ``n_local``, e.g. the partners of `neurodecode.train.losses.mix_samples`.

    Returns
    -------
    Tensor of shape (n_global,), int64
        Row numbers below ``n_global``.
    """
    if n_processes() == 1:
        return index
    rows, start = gather_rows(index), 0
    for rank, part in enumerate(rows):
        rows[rank] = part + start
        start += len(part)
    return _joined(rows)


def gather_rows(local: Tensor) -> list[Tensor]:
    """Rows of each process, without gradient.

    Parameters
    ----------
    local : Tensor of shape (n_local, ...)
        Rows of this process.

    Returns
    -------
    list of Tensor
        One per process, each with as many rows as that process has.
    """
    import torch
    import torch.distributed as dist

    world = n_processes()
    if world == 1:
        return [local]
    length = torch.tensor([len(local)], device=local.device)
    lengths = [torch.zeros_like(length) for _ in range(world)]
    dist.all_gather(lengths, length)
    counts = [int(count) for count in lengths]
    padded = local.new_zeros((max(counts), *local.shape[1:]))  # what is sent must have one size
    padded[: len(local)] = local
    parts = [torch.empty_like(padded) for _ in range(world)]
    dist.all_gather(parts, padded)
    return [part[:count] for part, count in zip(parts, counts, strict=True)]


def _joined(rows: list[Tensor]) -> Tensor:
    import torch

    return torch.cat(rows)


def is_first_process() -> bool:
    """Whether this process is the one that writes and speaks."""
    import torch.distributed as dist

    return n_processes() == 1 or dist.get_rank() == 0
