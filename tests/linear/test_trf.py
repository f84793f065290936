"""Response functions: moments by brute force, folds that hold out whole trials, inputs of every form, refusals, storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ridge_data import brute_surface, brute_weights, relative
from trf_data import LENGTHS, SFREQ, trials

from neurodecode.data import Recording, Responses
from neurodecode.data.splits import Split
from neurodecode.errors import CorruptFileError, DataError, FormatError, SplitLeakError
from neurodecode.linear import TRF, Delayer, RidgeCV
from neurodecode.linear import lagged_folds as folds_module
from neurodecode.linear.lagged_moments import Span, lagged_moments, lagged_rows

LAGS = np.arange(-4, 9)


def windows(n: int = 6, length: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Trials of one length as (n_trials, n_channels, n_times)."""
    stimuli, responses = trials((length,) * n)
    return np.stack([s.T for s in stimuli]), np.stack([r.T for r in responses])


class TestMoments:
    def test_rows_are_those_of_the_delayer(self) -> None:
        x = trials()[0][0]
        whole = Delayer(LAGS.tolist()).transform(x)
        assert_array_equal(lagged_rows(x, LAGS, 0, len(x)), whole)
        assert_array_equal(lagged_rows(x, LAGS, 13, 50), whole[13:50])

    @pytest.mark.parametrize("lags", [LAGS, np.arange(0, 1), np.arange(3, 9), np.arange(-9, -2)])
    @pytest.mark.parametrize(
        "spans", [[Span(0, 0, 400)], [Span(0, 0, 400), Span(2, 0, 350)], [Span(1, 3, 57), Span(3, 400, 500), Span(3, 20, 21)]]
    )
    def test_sums_by_brute_force(self, lags: np.ndarray, spans: list[Span]) -> None:
        stimuli, responses = trials()
        delayed = [Delayer(lags.tolist()).transform(s) for s in stimuli]
        x = np.concatenate([delayed[s.trial][s.start : s.stop] for s in spans])
        y = np.concatenate([responses[s.trial][s.start : s.stop] for s in spans])
        found = lagged_moments(stimuli, responses, lags, spans)
        expected = (x.T @ x, y.T @ x, (y**2).sum(axis=0), x.sum(axis=0), y.sum(axis=0), len(x))
        for ours, brute in zip(found, expected, strict=True):
            assert_allclose(ours, brute, rtol=1e-9, atol=1e-9)

    def test_lags_longer_than_a_trial(self) -> None:
        x, y = np.ones((5, 1)), np.ones((5, 1))
        found = lagged_moments([x], [y], np.arange(-7, 8), [Span(0, 0, 5)])
        delayed = Delayer(list(range(-7, 8))).transform(x)
        assert_allclose(found.xx, delayed.T @ delayed)


def test_surface_and_weights_by_brute_force() -> None:
    stimuli, responses = trials()
    model = TRF(-0.04, 0.08, SFREQ, alphas=[1.0, 30.0, 1000.0]).fit(stimuli, responses)
    runs = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    x, y = Delayer(LAGS.tolist()).transform(np.concatenate(stimuli), runs), np.concatenate(responses)
    rows = [Split(np.flatnonzero(runs != k), np.flatnonzero(runs == k), str(k)) for k in range(len(LENGTHS))]
    assert [fold.test.tolist() for fold in model.folds_] == [[0], [1], [2], [3]]
    assert_allclose(model.cv_scores_, brute_surface(x, y, rows, model.alphas_), rtol=1e-8)
    for channel, alpha in enumerate(model.alpha_):
        coef, offset = brute_weights(x, y[:, channel], alpha)
        assert_allclose(model.coef_[:, :, channel].T.ravel(), coef, rtol=1e-7, atol=1e-10)
        assert_allclose(model.intercept_[channel], offset)


def test_dropped_edges_by_brute_force() -> None:
    stimuli, responses = trials()
    model = TRF(-0.04, 0.08, SFREQ, alphas=[3.0], edges="drop").fit(stimuli, responses)
    runs = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    delayer = Delayer(LAGS.tolist())
    kept = delayer.valid(len(runs), runs)
    coef, _ = brute_weights(delayer.transform(np.concatenate(stimuli), runs)[kept], np.concatenate(responses)[kept], 3.0)
    assert relative(model.coef_.transpose(1, 0, 2).reshape(-1, 5), coef) < 1e-9


