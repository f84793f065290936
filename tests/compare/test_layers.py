"""Layers side by side, and the choice among them that does not look at the test data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from encoding_data import table

from neurodecode.compare import encode, encode_layers
from neurodecode.compare.layers import LayerResult
from neurodecode.data import Responses
from neurodecode.errors import DataError

RUNS = np.repeat([0, 1, 2, 3], 60)


def network(n: int = 240, seed: int = 0) -> tuple[Responses, Responses]:
    """Three layers of four units; one half of the brain follows the second, the other half the third."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 12)).astype(np.float32)
    drive = [x[:, 4:8] @ rng.standard_normal((4, 5)), x[:, 8:] @ rng.standard_normal((4, 5))]
    y = np.concatenate(drive, axis=1) + rng.standard_normal((n, 10))
    units = pd.DataFrame({"name": [f"u{i}" for i in range(12)], "layer": np.repeat(["conv", "mid", "top"], 4)})
    brain = table(y.astype(np.float32), run=RUNS[:n])
    return Responses(x, pd.DataFrame({"run": RUNS[:n]}), units), brain.replace(
        units=brain.units.assign(region=np.repeat(["V4", "IT"], 5)), meta={"TR": 2.0}
    )


@pytest.fixture(scope="module")
def found() -> LayerResult:
    return encode_layers(*network(), delays_s=None, n_permutations=49)


def test_the_layer_that_drives_a_target_is_chosen(found: LayerResult) -> None:
    assert found.layers == ["conv", "mid", "top"]
    assert found.chosen.shape == (4, 10)
    assert (found.chosen[:, :5] == 1).all()
    assert (found.chosen[:, 5:] == 2).all()
    assert found.scores[0].max() < 0.25
    np.testing.assert_array_equal(found.best.score[:5], found.scores[1, :5])
    np.testing.assert_array_equal(found.best.score[5:], found.scores[2, 5:])
    assert found.best.p is not None
    assert (found.best.p < 0.05).all()
    assert "one of 3 layers was chosen" in found.best.notes[-1]
    assert found.best.settings["model"] == "ridge"


def test_each_layer_scores_as_if_alone(found: LayerResult) -> None:
    features, brain = network()
    for number, layer in enumerate(found.layers):
        part = features.select(units=np.flatnonzero(features.units["layer"] == layer))
        alone = encode(part, brain, delays_s=None)
        np.testing.assert_allclose(found.scores[number], alone.score, atol=1e-5)


def test_tables(found: LayerResult) -> None:
    frame = found.to_dataframe()
    assert len(frame) == 30
    row = frame[(frame["layer"] == "top") & (frame["name"] == "unit7")]
    assert row["score"].item() == found.scores[2, 7]
    assert row["chosen"].item() == 1.0
    regions = found.roi_table()
    assert list(regions["roi"]) == ["V4"] * 3 + ["IT"] * 3
    best = regions[(regions["roi"] == "IT") & (regions["layer"] == "top")].iloc[0]
    assert best["median"] == pytest.approx(np.median(found.scores[2, 5:]))
    assert best["n_units"] == 5
    np.testing.assert_allclose(regions.groupby("roi")["chosen"].sum(), 1.0)
    assert "conv" in repr(found)
    assert "ComparisonResult" in repr(found)


def test_regions_must_be_there(found: LayerResult) -> None:
    with pytest.raises(DataError, match="did you mean 'region'"):
        found.roi_table("regions")
    empty = LayerResult(encode(*network(), delays_s=None, ceiling=None), found.layers, found.scores, found.chosen)
    empty.best.units["region"] = None
    with pytest.raises(DataError, match="none of the 10 units"):
        empty.roi_table()


def test_choosing_does_not_look_at_the_test_data() -> None:
    """Of many layers of noise the best on the test data scores above 0; the one chosen inside the training data does not."""
    rng = np.random.default_rng(2)
    units = pd.DataFrame({"layer": np.repeat(np.arange(12), 3)})
    features = Responses(rng.standard_normal((240, 36)), pd.DataFrame({"run": RUNS}), units)
    brain = table(rng.standard_normal((240, 40)).astype(np.float32), run=RUNS)
    noise = encode_layers(features, brain, TR=2.0, delays_s=None)
    assert abs(noise.best.score.mean()) < 0.03
    assert noise.scores.max(axis=0).mean() > 0.06


@pytest.mark.parametrize("options", [{}, {"model": "banded", "n_iter": 3}])
def test_nuisance_stands_beside_every_layer(options: dict[str, Any]) -> None:
    features, brain = network()
    low = np.random.default_rng(7).standard_normal((240, 2)).astype(np.float32)
    brain = brain.replace(data=brain.data + 2 * low @ np.ones((2, 10), np.float32))
    both = encode_layers(features, brain, delays_s=None, nuisance=low, **{"model": "ridge", **options})
    assert both.best.baseline.min() > 0.3
    assert both.best.scores["gain"].min() > 0.01
    assert (both.chosen[:, 5:] == 2).mean() > 0.9
    assert both.best.settings["model"] == options.get("model", "ridge")


def test_times_and_batches() -> None:
    features, brain = network()
    timed = brain.replace(data=np.stack([brain.data, brain.data[::-1]], axis=2), times=np.array([0.0, 0.1]), meta={})
    options: dict[str, Any] = {"TR": 2.0, "delays_s": None}
    whole, parts = encode_layers(features, timed, **options), encode_layers(features, timed, **options, target_batch=3)
    assert whole.scores.shape == (3, 10, 2)
    assert whole.chosen.shape == (4, 10, 2)
    np.testing.assert_allclose(whole.scores, parts.scores, atol=1e-5)
    np.testing.assert_array_equal(whole.to_dataframe()["time"][:2], [0.0, 0.1])


def test_units_need_layers() -> None:
    features, brain = network()
    with pytest.raises(DataError, match="no column 'depth'"):
        encode_layers(features, brain, column="depth")
