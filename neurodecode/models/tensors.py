"""What networks on M/EEG share: the check of what they are given, and rows of tables."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from neurodecode.errors import DataError


def check_windows(signal: Tensor, positions: Tensor, subject: Tensor) -> None:
    """Refuse what does not fit together.

    Parameters
    ----------
    signal : Tensor
        Expected (n_samples, n_channels, n_times).
    positions : Tensor
        Expected (n_samples, n_channels, 2).
    subject : Tensor
        Expected (n_samples,) of int64.

    Raises
    ------
    DataError
        With the shapes.
    """
    shapes = tuple(signal.shape), tuple(positions.shape), tuple(subject.shape)
    if signal.ndim != 3 or shapes[1] != (*shapes[0][:2], 2) or shapes[2] != shapes[0][:1]:
        raise DataError(
            "expected signal (n_samples, n_channels, n_times), positions (n_samples, n_channels, 2) and subject (n_samples,), "
            f"got {shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    if subject.dtype != torch.int64:
        raise DataError(f"subject must be int64 numbers, got {subject.dtype}")


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Look rows up; gradients of equal rows are summed at the speed of an embedding, which plain indexing does not reach.

    Parameters
    ----------
    table : Tensor of shape (n, ...)
        Rows.
    index : Tensor of int64
        Row numbers.

    Returns
    -------
    Tensor
        Chosen rows: the shape of `index`, then that of a row.
    """
    return functional.embedding(index, table.flatten(1)).view(*index.shape, *table.shape[1:])
