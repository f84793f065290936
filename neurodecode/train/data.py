"""Samples to train on: arrays by name, or any map-style torch Dataset; and the refusal of a test split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.responses import Responses
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.train.random_state import seeded

_TEST = re.compile(r"(^|[^a-z])(test|testing|tests|held[-_ ]?out)([^a-z]|$)", re.IGNORECASE)


class ArrayDataset:
    """Arrays of equal length by name; a batch is a dictionary of tensors by the same names.

    Parameters
    ----------
    split : str
        What these samples are, e.g. ``train`` or ``validation``; a test split is refused by `Trainer`.
    **arrays
        Arrays, memory maps, tensors or `Responses` with samples along the first axis; float64 becomes float32.

    Raises
    ------
    DataError
        If there is no array, or they differ in length.
    """

    def __init__(self, split: str = "train", /, **arrays: Any) -> None:
        self.split = split
        self.arrays = {name: value.data if isinstance(value, Responses) else value for name, value in arrays.items()}
        lengths = {name: len(value) for name, value in self.arrays.items()}
        if len(set(lengths.values())) != 1:
            raise DataError(f"arrays of one data set must have one length, got {lengths}")

    def __len__(self) -> int:
        """Number of samples."""
        return len(next(iter(self.arrays.values())))

    def batch(self, index: NDArray[np.int64]) -> dict[str, Any]:
        """Tensors of some samples.

        Parameters
        ----------
        index : array of int64 of shape (n,)
            Sample numbers.

        Returns
        -------
        dict of Tensor
            Shape (n, ...) each.
        """
        import torch

        def rows(value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                return value[torch.from_numpy(index)]
            part = torch.from_numpy(np.ascontiguousarray(np.asarray(value[index])))
            return part.float() if part.dtype == torch.float64 else part

        return {name: rows(value) for name, value in self.arrays.items()}


class Batches:
    """Batches of one epoch by number, so that each worker makes whole ones.

    Parameters
    ----------
    dataset : ArrayDataset or torch Dataset
        Samples.
    indices : sequence of array of int64
        Sample numbers of each batch.
    key : tuple of int, optional
        Seed and epoch: what samples draw at random is then a function of these and of the number of the batch, whatever the
        number of workers and wherever a run went on.
    """

    def __init__(self, dataset: Any, indices: list[NDArray[np.int64]], key: tuple[int, int] | None = None) -> None:
        self.dataset, self.indices, self.key = dataset, indices, key

    def __len__(self) -> int:
        """Number of batches."""
        return len(self.indices)

    def __getitem__(self, number: int) -> Any:
        """One batch."""
        index = self.indices[number]
        if isinstance(self.dataset, ArrayDataset):
            return self.dataset.batch(index)
        from torch.utils.data import default_collate

        own = nullcontext() if self.key is None else seeded(hash_of(*self.key), number)
        with own:
            return default_collate([self.dataset[int(i)] for i in index])


def hash_of(seed: int, epoch: int) -> int:
    """A seed of its own for each epoch."""
    return int(np.random.SeedSequence(seed, spawn_key=(epoch, 1)).generate_state(1)[0])


def iterate(batches: Batches, numbers: Iterable[int], workers: int = 0) -> Iterator[Any]:
    """Give batches in order, made here or by worker processes ahead of time.

    Parameters
    ----------
    batches : Batches
        What there is.
    numbers : iterable of int
        Which of them.
    workers : int
        Processes.

    Yields
    ------
    mapping of Tensor
        One batch.
    """
    if not workers:
        yield from (batches[number] for number in numbers)
        return
    import torch
    from torch.utils.data import DataLoader

    own = torch.Generator().manual_seed(0)  # else the loader draws a seed from the stream of the training
    yield from DataLoader(batches, sampler=list(numbers), batch_size=None, num_workers=workers, generator=own)  # type: ignore[arg-type]


def as_dataset(data: Any, split: str) -> Any:
    """Take a mapping of arrays for an `ArrayDataset`; other data sets need a length and items."""
    if isinstance(data, Mapping):
        return ArrayDataset(split, **data)
    if not hasattr(data, "__len__") or not (hasattr(data, "__getitem__") or isinstance(data, ArrayDataset)):
        raise DataError(f"{split} must be a mapping of arrays or a data set with a length and items, got {type(data).__name__}")
    return data


def refuse_test_split(data: Any) -> None:
    """Refuse data that are called a test split.

    Parameters
    ----------
    data : ArrayDataset or torch Dataset
        Its attributes ``split`` and ``name`` are looked at.

    Raises
    ------
    SplitLeakError
        If one of them says test: a model that is chosen on the test split has seen it.
    """
    for attribute in ("split", "name"):
        called = getattr(data, attribute, None)
        if isinstance(called, str) and _TEST.search(called):
            raise SplitLeakError(
                f"the {attribute} of these data is {called!r}: a training may not see a test split, neither to fit nor to "
                "choose; cut a validation split from the training samples"
            )
