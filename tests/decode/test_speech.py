"""The decoder of speech: what it takes, finds, refuses and stores, on worlds of seconds."""

from __future__ import annotations

from pathlib import Path

import meeg_worlds as mw
import numpy as np
import pandas as pd
import pytest
import torch

from neurodecode.data import Responses
from neurodecode.data import load as load_data
from neurodecode.data import save as save_data
from neurodecode.decode import SpeechDecoder
from neurodecode.errors import CorruptFileError, DataError, FormatError, SplitLeakError

SIZES = {"attention_channels": 8, "channels": 8, "n_blocks": 1, "fourier": 3}
TOWER = {"n_outputs": 4, "channels": 8, "n_blocks": 1}


def conv(**options: object) -> SpeechDecoder:
    """A network of seconds."""
    return SpeechDecoder("conv", **{"network_options": SIZES, "trainer": mw.QUICK, **options})


def fitted(world: mw.World | None = None, **options: object) -> SpeechDecoder:
    """The same, fitted on the train and validation split."""
    world = world or mw.speech()
    return conv(**options).fit(held_in(world), world.targets)


def held_in(world: mw.World) -> Responses:
    return world.responses.select(split=["train", "validation"])


@pytest.fixture(scope="module")
def world() -> mw.World:
    return mw.speech()


@pytest.fixture(scope="module")
def decoder(world: mw.World) -> SpeechDecoder:
    return fitted(world)


class TestFit:
    def test_validation_may_be_given_or_marked(self, world: mw.World, decoder: SpeechDecoder) -> None:
        other = conv().fit(world.split("train"), world.targets, validation=world.split("validation"))
        np.testing.assert_array_equal(other.predict(world.split("test")), decoder.predict(world.split("test")))
        assert decoder.selected_on_ == "validation"
        assert decoder.members_["speech"].training.best_step is not None

    def test_without_validation_the_last_weights_are_kept_and_told(self, world: mw.World) -> None:
        alone = conv().fit(world.split("train"), world.targets)
        assert alone.members_["speech"].training.best_step is None
        report = alone.score(world.split("test"), world.candidates()).report
        assert report.selection_split == "none (last weights)"

    def test_targets_of_the_whole_window_or_without_the_lag(self, world: mw.World, decoder: SpeechDecoder) -> None:
        cut = world.targets.select(tmin=0.0, tmax=21 / mw.SFREQ)
        other = conv().fit(held_in(world), cut)
        assert other.predict(world.split("test")).shape == (24, 3, 21)
        with pytest.raises(DataError, match=r"targets have 20 times.*need 24 or 21"):
            conv().fit(held_in(world), world.targets.select(tmin=0.0, tmax=20 / mw.SFREQ))

    def test_a_lag_that_the_windows_have_already_is_not_cut_again(self, world: mw.World) -> None:
        targets = world.targets.select(tmin=0.0, tmax=21 / mw.SFREQ)
        whole, late = conv(baseline=False), conv(baseline=False)
        whole.fit(held_in(world), targets)
        late.fit(held_in(world).select(tmin=3 / mw.SFREQ, tmax=24 / mw.SFREQ), targets)
        test = world.split("test")
        again = late.predict(test.select(tmin=3 / mw.SFREQ, tmax=24 / mw.SFREQ))
        np.testing.assert_allclose(again, whole.predict(test), atol=1e-5)

    def test_memory_maps_give_the_same(self, world: mw.World, decoder: SpeechDecoder, tmp_path: Path) -> None:
        save_data(held_in(world), tmp_path / "responses")
        save_data(world.targets, tmp_path / "targets")
        mapped = load_data(tmp_path / "responses"), load_data(tmp_path / "targets")
        assert all(isinstance(part.data, np.memmap) for part in mapped)
        other = conv().fit(*mapped)
        np.testing.assert_array_equal(other.predict(world.split("test")), decoder.predict(world.split("test")))

    def test_a_run_goes_on_where_it_was(self, world: mw.World, decoder: SpeechDecoder, tmp_path: Path) -> None:
        conv(trainer={**mw.QUICK, "epochs": 1}).fit(held_in(world), world.targets, folder=tmp_path / "a")
        whole = conv().fit(held_in(world), world.targets, folder=tmp_path / "b")
        again = conv().fit(held_in(world), world.targets, folder=tmp_path / "b", resume=True)
        for other in (whole, again):
            np.testing.assert_array_equal(other.predict(world.split("test")), decoder.predict(world.split("test")))

    @pytest.mark.parametrize("loss", ["mse", "l1"])
    def test_regression_predicts_features(self, world: mw.World, loss: str) -> None:
        raised = world.targets.replace(data=np.asarray(world.targets.data) * 3 + 10)
        predicted = (
            SpeechDecoder(mw.Own, loss=loss, baseline=False, trainer={**mw.QUICK, "lr": 3e-2, "epochs": 10})
            .fit(held_in(world), raised)
            .predict(world.split("test"))
        )
        true = raised.select(split="test").data
        shown = np.concatenate([true, true])[:, :, :21]
        assert np.corrcoef(predicted.ravel(), shown.ravel())[0, 1] > 0.6
        assert predicted.mean() == pytest.approx(10, abs=0.5)

    def test_a_tower_learns_with_the_network(self, world: mw.World) -> None:
        tower = fitted(world, target="mel_tower", tower_options=TOWER)
        assert tower.predict(world.split("test")).shape == (24, 4, 21)
        assert 0 <= float(tower.score(world.split("test"), world.candidates(), k=1)) <= 1
        weights = tower.members_["speech"].network.tower.head[0].weight
        assert weights.requires_grad

    def test_a_network_of_ones_own(self, world: mw.World) -> None:
        own = SpeechDecoder(mw.Own, trainer={**mw.QUICK, "epochs": 10}).fit(held_in(world), world.targets)
        assert float(own.score(world.split("test"), world.candidates())) > 0.9

    def test_fewer_negatives_change_the_training(self, world: mw.World, decoder: SpeechDecoder) -> None:
        few = fitted(world, n_negatives=2)
        assert few.members_["speech"].training.curve["loss"].iloc[0] < np.log(3) + 0.5
        assert decoder.members_["speech"].training.curve["loss"].iloc[0] > np.log(3) + 0.5


