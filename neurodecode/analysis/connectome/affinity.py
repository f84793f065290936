"""The tensor time x sample x pair of neurons."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.analysis.connectome.implicit import SeparableAffinity, pair_mask
from neurodecode.analysis.connectome.pairs import KINDS, SEPARABLE, pair_affinity, split_rates
from neurodecode.analysis.connectome.rates import rates_of_change
from neurodecode.analysis.connectome.traces import MODES, Aligned, Traces, align_traces, from_arrays, from_recordings
from neurodecode.data import Recording
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

_NAMES = 150  # beyond this many the products of traces are faster than a pass over the pairs (`benchmarks/ntf.py --crossover`)
_SHARE = 0.25  # of the free memory that a tensor may take


class AffinityTensor(NamedTuple):
    """Affinities of pairs of neurons over time in several samples, as an array, or as the traces whose products they are."""

    tensor: NDArray[np.float32] | None
    """Shape (n_times, n_samples, n_pairs), at least 0, and 0 where a neuron is missing; None where it was not built."""
    mask: NDArray[np.bool_]
    """Shape (n_samples, n_pairs): whether both neurons of a pair were recorded."""
    names: list[str]
    """Neurons (or regions), the union over samples."""
    pairs: NDArray[np.intp]
    """Shape (n_pairs, 2): indices of the names of each pair, the first one smaller."""
    times: NDArray[np.float64]
    """Time of each row in s, on the clock of the stimuli; shape (n_times,)."""
    samples: list[str]
    """Animals, sessions or trials."""
    separable: SeparableAffinity | None
    """The same affinities as products of values of neurons; None where they are no products."""


def affinity_tensor(
    traces: Sequence[Recording] | Sequence[Any] | NDArray[Any],
    *,
    names: Sequence[Any] | None = None,
    sfreq: float | Sequence[float] | None = None,
    start: float | Sequence[float] = 0.0,
    labels: Sequence[str] | None = None,
    sample_mode: str = "animal",
    align: str | None = None,
    window: tuple[float, float] | None = None,
    kind: str = "geomean",
    derivative: str = "savgol",
    smoothing_s: float | None = None,
    dead_zone: float = 0.0,
    clip: float | None = 99.9,
    grid_sfreq: float | None = None,
    path: str = "auto",
) -> AffinityTensor:
    """Affinity of each pair of neurons over time, in several animals, sessions or trials under the same stimuli.

    A pair has a high affinity while both of its neurons rise, or both fall. Traces become smoothed rates of change in
    units of their robust standard deviation (`rates_of_change`), are brought to one grid of time, and are combined pair by pair
    (`pair_affinity`). A neuron that is missing in a sample is masked there, never set to 0. After Dyballa, Lang,
    Haslund-Gourley, Yemini and Zucker (2024, ICLR, arXiv:2402.14102); their formula of the affinity and their preprocessing are
    not public, so those here are choices of our own, all of them options.

    Parameters
    ----------
    traces : sequence of Recording, or of array_like of shape (n_names, n_times)
        One per animal, session or, as arrays, trial. Neurons are known by their names. A trace of NaN, or one that never
        changes, counts as missing; a trace that is NaN in part is refused.
    names : sequence of str, or one such sequence per sample, optional
        For arrays: name of each row. By default row i is the same neuron everywhere.
    sfreq : float or sequence of float, optional
        For arrays: sampling rates in Hz.
    start : float or sequence of float
        For arrays: time of the first column in s, on the clock of the stimuli.
    labels : sequence of str, optional
        For arrays: what samples are called.
    sample_mode : str
        What a sample is: ``"animal"`` (one recording per subject), ``"session"`` (each recording) or ``"trial"`` (each event of a
        recording; each array).
    align : str, optional
        For recordings: ``trial_type`` of the events whose (first) onset is time 0.
    window : tuple of float, optional
        For recordings: stretch in s around the onset.
    kind : str
        ``"geomean"``, ``"product"``, ``"min"`` or ``"gauss"``, as in `pair_affinity`.
    derivative : str
        ``"savgol"``, ``"gaussian"`` or ``"none"``, as in `rates_of_change`.
    smoothing_s : float, optional
        In s, as in `rates_of_change`.
    dead_zone : float
        In robust standard deviations, as in `rates_of_change`.
    clip : float, optional
        Percentile, as in `pair_affinity`.
    grid_sfreq : float, optional
        Rate of the common grid in Hz, by default the lowest sampling rate.
    path : str
        ``"dense"`` builds the tensor, ``"implicit"`` keeps traces only, ``"auto"`` decides (`choose_path`).

    Returns
    -------
    AffinityTensor
        For `ntf_hals` and `fit_ensemble`.

    Raises
    ------
    DataError
        If samples have no time in common, smoothing does not fit the frame rate, a trace is NaN in part, or an argument is out of
        its range.

    Examples
    --------
    >>> affinities = affinity_tensor([worm1, worm2], names=[names1, names2], sfreq=4.0)  # doctest: +SKIP
    >>> ntf_hals(affinities, 6, random_state=0)  # doctest: +SKIP
    """
    check_option("kind", kind, KINDS)
    check_option("path", path, ["auto", "dense", "implicit"])
    samples = _samples(traces, names, sfreq, start, labels, sample_mode, align, window)
    aligned = align_traces(
        samples,
        lambda data, rate: rates_of_change(data, rate, derivative=derivative, smoothing_s=smoothing_s, dead_zone=dead_zone),
        grid_sfreq,
    )
    n_times, n_samples, n_names = aligned.data.shape
    chosen = choose_path(n_times, n_samples, n_names, kind) if path == "auto" else path
    separable = _split(aligned, kind, clip) if kind in SEPARABLE or chosen == "implicit" else None
    tensor = _build(aligned, kind, clip) if chosen == "dense" else None
    pairs = np.stack(np.triu_indices(len(aligned.names), 1), axis=1)
    called = [sample.label for sample in samples]
    return AffinityTensor(tensor, pair_mask(aligned.observed), aligned.names, pairs, aligned.times, called, separable)


def choose_path(n_times: int, n_samples: int, n_names: int, kind: str = "geomean", free_bytes: int | None = None) -> str:
    """Whether to build the tensor of pairs, or to work on traces.

    Parameters
    ----------
    n_times, n_samples, n_names : int
        Size of the data.
    kind : str
        Affinity; one that is no product needs the tensor.
    free_bytes : int, optional
        Free memory, by default that of this machine.

    Returns
    -------
    str
        ``"implicit"`` where the tensor would take more than a quarter of the free memory, or where a sweep over it takes
        longer: beyond 150 names, as products of traces need twice the operations but run as products of large matrices.
        ``"dense"`` otherwise.
    """
    if kind not in SEPARABLE:
        return "dense"
    needed = n_times * n_samples * (n_names * (n_names - 1) // 2) * 4
    free = _free_bytes() if free_bytes is None else free_bytes
    return "implicit" if n_names > _NAMES or needed > _SHARE * free else "dense"


def _free_bytes() -> int:
    """Free memory; where the system does not say, no tensor is too large."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**62


