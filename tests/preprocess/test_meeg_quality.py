"""Bad channels: found when planted, left alone otherwise, interpolated or left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, Recording
from neurodecode.data.convert import with_montage
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg

NAMES = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8"]


@pytest.fixture
def field(rng: np.random.Generator) -> Recording:
    """A minute of twelve EEG channels that share three smooth sources, about 10 microvolt each."""
    recording = with_montage(
        Recording(np.zeros((12, 6000)), 100.0, pd.DataFrame({"name": NAMES, "kind": "eeg", "unit": "V"})), "biosemi32"
    )
    place = recording.channels[["x", "y", "z"]].to_numpy() * 10
    sources = rng.standard_normal((4, 6000))
    weights = np.column_stack([np.ones(12), place])
    return recording.replace(data=1e-5 * (weights @ sources) + 1e-6 * rng.standard_normal((12, 6000)))


def marked(recording: Recording) -> dict[str, str]:
    return meeg.find_bad_channels(recording).meta["steps"][-1]["marked_bad"]


def test_no_channel_is_marked_in_a_clean_recording(field: Recording) -> None:
    assert marked(field) == {}


def test_planted_faults_are_found_with_their_reason(field: Recording, rng: np.random.Generator) -> None:
    field.data[1] = 0
    field.data[3] *= 50
    field.data[5] *= 0.01
    field.data[7] = 1e-5 * rng.standard_normal(6000)
    field.data[9, 100] = np.nan
    found = meeg.find_bad_channels(field)
    assert found.channels.loc[found.channels["bad"], "name"].tolist() == ["Fp2", "F4", "C4", "P4", "O2"]
    reasons = found.channels.set_index("name")["status_description"]
    assert reasons["Fp2"] == "flat in 100% of the windows"
    assert reasons["F4"].startswith("amplitude z")
    assert reasons["C4"].startswith("amplitude z -")
    assert reasons["P4"].startswith("correlation z -")
    assert reasons["O2"] == "NaN or infinite values"
    assert pd.isna(reasons["Fp1"])


@pytest.mark.parametrize(("seconds", "is_bad"), [(5, False), (7, True)])
def test_a_channel_may_be_flat_for_a_tenth_of_the_windows(field: Recording, seconds: int, is_bad: bool) -> None:
    field.data[4, : seconds * 100] = 3e-6
    assert ("C3" in marked(field)) == is_bad


def test_what_lies_outside_of_valid_does_not_count(field: Recording) -> None:
    field.data[2, 3000:] = np.nan
    assert marked(field) == {"F3": "NaN or infinite values"}
    assert marked(field.replace(valid=Intervals([0], [30]))) == {}


def test_marks_that_were_there_stay(field: Recording) -> None:
    before = field.replace(channels=field.channels.assign(bad=[True] + [False] * 11))
    field.data[3] *= 50
    assert meeg.find_bad_channels(before).channels["bad"].to_numpy().nonzero()[0].tolist() == [0, 3]


def test_three_channels_are_too_few_to_compare(field: Recording) -> None:
    few = field.pick(["F3", "F4", "C3"])
    few.data[0] *= 1000
    assert marked(few) == {}


def test_independent_channels_are_not_all_marked(rng: np.random.Generator) -> None:
    noise = Recording(1e-5 * rng.standard_normal((20, 3000)), 100.0, pd.DataFrame({"name": map(str, range(20)), "kind": "eeg"}))
    assert marked(noise) == {}


@pytest.mark.parametrize("option", ["amplitude_z", "correlation_z"])
def test_thresholds_must_be_positive(field: Recording, option: str) -> None:
    with pytest.raises(DataError, match=f"{option} must be a finite number above 0, got -1"):
        meeg.find_bad_channels(field, **{option: -1})


def test_dropping_says_what_was_dropped(field: Recording) -> None:
    bad = field.replace(channels=field.channels.assign(bad=field.channels["name"].isin(["F3", "O1"])))
    dropped = meeg.drop_bads(bad)
    assert dropped.n_channels == 10
    assert dropped.meta["steps"][-1] == {"step": "meeg.drop_bads", "dropped": ["F3", "O1"]}
    with pytest.raises(DataError, match="all 12 channels are marked bad"):
        meeg.drop_bads(field.replace(channels=field.channels.assign(bad=True)))


def test_interpolation_brings_the_field_back(field: Recording) -> None:
    broken = field.replace(data=field.data.copy(), channels=field.channels.assign(bad=field.channels["name"] == "C3"))
    broken.data[4] = np.nan
    repaired = meeg.interpolate_bads(broken)
    assert np.corrcoef(repaired.data[4], field.data[4])[0, 1] > 0.95
    assert not repaired.channels["bad"].any()
    others = np.arange(12) != 4
    np.testing.assert_array_equal(repaired.data[others], field.data[others])
    assert repaired.meta["steps"][-1] == {"step": "meeg.interpolate_bads", "interpolated": ["C3"]}


def test_bad_channels_of_other_kinds_stay_bad(field: Recording) -> None:
    kinds = ["eog"] + ["eeg"] * 11
    recording = field.replace(channels=field.channels.assign(kind=kinds, bad=[True] + [False] * 11))
    assert meeg.interpolate_bads(recording).channels["bad"].tolist() == [True] + [False] * 11


def test_interpolation_needs_positions(field: Recording) -> None:
    recording = field.replace(channels=field.channels.drop(columns=["x", "y", "z"]).assign(bad=[True] + [False] * 11))
    with pytest.raises(DataError, match=r"needs positions, 12 of 12 channels have none, e.g. 'Fp1'.*drop_bads"):
        meeg.interpolate_bads(recording)


def test_interpolation_of_meg_needs_its_coils(field: Recording) -> None:
    recording = field.replace(channels=field.channels.assign(kind="mag", unit="T", bad=[True] + [False] * 11))
    with pytest.raises(DataError, match=r"'Fp1' needs the coils"):
        meeg.interpolate_bads(recording)


def test_the_quality_table_shows_what_was_planted(field: Recording) -> None:
    times = field.times
    field.data[0] += 1e-4 * np.sin(2 * np.pi * 40 * times)
    field.data[1] = 0
    field.data[2, :600] = np.nan
    table = meeg.quality(field.replace(meta={"line_freq": 40.0})).set_index("name")
    assert table["line_noise_ratio"]["Fp1"] > 1000
    assert table["line_noise_ratio"].drop(["Fp1", "Fp2", "F3"]).between(0.3, 3).all()
    assert table["flat_fraction"]["Fp2"] == 1
    assert np.isnan(table["line_noise_ratio"]["Fp2"])
    assert table["nan_fraction"]["F3"] == pytest.approx(0.1)
    np.testing.assert_allclose(table["std"]["F4"], field.data[3].std(), rtol=1e-4)


@pytest.mark.parametrize("line", [None, 50.0, 49.5])
def test_the_line_noise_is_unknown_where_it_cannot_be_seen(field: Recording, line: float | None) -> None:
    assert meeg.quality(field.replace(meta={"line_freq": line}))["line_noise_ratio"].isna().all()


def test_average_reference_leaves_out_bad_channels(field: Recording) -> None:
    bad = field.replace(channels=field.channels.assign(bad=[True] + [False] * 11))
    bad.data[0] = 1.0
    referenced = meeg.reference(bad)
    np.testing.assert_allclose(referenced.data[1:].mean(axis=0), 0, atol=1e-11)
    np.testing.assert_allclose(referenced.data[0], 1, atol=1e-3)
    assert referenced.meta["steps"][-1] == {"step": "meeg.reference", "to": "average", "n_channels": 11}


def test_reference_to_named_channels(field: Recording) -> None:
    referenced = meeg.reference(field, ["F7", "F8"])
    np.testing.assert_allclose(referenced.data, field.data - field.data[10:].mean(axis=0), atol=1e-10)
    assert not meeg.reference(field, "F7").data[10].any()


@pytest.mark.parametrize(("kinds", "bad", "message"), [("eog", False, "of kind 'eog'"), ("eeg", True, "it is bad")])
def test_a_reference_must_be_a_good_eeg_channel(field: Recording, kinds: str, bad: bool, message: str) -> None:
    table = field.channels.assign(kind=["eeg"] * 11 + [kinds], bad=[False] * 11 + [bad])
    with pytest.raises(DataError, match=f"'F8' cannot be a reference: {message}|'F8' cannot be a reference: it is {message}"):
        meeg.reference(field.replace(channels=table), "F8")


def test_a_nan_in_the_reference_is_refused(field: Recording) -> None:
    field.data[10, 5] = np.nan
    with pytest.raises(DataError, match=r"reference: 'F7' holds NaN"):
        meeg.reference(field, "average")
