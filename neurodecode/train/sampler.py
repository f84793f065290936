"""Which samples form which batch: a function of seed and epoch alone, the same for any number of processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodecode.errors import DataError


@dataclass(frozen=True)
class BatchSampler:
    """Batches of each epoch, shuffled anew.

    Parameters
    ----------
    n_samples : int
        Samples there are.
    batch_size : int
        Samples per batch, over all processes.
    seed : int
        Seed of the order.
    shuffle : bool
        False keeps the order of the samples.
    drop_last : bool
        Leave out what does not fill a batch; other samples are left out in each epoch.
    limit : int, optional
        Most batches per epoch.

    Raises
    ------
    DataError
        If there is not one batch.
    """

    n_samples: int
    batch_size: int
    seed: int = 0
    shuffle: bool = True
    drop_last: bool = True
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1 or len(self) < 1:
            raise DataError(
                f"{self.n_samples} samples do not fill one batch of {self.batch_size}: "
                "choose a smaller batch_size, or drop_last=False"
            )

    def __len__(self) -> int:
        """Batches per epoch."""
        whole = self.n_samples // self.batch_size
        n = whole if self.drop_last or whole * self.batch_size == self.n_samples else whole + 1
        return n if self.limit is None else min(n, self.limit)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """Give the batches of one epoch.

        Parameters
        ----------
        number : int
            Epoch, from 0.

        Returns
        -------
        list of array of int64
            Sample numbers of each batch.
        """
        order = np.arange(self.n_samples)
        if self.shuffle:
            order = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,))).permutation(order)
        cuts = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
        return [cut.astype(np.int64) for cut in cuts]


def own_share(batch: NDArray[np.int64], rank: int, world: int) -> NDArray[np.int64]:
    """Part of a batch that one process computes.

    Parameters
    ----------
    batch : array of int64 of shape (n,)
        Sample numbers.
    rank, world : int
        Number of this process, and of all.

    Returns
    -------
    array of int64
        A contiguous part, equal in length for all processes.

    Raises
    ------
    DataError
        If the batch cannot be shared equally: the mean over processes would not be the mean over samples.
    """
    if len(batch) % world:
        raise DataError(
            f"a batch of {len(batch)} samples cannot be shared equally by {world} processes: "
            f"choose a batch_size that {world} divides, and drop_last=True"
        )
    return np.split(batch, world)[rank]


def even_batches(n_samples: int, batch_size: int) -> list[NDArray[np.int64]]:
    """Cut samples in order into batches that differ by one sample at most, as near to a size as possible.

    Parameters
    ----------
    n_samples : int
        Samples there are.
    batch_size : int
        Size that is wanted.

    Returns
    -------
    list of array of int64
        Each sample once: a contrastive loss has about the same number of candidates in each.
    """
    n_batches = max(1, round(n_samples / batch_size))
    return [part.astype(np.int64) for part in np.array_split(np.arange(n_samples), n_batches)]
