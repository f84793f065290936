"""Speech and images decoded from simulated M/EEG: beside the ridge, below the ceiling, at chance where nothing is to be found.

The figures over three seeds take minutes (``pytest -m slow -o log_cli=true --log-cli-level=INFO`` tells them); each claim has a
small version of one seed that does not.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import numpy as np
import pytest

from neurodecode.data import Responses, Stimuli
from neurodecode.decode import GenerationTable, MEEGImageDecoder, SpeechDecoder, StimulusRetrieval, generator_targets
from neurodecode.generate import TinyDiffusion
from neurodecode.simulate.meeg import SimulatedMEEG, oracle_scores, simulate_images, simulate_speech

SIZES = {"attention_channels": 24, "channels": 32, "n_blocks": 2, "fourier": 8}
TOWER = {"n_outputs": 16, "channels": 32, "n_blocks": 0}
TRAINER = {"lr": 2e-3, "batch_size": 64, "epochs": 24, "patience": 6, "ema": 0.95, "device": "cpu"}
SEEDS = (0, 1, 2)


def random_pairs(responses: Responses, seed: int = 0) -> Responses:
    """Responses under the names of other stimuli of their split, drawn trial by trial: nothing is left to learn."""
    rng, table = np.random.default_rng(seed), responses.samples.copy()
    for _, rows in table.groupby("split").groups.items():
        table.loc[rows, "stimulus"] = rng.permutation(table.loc[rows, "stimulus"].to_numpy())
    return responses.replace(samples=table.drop(columns="block"))


def held_in(world: SimulatedMEEG) -> Responses:
    """Training and validation."""
    return world.responses.select(split=["train", "validation"])


def found(decoder: Any, world: SimulatedMEEG, train: Responses | None = None, k: tuple[int, ...] = (1, 10)) -> StimulusRetrieval:
    """Fit, and score the test split beside the ceiling."""
    decoder.fit(held_in(world) if train is None else train, world.targets)
    test, candidates = world.responses.select(split="test"), world.targets.select(split="test")
    result = decoder.score(test, candidates, k=k, oracle=oracle_scores(world.truth, test), n_bootstrap=200)
    training = next(iter(decoder.members_.values())).training
    best = None if training is None else training.best_step
    figures = (result.decoder, result.top_k, result.ridge, result.oracle, best)
    logging.getLogger("figures").info("%s %s, ridge %s, ceiling %s, best step %s", *figures)
    return result


def inside_chance(result: StimulusRetrieval, k: int, sigma: float = 3.5) -> bool:
    """Whether an accuracy could be that of guessing: trials of one stimulus by several subjects count once, to be safe."""
    p, n = result.chance[k], result.n_candidates
    return abs(result.top_k[k] - p) <= sigma * np.sqrt(p * (1 - p) / n)


# --- speech ----------------------------------------------------------------------------------------------------------


@cache
def speech_world(seed: int) -> SimulatedMEEG:
    return simulate_speech(snr=0.02, random_state=seed)


@cache
def speech(seed: int, kind: str) -> StimulusRetrieval:
    """One of the decoders that are compared."""
    options = {**SIZES, "subject_layer": kind != "no subject layer"}
    decoder = SpeechDecoder(
        "conv",
        loss="mse" if kind == "mse" else "clip",
        network_options=options,
        baseline=kind == "clip",
        trainer=TRAINER,
        random_state=seed,
    )
    world = speech_world(seed)
    return found(decoder, world, random_pairs(held_in(world)) if kind == "shuffled" else None)


def median(kind: str, k: int = 1) -> float:
    """Over seeds."""
    return float(np.median([speech(seed, kind).top_k[k] for seed in SEEDS]))


@pytest.mark.slow
def test_speech_lies_between_ridge_and_ceiling() -> None:
    for seed in SEEDS:
        result = speech(seed, "clip")
        for k in (1, 10):
            assert result.ridge is not None
            assert result.oracle is not None
            assert result.ridge[k] - 0.03 <= result.top_k[k] <= result.oracle[k]
        assert result.top_k[1] > 20 * result.chance[1]
        assert inside_chance(speech(seed, "shuffled"), 1)
        assert inside_chance(speech(seed, "shuffled"), 10)


@pytest.mark.slow
def test_matrices_of_subjects_and_the_contrast_pay() -> None:
    assert median("clip") >= median("no subject layer") + 0.10
    assert median("clip") >= median("mse") + 0.05


def sign_symmetric(seed: int, target: str, snr: float = 0.3, **tower: Any) -> StimulusRetrieval:
    """All sources rectified: the brain tells the strength of a feature and not its sign."""
    learned = {"target": target, "tower_options": {**TOWER, **tower}}
    options = learned if target == "mel_tower" else {"baseline": False}
    sizes = {**SIZES, "dropout_radius": 0.1}
    trainer = {**TRAINER, "epochs": 24 if target == "mel_tower" else 5}
    decoder = SpeechDecoder("conv", network_options=sizes, trainer=trainer, random_state=seed, **options)
    return found(decoder, simulate_speech(rectified=1.0, random_state=seed, snr=snr))


@pytest.mark.slow
def test_only_a_learned_target_reads_strengths_without_signs() -> None:
    for seed in SEEDS:
        fixed, learned = sign_symmetric(seed, "fixed"), sign_symmetric(seed, "mel_tower")
        assert inside_chance(fixed, 1)
        assert learned.ridge is not None
        assert learned.ridge[1] <= learned.chance[1] + 0.03
        assert learned.top_k[1] >= 0.90
        assert learned.oracle == {1: 1.0, 10: 1.0}


@pytest.mark.slow
def test_a_tower_of_few_weights_reads_weaker_strengths() -> None:
    """Where the variance over segments is .085 of that of the noise, the power with what all segments share is about .3."""
    small, blocks = ([sign_symmetric(seed, "mel_tower", 0.085, n_blocks=n).top_k[1] for seed in SEEDS] for n in (0, 1))
    assert min(small) >= 0.85
    assert np.mean(small) > np.mean(blocks)


# --- images ----------------------------------------------------------------------------------------------------------


def image_decoder(seed: int, epochs: int = 6) -> MEEGImageDecoder:
    options = {**SIZES, "width": 64}
    return MEEGImageDecoder("conv", network_options=options, trainer={**TRAINER, "epochs": epochs}, random_state=seed)


@cache
def images(seed: int, labels: str = "right") -> StimulusRetrieval:
    """Random signs: responses to one image cancel, the product with the reference tells it."""
    world = simulate_images(random_signs=True, random_state=seed)
    train = random_pairs(held_in(world)) if labels == "shuffled" else None
    return found(image_decoder(seed, 6 if train is None else 3), world, train, k=(1, 5))


@pytest.mark.slow
def test_images_behind_random_signs_need_a_network() -> None:
    for seed in SEEDS:
        result, null = images(seed), images(seed, "shuffled")
        assert result.n_candidates == 200
        assert result.report.zero_shot
        assert result.ridge is not None
        assert result.oracle is not None
        assert result.ridge[5] <= 0.05
        assert 0.30 <= result.top_k[5] <= result.oracle[5]
        assert inside_chance(null, 5)


def pictures_of(world: SimulatedMEEG) -> Stimuli:
    """Pictures that the latents of the world determine: 8 x 8 pixels, enlarged."""
    latents = np.asarray(world.targets.data, float)
    filters = np.random.default_rng(7).standard_normal((latents.shape[1], 64))
    shades = latents @ filters
    pixels = np.clip(128 + 50 * shades / shades.std(), 0, 255).astype(np.uint8).reshape(-1, 8, 8, 1)
    shown = np.repeat(pixels.repeat(2, axis=1).repeat(2, axis=2), 3, axis=3)
    return Stimuli(world.targets.samples["stimulus"].tolist(), shown, "image")


def generated(world: SimulatedMEEG, decoder: MEEGImageDecoder, steps: int) -> GenerationTable:
    """Pictures of the test images by a generator that was trained on pictures of the training concepts."""
    stimuli = pictures_of(world)
    known = np.flatnonzero(world.targets.samples["split"] == "train")
    pool = np.stack([stimuli[stimuli.ids[i]] for i in known])
    generator = TinyDiffusion(steps=steps, channels=(16, 32), n_components=8).fit(pool)
    decoder.fit(held_in(world), generator_targets(generator, stimuli))
    table = decoder.reconstruct(generator, world.responses.select(split="test"), stimuli, n_samples=2, n_bootstrap=200)
    logging.getLogger("figures").info("%r", table)
    return table


@pytest.mark.slow
def test_pictures_of_decoded_images_beat_those_of_the_prior_alone() -> None:
    table = generated(simulate_images(random_signs=True, random_state=0), image_decoder(0), steps=300).to_dataframe()
    scores = table.set_index(["decoder", "aggregation", "metric"]).sort_index()
    for kind in ("single", "instance", "subject"):
        decoded = scores.loc[("network", kind, "two_way_pixels")]
        assert decoded["gain_low"] > 0.1
        assert abs(scores.loc[("prior only", kind, "two_way_pixels"), "score"] - 0.5) < 0.08
        assert scores.loc[("ridge", kind, "two_way_pixels"), "score"] < decoded["score"] - 0.1


# --- the same claims in seconds: fewer subjects and stimuli, less noise -----------------------------------------------

QUICK = {**TRAINER, "batch_size": 32, "lr": 5e-3}


def test_speech_of_two_subjects() -> None:
    world = simulate_speech(n_subjects=2, n_train=150, n_validation=30, n_test=50, snr=0.1, random_state=0)
    result = found(SpeechDecoder("conv", network_options=SIZES, trainer={**QUICK, "epochs": 5}), world)
    assert result.ridge is not None
    assert result.oracle is not None
    assert 20 * result.chance[1] < result.top_k[1] <= result.oracle[1]
    assert result.top_k[1] >= result.ridge[1] - 0.25


def test_strengths_without_signs_of_one_subject() -> None:
    sizes = {"n_subjects": 1, "n_sensors": 16, "n_features": 2, "n_sources": 4, "n_train": 200, "n_validation": 30, "n_test": 50}
    world = simulate_speech(**sizes, snr=0.3, rectified=1.0, random_state=0)
    small = {**SIZES, "n_blocks": 1, "dropout_radius": 0.0}
    options = {"tower_options": {"n_outputs": 8, "channels": 16, "n_blocks": 0}, "network_options": small}
    result = found(SpeechDecoder("conv", target="mel_tower", trainer={**QUICK, "epochs": 7}, **options), world)
    assert result.ridge is not None
    assert result.ridge[1] <= 0.12
    assert result.top_k[1] >= 0.9


def test_images_behind_random_signs_of_one_subject() -> None:
    sizes = {"n_subjects": 1, "n_train": 200, "n_validation": 30, "n_test": 50, "snr": 0.5, "random_signs": True}
    world = simulate_images(**sizes, random_state=0)
    options = {"network_options": {**SIZES, "width": 32, "n_blocks": 1, "dropout_radius": 0.0}, "trainer": {**QUICK, "epochs": 5}}
    result = found(MEEGImageDecoder("conv", **options), world, k=(1, 5))
    assert result.ridge is not None
    assert result.ridge[5] <= 0.25
    assert result.top_k[5] >= 0.6
    null = {**options, "trainer": {**QUICK, "epochs": 1}, "baseline": False}
    assert inside_chance(found(MEEGImageDecoder("conv", **null), world, random_pairs(held_in(world)), k=(1, 5)), 5)
