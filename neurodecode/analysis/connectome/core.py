"""Core consistency: whether components mix once they are allowed to."""

from __future__ import annotations

import numpy as np

from neurodecode.analysis.connectome.factors import NTF, Array, Floats
from neurodecode.analysis.connectome.implicit import SeparableAffinity, SeparableProblem
from neurodecode.analysis.connectome.kernels import get_kernels
from neurodecode.analysis.connectome.observed import Observed
from neurodecode.analysis.connectome.subsets import Cells


def core_consistency(cells: Cells, fit: NTF) -> float:
    r"""Core consistency of a factorisation.

    .. math:: 100 \Big(1 - \sum_{abc} (g_{abc} - \delta_{abc})^2 / R\Big)

    with g the core that fits the tensor best with the factors as they are (Bro and Kiers 2003, Journal of Chemometrics 17:274).
    Missing cells are taken as the factorisation has them.

    Parameters
    ----------
    cells : Cells
        Tensor and mask.
    fit : NTF
        Factorisation of it.

    Returns
    -------
    float
        In percent, best 100; far below, also below 0, where there are too many components.
    """
    time, sample, pair = (np.asarray(factor, np.float64) for factor in fit.factors)
    time = time * fit.weights
    inverse = [np.linalg.pinv(factor) for factor in (time, sample, pair)]
    core = _implicit(cells, inverse) if isinstance(cells.source, SeparableAffinity) else _dense(cells, inverse)
    if not cells.mask.all():
        core += _missing(cells, [time, sample, pair], inverse)
    rank = len(fit.weights)
    ideal = np.zeros((rank, rank, rank))
    ideal[np.arange(rank), np.arange(rank), np.arange(rank)] = 1.0
    return float(100 * (1 - np.square(core - ideal).sum() / rank))


def _dense(cells: Cells, inverse: list[Array]) -> Floats:
    n_times, n_samples, n_pairs = cells.shape
    by_cell = np.zeros((len(inverse[0]), n_samples, n_pairs))
    step = max(2**22 // (n_samples * n_pairs), 1)
    for start in range(0, n_times, step):
        rows = np.where(cells.mask, cells.source[start : start + step], 0).astype(np.float64)
        by_cell += np.tensordot(inverse[0][:, start : start + step], rows, axes=1)
    return np.asarray(np.einsum("awp,bw,cp->abc", by_cell, *inverse[1:], optimize=True))


def _implicit(cells: Cells, inverse: list[Array]) -> Floats:
    problem = SeparableProblem(cells.source, Observed.from_mask(cells.mask, cells.shape), get_kernels())
    by_time: Array = problem.against_pairs(inverse[2].astype(problem.dtype))
    return np.asarray(np.einsum("ctw,at,bw->abc", by_time.astype(np.float64), *inverse[:2], optimize=True))


def _missing(cells: Cells, factors: list[Floats], inverse: list[Array]) -> Floats:
    """What the factorisation has where nothing was observed, against the inverse factors."""
    time, sample, pair = factors
    lost = ~cells.mask
    ratio = inverse[0] @ time
    found = np.zeros((len(ratio),) * 3)
    for k in np.flatnonzero(lost.any(axis=1)):
        products = inverse[2][:, lost[k]] @ pair[lost[k]]  # (c, r)
        found += np.einsum("ar,b,r,cr->abc", ratio, inverse[1][:, k], sample[k], products)
    return found
