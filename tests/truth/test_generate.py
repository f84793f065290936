"""A generator trained on a planted world knows the world: what it makes, how varied, and from what responses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from generate_data import blobs, trained
from sklearn.svm import SVC

from neurodecode.cli.demo import run_demo
from neurodecode.data import Responses, Stimuli, concatenate, load
from neurodecode.decode import GeneratorReconstructor, RidgeReconstructor, reconstruct
from neurodecode.generate import TinyDiffusion, generate_samples, mean_of_samples
from neurodecode.io import read_stimuli
from neurodecode.metrics.image import ssim
from neurodecode.simulate.visual_cortex import load_digits
from neurodecode.simulate.visual_cortex_bids import as_picture


def correlation(made: np.ndarray, true: np.ndarray) -> float:
    """Mean pixel correlation."""
    rows = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(made.astype(float), true.astype(float), strict=True)]
    return float(np.nan_to_num(rows).mean())


def test_exact_conditions_give_the_picture_back() -> None:
    model, shown = trained(), blobs(40, seed=1, enlarged=2)
    made = model.generate(model.encode_targets(shown))
    mean_image = np.broadcast_to(shown.mean(axis=0), shown.shape)
    assert correlation(made, shown) > 0.85
    assert correlation(made, shown) > correlation(mean_image, shown) + 0.4


def test_without_conditions_samples_look_like_the_world() -> None:
    """Ink and its spread are those of blobs; nothing tells where they are."""
    model = trained()
    nothing = {"embedding": np.zeros((60, 20)), "uncertainty": np.full((60, 20), 9.0)}
    hot = model.set_params(temperature=1.0).generate(nothing, guidance=1.0, seed=3).astype(float)
    model.set_params(temperature=0.2)
    world = blobs(60, seed=2, enlarged=2).astype(float)
    assert hot.mean() == pytest.approx(world.mean(), rel=0.5)
    assert hot.std(axis=(1, 2, 3)).mean() == pytest.approx(world.std(axis=(1, 2, 3)).mean(), rel=0.5)
    assert hot.std(axis=0).mean() > 0.5 * world.std(axis=0).mean()


def test_less_temperature_means_less_variety() -> None:
    model = trained()
    unsure = {"embedding": np.zeros((60, 20)), "uncertainty": np.full((60, 20), 9.0)}
    spread = []
    for temperature in (0.1, 0.5, 1.0):
        model.set_params(temperature=temperature)
        spread.append(model.generate(unsure, guidance=1.0).std(axis=0).mean())
    model.set_params(temperature=0.2)
    assert spread[0] < spread[1] < spread[2]


def test_the_mean_of_samples_errs_less_than_one_of_them() -> None:
    model, shown = trained(), blobs(40, seed=1, enlarged=2)
    coordinates = model.encode_targets(shown)["embedding"]
    scale = model.embedding_.scale
    noise = 0.6 * np.random.default_rng(0).standard_normal(coordinates.shape) * scale
    share = 1 / (1 + 0.6**2)
    told = {"embedding": share * (coordinates + noise), "uncertainty": np.broadcast_to(np.sqrt(1 - share) * scale, noise.shape)}
    samples = generate_samples(model, told, 8)
    one = np.mean([correlation(sample, shown) for sample in samples])
    assert correlation(mean_of_samples(samples), shown) > one


def responses_to(shown: np.ndarray, noise: float) -> tuple[Responses, Stimuli]:
    """Units that see pixels linearly, in four runs."""
    rng, n = np.random.default_rng(0), len(shown)
    seen = shown[:, ::2, ::2, 0].reshape(n, -1) / 255
    data = seen @ rng.standard_normal((64, 60)) + noise * rng.standard_normal((n, 60))
    names = [f"b{i}" for i in range(n)]
    samples = pd.DataFrame({"stimulus": names, "run": np.arange(n) * 4 // n, "onset": 9.0 * np.arange(n), "duration": 1.0})
    return Responses(data, samples, pd.DataFrame({"name": [f"u{i}" for i in range(60)]})), Stimuli(names, shown, "image")


def test_pictures_are_reconstructed_from_responses() -> None:
    maker = GeneratorReconstructor(trained(), n_samples=2)
    result = reconstruct(*responses_to(blobs(120, seed=1, enlarged=2), 1.0), reconstructor=maker, n_permutations=99)
    assert result.score > result.baseline + 0.4
    assert result.identification > 0.9
    assert result.p_value == pytest.approx(0.01)


def test_without_information_nothing_is_reconstructed() -> None:
    maker = GeneratorReconstructor(trained(), n_samples=1)
    result = reconstruct(*responses_to(blobs(120, seed=1, enlarged=2), 1e4), reconstructor=maker, n_permutations=99)
    assert result.identification == pytest.approx(0.5, abs=0.12)
    assert result.score < result.baseline + 0.1


@pytest.mark.slow
def test_digits_of_the_demo(tmp_path: Path) -> None:
    """Medians over three seeds: the mean of 8 samples beats ridge, and one sample is recognised as well as ridge."""
    found = [digits(tmp_path / str(seed), seed) for seed in range(3)]
    ridge, one, mean = (pd.DataFrame([figures[name] for figures in found]).median() for name in ("ridge", "one", "mean"))
    assert mean["pixcorr"] > ridge["pixcorr"]
    assert mean["ssim"] > ridge["ssim"]
    assert one["identification"] >= ridge["identification"] - 0.03
    assert one["named"] >= ridge["named"]
    for figures in (ridge, one, mean):
        assert figures["pixcorr"] > figures["mean image"]


def digits(folder: Path, seed: int) -> dict[str, dict[str, float]]:
    """Scores of ridge, one sample and the mean of eight on one demo; the generator learns the digits that were not shown."""
    run_demo(folder, seed=seed, settings=("decode.n_permutations=0", "reconstruct.n_permutations=0"))
    responses = concatenate([load(p) for p in sorted(folder.glob("results/sub-01/func/*/responses"))])
    stimuli = read_stimuli(folder / "data", responses.samples, ids="stimulus", files="stim_file")
    every, shown = load_digits(), [int(str(name).split("_")[1]) for name in stimuli.ids]
    rest = np.setdiff1d(np.arange(len(every.images)), shown)
    pool = np.stack([as_picture(image) for image in every.images[rest]])
    model, classifier = TinyDiffusion(random_state=seed).fit(pool), SVC(C=10).fit(small(pool), every.labels[rest])
    makers = {
        "one": GeneratorReconstructor(model, n_samples=1, n_features=500),
        "mean": GeneratorReconstructor(model, n_features=500),
    }
    results = {
        name: reconstruct(responses, stimuli, reconstructor=maker, n_permutations=0)
        for name, maker in {"ridge": RidgeReconstructor(n_features=500), **makers}.items()
    }
    labels = [int(name[5]) for name in results["ridge"].stimuli]
    return {
        name: {
            "pixcorr": r.score,
            "mean image": r.baseline,
            "ssim": float(np.mean(ssim(r.images, r.reconstructions))),
            "identification": r.identification,
            "named": float(np.mean(classifier.predict(small(r.reconstructions)) == labels)),
        }
        for name, r in results.items()
    }


def small(images: np.ndarray) -> np.ndarray:
    """Means over blocks of 4 x 4 pixels, 0 to 1, as rows."""
    return images.reshape(len(images), 8, 4, 8, 4, 3).mean(axis=(2, 4, 5)).reshape(len(images), -1) / 255
