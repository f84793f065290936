"""The way in: from what a laboratory has (an array, a memory map, a tensor of affinities, traces) to a factorisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from neurodecode.analysis.connectome.affinity import AffinityTensor
from neurodecode.analysis.connectome.dense import DenseProblem
from neurodecode.analysis.connectome.factors import NTF, Array
from neurodecode.analysis.connectome.hals import HalsResult, Problem, solve_hals
from neurodecode.analysis.connectome.implicit import SeparableAffinity, SeparableProblem, pair_mask
from neurodecode.analysis.connectome.kernels import get_kernels
from neurodecode.analysis.connectome.observed import Observed
from neurodecode.errors import DataError


class Settings(NamedTuple):
    """Who computes a factorisation, and how long; as in `ntf_hals`."""

    backend: str = "numpy"
    """``"numpy"`` or ``"torch"``."""
    device: str | None = None
    """Device of torch."""
    max_sweeps: int = 500
    """Sweeps at most."""
    tol: float = 1e-6
    """Relative change of the error at which to stop."""


def ntf_hals(
    tensor: ArrayLike | AffinityTensor | SeparableAffinity,
    rank: int,
    *,
    mask: ArrayLike | None = None,
    backend: str = "numpy",
    max_sweeps: int = 500,
    tol: float = 1e-6,
    random_state: int | np.random.Generator | None = None,
    init: Any = None,
    device: str | None = None,
) -> NTF:
    r"""Non-negative CP factorisation of a tensor of two or more modes.

    .. math:: \min_{\lambda, a \geq 0}\; \Big\|X - \sum_r \lambda_r\, a^{(1)}_r \circ a^{(2)}_r \circ \dots \Big\|^2_{observed}

    Hierarchical alternating least squares (HALS; Cichocki and Phan 2009, IEICE Transactions E92-A:708). Each sweep reads the
    tensor once: a block of the first mode is improved, and what the other modes need is added up on the way. Momentum between
    sweeps follows Ang, Cohen, Gillis and Hien (2021), Numerical Linear Algebra with Applications 28:e2373; a sweep that makes
    the error grow is undone. Masked cells take no part at all: rows of factors have Grams of their own, nothing is imputed.
    Norms, inner products and errors are summed in double precision.

    Parameters
    ----------
    tensor : array_like of shape (dim of mode 0, dim of mode 1, ...), AffinityTensor or SeparableAffinity
        Two or more modes, a memory map included; float32 is kept, float64 is solved in double precision. An
        `AffinityTensor` brings its own mask. From a `SeparableAffinity`, or an `AffinityTensor` whose array was not built, pairs
        are never built.
    rank : int
        Components.
    mask : array_like of bool, optional
        Observed cells (True), of the shape of the tensor or one that broadcasts to it, e.g. (n_samples, n_pairs) for all times.
        Fast where it changes in blocks of the first mode, or not at all.
    backend : str
        ``"numpy"`` or ``"torch"``.
    max_sweeps : int
        Sweeps at most.
    tol : float
        Stop where the error changed by less than this share of itself over five sweeps.
    random_state : int or Generator, optional
        Seed of the start.
    init : NTF or CPTensor, optional
        Factors to start from. By default random ones, improved on every eighth entry of the first mode where these are enough.
    device : str, optional
        Device of torch, e.g. ``"cuda"``.

    Returns
    -------
    NTF
        ``weights`` (rank,), ``factors`` one (dim, rank) per mode, and the relative ``error``. Compare two of them by
        `factor_match_score`; `fit_ensemble` runs several starts.

    Raises
    ------
    DataError
        If the tensor has one mode, is not finite or 0 where observed, or an argument is out of its range.

    Examples
    --------
    >>> weights, factors, error = ntf_hals(tensor, 6, mask=mask, random_state=0)  # doctest: +SKIP
    """
    settings = Settings(backend, device, max_sweeps, tol)
    return factorise(tensor, rank, mask, settings, random_state, init).ntf


def factorise(
    tensor: Any,
    rank: int,
    mask: Any,
    settings: Settings,
    random_state: int | np.random.Generator | None = None,
    init: Any = None,
) -> HalsResult:
    """`ntf_hals` with the error after each sweep, and whether it converged.

    Parameters
    ----------
    tensor : array_like, AffinityTensor or SeparableAffinity
        As in `ntf_hals`.
    rank : int
        Components.
    mask : array_like of bool, or Observed, or None
        As in `ntf_hals`.
    settings : Settings
        Who computes, and how long.
    random_state : int or Generator, optional
        Seed of the start.
    init : NTF or CPTensor, optional
        Factors to start from.

    Returns
    -------
    HalsResult
        Factorisation and the way to it.

    Raises
    ------
    DataError
        As in `ntf_hals`.
    """
    for name, value in (("rank", rank), ("max_sweeps", settings.max_sweeps)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise DataError(f"{name} must be a whole number from 1 up, got {value!r}")
    if not 0 <= settings.tol < 1:
        raise DataError(f"tol is a share of the error, from 0 to below 1, got {settings.tol!r}")
    problem, axis = make_problem(tensor, mask, settings, int(rank))
    start = init if init is None or not axis else _with_axis_first(init, axis)
    result = solve_hals(
        problem, int(rank), init=start, max_sweeps=settings.max_sweeps, tol=settings.tol, random_state=random_state
    )
    if not axis:
        return result
    factors = result.ntf.factors
    return result._replace(ntf=result.ntf._replace(factors=[*factors[1 : axis + 1], factors[0], *factors[axis + 1 :]]))


def make_problem(tensor: Any, mask: Any, settings: Settings, rank: int = 1) -> tuple[Problem, int]:
    """Find out what is to be factorised, and how.

    Parameters
    ----------
    tensor : array_like, AffinityTensor or SeparableAffinity
        As in `ntf_hals`.
    mask : array_like of bool, or Observed, or None
        As in `ntf_hals`.
    settings : Settings
        Who computes.
    rank : int
        Components; a first mode with fewer than twice as many entries gives way to the longest one.

    Returns
    -------
    problem : Problem
        What the solver works on.
    axis : int
        Axis of the tensor that the problem has as its first mode.

    Raises
    ------
    DataError
        As in `ntf_hals`.
    """
    kernels = get_kernels(settings.backend, settings.device)
    source, cells = _source(tensor, mask)
    if isinstance(source, SeparableAffinity):
        shape = (*source.h_plus.shape[:2], source.h_plus.shape[2] * (source.h_plus.shape[2] - 1) // 2)
        return SeparableProblem(source, Observed.from_mask(cells, shape), kernels), 0
    array = as_tensor(source)
    short = array.shape[0] < 2 * rank and not isinstance(cells, Observed)
    axis = int(np.argmax(array.shape)) if short else 0
    if axis:
        cells = None if cells is None else np.moveaxis(np.broadcast_to(cells, array.shape), axis, 0)
        array = np.ascontiguousarray(np.moveaxis(array, axis, 0))
    return DenseProblem(array, Observed.from_mask(cells, array.shape), kernels), axis


def as_tensor(tensor: Any) -> Array:
    """Check a tensor and bring it to single precision, unless it came in double precision.

    Parameters
    ----------
    tensor : array_like
        Real numbers; a memory map stays on disk.

    Returns
    -------
    array
        Of two or more dimensions.

    Raises
    ------
    DataError
        If it is something else.
    """
    array = tensor if isinstance(tensor, np.ndarray) else np.asarray(tensor)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise DataError(f"tensor must hold real numbers in two or more modes, got dtype {array.dtype} and shape {array.shape}")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _source(tensor: Any, mask: Any) -> tuple[Any, Any]:
    """What is factorised, and the mask of both the data and the user."""
    if isinstance(tensor, AffinityTensor):
        cells = tensor.mask if mask is None else _both(tensor.mask, mask)
        return (tensor.separable if tensor.tensor is None else tensor.tensor), cells
    if isinstance(tensor, SeparableAffinity):
        affinity = _check_separable(tensor)
        own = None if affinity.observed is None else pair_mask(affinity.observed)
        return affinity, own if mask is None else _both(own, mask)
    return tensor, mask


def _both(own: Any, mask: Any) -> Any:
    if own is None or isinstance(mask, Observed):
        return mask
    given = np.asarray(mask)
    if given.dtype != bool:
        raise DataError(f"mask must be of truth values (True: observed), got dtype {given.dtype}")
    try:
        return own & given
    except ValueError as error:
        raise DataError(f"mask of shape {given.shape} does not fit the pairs of each sample, {own.shape}") from error


def _check_separable(affinity: SeparableAffinity) -> SeparableAffinity:
    plus, minus = (np.asanyarray(side) for side in affinity[:2])
    if plus.ndim != 3 or plus.shape != minus.shape or plus.shape[2] < 2:
        shapes = f"{plus.shape} and {minus.shape}"
        raise DataError(f"h_plus and h_minus must be (n_times, n_samples, n_names) with two names or more, got {shapes}")
    dtype = np.float64 if plus.dtype == minus.dtype == np.float64 else np.float32
    names = None if affinity.observed is None else np.asarray(affinity.observed, bool)
    if names is not None and names.shape != plus.shape[1:]:
        raise DataError(f"observed must be (n_samples, n_names) = {plus.shape[1:]}, got {names.shape}")
    if names is not None and any(side[:, ~names].any() for side in (plus, minus)):
        raise DataError(f"values of neurons that are not observed must be 0, got others in {int((~names).sum())} traces")
    return SeparableAffinity(plus.astype(dtype, copy=False), minus.astype(dtype, copy=False), names)


def _with_axis_first(init: Any, axis: int) -> Any:
    weights, factors = (init.weights, list(init.factors)) if hasattr(init, "factors") else (init[0], list(init[1]))
    return weights, [factors[axis], *factors[:axis], *factors[axis + 1 :]]
