"""Whether components come back in other samples: those that are there do, those of noise or of one animal do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from connectome_data import built, full, separable

from neurodecode.analysis.connectome import NTF, ntf_hals, reproducibility
from neurodecode.errors import DataError
from neurodecode.simulate import planted_tensor

WORLD = planted_tensor(16, 150, 8, 3, missing=0.2, random_state=1)
QUICK: dict[str, Any] = {"n_splits": 2, "n_restarts": 2}


def best_of(tensor: Any, rank: int, mask: Any = None) -> NTF:
    """The fit of least error among three starts."""
    return min((ntf_hals(tensor, rank, mask=mask, random_state=seed) for seed in range(3)), key=lambda fit: fit.error)


@pytest.fixture(scope="module")
def reference() -> NTF:
    """Three components of the planted tensor."""
    return best_of(WORLD.tensor, 3, WORLD.mask)


def test_planted_components_come_back(reference: NTF) -> None:
    found = reproducibility(WORLD.tensor, reference, mask=WORLD.mask, **QUICK)
    assert found.split == "samples"
    assert (found.similarity > 0.75).all()
    assert (found.chance < 0.15).all()
    np.testing.assert_allclose(found.score, (found.similarity - found.chance) / (1 - found.chance))


def test_components_of_noise_do_not() -> None:
    noise = np.random.default_rng(0).gamma(1.0, 1.0, (60, 8, 45))
    found = reproducibility(noise, best_of(noise, 4), **QUICK)
    assert found.score.max() < 0.3


def test_a_component_of_one_animal_does_not_come_back() -> None:
    rng = np.random.default_rng(0)
    time = np.stack([np.exp(-0.5 * ((np.arange(90) - at) / 6) ** 2) for at in (20, 45, 70)], axis=1)
    pair = np.repeat(np.eye(3), 15, axis=0) * rng.gamma(4.0, 0.25, (45, 3))
    animal = rng.uniform(0.8, 1.2, (8, 3))
    animal[1:, 2] = 0
    tensor = full([time, animal, pair]) + 0.05 * rng.random((90, 8, 45))
    fit = best_of(tensor, 3)
    alone = int(np.argmax(fit.factors[1][0] - fit.factors[1][1:].mean(axis=0)))
    score = reproducibility(tensor, fit, **QUICK).score
    assert np.delete(score, alone).min() > 0.9
    assert score[alone] < 0.2


def test_scores_are_in_the_order_of_the_reference(reference: NTF) -> None:
    order = [2, 0, 1]
    mixed = NTF(reference.weights[order], [factor[:, order] for factor in reference.factors], reference.error)
    a, b = (reproducibility(WORLD.tensor, fit, mask=WORLD.mask, **QUICK) for fit in (reference, mixed))
    np.testing.assert_allclose(b.similarity, a.similarity[order], rtol=1e-9)
    assert np.ptp(a.similarity) > 0


def test_a_component_that_is_everywhere_comes_back_by_chance() -> None:
    tensor = 1 + 0.05 * np.random.default_rng(0).random((40, 6, 30))
    found = reproducibility(tensor, ntf_hals(tensor, 1, random_state=0), **QUICK)
    assert found.similarity[0] > 0.99
    assert found.chance[0] > 0.99


def test_one_sample_is_halved_in_time() -> None:
    """Alternating blocks of one recording share groups of pairs that are active throughout."""
    rng = np.random.default_rng(0)
    time = np.stack([np.sin(np.arange(200) / width) ** 2 for width in (3, 5)], axis=1)
    pair = np.repeat(np.eye(2), 20, axis=0) * rng.gamma(4.0, 0.25, (40, 2))
    tensor = full([time, np.ones((1, 2)), pair]) + 0.05 * rng.random((200, 1, 40))
    found = reproducibility(tensor, best_of(tensor, 2), **QUICK)
    assert found.split == "times"
    assert found.score.min() > 0.9


def test_pairs_that_one_half_does_not_know_are_left_out() -> None:
    """Two animals of which each lacks other pairs: what they share is compared, and it is the same."""
    rng = np.random.default_rng(0)
    time = np.stack([np.exp(-0.5 * ((np.arange(60) - at) / 5) ** 2) for at in (20, 40)], axis=1)
    pair = np.tile(np.eye(2), (15, 1)) * rng.uniform(1.0, 2.0, (30, 2))
    tensor, mask = full([time, np.ones((2, 2)), pair]), np.ones((2, 30), bool)
    mask[0, :8], mask[1, 22:] = False, False
    found = reproducibility(tensor * mask, best_of(tensor, 2), mask=mask, **QUICK)
    assert found.similarity.min() > 0.999


def test_traces_do_as_well_as_their_tensor() -> None:
    affinity = separable(60, 6, 10, dtype=np.float64)
    fit = ntf_hals(affinity, 1, random_state=0)
    a, b = (reproducibility(given, fit, **QUICK) for given in (affinity, built(affinity)))
    np.testing.assert_allclose(a.similarity, b.similarity, atol=1e-3)


def test_the_seed_decides(reference: NTF) -> None:
    same, again, other = (
        reproducibility(WORLD.tensor, reference, mask=WORLD.mask, n_splits=1, n_restarts=1, random_state=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(same.score, again.score)
    assert (same.score != other.score).any()


@pytest.mark.parametrize("name", ["n_splits", "n_restarts", "n_shuffles"])
def test_numbers_below_one_are_refused(name: str, reference: NTF) -> None:
    with pytest.raises(DataError, match="at least one split, start and shuffle, got .*0"):
        reproducibility(WORLD.tensor, reference, **{name: 0})


def test_a_reference_of_another_tensor_is_refused(reference: NTF) -> None:
    with pytest.raises(DataError, match=r"shape \(149, 8, 120\), got \(150, 8, 120\)"):
        reproducibility(WORLD.tensor[1:], reference)
