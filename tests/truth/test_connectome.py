"""Planted connectomes: components of a tensor, with neurons missing too, and groups of neurons behind traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

from neurodecode.analysis.connectome import NTF, affinity_tensor, factor_match_score, ntf_hals
from neurodecode.simulate import PlantedTraces, planted_tensor, planted_traces

SMALL: dict[str, Any] = {"n_neurons": 24, "n_times": 240, "n_animals": 12, "rank": 4}


def best_of(tensor: Any, rank: int, n: int = 3, **options: Any) -> NTF:
    """The factorisation of least error among several starts."""
    return min((ntf_hals(tensor, rank, random_state=k, **options) for k in range(n)), key=lambda fit: fit.error)


def areas(fit: NTF, affinities: Any, world: PlantedTraces) -> np.ndarray:
    """Area under the curve of time, animal and pair factors for the planted groups, each matched with one component."""
    truth, (i, j) = world.truth, affinities.pairs.T
    members = truth["members"].astype(bool)
    when = truth["active"].astype(bool)[:, np.round(affinities.times * world.sfreq).astype(int)]
    planted = [when, truth["present"].astype(bool), members[:, i] & members[:, j]]
    table = np.full((3, 3, len(fit.weights)), np.nan)
    for mode, (groups, factor) in enumerate(zip(planted, fit.factors, strict=True)):
        for g, group in enumerate(groups):
            if 0 < group.sum() < len(group):
                table[mode, g] = [roc_auc_score(group, column) for column in factor.T]
    rows, columns = linear_sum_assignment(np.nanmean(table, axis=0), maximize=True)
    return np.asarray(np.nanmean(table[:, rows, columns], axis=1))


def test_planted_components_come_back() -> None:
    world = planted_tensor(random_state=0)
    assert factor_match_score(world.factors, best_of(world.tensor, 6, 2)) >= 0.995


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 10))
def test_planted_components_of_other_worlds_come_back(seed: int) -> None:
    world, missing = (planted_tensor(random_state=seed, missing=share) for share in (0.0, 0.3))
    whole = factor_match_score(world.factors, best_of(world.tensor, 6))
    assert whole >= 0.995
    assert factor_match_score(world.factors, best_of(missing.tensor, 6, mask=missing.mask)) >= whole - 0.02


def test_missing_neurons_cost_little() -> None:
    whole, missing = (planted_tensor(**SMALL, missing=share, random_state=1) for share in (0.0, 0.3))
    without = factor_match_score(whole.factors, best_of(whole.tensor, 4))
    assert factor_match_score(missing.factors, best_of(missing.tensor, 4, mask=missing.mask)) >= without - 0.02


def test_groups_behind_traces_are_told_apart() -> None:
    found = []
    for seed in range(3):
        world = planted_traces(random_state=seed)
        affinities = affinity_tensor(world.traces, sfreq=world.sfreq, path="dense")
        found.append(areas(best_of(affinities, 4), affinities, world))
    time, animal, pair = np.mean(found, axis=0)
    assert pair >= 0.99
    assert time >= 0.95
    assert animal >= 0.95