def test_a_single_trial_is_cut_into_blocks_with_a_gap() -> None:
    stimuli, responses = trials((900,))
    model = TRF(0.0, 0.1, SFREQ, alphas=[1.0, 100.0]).fit(stimuli, responses)
    assert len(model.folds_) == 5
    for fold in model.folds_:
        between = np.abs(fold.train[:, None] - fold.test[None]).min()
        assert between > 11, "lags must not reach from one side to the other"
    x = Delayer.fir(0.0, 0.1, SFREQ).transform(stimuli[0])
    assert_allclose(model.cv_scores_, brute_surface(x, responses[0], model.folds_, model.alphas_), rtol=1e-8)


def test_groups_are_held_out_together() -> None:
    model = TRF(0.0, 0.05, SFREQ).fit(*windows(), groups=list("aabbcc"))
    assert [fold.test.tolist() for fold in model.folds_] == [[0, 1], [2, 3], [4, 5]]


def test_more_trials_than_folds_are_dealt_out() -> None:
    model = TRF(0.0, 0.02, SFREQ, alphas=[1.0, 10.0]).fit(*windows(45, 40))
    assert len(model.folds_) == 20
    assert sorted(np.concatenate([fold.test for fold in model.folds_]).tolist()) == list(range(45))


def test_folds_of_your_own() -> None:
    folds = [([0, 1], [2]), ([3], [4, 5])]
    model = TRF(0.0, 0.05, SFREQ, cv=folds, alphas=[1.0, 10.0]).fit(*windows())
    assert [fold.test.tolist() for fold in model.folds_] == [[2], [4, 5]]
    x, y = (np.concatenate(w.transpose(0, 2, 1)) for w in windows())
    runs = np.repeat(np.arange(6), 120)
    rows = [Split(np.flatnonzero(np.isin(runs, a)), np.flatnonzero(np.isin(runs, b)), "") for a, b in folds]
    delayed = Delayer.fir(0.0, 0.05, SFREQ).transform(x, runs)
    assert_allclose(model.cv_scores_, brute_surface(delayed, y, rows, model.alphas_), rtol=1e-8)
    with pytest.raises(SplitLeakError, match="both sides"):
        TRF(0.0, 0.05, SFREQ, cv=[([0, 1], [1])]).fit(*windows())


def test_little_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TRF(0.0, 0.05, SFREQ).fit(*windows())
    monkeypatch.setattr(folds_module, "_MOST_MEMORY", 0)
    again = TRF(0.0, 0.05, SFREQ).fit(*windows())
    assert_allclose(again.cv_scores_, whole.cv_scores_, rtol=1e-12)
    assert_array_equal(again.coef_, whole.coef_)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_form_of_the_data_gives_the_same(direction: str) -> None:
    s, r = windows()
    lists = [list(w.transpose(0, 2, 1)) for w in (s, r)]
    rows = [np.concatenate(w) for w in lists]
    runs = np.repeat(np.arange(6), 120)
    objects = [responses_of(w) for w in (s, r)]
    make = TRF(-0.02, 0.06, SFREQ, direction)
    plain = TRF(-0.02, 0.06, SFREQ, direction).fit(s.astype(np.float32), r.astype(np.float32))
    x = s if direction == "forward" else r
    side = 0 if direction == "forward" else 1
    expected = make.fit(s, r).predict(x)
    assert expected.shape == (6, 5 if direction == "forward" else 3, 120)
    assert_allclose(np.stack([p.T for p in make.fit(*lists).predict(lists[side])]), expected, rtol=1e-12)
    found = make.fit(*rows, groups=runs).predict(rows[side], groups=runs)
    assert_allclose(found.reshape(6, 120, -1).transpose(0, 2, 1), expected, rtol=1e-12)
    assert_allclose(make.fit(*objects).predict(objects[side]), plain.predict(x.astype(np.float32)), rtol=1e-6)
    assert_allclose(make.score(*lists), make.score(s, r), rtol=1e-5)


