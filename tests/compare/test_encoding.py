"""One call from features to scores: equal to a loop written by hand, nothing leaks, and each message says what to give."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import encoding_data as examples
import numpy as np
import pandas as pd
import pytest
from encoding_data import linear, table, trials
from sklearn.model_selection import KFold

from neurodecode.compare.encoding import encode
from neurodecode.compare.fold_scores import held_out_scores, mean_over_folds, unit_norm
from neurodecode.compare.significance import spread_of_folds
from neurodecode.data import Responses
from neurodecode.data.splits import Split
from neurodecode.errors import DataError, LeakWarning, SplitLeakError
from neurodecode.linear import Delayer, RidgeCV, resolve_folds
from neurodecode.metrics import pearson_r, r2_score

RUNS = np.repeat([0, 1, 2, 3], 50)


def by_hand(x: np.ndarray, y: np.ndarray, runs: np.ndarray, delays: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation, R2 and penalty per fold: the loop that a lab script would hold."""
    delayer = Delayer(delays)
    design, valid = delayer.transform(x, runs), delayer.valid(len(x), runs)
    r, r2, alpha = [], [], []
    for split in resolve_folds(len(x), runs):
        train, test = split.train[valid[split.train]], split.test[valid[split.test]]
        mean, scale = design[train].mean(axis=0), design[train].std(axis=0)
        y_mean, y_scale = y[train].mean(axis=0), y[train].std(axis=0)
        model = RidgeCV(gap=min(20, len(train) // 10))
        model.fit((design[train] - mean) / scale, (y[train] - y_mean) / y_scale, groups=runs[train])
        predicted, true = model.predict((design[test] - mean) / scale), (y[test] - y_mean) / y_scale
        r.append(pearson_r(true, predicted))
        r2.append(r2_score(true, predicted))
        alpha.append(model.alpha_)
    return np.stack(r), np.stack(r2), np.stack(alpha)


# --- scores --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delays_s", "steps"), [((0, 0), [0]), ((2, 8), [1, 2, 3, 4]), ((-2, 2), [-1, 0, 1])])
def test_scores_equal_a_loop_by_hand(delays_s: tuple[float, float], steps: list[int]) -> None:
    x, y = linear()
    found = encode(x, y, TR=2.0, groups=RUNS, delays_s=delays_s)
    r, r2, alpha = by_hand(x, y, RUNS, steps)
    np.testing.assert_allclose(found.fold_scores, r, atol=2e-5)
    np.testing.assert_allclose(found.score, r.mean(axis=0), atol=2e-5)
    np.testing.assert_allclose(found.scores["R2"], r2.mean(axis=0), atol=2e-5)
    np.testing.assert_allclose(found.alpha, alpha, rtol=1e-3)
    assert found.metric == "r"
    assert found.chance == 0
    assert found.settings["delays_s"] == [2.0 * s for s in steps]


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_batches_of_targets_change_nothing(batch: int) -> None:
    x, y = linear()
    whole = encode(x, y, TR=2.0, groups=RUNS, n_permutations=20)
    parts = encode(x, y, TR=2.0, groups=RUNS, n_permutations=20, target_batch=batch)
    np.testing.assert_allclose(parts.score, whole.score, atol=1e-6)
    np.testing.assert_array_equal(parts.p, whole.p)
    np.testing.assert_allclose(parts.q, whole.q)


def test_a_memory_map_is_scored_like_an_array(tmp_path: Path) -> None:
    x, y = linear()
    np.save(tmp_path / "y.npy", y)
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")
    np.testing.assert_array_equal(encode(x, mapped, TR=2.0, target_batch=2).score, encode(x, y, TR=2.0, target_batch=2).score)


class Spied:
    """A float32 matrix that remembers how many columns at a time were read of it."""

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.size, self.widest = data, data.shape, data.size, 0

    def __len__(self) -> int:
        return len(self.data)

    def reshape(self, *shape: int) -> Spied:
        return self

    def __getitem__(self, index: Any) -> np.ndarray:
        part = self.data[index]
        self.widest = max(self.widest, part.shape[1])
        return part


def test_no_more_than_a_batch_of_targets_is_read() -> None:
    x, y = linear(k=20)
    spied = Spied(y)
    found = encode(x, spied, TR=2.0, groups=RUNS, target_batch=6)
    assert spied.widest == 6
    np.testing.assert_allclose(found.score, encode(x, y, TR=2.0, groups=RUNS).score, atol=1e-6)


@pytest.mark.parametrize("model", ["ridge", "banded"])
def test_torch_gives_the_same_scores(model: str) -> None:
    pytest.importorskip("torch")
    x, y = linear()
    options: dict[str, Any] = {"TR": 2.0, "groups": RUNS, "delays_s": None, "model": model, "n_iter": 2}
    with_torch = encode([x, x[:, :2]], y, backend="torch", **options)
    np.testing.assert_allclose(with_torch.score, encode([x, x[:, :2]], y, **options).score, atol=1e-4)
    assert with_torch.settings["backend"] == "torch"


def test_same_seed_same_result() -> None:
    x, y = linear(noise=5.0)
    first, second, other = (encode(x, y, TR=2.0, groups=RUNS, n_permutations=50, random_state=s).p for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_predictions_and_weights_on_request() -> None:
    x, y = linear(noise=0.1)
    found = encode(x, y, TR=2.0, groups=RUNS, delays_s=(0, 2), keep_predictions=True, keep_weights=True)
    assert found.predictions is not None
    assert found.weights is not None
    first_of_run = np.flatnonzero(np.diff(RUNS, prepend=-1))
    assert np.isnan(found.predictions[first_of_run]).all(), "the delay of a TR reaches out of the run there"
    tested = np.setdiff1d(np.arange(200), first_of_run)
    assert np.min(pearson_r(y[tested], found.predictions[tested])) > 0.99
    assert np.abs(found.predictions[tested] - y[tested]).mean() < 0.2, "in units of the responses"
    assert found.weights.shape == (8, 6)
    assert np.abs(found.weights[:4]).mean() > 20 * np.abs(found.weights[4:]).mean(), "the effect is at delay 0"
    bare = encode(x, y, TR=2.0, groups=RUNS)
    assert bare.predictions is None
    assert bare.weights is None


def test_features_with_another_scale_score_the_same() -> None:
    x, y = linear()
    found = encode(x, y, TR=2.0, groups=RUNS).score
    moved = encode(1000 * x + 5, 0.01 * y - 3, TR=2.0, groups=RUNS).score
    np.testing.assert_allclose(moved, found, atol=1e-3)


def test_missing_responses_are_left_out() -> None:
    x, y = linear(noise=0.3)
    holes = y.copy()
    holes[10:30, 0] = np.nan
    holes[50:100, 1] = np.nan
    holes[:, 2] = np.nan
    found, whole = encode(x, holes, TR=2.0, groups=RUNS, delays_s=None), encode(x, y, TR=2.0, groups=RUNS, delays_s=None)
    assert np.isnan(found.score[2])
    assert np.isnan(found.fold_scores[1, 1]), "a run without responses has no score"
    np.testing.assert_allclose(found.score[[0, 1]], whole.score[[0, 1]], atol=0.03)
    np.testing.assert_allclose(found.score[3:], whole.score[3:], atol=1e-5)


def test_responses_with_times_have_a_score_at_each() -> None:
    features, brain = trials()
    late = np.stack([np.random.default_rng(0).standard_normal(brain.data.shape), brain.data], axis=2)
    timed = Responses(late, brain.samples, brain.units.assign(region="A"), np.array([0.1, 0.2]))
    found = encode(features, timed, n_permutations=20)
    assert found.score.shape == (5, 2)
    assert found.fold_scores.shape == (5, 5, 2)
    assert found.p is not None
    np.testing.assert_allclose(found.score[:, 1], encode(features, brain).score, atol=1e-5)
    assert np.all(found.score[:, 1] > found.score[:, 0] + 0.2)
    assert found.ceiling is not None
    assert len(found.to_dataframe()) == 10


# --- rows ----------------------------------------------------------------------------------------------------------


def test_stimuli_are_joined_by_their_id_and_repeats_averaged() -> None:
    features, brain = trials(order="shuffled")
    turned = features.select(np.arange(60)[::-1])
    found, same = encode(features, brain, n_permutations=20), encode(turned, brain)
    np.testing.assert_allclose(found.score, same.score, atol=1e-6)
    mean = brain.average("stimulus")
    averaged = encode(features, mean)
    assert "180 presentations of 60 stimuli, averaged per stimulus" in found.notes
    assert "joined by their stimulus" in found.notes[0]
    assert any("no delays were applied" in note for note in found.notes)
    assert any("shuffled" in note for note in found.notes if note.startswith("p:"))
    np.testing.assert_allclose(averaged.score, found.score, atol=0.05)
    assert averaged.ceiling is None


def test_repeats_can_be_kept() -> None:
    features, brain = trials(noise=2.0, order="shuffled")
    kept = encode(features, brain, repeats="keep")
    assert "180 presentations of 60 stimuli, kept as rows of their own" in kept.notes
    assert kept.settings["n_rows"] == 180
    assert np.all(kept.score < encode(features, brain).score), "single trials hold more noise"
    assert kept.ceiling is None
    with pytest.raises(DataError, match="repeats='average'"):
        encode(features, brain, repeats="keep", n_permutations=10)
    with pytest.raises(DataError, match="repeats='keen' is unknown"):
        encode(features, brain, repeats="keen")


def test_stimuli_without_features_are_named() -> None:
    features, brain = trials()
    found = encode(features.select(slice(0, 50)), brain)
    assert any("10 of 60 stimuli have no features and were left out, the first is 'image050'" in note for note in found.notes)
    assert found.settings["n_rows"] == 50
    with pytest.raises(DataError, match="no stimulus of the brain"):
        encode(features.replace(samples=pd.DataFrame({"stimulus": [f"other{i}" for i in range(60)]})), brain)
    twice = features.replace(samples=pd.DataFrame({"stimulus": ["image000"] * 60}))
    with pytest.raises(DataError, match="stands 60 times in feature space 'features'"):
        encode(twice, brain)


def test_series_are_matched_run_by_run() -> None:
    x, y = linear()
    brain = table(y, run=RUNS + 1, onset=np.tile(2.0 * np.arange(50), 4))
    features = table(x, run=RUNS + 1)
    shuffled = features.select(np.concatenate([np.flatnonzero(r == RUNS) for r in (2, 0, 3, 1)]))
    expected = encode(x, y, TR=2.0, groups=RUNS)
    for given in (features, shuffled, x):
        found = encode(given, brain)
        np.testing.assert_allclose(found.score, expected.score, atol=1e-6)
        assert found.settings["TR"] == 2.0
    assert "onsets are 2 s apart" in found.notes[0]


def test_features_of_a_film_serve_all_subjects() -> None:
    x, y = linear(100)
    runs = np.repeat([1, 2], 50)
    subjects = np.repeat(["a", "b"], 100)
    brain = table(np.concatenate([y, y]), run=np.tile(runs, 2), subject=subjects)
    found = encode(table(x, run=runs), brain, TR=2.0, cv=[(np.arange(100), np.arange(100, 200))])
    assert found.settings["n_rows"] == 200


@pytest.mark.parametrize(
    ("n_features", "runs", "message"),
    [
        (199, np.append(RUNS[:-1], []), "'features' has 49 rows where run=3 of the brain has 50"),
        (200, np.repeat([0, 1, 2, 9], 50), "no rows for run=3"),
        (190, None, "has 190 rows where the brain has 200: bring features to the clock of the scans with to_tr"),
    ],
)
def test_series_of_another_length_are_refused(n_features: int, runs: Any, message: str) -> None:
    x, y = linear()
    features = table(x[:n_features]) if runs is None else table(x[:n_features], run=runs.astype(int))
    with pytest.raises(DataError, match=message):
        encode(features, table(y, run=RUNS), TR=2.0)


def test_samples_of_a_series_must_be_in_order() -> None:
    x, y = linear()
    with pytest.raises(DataError, match="2 runs lie in 200 pieces"):
        encode(x, table(y, run=np.arange(200) % 2), TR=2.0)
    onset = np.tile(2.0 * np.arange(50), 4)
    onset[7] = 0.0
    with pytest.raises(DataError, match="sample 7 does not"):
        encode(x, table(y, run=RUNS, onset=onset), TR=2.0)


def test_a_film_shown_twice_has_a_ceiling() -> None:
    x, y = linear(100)
    rng = np.random.default_rng(3)
    ids = [f"scan{i}" for i in range(100)]
    brain = table(np.concatenate([y, y + rng.standard_normal(y.shape)]), stimulus=ids * 2, run=np.repeat([1, 2, 3, 4], 50))
    found = encode(table(x, stimulus=ids), brain, TR=2.0, delays_s=(0, 2))
    assert found.ceiling is not None
    assert found.settings["delays_s"] == [0.0, 2.0]
    assert found.settings["n_rows"] == 100
    assert "200 presentations of 100 stimuli, averaged per stimulus" in found.notes


def test_arrays_need_a_clock_or_none() -> None:
    x, y = linear()
    with pytest.raises(DataError, match=r"give TR in s for a series, or delays_s=None"):
        encode(x, y)
    assert encode(x, y, delays_s=None).settings["delays_s"] is None
    with pytest.raises(DataError, match="has 199 rows where the brain has 200"):
        encode(x[:-1], y, delays_s=None)


def test_trials_have_no_delays() -> None:
    features, brain = trials()
    with pytest.raises(DataError, match="delays apply to a series. Give TR"):
        encode(features, brain, delays_s=(2, 8))
    assert encode(features, brain, delays_s=None).settings["delays_s"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delays_s": (8, 2)}, "first and the last delay"),
        ({"delays_s": (1, 2, 3)}, "first and the last delay"),
        ({"delays_s": (0.3, 0.4)}, "no whole sample"),
        ({"TR": -1}, "TR must be a finite number above 0"),
        ({"model": "lasso"}, "model='lasso' is unknown"),
        ({"backend": "jax"}, "backend='jax' is unknown"),
        ({"permutation": "iid"}, "permutation='iid' is unknown"),
        ({"correction": "none"}, "correction='none' is unknown"),
        ({"n_permutations": -1}, "whole number from 0 up"),
        ({"n_permutations": 2.5}, "whole number from 0 up"),
        ({"target_batch": 0}, "target_batch"),
        ({"ceiling": "auot"}, "needs stimuli that were repeated"),
        ({"ceiling": [0.5]}, "one reliability per target"),
        ({"groups": "story"}, "no column 'story'"),
        ({"groups": [1, 2]}, "groups has 2 rows"),
        ({"nuisance": {"features": np.ones((200, 1))}}, "both hold a space 'features'"),
        ({"gap": 200}, "leaves nothing to train on"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    x, y = linear()
    with pytest.raises(DataError, match=message):
        encode(x, y, **{"TR": 2.0, **change})


def test_features_must_be_finite_and_there() -> None:
    x, y = linear()
    x[3, 2] = np.nan
    with pytest.raises(DataError, match="feature 'unit2' of space 'features' holds NaN"):
        encode(x, y, TR=2.0)
    with pytest.raises(DataError, match="no feature space"):
        encode({}, y, TR=2.0)
    with pytest.raises(DataError, match="hold nothing"):
        encode(x[:, :0], y, TR=2.0)
    with pytest.raises(DataError, match="must be Responses or of shape"):
        encode(np.zeros((5, 2, 2)), y, TR=2.0)


def test_inputs_are_not_changed() -> None:
    x, y = linear()
    before = x.copy(), y.copy()
    encode(x, y, TR=2.0, groups=RUNS, n_permutations=5)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


# --- folds ---------------------------------------------------------------------------------------------------------


def test_runs_are_held_out_whole_and_never_bleed() -> None:
    """An impulse at the last TR of run 0 predicts nothing in run 1, where a delay would carry it without runs."""
    runs = np.repeat([0, 1, 2], 40)
    x = np.zeros((120, 1), np.float32)
    x[39] = 1.0
    x[[5, 45, 85]] = 0.5  # one event per run, so that each fold has something to learn
    found = encode(x, linear(120)[1], TR=2.0, groups=runs, delays_s=(2, 8), keep_predictions=True)
    assert found.predictions is not None
    tested = np.isfinite(found.predictions[:, 0])
    assert list(np.flatnonzero(~tested)) == [r + d for r in (0, 40, 80) for d in range(4)], "these rows are dropped from the loss"
    after = found.predictions[44:46], found.predictions[50:80]
    np.testing.assert_allclose(after[1], np.broadcast_to(after[1][0], after[1].shape), atol=1e-6)
    assert "3 folds over 3 groups, each held out whole" in found.split


def test_one_run_is_cut_into_blocks_with_a_gap() -> None:
    x, y = linear(400)
    found = encode(x, y, TR=2.0)
    assert "5 contiguous blocks of a single run" in found.split
    assert "20 rows beside it unused" in found.split
    assert found.settings["gap"] == 20
    quick = encode(x, y, TR=0.5, delays_s=(0, 8))
    assert quick.settings["gap"] == 16 + 48, "longest delay and 24 s of response"
    assert "64 rows beside it unused" in quick.split
    sensors = table(y).replace(meta={"modality": "meg", "sfreq": 50.0})
    assert encode(x, sensors, delays_s=(-0.2, 0.6), cv=2).settings["gap"] == 30 + 100


def test_stimuli_never_straddle() -> None:
    features, brain = trials(order="shuffled", run=np.repeat([1, 2, 3], 60))
    found = encode(features, brain)
    assert "5 folds over 60 stimuli, each held out whole" in found.split
    with pytest.raises(SplitLeakError, match="averaged over several values of 'run'"):
        encode(features, brain, groups="run")
    with pytest.raises(SplitLeakError, match="stimuli stand on both sides"):
        encode(features, brain, groups="run", repeats="keep")
    with pytest.raises(SplitLeakError, match="stimuli stand on both sides"):
        encode(features, brain, cv=KFold(3), repeats="keep")


def test_each_stimulus_once_is_held_out_by_run_block_or_stimulus() -> None:
    features, brain = trials(repeats=1, run=np.repeat([1, 2, 3], 20))
    assert "3 folds over 3 runs" in encode(features, brain).split
    once, shown = trials(repeats=1, onset=np.cumsum(np.random.default_rng(0).uniform(1, 3, 60)))
    assert "contiguous blocks" in encode(once, shown, gap=2).split
    assert "5 folds over 60 stimuli" in encode(*trials(repeats=1)).split
    grouped = encode(*trials(repeats=1, category=np.repeat(["a", "b", "c"], 20)), groups="category")
    assert "3 folds over 3 values of 'category'" in grouped.split


def test_shuffled_folds_of_a_series_warn() -> None:
    x, y = linear()
    with pytest.warns(LeakWarning, match="training row right beside them") as warned:
        found = encode(x, y, TR=2.0, cv=KFold(5, shuffle=True, random_state=0))
    assert warned[0].filename == __file__, "it points at the line of the user"
    assert any("right beside" in note for note in found.notes)
    assert "user's own" in found.split
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(x, y, TR=2.0, cv=KFold(4))
        encode(*trials(), cv=KFold(4, shuffle=True, random_state=0))


def test_too_few_rows_are_refused() -> None:
    x, y = linear(12)
    with pytest.raises(DataError, match="two of each are needed"):
        encode(x, y, TR=2.0, groups=np.repeat([0, 1, 2], 4))


# --- baseline, ceiling, inference ----------------------------------------------------------------------------------


def test_nuisance_is_the_baseline_and_the_gain_what_features_add() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.standard_normal((2, 400, 3)).astype(np.float32)
    y = np.concatenate([low @ rng.standard_normal((3, 4)), low @ rng.standard_normal((3, 4))], axis=1)
    y[:, 4:] += high @ rng.standard_normal((3, 4))
    y += 0.5 * rng.standard_normal(y.shape)
    found = encode(high, y, nuisance={"rate": low}, TR=2.0, delays_s=None, groups=np.repeat(range(4), 100), model="ridge")
    assert found.baseline_name == "nuisance features alone (rate)"
    assert np.abs(found.scores["gain"][:4]).max() < 0.02
    assert found.scores["gain"][4:].min() > 0.2
    np.testing.assert_allclose(found.scores["gain"], found.scores["R2"] - found.scores["R2_baseline"])
    alone = encode(low, y, TR=2.0, delays_s=None, groups=np.repeat(range(4), 100))
    np.testing.assert_allclose(found.baseline, alone.score, atol=1e-6)
    assert "(rate)" in repr(found)


def test_without_nuisance_the_training_mean_is_the_baseline() -> None:
    x, y = linear()
    found = encode(x, y, TR=2.0, groups=RUNS)
    assert "training mean" in found.baseline_name
    assert (found.baseline == 0).all()
    assert (found.scores["R2_baseline"] <= 0).all()
    assert found.scores["R2_baseline"].min() > -0.2


def test_several_spaces_are_banded() -> None:
    x, y = linear(noise=0.5)
    junk = np.random.default_rng(1).standard_normal((200, 30)).astype(np.float32)
    found = encode({"true": x, "junk": junk}, y, TR=2.0, delays_s=None, groups=RUNS, n_iter=4)
    assert found.settings["model"] == "banded"
    assert found.settings["spaces"] == {"true": 4, "junk": 30}
    products = found.scores["product:true"], found.scores["product:junk"]
    np.testing.assert_allclose(sum(products), found.scores["R2"], atol=1e-4)
    assert np.all(products[0] > products[1] + 0.3)
    plain = encode([x, junk], y, TR=2.0, delays_s=None, groups=RUNS, model="ridge")
    assert plain.settings["model"] == "ridge"
    assert np.median(found.score - plain.score) > 0
    assert "product:true" not in plain.scores


def test_given_ceilings_normalise() -> None:
    x, y = linear()
    rho = np.array([0.9, 0.5, 0.25, 0.05, 0.049, np.nan])
    found = encode(x, y, TR=2.0, groups=RUNS, ceiling=rho)
    assert found.normalised is not None
    np.testing.assert_allclose(found.normalised[:4], found.score[:4] / np.sqrt(rho[:4]))
    np.testing.assert_allclose(found.scores["r2_normalised"][:4], found.score[:4] ** 2 / rho[:4])
    assert np.isnan(found.normalised[4:]).all()
    assert found.coverage == pytest.approx(4 / 6)
    assert found.ceiling_name == "given"
    assert encode(x, y, TR=2.0, groups=RUNS, ceiling=None).ceiling is None


@pytest.mark.parametrize("method", ["split_half", "ncsnr", "schoppe", "explainable_variance"])
def test_ceilings_by_method(method: str) -> None:
    found = encode(*trials(200, noise=2.0), ceiling=method)
    assert found.ceiling is not None
    assert found.ceiling_name == method
    assert np.nanmedian(found.normalised) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("permutation", "correction"), [("circular", "bh"), ("block", "by"), ("circular", "max")])
def test_signal_is_significant_and_noise_is_not(permutation: str, correction: str) -> None:
    x, y = linear(400, k=40)
    y[:, 20:] = np.random.default_rng(5).standard_normal((400, 20))
    found = encode(
        x, y, TR=2.0, delays_s=None, groups=np.repeat(range(4), 100), n_permutations=199, permutation=permutation,
        correction=correction,
    )  # fmt: skip
    assert found.p is not None
    assert found.q is not None
    assert (found.p[:20] == 1 / 200).all()
    assert (found.q[:20] < 0.05).all()
    assert (found.q[20:] < 0.05).mean() <= 0.1
    assert (found.q >= found.p - 1e-12).all()
    assert found.n_permutations == 199
    assert found.correction == correction


@pytest.mark.parametrize(
    ("length", "method", "rows"),
    [(30, "circular", 1), (120, "circular", 4), (700, "circular", 20), (30, "block", 10), (90, "block", 20)],
)
def test_short_runs_are_shifted_by_less(length: int, method: str, rows: int) -> None:
    x, y = linear(4 * length, k=1)
    found = encode(
        x, y, TR=2.0, delays_s=None, groups=np.repeat(range(4), length), n_permutations=5, permutation=method, alphas=[1.0, 10.0]
    )
    assert found.settings["permutation"] == {"method": method, "rows": rows, "spread": pytest.approx(np.sqrt(2))}
    assert any(f"{rows} rows" in note for note in found.notes if note.startswith("p:"))


def test_a_null_is_wider_where_folds_train_each_other() -> None:
    fold = np.repeat([0, 1, 2], 10)
    rows = np.arange(30)
    whole = [Split(rows[fold != f], rows[fold == f], str(f)) for f in range(3)]
    assert spread_of_folds(whole, fold) == pytest.approx(np.sqrt(2))
    once = np.where(fold == 0, 0, -1)
    assert spread_of_folds(whole[:1], once) == 1.0
    onward = [Split(rows[fold < f], rows[fold == f], str(f)) for f in (1, 2)]
    assert spread_of_folds(onward, fold - 1) == 1.0, "trained on the past alone"
    gapped = [Split(split.train[1:-1], split.test, split.name) for split in whole]
    assert 1.3 < spread_of_folds(gapped, fold) < np.sqrt(2)


def test_a_fold_without_any_feature_predicts_nothing() -> None:
    """Features that vary in the training rows only: a constant prediction has r = 0 and a p value of 1 in that fold alone."""
    x, y = linear()
    x[RUNS == 0] = 1.0
    found = encode(x, y, TR=2.0, delays_s=None, groups=RUNS, n_permutations=9)
    assert (found.fold_scores[0] == 0).all()
    assert (found.fold_scores[1:] > 0.1).mean() > 0.8
    with pytest.raises(DataError, match="no feature varies"):
        encode(np.ones((200, 1)), y, TR=2.0, groups=RUNS)


# --- scores of held-out rows ---------------------------------------------------------------------------------------


def test_scores_equal_the_metrics() -> None:
    rng = np.random.default_rng(0)
    y, guess = rng.standard_normal((2, 30, 4))
    found = held_out_scores(y, guess)
    np.testing.assert_allclose(found.r, pearson_r(y, guess))
    np.testing.assert_allclose(found.R2, r2_score(y, guess))
    holes = y.copy()
    holes[::3, 1] = np.nan
    keep = np.arange(30) % 3 != 0
    np.testing.assert_allclose(held_out_scores(holes, guess).r[1], pearson_r(y[keep, 1], guess[keep, 1]))
    np.testing.assert_allclose(held_out_scores(holes, guess).R2[1], r2_score(y[keep, 1], guess[keep, 1]))
    flat = held_out_scores(np.ones((5, 1)), rng.standard_normal((5, 1)))
    assert np.isnan(flat.r[0])
    assert np.isnan(flat.R2[0])


def test_mean_over_folds_skips_what_is_not_defined() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan]])
    np.testing.assert_array_equal(mean_over_folds(values), [2.0, 2.0, np.nan])


def test_unit_columns_give_the_mean_of_correlations() -> None:
    rng = np.random.default_rng(0)
    y, guess = rng.standard_normal((2, 60, 3)) * 100 + 7
    fold = np.arange(60) // 20
    product = (unit_norm(y, fold) * unit_norm(guess, fold)).sum(axis=0) / 3
    expected = np.mean([pearson_r(y[fold == f], guess[fold == f]) for f in range(3)], axis=0)
    np.testing.assert_allclose(product, expected, atol=1e-6)
    assert (unit_norm(np.full((60, 1), np.nan), fold) == 0).all()


def test_the_result_goes_back_to_its_volume() -> None:
    x, y = linear(k=12)
    units, space = examples.cube()
    brain = Responses(y, pd.DataFrame({"run": RUNS}), units, meta={"space": space, "TR": 2.0})
    found = encode(x, brain, delays_s=None)
    image = found.to_nifti().get_fdata()
    row = units.iloc[7]
    assert image[row["i"], row["j"], row["k"]] == pytest.approx(found.score[7], rel=1e-6)
    assert list(found.roi_summary()["roi"]) == ["V1", "IT"]