def _samples(
    traces: Any, names: Any, sfreq: Any, start: Any, labels: Any, sample_mode: str, align: str | None, window: Any
) -> list[Traces]:
    check_option("sample_mode", sample_mode, MODES)
    given = [traces] if isinstance(traces, Recording) else list(traces)
    recorded = [isinstance(item, Recording) for item in given]
    if not all(recorded):
        if any(recorded):
            raise DataError(f"traces must be all recordings or all arrays, got {sum(recorded)} recordings of {len(given)}")
        return from_arrays(given, names, sfreq, start, labels)
    if not given or names is not None or sfreq is not None or labels is not None:
        raise DataError(
            f"{len(given)} recordings bring their own names, rates and labels: names, sfreq and labels are for one or more arrays"
        )
    return from_recordings(given, sample_mode, align, window)


def _split(aligned: Aligned, kind: str, clip: float | None) -> SeparableAffinity:
    halves = [split_rates(aligned.data[:, k], kind=kind, clip=clip) for k in range(aligned.data.shape[1])]
    plus, minus = (np.stack([half[side] for half in halves], axis=1) for side in (0, 1))
    return SeparableAffinity(plus, minus, aligned.observed)


def _build(aligned: Aligned, kind: str, clip: float | None) -> NDArray[np.float32]:
    n_times, n_samples, n_names = aligned.data.shape
    tensor = np.empty((n_times, n_samples, n_names * (n_names - 1) // 2), np.float32)
    for k in range(n_samples):
        tensor[:, k] = pair_affinity(aligned.data[:, k], kind=kind, clip=clip)
    return tensor
