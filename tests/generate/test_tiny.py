"""The small diffusion model: seeds, shapes, refusals, files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from generate_data import blobs, untrained

from neurodecode.data import Stimuli
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.generate import TinyDiffusion, generate_samples, load_generator, mean_of_samples
from neurodecode.generate.network import AT_ONCE, from_patches, sampling_times, to_patches
from neurodecode.generate.protocol import sample_seeds

STEPS = 20


@pytest.fixture(scope="module")
def model() -> TinyDiffusion:
    """Hardly trained: enough for everything but quality."""
    return untrained(steps=STEPS)


@pytest.fixture(scope="module")
def told(model: TinyDiffusion) -> dict[str, np.ndarray]:
    """Conditions of six blobs."""
    return model.encode_targets(blobs(6, seed=1))


class TestFit:
    def test_loss_falls(self) -> None:
        losses = untrained(steps=120, channels=(16,)).losses_
        assert losses.shape == (120,)
        assert losses[-30:].mean() < 0.8 * losses[:10].mean()

    def test_same_seed_same_weights_and_the_global_seed_stays(self, model: TinyDiffusion) -> None:
        torch.manual_seed(3)
        state = torch.get_rng_state()
        again, other = untrained(steps=STEPS), untrained(steps=STEPS, random_state=1)
        assert torch.equal(torch.get_rng_state(), state)
        np.testing.assert_array_equal(again.losses_, model.losses_)
        assert not np.array_equal(other.losses_, model.losses_)
        ours, theirs = model.network_.state_dict(), again.network_.state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    def test_stimuli_and_arrays_are_the_same(self) -> None:
        stimuli = Stimuli([f"b{i}" for i in range(12)], blobs(12), "image")
        again = TinyDiffusion(steps=2, channels=(8,), n_components=4, temperature=1.0).fit(stimuli)
        np.testing.assert_array_equal(again.losses_, untrained().losses_)

    def test_what_it_has_seen(self, model: TinyDiffusion) -> None:
        assert model.has_seen(np.concatenate([blobs(12)[3:5], blobs(2, seed=7)])).tolist() == [True, True, False, False]

    @pytest.mark.parametrize("side", [5, 8, 11])
    @pytest.mark.parametrize("colour", [False, True])
    def test_any_size_and_colour(self, side: int, colour: bool) -> None:
        images = np.random.default_rng(0).integers(0, 256, (6, side, side + 2, 3), np.uint8)
        images = images if colour else images[..., :1].repeat(3, axis=-1)
        model = TinyDiffusion(steps=1, channels=(8, 16), n_components=3).fit(images)
        made = model.generate(model.encode_targets(images[:2]), steps=2)
        assert made.shape == (2, side, side + 2, 3)
        assert (made == made[..., :1]).all() == (not colour)

    @pytest.mark.parametrize(
        "wrong",
        [{"steps": 0}, {"patch": 0}, {"temperature": -1}, {"guidance": 0}, {"learning_rate": 0}, {"random_state": -1}],
    )
    def test_parameters_out_of_range(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(DataError):
            TinyDiffusion(**wrong)

    @pytest.mark.parametrize("channels", [(), (12,), (0,)])
    def test_channels_that_cannot_be_grouped(self, channels: tuple[int, ...]) -> None:
        with pytest.raises(DataError, match="multiples of 8"):
            untrained(channels=channels)

    def test_parameters_are_those_of_scikit_learn(self) -> None:
        assert TinyDiffusion(steps=5).set_params(patch=1).get_params()["patch"] == 1


class TestGenerate:
    def test_pictures(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        made = model.generate(told, steps=3)
        assert made.shape == (6, 8, 8, 3)
        assert made.dtype == np.uint8
        assert model.target_spec == {"embedding": (4,)}
        assert told["embedding"].shape == (6, 4)

    def test_a_picture_does_not_depend_on_the_others(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        seeds = [5, 4, 3, 2, 1, 0]
        every = model.generate(told, steps=3, seed=seeds)
        for i in (0, 3):
            alone = model.generate({"embedding": told["embedding"][i : i + 1]}, steps=3, seed=[seeds[i]])
            np.testing.assert_array_equal(alone[0], every[i])
        many = {"embedding": np.resize(told["embedding"], (AT_ONCE + 9, 4))}
        last = AT_ONCE + 7
        assert last % 6 == 5
        made = model.generate(many, steps=3, seed=np.resize(seeds, AT_ONCE + 9).tolist())
        np.testing.assert_array_equal(made[last], every[5])

    def test_one_seed_gives_each_picture_its_own(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        same = {"embedding": told["embedding"][[0, 0, 0]]}
        three, two = model.generate(same, steps=3, seed=1), model.generate({"embedding": same["embedding"][:2]}, steps=3, seed=1)
        np.testing.assert_array_equal(three[:2], two)
        assert not np.array_equal(three[0], three[1])
        equal = model.generate(same, steps=3, seed=[4, 4, 5])
        np.testing.assert_array_equal(equal[0], equal[1])
        assert not np.array_equal(equal[0], equal[2])

    def test_conditions_guidance_and_uncertainty_count(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        first = model.generate(told, steps=3)
        assert not np.array_equal(first, model.generate({"embedding": -told["embedding"]}, steps=3))
        assert not np.array_equal(first, model.generate(told, steps=3, guidance=4.0))
        unsure = {**told, "uncertainty": np.full_like(told["embedding"], 0.5)}
        assert not np.array_equal(first, model.generate(unsure, steps=3))
        sure = {**told, "uncertainty": np.zeros_like(told["embedding"])}
        np.testing.assert_array_equal(first, model.generate(sure, steps=3))

    def test_guidance_of_the_constructor_is_the_default(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        np.testing.assert_array_equal(model.generate(told, steps=2), model.generate(told, steps=2, guidance=model.guidance))

    def test_where_nothing_is_known_conditions_do_not_matter(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        nothing = {"embedding": np.zeros((2, 4)), "uncertainty": np.full((2, 4), 1e9)}
        one, strong = (model.generate(nothing, steps=3, guidance=w) for w in (1.0, 5.0))
        assert np.abs(one.astype(int) - strong).max() <= 1

    def test_little_strength_stays_near_the_start(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        start = blobs(6, seed=1)
        far = [
            np.abs(model.generate(told, steps=20, init=start, strength=s).astype(float) - start).mean() for s in (0.05, 0.5, 1.0)
        ]
        assert far[0] < far[1] < far[2]
        np.testing.assert_array_equal(model.generate(told, init=start, steps=4), model.generate(told, steps=4))

    def test_times(self) -> None:
        assert len(sampling_times(10, 1.0)) == 10
        assert sampling_times(10, 0.3) == sampling_times(10, 1.0)[-3:]
        assert len(sampling_times(10, 0.001)) == 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"conditions": {}}, "must hold 'embedding'"),
            ({"conditions": {"embedding": np.ones((2, 4)), "text": np.ones(2)}}, "text"),
            ({"conditions": {"embedding": np.ones((2, 3))}}, r"\(2, 3\)"),
            ({"conditions": {"embedding": np.ones((0, 4))}}, r"\(0, 4\)"),
            ({"conditions": {"embedding": np.full((2, 4), np.nan)}}, "finite"),
            ({"conditions": {"embedding": np.ones((2, 4)), "uncertainty": -np.ones((2, 4))}}, "-1"),
            ({"seed": [1]}, "6 of them"),
            ({"seed": -1}, "-1"),
            ({"steps": 0}, "got 0"),
            ({"init": blobs(6), "strength": 0}, "strength"),
            ({"init": blobs(2), "strength": 0.5}, "init has 2 images"),
            ({"guidance": -1.0}, "guidance"),
        ],
    )
    def test_refusals(self, model: TinyDiffusion, told: dict[str, np.ndarray], change: dict[str, Any], message: str) -> None:
        given = {"conditions": told, "steps": 2, **change}
        with pytest.raises(DataError, match=message):
            model.generate(given.pop("conditions"), **given)

    def test_before_the_fit(self) -> None:
        fresh = TinyDiffusion()
        for call in (lambda: fresh.generate({}), lambda: fresh.encode_targets(blobs(1)), lambda: fresh.has_seen(blobs(1))):
            with pytest.raises(DataError, match="not fitted"):
                call()

    @pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 7), (1, 3)])
    def test_patches_and_back(self, height: int, width: int) -> None:
        images = torch.randn(2, 3, height, width)
        patches = to_patches(images, 2, 2)
        assert patches.shape[1] == 12
        assert patches.shape[2] % 2 == patches.shape[3] % 2 == 0
        assert torch.equal(from_patches(patches, 2, (height, width)), images)


class TestSamples:
    def test_several_and_their_mean(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        three, one = (generate_samples(model, told, n, seed=2, steps=2) for n in (3, 1))
        assert three.shape == (3, 6, 8, 8, 3)
        np.testing.assert_array_equal(three[:1], one)
        assert not np.array_equal(three[0], three[1])
        np.testing.assert_allclose(mean_of_samples(three), three.astype(float).mean(axis=0), atol=0.5)

    def test_refusals(self, model: TinyDiffusion, told: dict[str, np.ndarray]) -> None:
        with pytest.raises(DataError, match="got 0"):
            generate_samples(model, told, 0)
        with pytest.raises(DataError, match="float64"):
            mean_of_samples(np.zeros((2, 3, 4, 4, 3)))

    def test_seeds_do_not_depend_on_how_many_there_are(self) -> None:
        assert sample_seeds(3, 5)[:2] == sample_seeds(3, 2)
        assert len(set(sample_seeds(0, 100) + sample_seeds(1, 100))) == 200
        assert sample_seeds([7, 8], 2) == [7, 8]


class TestFiles:
    @pytest.fixture
    def folder(self, model: TinyDiffusion, tmp_path: Path) -> Path:
        return model.save(tmp_path / "generator")

    def test_the_same_pictures_come_back(self, model: TinyDiffusion, told: dict[str, np.ndarray], folder: Path) -> None:
        loaded = load_generator(folder)
        assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
        np.testing.assert_array_equal(loaded.generate(told, steps=3, seed=9), model.generate(told, steps=3, seed=9))
        np.testing.assert_array_equal(loaded.encode_targets(blobs(3))["embedding"], model.encode_targets(blobs(3))["embedding"])
        assert loaded.has_seen(blobs(12)).all()
        assert loaded.get_params() == {**model.get_params(), "channels": [8]}

    def test_an_older_one_is_replaced(self, model: TinyDiffusion, folder: Path) -> None:
        untrained(random_state=5).save(folder)
        assert TinyDiffusion.load(folder).random_state == 5

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_every_altered_byte_is_noticed(self, folder: Path, name: str) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(CorruptFileError, match=name):
            load_generator(folder)

    def test_a_missing_file(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        with pytest.raises(CorruptFileError, match="missing"):
            load_generator(folder)
        (folder / "config.json").unlink()
        with pytest.raises(FormatError, match=r"no config\.json"):
            load_generator(folder)
        with pytest.raises(CorruptFileError, match="missing"):
            TinyDiffusion.load(folder)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"kind": "other"}, FormatError, "found 'other'"),
            ({"version": 99}, FormatError, "version 99"),
            ({"sha256": {}}, CorruptFileError, "no checksum"),
            ({"parameters": {"channels": [16]}}, CorruptFileError, "does not describe"),
            ({"parameters": {"nonsense": 1}}, CorruptFileError, "does not describe"),
            ({"compaction": {}}, CorruptFileError, "does not describe"),
        ],
    )
    def test_another_configuration(self, folder: Path, change: dict[str, Any], error: type[Exception], message: str) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(error, match=message):
            load_generator(folder)

    def test_what_is_no_generator(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="no such folder"):
            load_generator("owner/model")
        (tmp_path / "model_index.json").write_text("{}")
        with pytest.raises(FormatError, match="pipeline of diffusers"):
            load_generator(tmp_path)
        shutil.copy(tmp_path / "model_index.json", tmp_path / "config.json")
        (tmp_path / "model_index.json").unlink()
        with pytest.raises(FormatError, match="found None"):
            load_generator(tmp_path)

    def test_before_the_fit(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="not fitted"):
            TinyDiffusion().save(tmp_path / "x")