class TestSensorArrays:
    def test_two_arrays_are_fitted_together(self, world: mw.World) -> None:
        first = held_in(world).select(subject="01")
        second = held_in(world).select(subject="02", units=slice(0, 5))
        other = second.replace(units=second.units.assign(name=[f"N{i}" for i in range(5)]))
        both = conv(baseline=False).fit([first, other], world.targets)
        test = world.split("test").select(subject="02", units=slice(0, 5))
        test = test.replace(units=test.units.assign(name=[f"N{i}" for i in range(5)]))
        np.testing.assert_allclose(both.predict([first.select(slice(0, 3)), test])[3:], both.predict(test), atol=1e-5)

    def test_a_channel_that_a_subject_lacks_is_not_looked_at(self, world: mw.World) -> None:
        data = np.array(world.responses.data)
        data[(world.responses.samples["subject"] == "02").to_numpy(), 2] = np.nan
        lacking = world.responses.replace(data=data)
        assert np.isfinite(fitted(mw.World(lacking, world.targets)).predict(lacking.select(split="test"))).all()
        data[0, 1] = np.nan
        with pytest.raises(DataError, match=r"channel 'M1'.*sample 0"):
            conv().fit(held_in(mw.World(world.responses.replace(data=data), world.targets)), world.targets)

    def test_an_unseen_montage_runs_and_a_moved_channel_is_refused(self, world: mw.World, decoder: SpeechDecoder) -> None:
        test = world.split("test")
        fewer = test.select(units=slice(0, 5))
        assert decoder.predict(fewer).shape == (24, 3, 21)
        assert decoder.score(fewer, world.candidates()).baseline is None
        bare = fewer.replace(units=fewer.units[["name"]])
        np.testing.assert_array_equal(decoder.predict(bare), decoder.predict(fewer))
        moved = fewer.replace(units=fewer.units.assign(layout_x=fewer.units["layout_x"] + 0.1))
        with pytest.raises(DataError, match=r"channel 'M0' lies at .* fitted with it at"):
            decoder.predict(moved)
        with pytest.raises(DataError, match="no single position"):
            decoder.predict(bare.replace(units=bare.units.assign(name=[f"X{i}" for i in range(5)])))

    def test_channels_without_a_position_may_be_anything(self, world: mw.World) -> None:
        units = world.responses.units.copy()
        units.loc[3, ["layout_x", "layout_y"]] = np.nan
        one = fitted(mw.World(world.responses.replace(units=units), world.targets))
        data = np.array(world.split("test").data)
        data[:, 3] = np.nan
        test = world.split("test").replace(units=units)
        np.testing.assert_array_equal(one.predict(test.replace(data=data)), one.predict(test))

    def test_values_in_volt_are_refused_and_outliers_cut_off(self, world: mw.World, decoder: SpeechDecoder) -> None:
        with pytest.raises(DataError, match="were not scaled"):
            conv().fit(held_in(world).replace(data=held_in(world).data * 1e-6), world.targets)
        test = world.split("test")
        data = np.array(test.data)
        data[0, 0, 10] = 1e4
        capped = data.copy()
        capped[0, 0, 10] = 20.0
        np.testing.assert_array_equal(decoder.predict(test.replace(data=data)), decoder.predict(test.replace(data=capped)))

    def test_without_a_layout(self, world: mw.World) -> None:
        bare = held_in(world).replace(units=held_in(world).units[["name"]])
        with pytest.raises(DataError, match=r"with_layout.*no column 'layout_x'"):
            conv().fit(bare, world.targets)
        assert SpeechDecoder("ridge").fit(bare, world.targets).predict(world.split("test")).shape == (24, 3, 21)


