"""The decoder of images: two heads, several targets, aggregation, pictures with their control, and what is refused."""

from __future__ import annotations

from pathlib import Path

import meeg_worlds as mw
import numpy as np
import pytest
from generate_data import blobs

from neurodecode.data import Responses, Stimuli
from neurodecode.decode import MEEGImageDecoder, generator_targets
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.generate import TinyDiffusion

SIZES = {"attention_channels": 8, "channels": 8, "n_blocks": 1, "fourier": 3, "width": 16}


def held_in(world: mw.World) -> Responses:
    return world.responses.select(split=["train", "validation"])


def quick(network: object = "projection", **options: object) -> MEEGImageDecoder:
    return MEEGImageDecoder(network, **{"trainer": mw.QUICK, **options})


@pytest.fixture(scope="module")
def world() -> mw.World:
    return mw.images(repeats=2)


@pytest.fixture(scope="module")
def decoder(world: mw.World) -> MEEGImageDecoder:
    return quick(trainer={**mw.QUICK, "epochs": 15}).fit(held_in(world), world.targets)


class TestNetworks:
    @pytest.mark.parametrize("network", ["conv", "projection", mw.Outputs])
    def test_each_predicts_and_is_stored(self, world: mw.World, network: object, tmp_path: Path) -> None:
        options = {"network_options": SIZES} if network == "conv" else {}
        decoder = quick(network, **options).fit(held_in(world), world.targets)
        test = world.split("test")
        assert decoder.predict(test).shape == (48, 5)
        decoder.save(tmp_path / "d")
        loaded = MEEGImageDecoder.load(tmp_path / "d", network=network if callable(network) else None)
        np.testing.assert_array_equal(loaded.predict(test), decoder.predict(test))
        one, other = (d.score(test, world.candidates()).to_dict() for d in (decoder, loaded))
        assert one == other

    @pytest.mark.parametrize("network", ["nice", "atm"])
    def test_those_of_eeg_take_long_windows(self, world: mw.World, network: str) -> None:
        times = np.arange(80) / 100
        long = held_in(world)
        data = np.repeat(long.data, 5, axis=2)
        long = long.replace(data=data, times=times)
        sizes = {"n_filters": 4} if network == "nice" else {"n_filters": 4, "width": 80, "feedforward": 16}
        decoder = quick(network, network_options=sizes, baseline=False).fit(long, world.targets)
        assert decoder.predict(long).shape == (200, 5)
        strange = long.select(slice(0, 2))
        strange = strange.replace(samples=strange.samples.assign(subject="09"))
        if network == "nice":  # it knows no subjects
            assert np.isfinite(decoder.predict(strange)).all()
        else:
            with pytest.raises(DataError, match="'09' was not among"):
                decoder.predict(strange)

    def test_channels_of_a_fixed_montage(self, world: mw.World, decoder: MEEGImageDecoder) -> None:
        test = world.split("test")
        with pytest.raises(DataError, match="fitted on 8"):
            decoder.predict(test.select(units=slice(0, 4)))
        with pytest.raises(DataError, match="same order"):
            decoder.predict(test.select(units=[1, 0, *range(2, 8)]))

    def test_the_ridge_alone(self, world: mw.World) -> None:
        ridge = MEEGImageDecoder("ridge").fit(held_in(world), world.targets)
        found = ridge.score(world.split("test"), world.candidates(), k=1)
        assert float(found) > 0.9
        assert found.baseline is None
        assert found.decoder == "ridge, whole window, per subject"
        true = np.tile(world.candidates().data, (4, 1))
        assert np.corrcoef(ridge.predict(world.split("test")).ravel(), true.ravel())[0, 1] > 0.8


