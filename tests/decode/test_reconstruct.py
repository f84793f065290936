"""Images reconstructed from responses that encode them, and what keeps the score honest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from neurodecode.data import Responses, Stimuli
from neurodecode.decode import RidgeReconstructor, reconstruct
from neurodecode.decode.reconstruct import as_pixels, score_pairs
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.metrics import pixcorr

SIZE, N_RUNS, PER_RUN = 6, 4, 12


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """Grey pictures of three sources, so that a few units can tell them."""
    rng = np.random.default_rng(seed)
    sources = rng.standard_normal((3, SIZE, SIZE))
    grey = 128 + 40 * np.tensordot(rng.standard_normal((n, 3)), sources, axes=1)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def experiment(noise: float = 0.3, repeats: int = 1, n_units: int = 20, seed: int = 0) -> tuple[Responses, Stimuli]:
    """Runs of new pictures, each shown `repeats` times, and units that see them linearly."""
    rng = np.random.default_rng(seed + 100)
    n = N_RUNS * PER_RUN
    images, names = pictures(n, seed), [f"p{i:02d}" for i in range(n)]
    order = np.concatenate([rng.permutation(np.tile(np.arange(r * PER_RUN, (r + 1) * PER_RUN), repeats)) for r in range(N_RUNS)])
    seen = (images[order][..., 0].reshape(len(order), -1) - 128) / 40
    data = seen @ rng.standard_normal((SIZE * SIZE, n_units)) / SIZE + noise * rng.standard_normal((len(order), n_units))
    samples = pd.DataFrame({"stimulus": [names[i] for i in order], "run": np.repeat(range(N_RUNS), PER_RUN * repeats)})
    units = pd.DataFrame({"name": [f"u{i}" for i in range(n_units)]})
    return Responses(data, samples.assign(onset=10.0 * np.arange(len(order)), duration=1.0), units), Stimuli(
        names, images, "image"
    )


@pytest.fixture(scope="module")
def found() -> Any:
    """Reconstruction of pictures that the responses tell."""
    return reconstruct(*experiment(), n_permutations=99)


class TestScores:
    def test_what_is_in_the_responses_is_reconstructed(self, found: Any) -> None:
        assert found.score > 0.8
        assert found.score > found.baseline + 0.3
        assert found.identification > 0.85
        assert found.p_value == pytest.approx(0.01)
        assert found.split == "leave-one-run-out over 4 folds"
        assert len(found.stimuli) == N_RUNS * PER_RUN == len(set(found.stimuli))

    def test_pairs_belong_together(self, found: Any) -> None:
        images = dict(zip([f"p{i:02d}" for i in range(48)], pictures(48), strict=True))
        for name, image in zip(found.stimuli, found.images, strict=True):
            np.testing.assert_array_equal(images[name], image)
        np.testing.assert_allclose(found.image_scores, pixcorr(found.images, found.reconstructions), rtol=1e-10)
        assert found.score == pytest.approx(found.image_scores.mean())
        assert found.reconstructions.dtype == np.uint8

    def test_the_baseline_is_the_mean_training_image(self, found: Any) -> None:
        for fold in range(N_RUNS):
            outside = as_pixels(found.images[found.fold != fold].mean(axis=0))
            true = found.images[found.fold == fold]
            np.testing.assert_allclose(found.baseline_scores[found.fold == fold], pixcorr(true, np.stack([outside] * len(true))))
        assert found.baseline == pytest.approx(found.baseline_scores.mean())

    def test_noise_is_at_chance_and_not_significant(self) -> None:
        responses, stimuli = experiment()
        noise = np.random.default_rng(7).standard_normal(responses.data.shape)
        result = reconstruct(responses.replace(data=noise), stimuli, n_permutations=199)
        assert result.score == pytest.approx(result.chance, abs=0.08)
        assert result.identification == pytest.approx(0.5, abs=0.12)
        assert result.p_value > 0.02

    def test_p_is_uniform_without_information(self) -> None:
        rng = np.random.default_rng(0)
        blocks, p = np.repeat([0, 1], 6), []
        for _ in range(200):
            pairs = score_pairs(rng.integers(0, 256, (12, 4, 4, 1)), rng.integers(0, 256, (12, 4, 4, 1)), blocks, 39, rng)
            p.append((1 + np.sum(pairs.null >= pairs.right.mean())) / 40)
        assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.06)
        assert np.mean(p) == pytest.approx(0.5, abs=0.07)

    def test_chance_and_identification_by_hand(self, rng: np.random.Generator) -> None:
        true, made = (rng.integers(0, 256, (5, 3, 3, 1)).astype(np.uint8) for _ in range(2))
        blocks = np.array([0, 1, 0, 1, 0])
        pairs = score_pairs(true, made, blocks, 0, rng)
        alike = np.corrcoef(made.reshape(5, -1), true.reshape(5, -1))[:5, 5:]
        for i in range(5):
            others = [j for j in range(5) if blocks[j] == blocks[i] and j != i]
            assert pairs.wrong[i] == pytest.approx(np.mean([alike[i, j] for j in others]))
            assert pairs.identified[i] == pytest.approx(np.mean([alike[i, i] > alike[i, j] for j in others]))

    def test_a_grey_reconstruction_scores_nothing(self, rng: np.random.Generator) -> None:
        true = rng.integers(0, 256, (4, 3, 3, 1)).astype(np.uint8)
        pairs = score_pairs(true, np.full_like(true, 9), np.zeros(4, int), 3, rng)
        assert pairs.right.tolist() == [0] * 4
        assert pairs.identified.tolist() == [0.5] * 4

    def test_repeats_are_averaged_and_help(self) -> None:
        once, often = (reconstruct(*experiment(noise=3.0, repeats=n), n_permutations=0) for n in (1, 6))
        assert len(often.stimuli) == len(once.stimuli)
        assert often.score > once.score + 0.1

    def test_same_seed_same_result(self, found: Any) -> None:
        again = reconstruct(*experiment(), n_permutations=99)
        np.testing.assert_array_equal(again.null_scores, found.null_scores)
        np.testing.assert_array_equal(again.reconstructions, found.reconstructions)
        other = reconstruct(*experiment(), n_permutations=99, random_state=1)
        assert (other.null_scores != found.null_scores).any()

    def test_tables_and_words(self, found: Any) -> None:
        table = found.to_dataframe()
        assert table.columns.tolist() == ["stimulus", "fold", "held_out", "score", "baseline"]
        assert table["held_out"].iloc[0] == "run=0"
        summary = found.to_dict()
        assert summary["metric"] == "pixcorr"
        assert summary["n_images"] == 48
        assert {"score", "chance", "baseline", "p_value", "identification"} <= set(summary)
        assert "mean training image" in repr(found)
        assert summary["settings"]["reconstructor"] == "RidgeReconstructor"


class TestLeaks:
    def test_a_stimulus_in_two_runs_is_refused_unless_held_out_as_such(self) -> None:
        responses, stimuli = experiment()
        names = responses.samples["stimulus"].to_numpy(object).copy()
        names[-1] = names[0]
        twice = responses.replace(samples=responses.samples.assign(stimulus=names))
        with pytest.raises(SplitLeakError, match=rf"run=0 show a picture.*{names[0]}.*groups='stimulus'"):
            reconstruct(twice, stimuli)
        assert reconstruct(twice, stimuli, groups="stimulus", n_splits=5, n_permutations=0).score > 0.8

    def test_a_picture_under_two_names_is_the_same_picture(self) -> None:
        responses, stimuli = experiment()
        images = np.stack(list(stimuli))
        images[-1] = images[0]
        with pytest.raises(SplitLeakError, match="one name"):
            reconstruct(responses, Stimuli(stimuli.ids, images, "image"))

    def test_training_never_sees_the_test_part(self) -> None:
        seen: list[tuple[np.ndarray, np.ndarray]] = []

        class Spy(RidgeReconstructor):
            def fit(self, features: Any, images: Any, groups: Any) -> Any:
                seen.append((features, groups))
                return super().fit(features, images, groups)

        responses, stimuli = experiment()
        spy = Spy()
        reconstruct(responses, stimuli, reconstructor=spy, n_permutations=0)
        assert vars(spy).keys() == vars(Spy()).keys(), "the object of the user stays as it was"
        for fold, (features, groups) in enumerate(seen):
            np.testing.assert_array_equal(features, responses.data[responses.samples["run"] != fold])
            assert set(groups) == set(range(N_RUNS)) - {fold}

    def test_changing_the_test_part_changes_no_other_fold(self, found: Any) -> None:
        responses, stimuli = experiment()
        data = np.array(responses.data)
        data[responses.samples["run"] == 0] *= 5
        other = reconstruct(responses.replace(data=data), stimuli, n_permutations=0)
        coming = found.fold == 0
        assert (other.reconstructions[coming] != found.reconstructions[coming]).any()

    def test_a_single_stimulus_per_fold_is_compared_with_all(self) -> None:
        responses, stimuli = experiment()
        part = responses.select(slice(0, 14))
        result = reconstruct(part, stimuli, groups="stimulus", n_permutations=9)
        assert len(result.stimuli) == 14
        assert np.isfinite(result.chance)


class TestTheSeam:
    def test_any_object_with_fit_and_predict_will_do(self) -> None:
        class Nearest:
            def fit(self, features: Any, images: Any, groups: Any) -> None:
                self.features, self.images = features, images

            def predict(self, features: Any) -> Any:
                distance = ((features[:, None] - self.features) ** 2).sum(axis=2)
                return self.images[distance.argmin(axis=1)].astype(float)

        result = reconstruct(*experiment(), reconstructor=Nearest(), n_permutations=19)
        assert result.settings["reconstructor"] == "Nearest"
        assert result.score > result.baseline
        assert {image.tobytes() for image in result.reconstructions} <= {image.tobytes() for image in result.images}

    @pytest.mark.parametrize(
        "planted", [lambda f: np.zeros((len(f), 2, 2, 3)), lambda f: np.full((len(f), SIZE, SIZE, 3), np.nan)]
    )
    def test_what_is_no_image_is_refused(self, planted: Any) -> None:
        class Wrong:
            def fit(self, features: Any, images: Any, groups: Any) -> None: ...

            def predict(self, features: Any) -> Any:
                return planted(features)

        with pytest.raises(DataError, match=r"Wrong.predict must give finite images of shape \(12, 6, 6, 3\)"):
            reconstruct(*experiment(), reconstructor=Wrong())

    def test_brightness_is_cut_off_and_rounded(self) -> None:
        assert as_pixels(np.array([-3.0, 0.4, 0.6, 254.6, 300.0])).tolist() == [0, 0, 1, 255, 255]


class TestRidge:
    def data(self, n_units: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features, images and runs."""
        responses, stimuli = experiment(n_units=n_units)
        images = np.stack([stimuli[name] for name in responses.samples["stimulus"]])
        return np.asarray(responses.data, float), images, responses.samples["run"].to_numpy()

    @pytest.mark.parametrize("n_units", [20, 90])
    def test_with_one_penalty_it_is_the_ridge_of_scikit_learn_on_pixels(self, n_units: int) -> None:
        features, images, runs = self.data(n_units)
        train, test = runs != 3, runs == 3
        ours = RidgeReconstructor(alphas=[30.0]).fit(features[train], images[train], runs[train]).predict(features[test])
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
        theirs = Ridge(alpha=30.0).fit((features[train] - mean) / deviation, images[train].reshape(36, -1))
        expected = theirs.predict((features[test] - mean) / deviation)
        np.testing.assert_allclose(ours.reshape(12, -1), expected, rtol=1e-6, atol=1e-6)

    def test_strong_noise_gives_the_mean_image(self) -> None:
        _, images, runs = self.data()
        noise = np.random.default_rng(1).standard_normal((48, 20))
        made = RidgeReconstructor().fit(noise[:36], images[:36], runs[:36]).predict(noise[36:])
        assert np.std(made - images[:36].mean(axis=0)) < 0.5 * np.std(images[:36] - images[:36].mean(axis=0))

    def test_features_that_follow_the_images_are_kept(self) -> None:
        features, images, runs = self.data(10)
        noise = np.random.default_rng(3).standard_normal((48, 200))
        fitted = RidgeReconstructor(n_features=10).fit(np.hstack([noise, features]), images, runs)
        kept = np.flatnonzero(np.abs(fitted.coef_).sum(axis=1))
        assert len(kept) == 10
        assert (kept >= 200).sum() >= 8

    def test_scale_of_a_unit_does_not_count(self) -> None:
        features, images, runs = self.data()
        scales = np.logspace(-6, 6, 20)
        a = RidgeReconstructor().fit(features, images, runs).predict(features)
        b = RidgeReconstructor().fit(features * scales, images, runs).predict(features * scales)
        np.testing.assert_allclose(a, b, atol=1e-4)

    def test_a_unit_that_does_not_vary_is_no_harm(self) -> None:
        features, images, runs = self.data()
        features[:, 4] = 3.0
        fitted = RidgeReconstructor().fit(features, images, runs)
        assert np.isfinite(fitted.predict(features)).all()
        assert np.abs(fitted.coef_[4]).max() < 1e-9

    def test_penalties_follow_what_the_responses_tell(self) -> None:
        """The component that units do not carry gets the larger penalty."""
        rng = np.random.default_rng(0)
        told, hidden = rng.standard_normal((2, 48))
        patterns = np.kron(np.eye(2), np.ones((1, 18))).reshape(2, SIZE, SIZE)
        grey = 128 + 30 * told[:, None, None] * patterns[0] + 20 * hidden[:, None, None] * patterns[1]
        images = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
        features = told[:, None] + 0.3 * rng.standard_normal((48, 8))
        fitted = RidgeReconstructor().fit(features, images, np.repeat(range(4), 12))
        share = np.abs(fitted.components_[:2].reshape(2, SIZE, SIZE, 3)[:, :3]).sum(axis=(1, 2, 3))
        carried = int(np.argmax(share))
        assert fitted.alpha_[carried] < fitted.alpha_[1 - carried]
        made = fitted.predict(features)
        assert spearmanr(made[:, 0, 0, 0], told).statistic > 0.9

    @pytest.mark.parametrize("parameters", [{"n_features": 0}, {"alphas": []}, {"alphas": [-1.0]}])
    def test_parameters_out_of_range(self, parameters: dict[str, Any]) -> None:
        with pytest.raises(DataError, match=next(iter(parameters))):
            RidgeReconstructor(**parameters)

    def test_misuse_is_told(self) -> None:
        features, images, runs = self.data()
        with pytest.raises(DataError, match="not fitted"):
            RidgeReconstructor().predict(features)
        with pytest.raises(DataError, match="48, 47, 48"):
            RidgeReconstructor().fit(features, images[1:], runs)
        fitted = RidgeReconstructor().fit(features, images, runs)
        with pytest.raises(DataError, match="20 features"):
            fitted.predict(features[:, :3])

    def test_parameters_are_those_of_scikit_learn(self) -> None:
        ridge = RidgeReconstructor(n_features=5)
        assert ridge.get_params()["n_features"] == 5
        assert ridge.set_params(n_features=7).n_features == 7