class TestSubjects:
    def test_a_stranger_is_refused_or_is_the_mean(self, world: mw.World) -> None:
        test = world.split("test")
        strange = test.replace(samples=test.samples.assign(subject="09"))
        with pytest.raises(DataError, match=r"'09' was not among the 2 subjects"):
            fitted(world).predict(strange)
        mean = fitted(world, unseen_subject="mean")
        network = mean.members_["speech"].network
        weight = network.brain.sensors.subjects.weight
        expected = mean.predict(strange)
        with torch.no_grad():
            weight[0] = weight.mean(dim=0)
        one = test.replace(samples=test.samples.assign(subject="01"))
        np.testing.assert_allclose(mean.predict(one), expected, atol=1e-5)

    def test_a_new_subject_from_a_few_samples(self) -> None:
        world = mw.speech(splits={"train": 60, "validation": 10, "test": 12})
        known, new = (world.responses.select(subject=s) for s in ("01", "02"))
        trainer = {**mw.QUICK, "epochs": 12}
        decoder = conv(baseline=False, trainer=trainer).fit(known.select(split=["train", "validation"]), world.targets)
        before = decoder.predict(known.select(split="test"))
        decoder.fit_subject(new.select(split="train"), world.targets)
        assert decoder.subjects_ == ["01", "02"]
        np.testing.assert_array_equal(decoder.predict(known.select(split="test")), before)
        own = decoder.score(new.select(split="test"), world.candidates())
        strange = conv(baseline=False, trainer=trainer, unseen_subject="mean")
        strange = strange.fit(known.select(split=["train", "validation"]), world.targets)
        mean = strange.score(new.select(split="test"), world.candidates())
        assert float(own) > float(mean) + 0.2

    def test_who_is_no_new_subject(self, world: mw.World) -> None:
        decoder = fitted(world)
        with pytest.raises(DataError, match="one new subject"):
            decoder.fit_subject(world.split("train"), world.targets)
        new = world.split("train").select(subject="01")
        new = new.replace(samples=new.samples.assign(subject="03"))
        with pytest.raises(DataError, match="no matrices"):
            SpeechDecoder("ridge").fit(held_in(world), world.targets).fit_subject(new, world.targets)
        with pytest.raises(DataError, match="no matrices"):
            fitted(world, network_options={**SIZES, "subject_layer": False}).fit_subject(new, world.targets)
        marked = new.replace(samples=new.samples.assign(split="test"))
        with pytest.raises(SplitLeakError, match="split='test'"):
            decoder.fit_subject(marked, world.targets)