def responses_of(data: np.ndarray) -> Responses:
    table = pd.DataFrame({"block": range(len(data))})
    units = pd.DataFrame({"name": [f"c{i}" for i in range(data.shape[1])]})
    return Responses(data, table, units, np.arange(data.shape[2]) / SFREQ)


def test_a_recording_is_one_trial_and_one_feature_needs_no_axis() -> None:
    stimuli, responses = trials((900,), n_features=1)
    recording = Recording(responses[0].T, SFREQ, {"name": list("abcde")})
    model = TRF(0.0, 0.1, SFREQ).fit([stimuli[0][:, 0]], [responses[0]])
    assert_allclose(TRF(0.0, 0.1, SFREQ).fit(stimuli[0], recording).coef_, model.coef_, rtol=1e-5, atol=1e-7)
    assert model.predict([stimuli[0][:, 0]])[0].shape == (900, 5)
    with pytest.raises(DataError, match="sampled at 100 Hz, the model at 128 Hz"):
        TRF(0.0, 0.1, 128.0).fit(stimuli[0], recording)
    with pytest.raises(DataError, match="X is sampled at 100 Hz, the model at 50 Hz"):
        TRF(0.0, 0.1, 50.0, "backward", alphas=[1.0]).fit(stimuli[0], responses[0]).predict(recording)


def test_runs_of_responses_are_groups() -> None:
    s, r = windows()
    held = responses_of(r)
    table = held.samples.assign(run=[0, 0, 1, 1, 2, 2])
    model = TRF(0.0, 0.05, SFREQ).fit(s, held.replace(samples=table))
    assert [fold.test.tolist() for fold in model.folds_] == [[0, 1], [2, 3], [4, 5]]


def test_scores_are_those_of_sklearn() -> None:
    from sklearn.metrics import r2_score

    model, fresh = TRF(0.0, 0.1, SFREQ).fit(*trials()), trials(seed=4)
    predicted, held = np.concatenate(model.predict(fresh[0])), np.concatenate(fresh[1])
    assert_allclose(model.score(*fresh), r2_score(held, predicted, multioutput="raw_values"), rtol=1e-9)
    by_r = [np.corrcoef(a, b)[0, 1] for a, b in zip(held.T, predicted.T, strict=True)]
    assert_allclose(model.set_params(metric="correlation").score(*fresh), by_r, rtol=1e-9)


def test_a_channel_that_never_varies_has_no_score_and_harms_no_other() -> None:
    s, r = trials()
    flat = [np.column_stack([a, np.full(len(a), 2.0)]) for a in r]
    model, plain = TRF(0.0, 0.1, SFREQ).fit(s, flat), TRF(0.0, 0.1, SFREQ).fit(s, r)
    assert np.isnan(model.cv_scores_[:, 5]).all()
    assert_allclose(model.coef_[..., :5], plain.coef_)
    assert_allclose(model.predict(s)[0][:, 5], 2.0)
    assert np.isnan(model.score(s, flat)[5])


def test_one_penalty_holds_nothing_out() -> None:
    model = TRF(0.0, 0.1, SFREQ, alphas=[5.0]).fit(*trials())
    assert model.folds_ == []
    assert np.isnan(model.cv_scores_).all()
    assert model.alpha_.tolist() == [5.0] * 5


def test_smooth_penalty_makes_smooth_functions() -> None:
    s, r = trials(noise=5.0)
    rough = TRF(0.0, 0.2, SFREQ, alphas=[10.0]).fit(s, r).coef_
    smooth = TRF(0.0, 0.2, SFREQ, alphas=[1000.0], penalty="smooth").fit(s, r).coef_
    assert np.square(np.diff(smooth, axis=1)).sum() < 0.3 * np.square(np.diff(rough, axis=1)).sum()
    expected = TRF(0.0, 0.2, SFREQ, alphas=[1000.0], penalty="smooth", backend="torch").fit(s, r).coef_
    assert_allclose(smooth, expected, rtol=1e-8, atol=1e-12)


