"""What networks on M/EEG share: checks of what they are given, and rows of tables."""

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


def check_shape(signal: Tensor, n_channels: int, n_times: int) -> None:
    """Refuse windows of another montage or length.

    Parameters
    ----------
    signal : Tensor
        Expected (n_samples, n_channels, n_times).
    n_channels, n_times : int
        What the network was made for.

    Raises
    ------
    DataError
        With both shapes.
    """
    if signal.ndim != 3 or tuple(signal.shape[1:]) != (n_channels, n_times):
        raise DataError(
            f"windows must have shape (n_samples, {n_channels}, {n_times}), the channels and times that this network was made "
            f"for, got {tuple(signal.shape)}"
        )


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


def of_subject(table: Tensor, subject: Tensor) -> Tensor:
    """Look up what belongs to subjects.

    Parameters
    ----------
    table : Tensor of shape (n_subjects, ...)
        One row for each subject.
    subject : Tensor of shape (n,), int64
        Number of the subject, -1 for the mean of all rows.

    Returns
    -------
    Tensor of shape (n, ...)
        Rows.

    Raises
    ------
    DataError
        If a subject has no row.
    """
    n_subjects, strange = len(table), subject == -1
    outside = subject[(subject < -1) | (subject >= n_subjects)]
    if len(outside):
        raise DataError(
            f"subject {int(outside[0])} is not among the {n_subjects} that this network was made for, 0 to {n_subjects - 1}: "
            "give -1 to decode an unseen subject by the mean of all subjects, or fit what is its own"
        )
    if not strange.any():
        return rows(table, subject)
    with_mean = torch.cat([table, table.mean(0, keepdim=True)])
    return rows(with_mean, torch.where(strange, n_subjects, subject))