class TestHeads:
    def test_the_scale_of_the_targets_comes_back(self, world: mw.World, decoder: MEEGImageDecoder) -> None:
        predicted = decoder.predict(world.split("test"))
        assert predicted.mean() == pytest.approx(2.0, abs=0.5)
        assert abs(decoder.predict(world.split("test"), head="clip").mean()) < 1

    def test_each_head_is_wired_to_its_own_term(self, world: mw.World) -> None:
        trainer = {**mw.QUICK, "epochs": 15}
        regression = quick(weight=0.0, trainer=trainer).fit(held_in(world), world.targets)
        contrast = quick(weight=1.0, trainer=trainer).fit(held_in(world), world.targets)
        true = np.tile(world.candidates().data, (4, 1))
        slope = np.polyfit(regression.predict(world.split("test")).ravel(), true.ravel(), 1)[0]
        assert slope == pytest.approx(1.0, abs=0.35)
        for decoder in (regression, contrast):
            assert float(decoder.score(world.split("test"), world.candidates(), k=1)) > 0.4
        with pytest.raises(DataError, match="trained no head for the squared error"):
            contrast.predict(world.split("test"))

    def test_the_temperature_is_learned_or_given(self, world: mw.World, decoder: MEEGImageDecoder) -> None:
        assert decoder.members_["images"].extras["temperature"] != pytest.approx(0.07)
        fixed = quick(temperature=0.5).fit(held_in(world), world.targets)
        assert fixed.members_["images"].extras["temperature"] == 0.5

    def test_without_standardising(self, world: mw.World) -> None:
        raw = quick(standardise=False).fit(held_in(world), world.targets)
        assert raw.members_["images"].scaling.mean == 0

    def test_probabilities_are_those_of_cosines_over_the_temperature(self, world: mw.World, decoder: MEEGImageDecoder) -> None:
        found = decoder.retrieve(world.split("test"), world.candidates(), k=12)
        z = decoder.predict(world.split("test"), head="clip")
        y = decoder.members_["images"].scaling.apply(world.candidates().data)
        cosine = (z / np.linalg.norm(z, axis=1)[:, None]) @ (y / np.linalg.norm(y, axis=1)[:, None]).T
        logits = cosine / decoder.members_["images"].extras["temperature"]
        expected = np.exp(logits - logits.max(axis=1)[:, None])
        expected = np.sort(expected / expected.sum(axis=1)[:, None], axis=1)[:, ::-1]
        np.testing.assert_allclose(found["probability"].to_numpy().reshape(48, 12), expected, rtol=1e-3, atol=1e-6)


class TestScore:
    def test_repeats_are_averaged_in_three_ways(self, world: mw.World, decoder: MEEGImageDecoder) -> None:
        found = decoder.score(world.split("test"), world.candidates(), k=1, aggregation="instance")
        assert found.report.n_queries == 12
        assert found.reports["single"].n_queries == 48
        assert found.top_k[1] >= found.reports["single"].top_k["brain_to_stimulus"][1]
        one = world.split("test").select(subject="01")
        assert set(decoder.score(one, world.candidates(), k=1).reports) == {"single", "instance"}
        with pytest.raises(DataError, match="aggregation"):
            decoder.score(one, world.candidates(), k=1, aggregation="subject")

    def test_zero_shot(self, world: mw.World, decoder: MEEGImageDecoder) -> None:
        assert decoder.score(world.split("test"), world.candidates(), k=1, zero_shot=True).report.zero_shot
        samples = world.candidates().samples.assign(concept="c0")
        known = world.candidates().replace(samples=samples)
        assert decoder.score(world.split("test"), known, k=1).report.category_overlap == 1.0
        with pytest.raises(SplitLeakError, match="zero-shot retrieval"):
            decoder.score(world.split("test"), known, k=1, zero_shot=True)
        with pytest.raises(DataError, match="needs a column 'concept'"):
            decoder.score(world.split("test"), known.replace(samples=samples.drop(columns="concept")), k=1, zero_shot=True)


@pytest.fixture(scope="module")
def both(world: mw.World) -> MEEGImageDecoder:
    second = world.targets.replace(data=np.asarray(world.targets.data)[:, :3], units=world.targets.units.iloc[:3])
    return quick().fit(held_in(world), {"vision": world.targets, "text": second})


