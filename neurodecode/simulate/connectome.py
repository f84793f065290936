"""Groups of neurons that act together at some times and in some animals: as a tensor of pairs, and as traces."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.errors import DataError
from neurodecode.simulate.truth import Truth, item_generator


class PlantedTensor(NamedTuple):
    """A tensor of affinities of known components."""

    tensor: NDArray[np.float32]
    """Shape (n_times, n_animals, n_pairs), at least 0; 0 where a neuron is missing."""
    mask: NDArray[np.bool_]
    """Shape (n_animals, n_pairs): whether both neurons of a pair are there."""
    truth: Truth
    """``time`` (n_times, rank), ``animal`` (n_animals, rank), ``pair`` (n_pairs, rank); ``members`` (n_neurons, rank);
    ``observed`` (n_animals, n_neurons)."""

    @property
    def factors(self) -> list[NDArray[Any]]:
        """Factors per mode, as `neurodecode.metrics.factor_match_score` takes them."""
        return [self.truth.arrays[name] for name in ("time", "animal", "pair")]


class PlantedTraces(NamedTuple):
    """Traces of animals in which groups of neurons act together for a while."""

    traces: NDArray[np.float32]
    """Shape (n_animals, n_neurons, n_times); NaN where a neuron is missing."""
    sfreq: float
    """Sampling rate in Hz."""
    truth: Truth
    """``members`` (n_groups, n_neurons), ``active`` (n_groups, n_times) and ``present`` (n_groups, n_animals) of bool;
    ``observed`` (n_animals, n_neurons)."""


def planted_tensor(
    n_neurons: int = 50,
    n_times: int = 960,
    n_animals: int = 21,
    rank: int = 6,
    *,
    noise: float = 0.1,
    missing: float = 0.0,
    random_state: int = 0,
) -> PlantedTensor:
    """Simulate a tensor time x animal x pair with known components.

    A neuron belongs to a component with a probability of .25. The loading of a pair is Gamma(4, .25) where both belong to it,
    and small (up to .02) elsewhere. The time course is two Gaussian bumps (standard deviations .06 and .04 of the duration, the
    second half as high), the weight of an animal Gamma(1, 1). Noise is the absolute value of a normal variable.

    Parameters
    ----------
    n_neurons, n_times, n_animals : int
        Size; there are ``n_neurons (n_neurons - 1) / 2`` pairs in the order of ``numpy.triu_indices``.
    rank : int
        Components.
    noise : float
        Standard deviation of the normal variable, in standard deviations of the tensor without noise.
    missing : float
        Share of the animals in which each neuron is missing, from 0 to below 1.
    random_state : int
        Seed. The components do not depend on `missing`.

    Returns
    -------
    PlantedTensor
        Tensor, mask and truth.

    Raises
    ------
    DataError
        If a size or a share is out of its range.
    """
    _check_sizes(n_neurons=n_neurons, n_times=n_times, n_animals=n_animals, rank=rank)
    if not noise >= 0:
        raise DataError(f"noise must be a standard deviation from 0 up, got {noise!r}")
    i, j = np.triu_indices(n_neurons, 1)
    rng = item_generator(random_state, "components")
    members = rng.random((n_neurons, rank)) < 0.25
    inside = members[i] & members[j]
    pair = inside * rng.gamma(4.0, 0.25, inside.shape) + 0.02 * rng.random(inside.shape)
    when, grid = rng.random((2, rank)), (np.arange(n_times) / n_times)[:, None]
    time = np.exp(-0.5 * ((grid - when[0]) / 0.06) ** 2) + 0.5 * np.exp(-0.5 * ((grid - when[1]) / 0.04) ** 2)
    animal = rng.gamma(1.0, 1.0, (n_animals, rank))
    tensor = np.einsum("tr,wr,pr->twp", *(factor.astype(np.float32) for factor in (time, animal, pair)), optimize=True)
    errors = item_generator(random_state, "noise").standard_normal(tensor.shape, np.float32)
    tensor += np.abs(errors * np.float32(noise) * tensor.std(dtype=np.float64).astype(np.float32))
    observed = _observed(n_animals, n_neurons, missing, random_state)
    mask = observed[:, i] & observed[:, j]
    tensor *= mask
    truth = Truth(
        "planted_tensor",
        random_state,
        {"rank": rank, "noise": noise, "missing": missing},
        {"time": time, "animal": animal, "pair": pair, "members": members, "observed": observed},
    )
    return PlantedTensor(tensor, mask, truth)


def planted_traces(
    n_neurons: int = 30,
    n_times: int = 400,
    n_animals: int = 6,
    *,
    missing: float = 0.0,
    random_state: int = 0,
) -> PlantedTraces:
    """Simulate calcium-like traces in which three overlapping groups of neurons share a drive, each in a window of its own.

    Groups are a third, a third and a quarter of the neurons, each sharing two with the next. Their windows are .1 to .35,
    .4 to .65 and .725 to .95 of the duration, and a group takes part in an animal with a probability of .75. The drive is a
    smoothed random walk of unit standard deviation, times .35, times .6 to 1.4 per neuron. Background is a detrended random
    walk of steps of .03, noise has a standard deviation of .05. Frames are .25 s long.

    Parameters
    ----------
    n_neurons, n_times, n_animals : int
        Size; at least 12 neurons and 80 times.
    missing : float
        Share of the animals in which each neuron is missing, from 0 to below 1.
    random_state : int
        Seed. The traces do not depend on `missing`.

    Returns
    -------
    PlantedTraces
        Traces, sampling rate and truth.

    Raises
    ------
    DataError
        If a size or a share is out of its range.
    """
    _check_sizes(n_neurons=n_neurons, n_times=n_times, n_animals=n_animals)
    if n_neurons < 12 or n_times < 80:
        raise DataError(f"three groups and windows need 12 neurons and 80 times or more, got {n_neurons} and {n_times}")
    members = _groups(n_neurons)
    active = np.zeros((3, n_times), bool)
    for row, (start, stop) in zip(active, ((0.1, 0.35), (0.4, 0.65), (0.725, 0.95)), strict=True):
        row[round(start * n_times) : round(stop * n_times)] = True
    present = item_generator(random_state, "present").random((3, n_animals)) < 0.75
    present[np.arange(3), np.arange(3) % n_animals] = True  # no group without any animal
    observed = _observed(n_animals, n_neurons, missing, random_state)
    traces = np.stack([_animal(k, members, active, present[:, k], random_state) for k in range(n_animals)])
    traces[~observed] = np.nan
    truth = Truth(
        "planted_traces",
        random_state,
        {"missing": missing},
        {"members": members, "active": active, "present": present, "observed": observed},
    )
    return PlantedTraces(traces.astype(np.float32), 4.0, truth)


def circular_shifts(traces: ArrayLike, *, random_state: int = 0) -> NDArray[Any]:
    """Shift each trace circularly by a time of its own: each stays as it is, but no two go together.

    Parameters
    ----------
    traces : array_like of shape (..., n_times)
        Signals.
    random_state : int
        Seed.

    Returns
    -------
    array of shape (..., n_times)
        Shifted by a tenth to nine tenths of the duration.

    Raises
    ------
    DataError
        If there are fewer than ten times.
    """
    given = np.asarray(traces)
    n_times = given.shape[-1] if given.ndim else 0
    if n_times < 10:
        raise DataError(f"circular shifts need ten times or more, got shape {given.shape}")
    flat = given.reshape(-1, n_times)
    shifts = item_generator(random_state, "shifts").integers(n_times // 10, n_times - n_times // 10, len(flat))
    index = (np.arange(n_times)[None] - shifts[:, None]) % n_times
    return np.take_along_axis(flat, index, axis=1).reshape(given.shape)


def _animal(
    k: int, members: NDArray[np.bool_], active: NDArray[np.bool_], present: NDArray[np.bool_], random_state: int
) -> NDArray[np.float64]:
    """Traces of one animal, shape (n_neurons, n_times)."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import detrend

    rng, shape = item_generator(random_state, f"animal {k}"), (members.shape[1], active.shape[1])
    background = detrend(np.cumsum(0.03 * rng.standard_normal(shape), axis=1), axis=1)
    traces: NDArray[np.float64] = np.asarray(background) + 0.05 * rng.standard_normal(shape)
    for member, when, there in zip(members, active, present, strict=True):
        walk = uniform_filter1d(np.cumsum(rng.standard_normal(int(when.sum()))), 9)
        strength = rng.uniform(0.6, 1.4, (shape[0], 1))
        if there:
            traces[np.ix_(member, when)] += 0.35 * strength[member] * ((walk - walk.mean()) / walk.std())
    return traces


def _groups(n_neurons: int) -> NDArray[np.bool_]:
    third, members = n_neurons // 3, np.zeros((3, n_neurons), bool)
    members[0, :third] = True
    members[1, third - 2 : 2 * third - 2] = True
    members[2, 2 * third - 4 : 2 * third - 4 + max(n_neurons // 4, 5)] = True
    return members


def _observed(n_animals: int, n_neurons: int, missing: float, random_state: int) -> NDArray[np.bool_]:
    """Each neuron is missing in the same number of animals, drawn for itself; shape (n_animals, n_neurons)."""
    if not 0 <= missing < 1:
        raise DataError(f"missing is a share of the animals from 0 to below 1, got {missing!r}")
    rng, n_missing = item_generator(random_state, "missing"), round(missing * n_animals)
    if n_missing >= n_animals:
        raise DataError(f"missing={missing!r} of {n_animals} animals leaves none with the neuron")
    return rng.permuted(np.tile(np.arange(n_animals)[:, None] >= n_missing, n_neurons), axis=0)


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < (2 if name == "n_neurons" else 1):
            raise DataError(f"{name} must be a whole number from {2 if name == 'n_neurons' else 1} up, got {size!r}")
