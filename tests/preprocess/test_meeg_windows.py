"""Windows on one scale: by hand, from training windows alone, of recordings whose channels differ; layout of sensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from neurodecode.data import Recording, Responses
from neurodecode.data.windowed import WindowedArray
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg

RATE = 120.0
NAMES = ["MLC11-1609", "MRT57", "MZO01"]


def recording(subject: str = "1", names: list[str] = NAMES, seconds: float = 60.0, seed: int = 0, **meta: str) -> Recording:
    rng = np.random.default_rng(seed)
    data = 1e-13 * (1 + np.arange(len(names)))[:, None] * rng.standard_normal((len(names), int(seconds * RATE))) + 3e-13
    table = pd.DataFrame({"name": names, "kind": "mag", "unit": "T"})
    onset = np.arange(1.0, seconds - 3, 1.0)
    split = np.array(["train", "train", "test", "validation"])[np.arange(len(onset)) % 4]
    events = {"onset": onset, "stimulus": [f"s{i % 10}" for i in range(len(onset))], "split": split}
    return Recording(data, RATE, table, pd.DataFrame(events), meta={"subject": subject, **meta})


def by_hand(r: Recording, onset: float, baseline: bool = True) -> np.ndarray:
    """A window of -0.5 to 2.5 s without its baseline, in the unit of the channel."""
    first = round((onset - 0.5) * RATE)
    stretch = np.asarray(r.data)[:, first : first + 361].astype(float)
    return stretch - stretch[:, :61].mean(axis=1, keepdims=True) * baseline


class TestWindows:
    def test_361_samples_and_343_after_the_lag(self) -> None:
        plain, cut = meeg.scaled_windows([recording()]), meeg.scaled_windows([recording()], lag=0.15)
        assert plain.data.shape[2] == 361
        assert cut.data.shape[2] == 343
        assert_allclose(plain.times[[0, -1]], [-0.5, 2.5])
        assert_allclose(cut.times[[0, -1]], [-0.35, 2.5])
        assert_array_equal(np.asarray(cut.data), np.asarray(plain.data)[:, :, 18:])

    def test_numbers_by_hand(self) -> None:
        r = recording()
        found = meeg.scaled_windows([r], n_fit=1000)
        train = np.stack([by_hand(r, t) for t in r.events["onset"][r.events["split"] == "train"]])
        low, center, high = np.percentile(np.moveaxis(train, 1, 0).reshape(3, -1), [25, 50, 75], axis=1)
        expected = (by_hand(r, 3.0) - center[:, None]) / (high - low)[:, None]
        row = int(np.flatnonzero(found.samples["onset"] == 3.0)[0])
        assert_allclose(found.data[row], np.clip(expected, -20, 20), rtol=1e-4, atol=1e-5)
        assert found.samples["split"].iloc[row] == "test"

    def test_scale_before_the_baseline(self) -> None:
        r = recording()
        found = meeg.scaled_windows([r], n_fit=1000, scale_baselined=False)
        train = np.stack([by_hand(r, t, False) for t in r.events["onset"][r.events["split"] == "train"]])
        low, high = np.percentile(np.moveaxis(train, 1, 0).reshape(3, -1), [25, 75], axis=1)
        row = int(np.flatnonzero(found.samples["onset"] == 3.0)[0])
        assert_allclose(found.data[row], by_hand(r, 3.0) / (high - low)[:, None], rtol=1e-4, atol=1e-5)
        no_baseline = meeg.scaled_windows([r], n_fit=1000, scale_baselined=False, baseline=None)
        assert abs(np.median(np.asarray(no_baseline.select(split="train").data))) < 0.05, "the median is taken off"

    def test_windows_are_cut_when_read(self) -> None:
        found = meeg.scaled_windows([recording()])
        assert isinstance(found.data, WindowedArray)
        assert found.samples["split"].tolist() == sorted(found.samples["split"], key=["train", "validation", "test"].index)

    def test_no_test_sample_enters_the_scale(self) -> None:
        r = recording()
        data = np.array(r.data)
        inside = np.zeros(r.n_times, bool)
        for onset in r.events["onset"][r.events["split"] == "train"]:
            inside[round((onset - 0.5) * RATE) : round((onset - 0.5) * RATE) + 361] = True
        assert not inside.all()
        data[:, ~inside] *= 1e6
        before, after = meeg.scaled_windows([r]), meeg.scaled_windows([r.replace(data=data)])
        assert_array_equal(np.asarray(before.select(split="train").data), np.asarray(after.select(split="train").data))

    def test_each_recording_has_a_scale_of_its_own(self) -> None:
        louder = recording("2", seed=1)
        louder = louder.replace(data=1000 * np.asarray(louder.data))
        found = meeg.scaled_windows([recording("1"), louder])
        spread = [np.std(np.asarray(found.select(subject=s).data)) for s in ("1", "2")]
        assert_allclose(spread[0], spread[1], rtol=0.05)

    def test_a_flat_channel_keeps_its_scale_and_spikes_are_clamped(self) -> None:
        r = recording()
        data = np.array(r.data)
        data[1] = 5e-13
        data[0, 200:204] = 1.0
        found = meeg.scaled_windows([r.replace(data=data)])
        assert_array_equal(np.asarray(found.data)[:, 1], 0)
        assert np.asarray(found.data).max() == 20.0
        assert np.asarray(meeg.scaled_windows([r.replace(data=data)], clamp=None).data).max() > 1e6

    def test_repeats_are_counted_within_a_subject(self) -> None:
        found = meeg.scaled_windows([recording("1", session="a"), recording("1", seed=1, session="b"), recording("2", seed=2)])
        own = found.samples[(found.samples["subject"] == "1") & (found.samples["stimulus"] == "s3")].sort_values("repeat")
        assert own["repeat"].tolist() == list(range(len(own)))
        assert own["session"].tolist() == sorted(own["session"])
        assert found.samples[found.samples["subject"] == "2"]["repeat"].max() == 5

    def test_channels_are_joined_by_name(self) -> None:
        second = recording("2", ["MZO01", "MLC11-1609", "MLF01"], seed=1)
        bad = second.channels.assign(bad=[False, False, True])
        found = meeg.scaled_windows([recording("1"), recording("2", seed=2), second.replace(channels=bad)])
        assert found.units["name"].tolist() == NAMES
        data = np.asarray(found.data)
        two = (found.samples["subject"] == "2").to_numpy()
        assert np.isnan(data[two][:, 1]).all(), "one recording of the subject lacks it: all windows of the subject do"
        assert np.isfinite(data[~two]).all()
        assert np.isfinite(data[two][:, [0, 2]]).all()
        row = int(np.flatnonzero(two)[-1])
        alone = meeg.scaled_windows([second])
        order = [alone.units["name"].tolist().index(name) for name in ("MLC11-1609", "MZO01")]
        assert_allclose(data[row][[0, 2]], np.asarray(alone.data)[-1][order], rtol=1e-5)

    def test_events_without_a_whole_window_are_counted(self) -> None:
        r = recording()
        events = pd.DataFrame({"onset": [0.2, 5.0, 10.0, 58.0, 20.0], "split": "train"})
        held = r.replace(valid=type(r.valid)([0.0], [11.0]))
        found = meeg.scaled_windows([held], [events])
        assert found.samples["onset"].tolist() == [5.0]
        counted = found.meta["drops"]
        assert counted == {"events": 5, "kept": 1, "outside the recording": 2, "outside the valid stretches": 2}
        with pytest.raises(DataError, match="no window of -0.5 to 2.5 s is left of 1 events"):
            meeg.scaled_windows([r], [events.iloc[:1]])

    @pytest.mark.parametrize(
        ("change", "options", "message"),
        [
            (lambda r: r.replace(events=r.events.drop(columns="split")), {}, "no column 'split'"),
            (lambda r: r.replace(events=r.events.assign(split="dev")), {}, "split 'dev', expected one of"),
            (lambda r: r.replace(events=r.events.assign(split="test")), {}, "none of them in training"),
            (lambda r: r, {"lag": 3.5}, "lag must be from 0 to below 3 s"),
            (lambda r: r, {"lag": -0.1}, "got -0.1"),
            (lambda r: r, {"baseline": (3.0, 4.0)}, "3.0 to 4.0 s has no sample"),
            (lambda r: r, {"tmin": 3.0}, "tmin must be below tmax"),
            (lambda r: r.replace(channels=r.channels.assign(kind="misc")), {}, "good channel of kind"),
            (lambda r: r.replace(data=np.where(np.arange(r.n_times) == 70, np.nan, r.data)), {}, "'MLC11-1609' holds NaN"),
        ],
    )
    def test_refused(self, change: object, options: dict, message: str) -> None:
        with pytest.raises(DataError, match=message):
            meeg.scaled_windows([change(recording())], **options)

    def test_rates_and_lists_must_fit(self) -> None:
        with pytest.raises(DataError, match="recording 1 has 100 Hz, recording 0 120 Hz"):
            meeg.scaled_windows([recording(), Recording(np.zeros((1, 9)), 100.0, {"name": ["a"]}, recording().events)])
        with pytest.raises(DataError, match="got 1 recordings and 2 tables"):
            meeg.scaled_windows([recording()], [recording().events] * 2)
        with pytest.raises(DataError, match="no good channel in common"):
            other = recording("1", ["x", "y", "z"], seed=1)
            meeg.scaled_windows([recording("1"), other])


def test_flat_channels_of_a_scale() -> None:
    held = Responses(np.zeros((3, 2, 4)), pd.DataFrame(index=range(3)), pd.DataFrame({"name": ["a", "b"]}), np.arange(4.0))
    assert meeg.fit_robust_scale(held, flat="unit").spread.tolist() == [1.0, 1.0]
    with pytest.raises(DataError, match="flat='unit'"):
        meeg.fit_robust_scale(held)
    with pytest.raises(DataError, match="flat='zero'"):
        meeg.fit_robust_scale(held, flat="zero")


class TestLayout:
    def test_dropping_channels_moves_nobody(self) -> None:
        whole, part = meeg.with_layout(recording()), meeg.with_layout(recording().pick(["MRT57"]))
        assert whole.channels.loc[1, ["layout_x", "layout_y"]].tolist() == part.channels.loc[0, ["layout_x", "layout_y"]].tolist()
        assert whole.channels[["layout_x", "layout_y"]].to_numpy().min() >= 0
        assert whole.meta["steps"][-1] == {"step": "meeg.with_layout", "system": None}

    def test_of_responses_and_by_a_named_system(self) -> None:
        found = meeg.with_layout(meeg.scaled_windows([recording()]))
        assert found.units[["layout_x", "layout_y"]].notna().all(axis=None)
        assert isinstance(found.data, WindowedArray)
        with pytest.raises(DataError, match="several MEG systems"):
            meeg.with_layout(recording(names=["MEG 001", "MEG 002", "MEG 003"]))
        assert meeg.with_layout(recording(names=["MEG 001", "MEG 002", "MEG 003"]), "KIT-157").channels["layout_x"].notna().all()

    def test_positions_where_names_say_nothing(self) -> None:
        r = recording(names=["left", "right", "nowhere"])
        placed = r.channels.assign(x=[-0.05, 0.05, np.nan], y=[0.0, 0.0, np.nan], z=[0.1, 0.1, np.nan])
        found = meeg.with_layout(r.replace(channels=placed)).channels
        assert found["layout_x"][0] < 0.5 < found["layout_x"][1]
        assert np.isnan(found["layout_x"][2])
