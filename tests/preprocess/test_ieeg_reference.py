"""Contact names and references: gaps are not bridged, primed shafts are other shafts, bad contacts are not used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import ieeg


def contacts(names: list[str], bad: tuple[str, ...] = (), kind: str = "seeg", n_times: int = 50) -> Recording:
    """Contacts whose signal is a different constant each (1, 2, 4, ...) plus a common wave, and an ECG channel."""
    wave = np.sin(np.arange(n_times))
    data = np.vstack([2.0**i + wave for i in range(len(names))] + [np.full(n_times, 7.0)])
    table = pd.DataFrame({"name": [*names, "EKG"], "kind": [kind] * len(names) + ["ecg"], "unit": "V"})
    place = np.arange(len(names) + 1.0)
    table = table.assign(x=place, y=-place, z=0.0, region=["V1"] * (len(names) + 1), bad=table["name"].isin(bad))
    return Recording(data, 100.0, table)


@pytest.mark.parametrize(
    ("name", "shaft", "number"),
    [
        ("LA12", "LA", 12),
        ("A1", "A", 1),
        ("B'3", "B'", 3),
        ("B’10", "B'", 10),
        ("POL LA1", "LA", 1),
        ("POL B'12", "B'", 12),
        ("EEG LA01-Ref", "LA", 1),
        ("SEEG_TB4", "TB", 4),
        ("C64", "C", 64),
        ("G_A 5", "G_A", 5),
        ("LA-3", "LA", 3),
        ("1LA3", "1LA", 3),
        (" OF7 ", "OF", 7),
    ],
)
def test_a_name_is_read_as_shaft_and_number(name: str, shaft: str, number: int) -> None:
    row = ieeg.shafts([name]).iloc[0]
    assert (row["name"], row["shaft"], row["number"]) == (name, shaft, number)


@pytest.mark.parametrize("name", ["EKGL", "A1-A2", "Fp1-F7", "7", "", "POL E", "A"])
def test_other_names_are_left_open(name: str) -> None:
    row = ieeg.shafts([name]).iloc[0]
    assert row["shaft"] is None
    assert pd.isna(row["number"])


def test_bipolar_pairs_neighbours_of_one_shaft_only() -> None:
    names = ["A1", "A2", "A4", "A5", "A'1", "A'2", "B2", "B1", "AB3"]
    result = ieeg.bipolar(contacts(names))
    assert result.names == ["A1-A2", "A4-A5", "A'1-A'2", "B1-B2", "EKG"]
    np.testing.assert_allclose(result.data[:, 0], [1 - 2, 4 - 8, 16 - 32, 128 - 64, 7], atol=1e-4)
    assert np.ptp(result.data[:4], axis=1).max() < 1e-4, "the common wave is gone"
    step = result.meta["steps"][-1]
    assert (step["pairs"], step["contacts_without_pair"]) == (4, ["AB3"])


def test_a_pair_stands_at_the_midpoint_and_keeps_what_both_share() -> None:
    recording = contacts(["A1", "A2", "A3"])
    recording = recording.replace(channels=recording.channels.assign(region=["V1", "V1", "V2", None], hemisphere="L"))
    table = ieeg.bipolar(recording).channels
    np.testing.assert_allclose(table[["x", "y", "z"]].to_numpy(float), [[0.5, -0.5, 0], [1.5, -1.5, 0], [3, -3, 0]])
    assert table["region"].iloc[0] == "V1"
    assert pd.isna(table["region"].iloc[1])
    assert table["hemisphere"].tolist() == ["L", "L", "L"]
    assert (table["anode"].iloc[1], table["cathode"].iloc[1]) == ("A2", "A3")
    assert table["kind"].tolist() == ["seeg", "seeg", "ecg"]


def test_bad_contacts_are_neither_used_nor_bridged() -> None:
    result = ieeg.bipolar(contacts(["A1", "A2", "A3", "A4", "A5"], bad=("A3",)))
    assert result.names == ["A1-A2", "A4-A5", "EKG"]
    assert result.meta["steps"][-1]["bad_not_used"] == ["A3"]


def test_bad_contacts_may_hold_nan_and_good_ones_may_not() -> None:
    recording = contacts(["A1", "A2", "A3"], bad=("A3",))
    recording.data[2] = np.nan
    assert np.isfinite(ieeg.bipolar(recording).data).all()
    recording.data[1, 3] = np.nan
    for reference in (ieeg.bipolar, ieeg.laplacian, ieeg.common_average):
        with pytest.raises(DataError, match=r"'A2' holds NaN.*Mark the channel bad"):
            reference(recording)


@pytest.mark.parametrize("reference", [ieeg.bipolar, ieeg.laplacian])
def test_without_neighbours_the_contacts_are_listed(reference: object) -> None:
    with pytest.raises(DataError, match="A1, A3, B7"):
        reference(contacts(["A1", "A3", "B7"]))


@pytest.mark.parametrize("reference", [ieeg.bipolar, ieeg.laplacian, lambda r: ieeg.common_average(r, by="shaft")])
def test_names_without_a_number_are_refused(reference: object) -> None:
    with pytest.raises(DataError, match=r"names with shaft and number \(e.g. LA1\), got Foo, Bar"):
        reference(contacts(["Foo", "Bar"]))


@pytest.mark.parametrize("reference", [ieeg.bipolar, ieeg.laplacian])
def test_one_contact_under_two_names_is_refused(reference: object) -> None:
    with pytest.raises(DataError, match="A1 and A01 are both contact 1 of shaft A"):
        reference(contacts(["A1", "A2", "A01"]))


@pytest.mark.parametrize("reference", [ieeg.bipolar, ieeg.laplacian, ieeg.common_average])
def test_there_must_be_intracranial_channels(reference: object) -> None:
    with pytest.raises(DataError, match="needs good channels of kind ecog, seeg, dbs; here are 2 eeg, 1 ecg"):
        reference(contacts(["A1", "A2"], kind="eeg"))


def test_laplacian_takes_both_neighbours_or_the_only_one() -> None:
    result = ieeg.laplacian(contacts(["A1", "A2", "A3", "A5", "B1"]))
    assert result.names == ["A1", "A2", "A3", "EKG"]
    np.testing.assert_allclose(result.data[:3, 0], [1 - 2, 2 - (1 + 4) / 2, 4 - 2], atol=1e-4)
    assert result.meta["steps"][-1]["contacts_left_out"] == ["A5", "B1"]


def test_laplacian_can_leave_the_ends_out() -> None:
    result = ieeg.laplacian(contacts(["A1", "A2", "A3", "A4"], bad=("A4",)), ends="drop")
    assert result.names == ["A2", "EKG"]
    assert result.meta["steps"][-1]["contacts_left_out"] == ["A1", "A3"]


def test_laplacian_does_not_spread_what_is_missing_elsewhere() -> None:
    recording = contacts(["A1", "A2", "B1", "B2"])
    recording.data[0, 10] = np.nan
    recording = recording.replace(valid=recording.valid.intersection(type(recording.valid)([0.2], [0.5])))
    result = ieeg.laplacian(recording)
    assert np.isnan(result.data[:2, 10]).all()
    assert np.isfinite(result.data[2:]).all()


def test_common_average_over_all_contacts() -> None:
    result = ieeg.common_average(contacts(["A1", "A2", "Foo", "B1"], bad=("B1",)))
    assert result.names == ["A1", "A2", "Foo", "EKG"]
    np.testing.assert_allclose(result.data[:3].sum(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(result.data[:3, 0], np.array([1, 2, 4]) - 7 / 3, atol=1e-4)


def test_common_average_by_shaft() -> None:
    result = ieeg.common_average(contacts(["A1", "B1", "A2", "A'1", "A'2", "C1"]), by="shaft")
    assert result.names == ["A1", "A2", "A'1", "A'2", "EKG"]
    np.testing.assert_allclose(result.data[:4, 0], [-1.5, 1.5, -4, 4], atol=1e-4)
    assert result.meta["steps"][-1]["contacts_left_out"] == ["B1", "C1"]


def test_the_median_is_not_moved_by_one_contact() -> None:
    recording = contacts(["A1", "A2", "A3"])
    recording.data[2] += 1000
    result = ieeg.common_average(recording, statistic="median")
    np.testing.assert_allclose(result.data[:2, 0], [-1, 0], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"by": "lobe"}, "by='lobe' is unknown"), ({"statistic": "mode"}, "statistic='mode' is unknown")],
)
def test_options_are_checked(options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ieeg.common_average(contacts(["A1", "A2"]), **options)


def test_one_contact_has_no_average() -> None:
    with pytest.raises(DataError, match="needs two good contacts to average, here are A1"):
        ieeg.common_average(contacts(["A1", "A2"], bad=("A2",)))


@pytest.mark.parametrize("reference", [ieeg.bipolar, ieeg.laplacian, ieeg.common_average])
def test_the_input_is_untouched_and_events_stay(reference: object) -> None:
    recording = contacts(["A1", "A2", "A3"])
    recording = recording.replace(events=pd.DataFrame({"onset": [0.1], "trial_type": ["go"]}))
    before = recording.data.copy()
    result = reference(recording)
    np.testing.assert_array_equal(recording.data, before)
    pd.testing.assert_frame_equal(result.events, recording.events)
    np.testing.assert_array_equal(result.data[-1], recording.data[-1])
    assert result.meta["steps"][-1]["step"] == f"ieeg.{reference.__name__}"