class TestSeveralTargets:
    def test_each_has_a_network(self, world: mw.World, both: MEEGImageDecoder, tmp_path: Path) -> None:
        test = world.split("test")
        assert both.predict(test).shape == (48, 5)
        assert both.predict(test, target="text").shape == (48, 3)
        both.save(tmp_path / "d")
        loaded = MEEGImageDecoder.load(tmp_path / "d")
        np.testing.assert_array_equal(loaded.predict(test, target="text"), both.predict(test, target="text"))
        with pytest.raises(DataError, match="target"):
            both.predict(test, target="audio")

    def test_runs_have_folders_of_their_own(self, world: mw.World, tmp_path: Path) -> None:
        quick(trainer={**mw.QUICK, "epochs": 1}).fit(
            held_in(world), {"a": world.targets, "b": world.targets}, folder=tmp_path / "run"
        )
        assert {p.name for p in (tmp_path / "run").iterdir()} == {"a", "b"}

    def test_names(self, world: mw.World) -> None:
        with pytest.raises(DataError, match="identifiers"):
            quick().fit(held_in(world), {"../up": world.targets})


# --- pictures --------------------------------------------------------------------------------------------------------


class Linear:
    """A generator of pictures that are what they are told: an embedding of 16 values is an image of 4 x 4, enlarged."""

    needs = ("latent",)

    def __init__(self, seen: bool = False) -> None:
        self.seen, self.target_spec = seen, {"latent": (4, 4)}

    def encode_targets(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return {"latent": images[:, ::4, ::4, 0].astype(np.float32)}

    def generate(self, conditions: dict, *, seed: object = 0, steps: int = 20, guidance: object = None) -> np.ndarray:
        pixels = np.clip(np.rint(conditions["latent"]), 0, 255).astype(np.uint8)
        return np.repeat(np.repeat(np.repeat(pixels[..., None], 3, axis=3), 4, axis=1), 4, axis=2)

    def has_seen(self, images: np.ndarray) -> np.ndarray:
        return np.full(len(images), self.seen)


def picture_world(noise: float = 0.3) -> tuple[mw.World, Stimuli]:
    """Responses that hold the pixels of pictures."""
    world = mw.images(noise=noise, repeats=2, width=8)
    table = world.targets.samples
    rng = np.random.default_rng(1)
    filters = rng.standard_normal((8, 16))
    pixels = np.clip(128 + 25 * (np.asarray(world.targets.data) - 2) @ filters, 0, 255).astype(np.uint8).reshape(-1, 4, 4)
    shown = np.repeat(np.repeat(np.repeat(pixels[..., None], 3, axis=3), 4, axis=1), 4, axis=2)
    return world, Stimuli(table["stimulus"].tolist(), shown, "image")


@pytest.fixture(scope="module")
def made() -> tuple[MEEGImageDecoder, mw.World, Stimuli]:
    world, stimuli = picture_world()
    trainer = {**mw.QUICK, "epochs": 15}
    return quick(trainer=trainer).fit(held_in(world), generator_targets(Linear(), stimuli)), world, stimuli


class TestPictures:
    def test_decoded_beats_the_prior_and_stands_beside_the_ridge(self, made: tuple) -> None:
        decoder, world, stimuli = made
        table = decoder.reconstruct(Linear(), world.split("test"), stimuli)
        scores = table.to_dataframe().set_index(["decoder", "aggregation", "metric"]).sort_index()
        assert set(scores.index.get_level_values(0)) == {"network", "ridge", "prior only"}
        assert set(scores.index.get_level_values(1)) == {"single", "instance", "subject"}
        assert set(scores.index.get_level_values(2)) == {"two_way_pixels", "pixcorr", "ssim"}
        assert scores.loc[("network", "instance", "two_way_pixels"), "score"] > 0.85
        assert scores.loc[("network", "instance", "two_way_pixels"), "gain_low"] > 0
        assert scores.loc[("prior only", "instance", "two_way_pixels"), "score"] < 0.75
        assert (scores.loc["prior only", "gain"] == 0).all()
        assert table.rescale == "train"
        assert table.pictures["network", "single"].shape == table.images.shape == (12, 16, 16, 3)
        assert "prior only" in repr(table)
        assert len(table.to_dict()["scores"]) == 27

    def test_no_image_keeps_its_own_responses_in_the_control(self, made: tuple) -> None:
        decoder, world, stimuli = made
        table = decoder.reconstruct(Linear(), world.split("test"), stimuli, aggregations=["instance"])
        own, other = table.pictures["network", "instance"], table.pictures["prior only", "instance"]
        assert sorted(map(bytes, own)) == sorted(map(bytes, other))
        assert not any(np.array_equal(a, b) for a, b in zip(own, other, strict=True))

    def test_rescaling_with_training_statistics_is_one_picture_at_a_time(self, made: tuple) -> None:
        decoder, world, stimuli = made
        test = world.split("test")
        few = test.select(stimulus=test.samples["stimulus"].unique()[:4].tolist())
        pictures = {}
        for way in ("train", "transductive", None):
            both = [decoder.reconstruct(Linear(), part, stimuli, aggregations=["instance"], rescale=way) for part in (test, few)]
            pictures[way] = [table.pictures["network", "instance"][:4].astype(int) for table in both]
        for way in ("train", None):
            np.testing.assert_array_equal(*pictures[way])
        assert np.abs(np.subtract(*pictures["transductive"])).max() > 2
        assert pictures["train"][0].std(axis=0).mean() > pictures[None][0].std(axis=0).mean()

    def test_a_generator_is_told_how_uncertain_predictions_are(self, made: tuple) -> None:
        world, _ = picture_world()
        pool = blobs(len(world.targets), seed=1, enlarged=2)
        stimuli = Stimuli(world.targets.samples["stimulus"].tolist(), pool, "image")
        tiny = TinyDiffusion(steps=2, channels=(8,), n_components=4).fit(blobs(12, enlarged=2))
        decoder = MEEGImageDecoder("ridge").fit(held_in(world), generator_targets(tiny, stimuli))
        table = decoder.reconstruct(tiny, world.split("test"), stimuli, aggregations=["single"], steps=2, n_samples=2)
        assert table.rescale is None
        assert any("error for single trials" in note for note in table.notes)
        assert set(table.scores["decoder"]) == {"ridge", "prior only"}

    def test_refusals(self, made: tuple) -> None:
        decoder, world, stimuli = made
        with pytest.raises(SplitLeakError, match="Linear was trained on 12 of the 12 images"):
            decoder.reconstruct(Linear(seen=True), world.split("test"), stimuli)
        with pytest.raises(SplitLeakError, match="trained on"):
            decoder.reconstruct(Linear(), world.split("train"), stimuli)
        with pytest.raises(DataError, match="fit it on generator_targets"):
            quick().fit(held_in(world), world.targets).reconstruct(Linear(), world.split("test"), stimuli)
        with pytest.raises(DataError, match="which generation reads"):
            quick(weight=1.0).fit(held_in(world), generator_targets(Linear(), stimuli)).reconstruct(
                Linear(), world.split("test"), stimuli
            )
        with pytest.raises(DataError, match="rescale"):
            decoder.reconstruct(Linear(), world.split("test"), stimuli, rescale="test")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "resnet"}, "network"),
        ({"weight": 1.5}, "weight from 0 to 1"),
        ({"temperature": 0.0}, "temperature"),
        ({"unseen_subject": "guess"}, "unseen_subject"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_parameters_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        MEEGImageDecoder(**options)


def test_a_subject_with_few_stimuli_has_no_ridge(world: mw.World) -> None:
    few = held_in(world).select(slice(0, 3))
    with pytest.raises(DataError, match="baseline=False"):
        quick().fit(few, world.targets)
    assert quick(baseline=False, trainer={**mw.QUICK, "batch_size": 2}).fit(few, world.targets).selected_on_ != "validation"


def test_average_within_subjects_first() -> None:
    from neurodecode.decode.meeg_generation import _average

    values = np.array([[0.0], [0.0], [3.0], [9.0]], np.float32)
    code, subjects = np.array([0, 0, 0, 1]), np.array(["a", "a", "b", "a"], object)
    assert _average(values, code, subjects, "single").ravel().tolist() == [0.0, 9.0]
    assert _average(values, code, subjects, "instance").ravel().tolist() == [1.0, 9.0]
    assert _average(values, code, subjects, "subject").ravel().tolist() == [1.5, 9.0]
