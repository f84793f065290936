"""The 92 object images: human and monkey inferotemporal cortex, and models of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rsa_data import pairs

from neurodecode.compare import compare_models, compare_rdms, rdm, rdm_ceiling, rdm_permutation_test, reweighted_rsa

SCORES = {
    "animacy": 0.424,
    "FaceBodyManmadeNatobj": 0.313,
    "monkeyIT": 0.354,
    "EVA": 0.382,
    "HMAX": 0.205,
    "V1": 0.046,
    "Silhouette": 0.150,
    "RADON": -0.007,
}  # Spearman with the mean of the four human matrices, from the README of the set


@pytest.fixture(scope="module")
def objects(real: Callable[..., Path]) -> dict[str, np.ndarray]:
    with np.load(real("objects92", "objects92.npz"), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def human(objects: dict[str, np.ndarray]) -> np.ndarray:
    """Four RDMs: two subjects in two sessions."""
    return objects["hit_rdms"].astype(float).reshape(4, 92, 92)


@pytest.fixture(scope="module")
def models(objects: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return dict(zip(map(str, objects["model_names"]), objects["model_rdms"], strict=True))


def test_human_and_monkey_see_alike(objects: dict[str, np.ndarray], human: np.ndarray) -> None:
    mean, monkey = human.mean(axis=0), objects["monkey_it_rdm"]
    assert compare_rdms(mean, monkey) == pytest.approx(0.354, abs=0.001)
    assert compare_rdms(mean, monkey, "pearson") == pytest.approx(0.423, abs=0.001)
    assert rdm_permutation_test(mean, monkey, n=200) == pytest.approx(1 / 201)


def test_shuffled_images_are_at_chance(objects: dict[str, np.ndarray], human: np.ndarray, rng: np.random.Generator) -> None:
    mean, monkey = human.mean(axis=0), objects["monkey_it_rdm"]
    orders = [rng.permutation(92) for _ in range(20)]
    assert np.mean([abs(compare_rdms(mean, monkey[np.ix_(o, o)])) for o in orders]) < 0.04


def test_models_score_as_the_set_says(models: dict[str, np.ndarray], human: np.ndarray) -> None:
    found = compare_rdms(np.stack(list(models.values())), human.mean(axis=0))
    assert dict(zip(models, np.ravel(found), strict=True)) == pytest.approx(SCORES, abs=0.001)
    assert SCORES["animacy"] > SCORES["FaceBodyManmadeNatobj"] > SCORES["V1"]


@pytest.mark.filterwarnings("ignore")
def test_order_of_models_is_that_of_rsatoolbox(models: dict[str, np.ndarray], human: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        toolbox = pytest.importorskip("rsatoolbox")
    stack = np.stack(list(models.values()))
    for ours, theirs in (("spearman", "spearman"), ("tau_a", "tau-a"), ("cosine", "cosine"), ("whitened_cosine", "cosine_cov")):
        found = compare_rdms(stack, human.mean(axis=0), ours)
        peer = toolbox.rdm.compare(toolbox.rdm.RDMs(pairs(stack)), toolbox.rdm.RDMs(pairs(human.mean(axis=0)[None])), theirs)
        np.testing.assert_allclose(found, peer, atol=1e-10, rtol=0)
        np.testing.assert_array_equal(np.argsort(np.ravel(found)), np.argsort(peer.ravel()))


def test_pixels_explain_little(objects: dict[str, np.ndarray], human: np.ndarray) -> None:
    pixels = rdm(objects["images"].reshape(92, -1))
    assert compare_rdms(pixels, human.mean(axis=0)) == pytest.approx(0.090, abs=0.001)


def test_sessions_and_subjects_agree_as_the_set_says(objects: dict[str, np.ndarray]) -> None:
    human = objects["hit_rdms"].astype(float)
    sessions = [compare_rdms(subject[0], subject[1]) for subject in human]
    assert sessions == pytest.approx([0.277, 0.095], abs=0.001)
    assert compare_rdms(human[0].mean(axis=0), human[1].mean(axis=0)) == pytest.approx(0.210, abs=0.001)


def test_animacy_reaches_the_ceiling_and_early_vision_does_not(models: dict[str, np.ndarray], human: np.ndarray) -> None:
    """Ties make Spearman favour animacy; by rho_a it is level with what a monkey's cortex explains."""
    found = compare_models(models, human, "rho_a", n_bootstrap=60, over="stimuli")
    table = found.to_dataframe().set_index("model")
    assert tuple(rdm_ceiling(human, "rho_a")[:2]) == pytest.approx((found.ceiling_low, found.ceiling_high))
    assert table.loc["animacy", "score"] == pytest.approx(table.loc["monkeyIT", "score"], abs=0.01)
    assert table.loc["animacy", "score"] > 0.95 * found.ceiling_low > 2 * table.loc["V1", "score"]
    assert table.loc["animacy", "q"] < 0.001 < 0.05 < table.loc["RADON", "p"]
    pair = found.pairs_to_dataframe().set_index(["model", "other"]).loc[("animacy", "V1")]
    assert pair["q"] < 0.01


def test_weighted_models_beat_their_sum(models: dict[str, np.ndarray], objects: dict[str, np.ndarray]) -> None:
    subjects = objects["hit_rdms"].astype(float).mean(axis=1)
    computed = {name: model for name, model in models.items() if name != "monkeyIT"}  # which is data, not a model
    found = reweighted_rsa(np.stack(list(computed.values())), subjects, names=list(computed), n_repeats=5)
    assert found.score > found.baseline > 0.1
    assert found.components[int(np.argmax(found.weights))] == "EVA"
