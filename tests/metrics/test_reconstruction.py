"""All scores of images in one report: equal to the single functions, beside null, baseline and interval."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from retrieval_data import images, noisy

from neurodecode.errors import DataError
from neurodecode.metrics import (
    ImageReport,
    feature_distance,
    image_report,
    n_way_chance,
    n_way_top_k,
    pixcorr,
    ssim,
    two_way_identification,
)
from neurodecode.metrics._intervals import bootstrap_interval
from neurodecode.metrics._resize import resize
from neurodecode.metrics.reconstruction import _partners

SIDE = 24


def project(width: int, seed: int) -> Callable[[NDArray], NDArray]:
    """Features by a random projection of the pixels."""
    weights = np.random.default_rng(seed).standard_normal((SIDE * SIDE * 3, width))
    return lambda pixels: pixels.reshape(len(pixels), -1) / 255.0 @ weights


FEATURES = {"early": project(40, 1), "swav": project(30, 2)}
CLASSES = {"classes": project(80, 3)}


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    true = images(rng, n=20)
    return true, noisy(true, rng)


def full(pair: tuple[NDArray, NDArray], **options: object) -> ImageReport:
    return image_report(*pair, FEATURES, **{"classifiers": CLASSES, "n_null": 100, "n_bootstrap": 100, **options})  # type: ignore[arg-type]


def test_scores_are_those_of_the_functions(pair: tuple[NDArray, NDArray]) -> None:
    found, (true, made) = full(pair), pair
    np.testing.assert_allclose(found.scores["pixcorr"], pixcorr(true, made), atol=1e-6)
    np.testing.assert_allclose(found.scores["ssim"], ssim(true, made), atol=1e-6)
    seen = {name: (extract(true), extract(made)) for name, extract in {**FEATURES, **CLASSES}.items()}
    np.testing.assert_allclose(found.scores["early"], two_way_identification(*seen["early"]))
    np.testing.assert_allclose(found.scores["swav"], feature_distance(*seen["swav"]))
    np.testing.assert_allclose(found.scores["classes"], n_way_top_k(*seen["classes"]))
    assert found.chance == {"pixcorr": 0, "ssim": 0, "early": 0.5, "swav": 1, "classes": n_way_chance()}
    assert found.best == {"pixcorr": 1, "ssim": 1, "early": 1, "swav": 0, "classes": 1}


@pytest.mark.parametrize(("protocol", "form"), [("nsd", "2d"), ("nsd_columns", "columns")])
def test_protocols(pair: tuple[NDArray, NDArray], protocol: str, form: str) -> None:
    true, made = (images[:3] for images in pair)
    found = image_report(true, made, protocol=protocol, n_null=0, n_bootstrap=0)
    np.testing.assert_allclose(found.scores["pixcorr"], pixcorr(true, made, "nsd"), atol=1e-6)
    np.testing.assert_allclose(found.scores["ssim"], ssim(true, made, form, size=425), atol=1e-6)


def test_right_pairs_beat_shuffled_ones(pair: tuple[NDArray, NDArray]) -> None:
    table = full(pair).to_dataframe().set_index("metric")
    assert list(table.index) == ["pixcorr", "ssim", "early", "swav", "classes"]
    higher = table.drop(index="swav")
    assert (higher["score"] > higher["null_high"]).all()
    assert table.loc["swav", "score"] < table.loc["swav", "null_low"]
    assert table["p"].to_numpy() == pytest.approx(1 / 101)
    assert table.loc["early", "null"] == pytest.approx(0.5, abs=0.05)
    assert (table["ci_low"] <= table["score"]).all()
    assert (table["score"] <= table["ci_high"]).all()


def test_wrong_pairs_are_at_the_null(rng: np.random.Generator) -> None:
    true = images(rng, n=40)
    table = full((true, noisy(true, rng)[rng.permutation(40)]), n_null=300).to_dataframe().set_index("metric")
    assert (table["p"] > 0.01).all()


def test_mean_image_is_the_baseline(pair: tuple[NDArray, NDArray]) -> None:
    true, _ = pair
    mean = np.rint(true.mean(axis=0)).astype(np.uint8)
    spread = np.broadcast_to(mean, true.shape)
    found = full(pair)
    assert found.baseline["pixcorr"] == pytest.approx(pixcorr(true, spread).mean(), abs=1e-6)
    assert found.baseline["ssim"] == pytest.approx(ssim(true, spread).mean(), abs=1e-6)
    assert found.baseline["early"] == pytest.approx(0.5, abs=0.02)
    assert any("training images" in note for note in found.notes)
    given = full(pair, mean_image=mean)
    assert given.baseline == pytest.approx(found.baseline)
    assert not any("training images" in note for note in given.notes)


def test_a_flat_reconstruction_knows_nothing(pair: tuple[NDArray, NDArray]) -> None:
    true, made = pair[0], pair[1].copy()
    made[4] = 77
    found = full((true, made))
    assert found.scores["pixcorr"][4] == 0
    assert all(np.isfinite(values).all() for values in found.scores.values())


@pytest.mark.parametrize("n", [2, 3, 9])
def test_partners_are_wrong_and_differ(n: int, rng: np.random.Generator) -> None:
    partners = _partners(n, 8, rng)
    assert partners.shape == (min(8, n - 1), n)
    assert (np.sort(partners, axis=1) == np.arange(n)).all()
    assert (partners != np.arange(n)).all()
    assert all(len(set(column)) == len(column) for column in partners.T)


def test_same_seed_same_report(pair: tuple[NDArray, NDArray]) -> None:
    one, same, other = (full(pair, random_state=seed).to_dict() for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_json_and_repr(pair: tuple[NDArray, NDArray]) -> None:
    found = full(pair)
    values = json.loads(json.dumps(found.to_dict()))
    assert [row["metric"] for row in values["metrics"]] == list(found.scores)
    for part in ("20 images", "chance 0.5", "shuffled pairs", "mean image", "best 0"):
        assert part in repr(found), part


def test_nothing_drawn(pair: tuple[NDArray, NDArray]) -> None:
    table = image_report(*pair, n_null=0, n_bootstrap=0).to_dataframe()
    assert table[["null", "p", "ci_low", "null_low"]].isna().all(axis=None)


def test_numbers_from_0_to_1(pair: tuple[NDArray, NDArray]) -> None:
    bytes_, shares = image_report(*pair, n_null=5), image_report(pair[0] / 255, pair[1] / 255, n_null=5)
    np.testing.assert_allclose(bytes_.scores["ssim"], shares.scores["ssim"], atol=1e-6)
    assert resize(pair[0][:1], 30).shape == (1, 30, 30, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "mindeye"}, "protocol='mindeye'"),
        ({"direction": "both"}, "direction='both'"),
        ({"n_null": -1}, "n_null >= 0"),
        ({"n_pairings": 0}, "n_pairings >= 1"),
        ({"mean_image": np.ones((3, 3, 3))}, "shape of one image"),
        ({"classifiers": {"early": FEATURES["early"]}}, "names must differ"),
        ({"classifiers": {"short": lambda pixels: np.ones((3, 60))}}, "gave 3 rows for 20 images"),
        ({"classifiers": {"few": lambda pixels: np.ones((len(pixels), 9))}}, "needs 52 classes"),
        ({"level": 0.0}, "level"),
    ],
)
def test_what_cannot_be_reported(pair: tuple[NDArray, NDArray], options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        full(pair, **options)


def test_one_image_is_too_few(pair: tuple[NDArray, NDArray]) -> None:
    with pytest.raises(DataError, match="at least 2 items"):
        image_report(pair[0][:1], pair[1][:1])


class TestBootstrap:
    def test_interval_of_a_mean(self, rng: np.random.Generator) -> None:
        values = rng.standard_normal(400)
        low, high = bootstrap_interval(values, np.ones(400), 4000, rng)
        assert (low, high) == pytest.approx((values.mean() - 1.96 / 20, values.mean() + 1.96 / 20), abs=0.015)

    def test_one_item_has_none(self, rng: np.random.Generator) -> None:
        assert np.isnan(bootstrap_interval(np.ones(1), np.ones(1), 10, rng)).all()

    def test_items_without_scores(self, rng: np.random.Generator) -> None:
        """Stimuli that no draw took have no score; they neither help nor hurt."""
        sums, counts = np.r_[np.ones(50), np.zeros(50)], np.r_[np.ones(50), np.zeros(50)]
        assert bootstrap_interval(sums, counts, 200, rng) == (1.0, 1.0)