def test_backends_agree() -> None:
    ours, theirs = (TRF(0.0, 0.1, SFREQ, backend=name).fit(*trials()) for name in ("numpy", "torch"))
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    assert_allclose(ours.cv_scores_, theirs.cv_scores_, rtol=1e-9)


def test_long_trials_pass_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurodecode.linear import lagged_moments as moments_module
    from neurodecode.linear import trf as trf_module

    whole = TRF(-0.03, 0.1, SFREQ).fit(*trials())
    expected = whole.predict(trials()[0])
    monkeypatch.setattr(moments_module, "_AT_ONCE", 1)
    monkeypatch.setattr(trf_module, "_AT_ONCE", 8 * 42 * 33)
    again = TRF(-0.03, 0.1, SFREQ).fit(*trials())
    assert_allclose(again.coef_, whole.coef_, rtol=1e-8)
    assert_allclose(whole.predict(trials()[0])[0], expected[0], rtol=1e-12)


def nan_at(signal: list[np.ndarray]) -> list[np.ndarray]:
    found = [a.copy() for a in signal]
    found[2][7, 1] = np.nan
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, r: (s[:3], r), "3 trials and response 4"),
        (lambda s, r: ([s[0][:-1], *s[1:]], r), "trial 0 has 399 samples in stimulus and 400 in response"),
        (lambda s, r: (nan_at(s), r), "inputs hold nan in trial 2, sample 7, channel 1"),
        (lambda s, r: (s, nan_at(r)), "targets hold nan in trial 2, sample 7, channel 1"),
        (lambda s, r: (s, [*r[:3], r[3][:, :2]]), "trial 3 of response has shape"),
        (lambda s, r: ([a.astype(str) for a in s], r), r"stimulus\[0\] must be real numbers"),
        (lambda s, r: ([], []), "at least one"),
        (lambda s, r: ([a * 0 for a in s], r), "no feature varies"),
    ],
)
def test_refused(change: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TRF(0.0, 0.1, SFREQ).fit(*change(*trials()))


def test_refused_parameters_and_uses() -> None:
    for options in ({"direction": "sideways"}, {"penalty": "l1"}, {"edges": "wrap"}, {"metric": "mse"}, {"backend": "abacus"}):
        with pytest.raises(DataError, match=next(iter(options.values()))):
            TRF(0.0, 0.1, SFREQ, **options)
    with pytest.raises(DataError, match=r"between delays of 0.4 and 0.1 s"):
        TRF(0.4, 0.1, SFREQ)
    with pytest.raises(DataError, match="not fitted"):
        TRF(0.0, 0.1, SFREQ).predict(trials()[0])
    model = TRF(0.0, 0.1, SFREQ, alphas=[1.0]).fit(*trials())
    with pytest.raises(DataError, match="5 channels in trial 0, the model was fitted on 3"):
        model.predict(trials()[1])
    with pytest.raises(DataError, match="targets have 3 channels, the model was fitted on 5"):
        model.score(trials()[0], trials()[0])
    with pytest.raises(DataError, match="X hold nan in trial 2"):
        model.predict(nan_at(trials()[0]))
    with pytest.raises(DataError, match="targets hold nan in trial 2"):
        model.score(trials()[0], nan_at(trials()[1]))
    with pytest.raises(DataError, match="group of each of the 4 trials"):
        TRF(0.0, 0.1, SFREQ).fit(*trials(), groups=[0, 1])


def test_there_and_back(tmp_path: Path) -> None:
    model = TRF(-0.05, 0.1, SFREQ, "backward", metric="correlation").fit(*trials())
    loaded = TRF.load(model.save(tmp_path / "model"))
    assert loaded.get_params() == model.get_params()
    for name in ("coef_", "intercept_", "times_", "alpha_", "alphas_", "cv_scores_"):
        assert_array_equal(getattr(loaded, name), getattr(model, name))
    assert_array_equal(loaded.predict(trials()[1])[0], model.predict(trials()[1])[0])
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".npz"}
    with pytest.raises(FormatError, match="neurodecode RidgeCV"):
        RidgeCV.load(tmp_path / "model")
    (tmp_path / "model" / "weights.npz").write_bytes(b"x")
    with pytest.raises(CorruptFileError, match="weights.npz"):
        TRF.load(tmp_path / "model")
