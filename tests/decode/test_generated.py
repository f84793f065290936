"""Reconstruction by a generator: what it is told, how it takes part in `reconstruct`, what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from generate_data import blobs, untrained

from neurodecode.data import Responses, Stimuli
from neurodecode.decode import GeneratorReconstructor, reconstruct
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.generate import TinyDiffusion


@pytest.fixture(scope="module")
def model() -> TinyDiffusion:
    """Of blobs that nobody is shown."""
    return untrained()


def experiment(noise: float = 0.1, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features that see blobs linearly, the blobs, and runs."""
    rng, images = np.random.default_rng(0), blobs(n, seed=5)
    pixels = images[..., 0].reshape(n, -1) / 255
    return pixels @ rng.standard_normal((64, 30)) + noise * rng.standard_normal((n, 30)), images, np.repeat(range(4), n // 4)


class Echo:
    """A generator of one grey value per picture: the first component; it wants no uncertainty."""

    needs = ("shade",)

    def __init__(self) -> None:
        self.target_spec = {"shade": (2,)}
        self.told: list[dict[str, np.ndarray]] = []

    def encode_targets(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Means of the two halves."""
        return {"shade": np.stack([images[:, :4].mean(axis=(1, 2, 3)), images[:, 4:].mean(axis=(1, 2, 3))], axis=1)}

    def generate(self, conditions: Any, *, seed: int = 0, **options: Any) -> np.ndarray:
        """The shade plus the parity of the seed."""
        self.told.append(dict(conditions))
        shade = np.clip(conditions["shade"][:, 0], 0, 250).astype(int) + seed % 2
        return np.tile(shade.astype(np.uint8)[:, None, None, None], (1, 8, 8, 3))


class TestConditions:
    def test_predictions_follow_the_embedding(self, model: TinyDiffusion) -> None:
        features, images, runs = experiment()
        maker = GeneratorReconstructor(model, n_samples=1).fit(features[runs < 3], images[runs < 3], runs[runs < 3])
        told, true = maker.conditions(features[runs == 3]), model.encode_targets(images[runs == 3])["embedding"]
        assert set(told) == {"embedding", "uncertainty"}
        assert np.corrcoef(told["embedding"][:, 0], true[:, 0])[0, 1] > 0.9
        assert (told["uncertainty"] > 0).all()

    def test_noise_is_not_believed(self, model: TinyDiffusion) -> None:
        _, images, runs = experiment()
        noise = np.random.default_rng(1).standard_normal((40, 30))
        told = GeneratorReconstructor(model).fit(noise, images, runs).conditions(noise)
        spread = model.encode_targets(images)["embedding"].std(axis=0)
        assert (told["uncertainty"] > 0.7 * spread).all()

    def test_features_that_follow_the_images_are_kept(self, model: TinyDiffusion) -> None:
        features, images, runs = experiment()
        padded = np.hstack([np.random.default_rng(2).standard_normal((40, 200)), features])
        fitted = GeneratorReconstructor(model, n_features=30).fit(padded, images, runs)
        kept = np.flatnonzero(np.abs(fitted.coef_).sum(axis=1))
        assert len(kept) == 30
        assert (kept >= 200).sum() >= 20

    def test_a_generator_without_uncertainty(self) -> None:
        features, images, runs = experiment()
        echo = Echo()
        made = GeneratorReconstructor(echo, n_samples=4).fit(features, images, runs).predict(features)
        assert [set(told) for told in echo.told] == [{"shade"}] * 4
        assert made.shape == images.shape
        assert np.corrcoef(made[:, 0, 0, 0], echo.encode_targets(images)["shade"][:, 0])[0, 1] > 0.9

    def test_the_mean_of_samples_is_returned(self, model: TinyDiffusion) -> None:
        features, images, runs = experiment()
        maker = GeneratorReconstructor(model, n_samples=3, steps=2).fit(features, images, runs)
        three = maker.samples(features[:5])
        assert three.shape == (3, 5, 8, 8, 3)
        np.testing.assert_allclose(maker.predict(features[:5]), three.mean(axis=0))


class TestReconstruct:
    def data(self) -> tuple[Responses, Stimuli]:
        """The experiment as objects."""
        features, images, runs = experiment()
        names = [f"b{i:02d}" for i in range(len(images))]
        samples = pd.DataFrame({"stimulus": names, "run": runs, "onset": 10.0 * np.arange(len(runs)), "duration": 1.0})
        units = pd.DataFrame({"name": [f"u{i}" for i in range(features.shape[1])]})
        return Responses(features, samples, units), Stimuli(names, images, "image")

    def test_it_takes_part(self, model: TinyDiffusion) -> None:
        result = reconstruct(*self.data(), reconstructor=GeneratorReconstructor(model, n_samples=2, steps=2), n_permutations=9)
        assert result.reconstructions.shape == (40, 8, 8, 3)
        assert result.settings["reconstructor"] == "GeneratorReconstructor"
        assert result.settings["generator"].startswith("TinyDiffusion(")

    def test_same_seed_same_images(self, model: TinyDiffusion) -> None:
        made = [
            reconstruct(
                *self.data(), reconstructor=GeneratorReconstructor(model, n_samples=1, steps=2, random_state=s), n_permutations=0
            ).reconstructions
            for s in (0, 0, 1)
        ]
        np.testing.assert_array_equal(made[0], made[1])
        assert not np.array_equal(made[0], made[2])

    def test_a_generator_that_has_seen_the_test_images_is_refused(self) -> None:
        responses, stimuli = self.data()
        leaky = TinyDiffusion(steps=1, channels=(8,)).fit(np.concatenate([blobs(20), blobs(40, seed=5)[:3]]))
        with pytest.raises(SplitLeakError, match=r"3 of the 40 pictures.*'b00'"):
            reconstruct(responses, stimuli, reconstructor=GeneratorReconstructor(leaky))


class TestRefusals:
    @pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"n_features": 0}, {"alphas": []}, {"alphas": [-1.0]}])
    def test_parameters(self, model: TinyDiffusion, wrong: dict[str, Any]) -> None:
        with pytest.raises(DataError, match="got"):
            GeneratorReconstructor(model, **wrong)

    def test_a_generator_with_two_embeddings(self) -> None:
        echo = Echo()
        echo.needs = ("image", "text")  # type: ignore[assignment]
        with pytest.raises(DataError, match="image"):
            GeneratorReconstructor(echo)

    def test_embeddings_of_tokens(self) -> None:
        features, images, runs = experiment()
        echo = Echo()
        echo.encode_targets = lambda images: {"shade": np.zeros((len(images), 2, 3))}  # type: ignore[method-assign]
        with pytest.raises(DataError, match=r"\(40, 2, 3\)"):
            GeneratorReconstructor(echo).fit(features, images, runs)

    def test_misuse_is_told(self, model: TinyDiffusion) -> None:
        features, images, runs = experiment()
        with pytest.raises(DataError, match="not fitted"):
            GeneratorReconstructor(model).predict(features)
        with pytest.raises(DataError, match="40, 39, 40"):
            GeneratorReconstructor(model).fit(features, images[1:], runs)
        with pytest.raises(DataError, match="30 features"):
            GeneratorReconstructor(model).fit(features, images, runs).predict(features[:, :3])
