"""Parts of a tensor, whichever way it is given, and the time over which it is correlated with itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.affinity import AffinityTensor
from neurodecode.analysis.connectome.factors import Array
from neurodecode.analysis.connectome.implicit import SeparableAffinity, pair_mask
from neurodecode.errors import DataError

_COLUMNS = 200  # time courses that the correlation over time is averaged over


class Cells(NamedTuple):
    """A tensor time x sample x pair, or the traces behind it, with its mask."""

    source: Any
    """Array (n_times, n_samples, n_pairs) or SeparableAffinity."""
    mask: NDArray[np.bool_]
    """Shape (n_samples, n_pairs): observed cells, the same at all times."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Times, samples, pairs."""
        head = self.source.h_plus if isinstance(self.source, SeparableAffinity) else self.source
        return int(head.shape[0]), int(head.shape[1]), int(self.mask.shape[1])

    def part(self, times: Any = slice(None), samples: Any = slice(None)) -> Cells:
        """Some times and samples.

        Parameters
        ----------
        times, samples : slice or array of int
            What is kept.

        Returns
        -------
        Cells
            Of the same pairs.
        """
        if isinstance(self.source, SeparableAffinity):
            plus, minus, names = self.source
            kept = None if names is None else names[samples]
            return Cells(SeparableAffinity(plus[times][:, samples], minus[times][:, samples], kept), self.mask[samples])
        return Cells(self.source[times][:, samples], self.mask[samples])

    def courses(self, samples: NDArray[np.intp], pairs: NDArray[np.intp]) -> Array:
        """Affinity over time of some cells.

        Parameters
        ----------
        samples, pairs : array of int, shape (n,)
            Sample and pair of each.

        Returns
        -------
        array of shape (n_times, n)
            Affinities.
        """
        if not isinstance(self.source, SeparableAffinity):
            return np.asarray(self.source[:, samples, pairs])
        i, j = (index[pairs] for index in np.triu_indices(self.source.h_plus.shape[2], 1))
        return np.asarray(sum(side[:, samples, i] * side[:, samples, j] for side in self.source[:2]))


def as_cells(tensor: Any, mask: Any = None) -> Cells:
    """Take a tensor of three modes in any form.

    Parameters
    ----------
    tensor : array_like, AffinityTensor or SeparableAffinity
        As in `ntf_hals`, of the modes time, sample and pair.
    mask : array_like of bool, optional
        Observed cells, of a shape that broadcasts to (n_samples, n_pairs).

    Returns
    -------
    Cells
        Tensor and mask.

    Raises
    ------
    DataError
        If it has another number of modes, or the mask does not fit or changes over time.
    """
    source, own = tensor, None
    if isinstance(tensor, AffinityTensor):
        source, own = (tensor.separable if tensor.tensor is None else tensor.tensor), tensor.mask
    if isinstance(source, SeparableAffinity):
        n_names = source.h_plus.shape[2]
        shape = (source.h_plus.shape[1], n_names * (n_names - 1) // 2)
        own = pair_mask(np.asarray(source.observed, bool)) if source.observed is not None else own
    else:
        source = source if isinstance(source, np.ndarray) else np.asarray(source)
        if source.ndim != 3:
            raise DataError(f"the tensor must have the modes time, sample and pair, got shape {source.shape}")
        shape = source.shape[1:]
    cells = np.ones(shape, bool) if own is None else own
    if mask is not None:
        given = np.asarray(mask)
        wanted = f"mask must be of truth values (n_samples, n_pairs) = {tuple(shape)}"
        if given.dtype != bool:
            raise DataError(f"{wanted}, got dtype {given.dtype}")
        try:
            cells = cells & np.broadcast_to(given, shape)
        except ValueError as error:
            raise DataError(f"{wanted}, got shape {given.shape}") from error
    return Cells(source, cells)


def correlation_time(cells: Cells, random_state: int = 0) -> int:
    """Frames until the autocorrelation of affinities has fallen to 1 / e, the mean over some cells.

    Parameters
    ----------
    cells : Cells
        Tensor and mask.
    random_state : int
        Seed of the choice of cells.

    Returns
    -------
    int
        1 or more, a quarter of the duration at most.
    """
    rng, (n_times, _, _) = np.random.default_rng(random_state), cells.shape
    samples, pairs = np.nonzero(cells.mask)
    chosen = rng.choice(len(samples), min(_COLUMNS, len(samples)), replace=False)
    courses = cells.courses(samples[chosen], pairs[chosen]).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(courses - courses.mean(axis=0), 2 * n_times, axis=0)) ** 2
    autocorrelation = np.fft.irfft(spectrum.sum(axis=1))[: max(n_times // 4, 1) + 1]
    low = np.flatnonzero(autocorrelation < autocorrelation[0] / np.e)
    return int(max(low[0] if len(low) else len(autocorrelation) - 1, 1))