class TestLookUp:
    def test_probabilities(self, world: mw.World, decoder: SpeechDecoder) -> None:
        found = decoder.retrieve(world.split("test"), world.candidates(), k=12)
        assert found.groupby("sample")["probability"].sum().to_numpy() == pytest.approx(np.ones(24))
        assert (found.groupby("sample")["probability"].diff().dropna() <= 0).all()
        z = decoder.predict(world.split("test")).reshape(24, -1)
        y = decoder.members_["speech"].scaling.apply(world.candidates().data)[:, :, :21].reshape(12, -1)
        scores = z @ (y / np.linalg.norm(y, axis=1)[:, None]).T
        first = found[found["rank"] == 1]
        assert first["stimulus"].tolist() == world.candidates().samples["stimulus"].to_numpy()[scores.argmax(axis=1)].tolist()
        expected = np.exp(scores - scores.max(axis=1)[:, None])
        expected /= expected.sum(axis=1)[:, None]
        np.testing.assert_allclose(first["probability"], expected.max(axis=1), rtol=1e-4)

    def test_words_are_summed(self, world: mw.World, decoder: SpeechDecoder) -> None:
        each = decoder.retrieve(world.split("test"), world.candidates(), k=12)
        words = decoder.retrieve(world.split("test"), world.candidates(), k=6, by="word")
        named = dict(zip(world.targets.samples["stimulus"], world.targets.samples["word"], strict=True))
        sums = each.assign(word=each["stimulus"].map(named)).groupby(["sample", "word"])["probability"].sum()
        found = words.set_index(["sample", "word"])["probability"]
        np.testing.assert_allclose(found.sort_index(), sums.sort_index(), rtol=1e-6)
        with pytest.raises(DataError, match="phoneme"):
            decoder.retrieve(world.split("test"), world.candidates(), by="phoneme")

    def test_blocks_of_candidates_change_nothing(
        self, world: mw.World, decoder: SpeechDecoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from neurodecode.decode import meeg_score

        whole = decoder.retrieve(world.split("test"), world.candidates(), k=12)
        monkeypatch.setattr(meeg_score, "BLOCK", 200)
        parts = decoder.retrieve(world.split("test"), world.candidates(), k=12)
        pd.testing.assert_frame_equal(whole, parts, rtol=1e-4)

    def test_the_score_has_everything_beside_it(self, world: mw.World, decoder: SpeechDecoder) -> None:
        found = decoder.score(world.split("test"), world.candidates(), k=(1, 5), oracle=np.eye(12)[np.tile(np.arange(12), 2)])
        assert found.chance == {1: pytest.approx(1 / 12), 5: pytest.approx(5 / 12)}
        assert found.oracle == {1: 1.0, 5: 1.0}
        assert found.ridge is not None
        assert found.ridge[1] > 0.9
        assert set(found.reports) == {"single", "instance", "subject"}
        assert found.report.n_words == 6
        assert found.report.selection_split == "validation"
        assert found.by_subject["n"].tolist() == [12, 12]
        assert found.by_subject["top1"].mean() == pytest.approx(found.top_k[1])
        table = found.to_dataframe()
        assert set(table["decoder"]) == {"network conv", "ridge, lagged, per subject"}
        assert table.loc[table["aggregation"] == "single", "oracle"].notna().any()
        for told in ("chance", "ridge, lagged", "ceiling", "selected on validation"):
            assert told in repr(found)
        assert found.to_dict()["oracle"]["1"] == 1.0

    def test_equal_candidates_count_once(self, world: mw.World, decoder: SpeechDecoder) -> None:
        candidates = world.candidates()
        data = np.array(candidates.data)
        data[1] = data[0]
        found = decoder.score(world.split("test"), candidates.replace(data=data), k=1)
        assert found.n_candidates == 11
        assert any("count once" in note for note in found.notes)

    def test_more_candidates_than_were_presented(self, world: mw.World, decoder: SpeechDecoder) -> None:
        found = decoder.score(world.split("test"), world.targets, k=1)
        assert found.n_candidates == 62
        assert found.chance[1] == pytest.approx(1 / 62)

    def test_what_does_not_fit(self, world: mw.World, decoder: SpeechDecoder) -> None:
        test = world.split("test")
        with pytest.raises(DataError, match=r"candidates have shape \(2, 24\)"):
            decoder.score(test, world.candidates().select(units=slice(0, 2)))
        with pytest.raises(DataError, match="no target, e.g. stimulus"):
            decoder.score(test, world.candidates().select(slice(0, 4)))
        with pytest.raises(DataError, match="fitted on 24"):
            decoder.predict(test.select(tmin=0.0, tmax=0.5))
        with pytest.raises(DataError, match="oracle must be"):
            decoder.score(test, world.candidates(), oracle=np.ones((3, 3)))
        with pytest.raises(DataError, match="expected one: de-duplicate"):
            decoder.score(test, world.targets.select([0, 0, 1]))


class TestLeaks:
    def test_stimuli_on_two_sides(self, world: mw.World) -> None:
        with pytest.raises(SplitLeakError, match="'stimulus' in the validation samples"):
            conv().fit(world.split("train"), world.targets, validation=world.split("train"))
        shared = world.split("validation").samples.assign(block="b0")
        with pytest.raises(SplitLeakError, match="'block'"):
            conv().fit(world.split("train"), world.targets, validation=world.split("validation").replace(samples=shared))

    def test_test_samples_are_never_fitted_on(self, world: mw.World) -> None:
        with pytest.raises(SplitLeakError, match="24 of 124 samples are marked split='test'"):
            conv().fit(world.responses, world.targets)
        with pytest.raises(SplitLeakError, match="split='test'"):
            conv().fit(world.split("train"), world.targets, validation=world.split("test"))

    def test_seen_stimuli_are_not_scored(self, world: mw.World, decoder: SpeechDecoder) -> None:
        with pytest.raises(SplitLeakError, match="trained on"):
            decoder.score(world.split("train"), world.candidates("train"))
        with pytest.raises(SplitLeakError, match=r"validation"):
            decoder.score(world.split("validation"), world.candidates("validation"))
        marked = decoder.score(world.split("validation"), world.candidates("validation"), k=1, oracle_selection=True)
        assert marked.report.oracle_selection

    def test_selection_on_the_test_split(self, world: mw.World, decoder: SpeechDecoder) -> None:
        with pytest.raises(SplitLeakError, match="selection_split='test'"):
            decoder.score(world.split("test"), world.candidates(), selection_split="test")


class TestStorage:
    @pytest.mark.parametrize("options", [{}, {"target": "mel_tower", "tower_options": TOWER, "baseline": False}])
    def test_what_is_loaded_does_the_same(self, world: mw.World, options: dict, tmp_path: Path) -> None:
        decoder = fitted(world, **options)
        decoder.save(tmp_path / "d")
        loaded = SpeechDecoder.load(tmp_path / "d")
        test = world.split("test")
        np.testing.assert_array_equal(loaded.predict(test), decoder.predict(test))
        one, other = (d.score(test, world.candidates()) for d in (decoder, loaded))
        assert one.to_dict() == other.to_dict()
        assert loaded.get_params() == decoder.get_params()
        assert loaded.members_["speech"].training.best_step == decoder.members_["speech"].training.best_step
        assert (loaded.subjects_, loaded.montage_, loaded.seen_) == (decoder.subjects_, decoder.montage_, decoder.seen_)
        with pytest.raises(SplitLeakError):
            loaded.score(world.split("train"), world.candidates("train"))

    def test_a_new_subject_is_stored(self, world: mw.World, tmp_path: Path) -> None:
        decoder = fitted(world)
        new = world.split("train").select(subject="01")
        new = new.replace(samples=new.samples.assign(subject="03"))
        decoder.fit_subject(new, world.targets, trainer={"epochs": 1})
        decoder.save(tmp_path / "d")
        np.testing.assert_array_equal(SpeechDecoder.load(tmp_path / "d").predict(new), decoder.predict(new))

    def test_own_networks_are_asked_for(self, world: mw.World, tmp_path: Path) -> None:
        own = SpeechDecoder(mw.Own, trainer=mw.QUICK).fit(held_in(world), world.targets)
        own.save(tmp_path / "d")
        with pytest.raises(DataError, match="pass it as network"):
            SpeechDecoder.load(tmp_path / "d")
        loaded = SpeechDecoder.load(tmp_path / "d", network=mw.Own)
        np.testing.assert_array_equal(loaded.predict(world.split("test")), own.predict(world.split("test")))

    def test_damage(self, world: mw.World, decoder: SpeechDecoder, tmp_path: Path) -> None:
        from neurodecode.decode import MEEGImageDecoder

        decoder.save(tmp_path / "d")
        with pytest.raises(FormatError, match="expected a neurodecode MEEGImageDecoder"):
            MEEGImageDecoder.load(tmp_path / "d")
        (tmp_path / "d" / "speech.npz").unlink()
        with pytest.raises(CorruptFileError, match=r"speech\.npz"):
            SpeechDecoder.load(tmp_path / "d")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "convv"}, "network"),
        ({"loss": "hinge"}, "loss"),
        ({"target": "mel"}, "target"),
        ({"target": "mel_tower", "loss": "mse"}, "both sides go to 0"),
        ({"target": "mel_tower", "network": "ridge"}, "and a network"),
        ({"lag": -0.1}, "lag >= 0"),
        ({"n_negatives": 0}, "n_negatives >= 1"),
        ({"clamp": 0.0}, "clamp"),
        ({"unseen_subject": "guess"}, "unseen_subject"),
    ],
)
def test_parameters_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        SpeechDecoder(**options)


def test_not_fitted(world: mw.World) -> None:
    with pytest.raises(DataError, match="not fitted"):
        SpeechDecoder().predict(world.split("test"))
    with pytest.raises(DataError, match="targets must be Responses"):
        conv().fit(held_in(world), world.targets.data)
    with pytest.raises(DataError, match="no samples to decode from"):
        conv().fit(held_in(world).select(slice(0, 0)), world.targets)
