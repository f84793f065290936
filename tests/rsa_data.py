"""Patterns, RDMs and slow definitions that tests of representational similarity share."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd

from neurodecode.data import Responses


def patterns(
    rng: np.random.Generator, n_conditions: int = 7, n_runs: int = 4, n_units: int = 30, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One noisy pattern per condition and run, in random order: data, condition, run."""
    condition, run = np.tile(np.arange(n_conditions), n_runs), np.repeat(np.arange(n_runs), n_conditions)
    data = strength * rng.standard_normal((n_conditions, n_units))[condition] + rng.standard_normal((len(condition), n_units))
    order = rng.permutation(len(condition))
    return data[order], condition[order], run[order]


def responses(data: np.ndarray, **columns: object) -> Responses:
    """The same as an object."""
    return Responses(data, pd.DataFrame(columns, index=range(len(data))), pd.DataFrame(index=range(data.shape[1])))


def random_rdms(rng: np.random.Generator, k: int, n: int, levels: int = 0) -> np.ndarray:
    """Symmetric matrices of k x n x n; of a few levels where ties are wanted."""
    values = rng.random((k, n, n))
    values = np.round(values * levels) / levels if levels else values
    upper = np.triu(values, 1)
    return upper + upper.transpose(0, 2, 1)


def euclidean_rdms(points: np.ndarray) -> np.ndarray:
    """Squared distances between the rows of k x n x p patterns."""
    return np.sum((points[:, :, None] - points[:, None]) ** 2, axis=3) / points.shape[2]


def group_rdms(rng: np.random.Generator, n_subjects: int, n_conditions: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A true RDM, and those of subjects whose patterns are it and noise."""
    truth = rng.standard_normal((n_conditions, 12))
    measured = truth + noise * rng.standard_normal((n_subjects, n_conditions, 12))
    return euclidean_rdms(truth[None])[0], euclidean_rdms(measured)


def pairs(rdms: np.ndarray) -> np.ndarray:
    """Upper triangle of each matrix."""
    rows, columns = np.triu_indices(rdms.shape[-1], 1)
    return rdms[..., rows, columns]


def slow_crossnobis(data: np.ndarray, condition: np.ndarray, run: np.ndarray, precision: np.ndarray | None = None) -> np.ndarray:
    """Mean over ordered pairs of runs that hold both conditions, from the definition."""
    n, n_units = int(condition.max()) + 1, data.shape[1]
    noise = np.eye(n_units) if precision is None else precision
    runs = [{c: data[(condition == c) & (run == r)].mean(axis=0) for c in np.unique(condition[run == r])} for r in np.unique(run)]
    found = np.zeros((n, n))
    for i, j in permutations(range(n), 2):
        both = [cells[i] - cells[j] for cells in runs if i in cells and j in cells]
        products = [a @ noise @ b for a, b in permutations(both, 2)]
        found[i, j] = np.mean(products) / n_units if products else np.nan
    return found


def pair_covariance(n: int, sigma: np.ndarray | None = None) -> np.ndarray:
    """Covariance of the entries of an RDM, formed in full."""
    rows, columns = np.triu_indices(n, 1)
    contrasts = np.eye(n)[rows] - np.eye(n)[columns]
    return (contrasts @ (np.eye(n) if sigma is None else sigma) @ contrasts.T) ** 2


def slow_whitened_cosine(a: np.ndarray, b: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Cosine of rows after whitening by a covariance that is inverted in full."""
    inverse = np.linalg.inv(covariance)
    norms = [np.sqrt(np.einsum("ij,jk,ik->i", side, inverse, side)) for side in (a, b)]
    return a @ inverse @ b.T / norms[0][:, None] / norms[1]
