"""noise_ceiling on responses: trials gathered by stimulus, halves of runs, sessions on one scale, subjects from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ceiling_data import as_trials, planted, without_some

from neurodecode.compare import noise_ceiling
from neurodecode.compare.cross_subject import _at_infinity, cross_subject_ceiling
from neurodecode.data import Responses
from neurodecode.errors import DataError
from neurodecode.metrics import ceilings
from neurodecode.preprocess import fmri

METHODS = ["split_half", "ncsnr", "schoppe", "explainable_variance"]


@pytest.mark.parametrize("method", METHODS)
class TestRepeats:
    def test_arrays_go_to_the_estimator(self, method: Any) -> None:
        data = planted(40, 3, 5).data
        np.testing.assert_array_equal(noise_ceiling(data, method), getattr(ceilings, f"ceiling_{method}")(data))

    def test_trials_of_a_stimulus_are_gathered(self, method: Any) -> None:
        """Shuffled, and some stimuli shown less often: the same as an array with NaN."""
        data = without_some(planted(300, 3, 5).data)
        exact = method in ("ncsnr",)  # others pair or halve trials in the order in which they come
        np.testing.assert_allclose(
            noise_ceiling(as_trials(data, seed=1), method), noise_ceiling(data, method), atol=1e-5 if exact else 0.05
        )
        np.testing.assert_allclose(
            noise_ceiling(as_trials(data), method), noise_ceiling(data, method), atol=1e-5 if exact else 0.02
        )

    def test_times_are_targets_of_their_own(self, method: Any) -> None:
        data = planted(40, 3, 6).data
        found = noise_ceiling(as_trials(data.reshape(40, 3, 2, 3)), method)
        assert found.shape == (2, 3)
        np.testing.assert_allclose(found.ravel(), noise_ceiling(as_trials(data), method), rtol=1e-6)

    def test_guards(self, method: Any) -> None:
        trials = as_trials(planted(10, 2, 2).data)
        with pytest.raises(DataError, match="has no column 'image'"):
            noise_ceiling(trials, method, by="image")
        unnamed = trials.replace(samples=trials.samples.assign(stimulus=[None, *trials.samples["stimulus"][1:]]))
        with pytest.raises(DataError, match="sample 0 has no 'stimulus', like 1 of 20"):
            noise_ceiling(unnamed, method)
        mixed = trials.replace(samples=trials.samples.assign(subject=["a", "b"] * 10))
        with pytest.raises(DataError, match=r"of subjects \['a', 'b'\]"):
            noise_ceiling(mixed, method)


def test_method_and_split_must_fit() -> None:
    data = planted(10, 2, 2).data
    with pytest.raises(DataError, match="did you mean 'split_half'"):
        noise_ceiling(data, "splithalf")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="split='run' applies to method='split_half' of Responses, got 'split_half' of ndarray"):
        noise_ceiling(data, split="run")
    with pytest.raises(DataError, match="got 'ncsnr' of Responses"):
        noise_ceiling(as_trials(data), "ncsnr", split="run")


def test_ncsnr_is_that_of_the_single_trials() -> None:
    """The estimate of preprocessing and that of comparisons are one."""
    trials = as_trials(without_some(planted(60, 3, 4).data), seed=0)
    np.testing.assert_allclose(noise_ceiling(trials, "ncsnr"), fmri.ncsnr(trials).noise_ceiling / 100)


def test_halves_of_runs(rng: np.random.Generator) -> None:
    """Within a run the trials of a stimulus share noise, which only halves of runs see through."""
    shared = np.repeat(rng.standard_normal((100, 2, 3)), 2, axis=1)
    trials = as_trials(shared + 0.5 * rng.standard_normal((100, 4, 3)), run=np.tile([1, 1, 2, 2], 100))
    assert noise_ceiling(trials).min() > 0.5
    assert noise_ceiling(trials, split="run", n_splits=20).max() < 0.35
    with pytest.raises(DataError, match="all 400 trials are of one group"):
        noise_ceiling(trials.replace(samples=trials.samples.assign(run=1)), split="run")


def test_sessions_are_put_on_one_scale_for_ncsnr_only(rng: np.random.Generator) -> None:
    truth = planted(300, 3, 20)
    session = np.tile([1, 2, 3], 300)
    moved = truth.data * np.array([1.0, 3.0, 0.5])[None, :, None] + np.array([0.0, 5.0, -2.0])[None, :, None]
    trials = as_trials(moved, session=session)
    rho = truth.rho(1 / 3)
    assert np.mean(noise_ceiling(trials, "ncsnr") - rho) == pytest.approx(0.0, abs=0.02)
    assert np.mean(noise_ceiling(trials, "ncsnr", standardise=None) - rho) < -0.3
    np.testing.assert_array_equal(noise_ceiling(trials, "ncsnr", standardise="session"), noise_ceiling(trials, "ncsnr"))
    np.testing.assert_array_equal(noise_ceiling(trials, "schoppe"), noise_ceiling(trials, "schoppe", standardise=None))
    one = trials.replace(samples=trials.samples.assign(session=1))
    np.testing.assert_array_equal(noise_ceiling(one, "ncsnr"), noise_ceiling(one, "ncsnr", standardise=None))


def test_halves_repeat_with_their_seed() -> None:
    data = planted(30, 3, 3).data
    np.testing.assert_array_equal(
        noise_ceiling(data, n_splits=5, random_state=2), noise_ceiling(data, n_splits=5, random_state=2)
    )
    assert not np.array_equal(noise_ceiling(data, n_splits=5, random_state=2), noise_ceiling(data, n_splits=5, random_state=3))


def crowd(rng: np.random.Generator, n: int = 120, n_subjects: int = 4, noise: float = 0.5) -> np.ndarray:
    """Subjects whose first three targets mix three common signals, and whose last one is noise."""
    common = rng.standard_normal((n, 3))
    subjects = [common @ np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(n_subjects)]
    subjects = [np.hstack([s + noise * rng.standard_normal((n, 3)), rng.standard_normal((n, 1))]) for s in subjects]
    return np.stack(subjects, axis=1)


class TestSubjects:
    def test_what_is_common_is_predicted_and_noise_is_not(self, rng: np.random.Generator) -> None:
        """Own reliability .8, and that of the mean of three others 1 / (1 + .25 / 3): r² is their product .74, a little less."""
        rho = noise_ceiling(crowd(rng, n=400), "cross_subject")
        assert rho.shape == (4, 4)
        assert rho[:, :3].mean() == pytest.approx(0.72, abs=0.04)
        assert rho[:, 3].max() < 0.05

    def test_responses_are_matched_by_stimulus_and_averaged(self, rng: np.random.Generator) -> None:
        data = crowd(rng, n=60, n_subjects=2)
        tables = []
        for subject in range(2):
            names = [f"image{i}" for i in (rng.permutation(60) if subject else range(60))] * 2
            tables.append(pd.DataFrame({"subject": f"s{subject}", "stimulus": names}))
        samples = pd.concat([*tables, pd.DataFrame({"subject": ["s1"], "stimulus": ["seen by one only"]})], ignore_index=True)
        rows = np.array([int(name[5:]) if name[5:].isdigit() else 0 for name in samples["stimulus"]])
        values = data[rows, (samples["subject"] == "s1").astype(int).to_numpy()]
        found = noise_ceiling(Responses(values, samples, pd.DataFrame(index=range(4))), "cross_subject", cv=2)
        np.testing.assert_allclose(found, noise_ceiling(data, "cross_subject", cv=2), atol=1e-4)

    def test_a_target_that_a_subject_lacks_is_nan_for_it(self, rng: np.random.Generator) -> None:
        data = crowd(rng, n=60, n_subjects=3)
        data[:, 1, 0] = np.nan
        rho = cross_subject_ceiling(data, cv=2)
        assert np.argwhere(np.isnan(rho)).tolist() == [[1, 0]]
        data[:, 1:] = np.nan
        with pytest.raises(DataError, match=r"subjects \[1, 2\] have no target without NaN"):
            cross_subject_ceiling(data, cv=2)

    def test_a_scale_of_a_subject_does_not_matter(self, rng: np.random.Generator) -> None:
        data = crowd(rng, n=90, n_subjects=3)
        np.testing.assert_allclose(
            cross_subject_ceiling(data * np.array([1, 1e4, 1e-4])[:, None] + 7, cv=2),
            cross_subject_ceiling(data, cv=2),
            atol=0.01,
        )

    @pytest.mark.parametrize("curve", ["reliability", "exponential"])
    def test_subjects_are_extrapolated_alike_each_time(self, curve: Any, rng: np.random.Generator) -> None:
        data = crowd(rng, n=90, n_subjects=3, noise=1.0)
        many = cross_subject_ceiling(data, cv=2, extrapolate=curve)
        assert many.shape == (3, 4)
        assert 0 <= many.min() < 0.1
        assert 0.2 < many[:, :3].mean() < 0.7
        np.testing.assert_array_equal(noise_ceiling(data, "cross_subject", cv=2, extrapolate=curve), many)

    def test_averages_of_noisy_others_end_where_they_should(self) -> None:
        """r(k) = v sqrt(k / (k + 4)), by the curve of reliability; the exponential ends too soon."""
        sizes = np.arange(1, 7)
        curve = 0.8 * np.sqrt(sizes / (sizes + 4))[:, None]
        assert _at_infinity(sizes, curve, "reliability")[0] == pytest.approx(0.8, rel=0.01)
        assert _at_infinity(sizes, curve, "exponential")[0] < 0.65

    def test_aligned_subjects_are_better_averaged(self, rng: np.random.Generator) -> None:
        """Few stimuli, many targets: a weight for each target of each subject is too many."""
        data = rng.standard_normal((90, 1, 20)) + 1.5 * rng.standard_normal((90, 5, 20))
        separate, averaged = (noise_ceiling(data, "cross_subject", average=average, cv=3) for average in (False, True))
        assert averaged.mean() > 1.1 * separate.mean()
        data[:, 1, 0] = np.nan
        assert np.isnan(noise_ceiling(data, "cross_subject", average=True)).sum() == 1

    @pytest.mark.parametrize(("v", "tau"), [(0.8, 3.0), (0.4, 0.5)])
    def test_a_saturating_curve_ends_where_it_should(self, v: float, tau: float) -> None:
        sizes = np.array([1, 2, 4, 8, 16])
        curve = v * (1 - np.exp(-sizes / tau))
        np.testing.assert_allclose(
            _at_infinity(sizes, np.tile(curve[:, None, None], (1, 2, 3)), "exponential"), np.full((2, 3), v), rtol=0.01
        )

    @pytest.mark.parametrize(
        ("data", "extrapolate"),
        [(np.zeros((9, 1, 2)), None), (np.zeros((9, 2, 2)), "reliability"), (np.full((9, 3, 2), np.inf), None)],
    )
    def test_guards(self, data: np.ndarray, extrapolate: Any) -> None:
        with pytest.raises(DataError, match="n_subjects of at least"):
            cross_subject_ceiling(data, extrapolate=extrapolate)

    def test_subjects_need_common_stimuli(self) -> None:
        trials = as_trials(planted(10, 2, 2).data, subject=["a", "b"] * 10)
        with pytest.raises(DataError, match="2 subjects have 0 values of 'stimulus' in common"):
            noise_ceiling(trials.replace(samples=trials.samples.assign(stimulus=np.arange(20))), "cross_subject")