class TestRefusals:
    def test_an_unknown_stimulus(self) -> None:
        responses, stimuli = experiment()
        with pytest.raises(DataError, match="p47"):
            reconstruct(responses, stimuli.select(stimuli.ids[:-1]))

    def test_a_missing_stimulus(self) -> None:
        responses, stimuli = experiment()
        names = responses.samples["stimulus"].to_numpy(object).copy()
        names[3] = None
        with pytest.raises(DataError, match="1 of 48"):
            reconstruct(responses.replace(samples=responses.samples.assign(stimulus=names)), stimuli)

    def test_no_such_column(self) -> None:
        with pytest.raises(DataError, match="picture"):
            reconstruct(*experiment(), column="picture")

    def test_sizes_that_differ(self) -> None:
        responses, stimuli = experiment()
        items = [*list(stimuli)[:-1], np.arange(48, dtype=np.uint8).reshape(4, 4, 3)]
        with pytest.raises(DataError, match=r"p47.*\(4, 4, 3\)"):
            reconstruct(responses, Stimuli(stimuli.ids, items, "image"))

    def test_a_blank_picture(self) -> None:
        responses, stimuli = experiment()
        images = np.stack(list(stimuli))
        images[5] = 200
        with pytest.raises(DataError, match="p05.*200 in every pixel"):
            reconstruct(responses, Stimuli(stimuli.ids, images, "image"))

    def test_other_kinds_of_stimuli(self) -> None:
        responses, stimuli = experiment()
        with pytest.raises(DataError, match="kind 'text'"):
            reconstruct(responses, Stimuli(stimuli.ids, ["x"] * 48, "text"))

    def test_nan_is_named_and_bad_units_are_left_out(self, found: Any) -> None:
        responses, stimuli = experiment()
        data = np.hstack([np.array(responses.data), np.full((48, 1), np.nan)])
        units = pd.DataFrame({"name": [*responses.units["name"], "broken"]})
        with pytest.raises(DataError, match="broken"):
            reconstruct(replace(responses, data=data, units=units), stimuli)
        marked = replace(responses, data=data, units=units.assign(bad=[False] * 20 + [True]))
        assert reconstruct(marked, stimuli, n_permutations=0).score == pytest.approx(found.score)

    def test_a_negative_number_of_permutations(self) -> None:
        with pytest.raises(DataError, match="-1"):
            reconstruct(*experiment(), n_permutations=-1)

    def test_without_permutations_there_is_no_p(self) -> None:
        result = reconstruct(*experiment(), n_permutations=0)
        assert result.p_value is None
        assert result.n_permutations == 0
