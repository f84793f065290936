"""The look at an intracranial recording: references compared, an onset that is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording
from neurodecode.errors import DataError
from neurodecode.pipeline.config import Onset
from neurodecode.pipeline.look import REFERENCES, compare_references, find_onset, onset_ratios, refer

SFREQ, ONSET = 500.0, 10.0


@pytest.fixture
def contacts(rng: np.random.Generator) -> Recording:
    """Two shafts with common line noise; A3 begins to oscillate at 20 Hz after the onset."""
    names = [f"{shaft}{i}" for shaft in "AB" for i in range(1, 6)]
    times = np.arange(int(20 * SFREQ)) / SFREQ
    data = 20e-6 * rng.standard_normal((len(names), len(times))) + 100e-6 * np.sin(2 * np.pi * 50 * times)
    data[2] += np.where(times >= ONSET, 60e-6, 0) * np.sin(2 * np.pi * 20 * times)
    channels = pd.DataFrame({"name": names, "kind": "seeg", "unit": "V"})
    events = pd.DataFrame({"onset": [2.0, ONSET], "duration": 0.0, "trial_type": ["start", "seizure"]})
    return Recording(data, SFREQ, channels, events, meta={"line_freq": 50.0, "modality": "ieeg"})


def test_the_contact_that_changes_comes_first(contacts: Recording):
    table = onset_ratios(contacts, ONSET, Onset(after=8.0))
    assert table["channel"].iloc[0] == "A3"
    assert table["ratio"].iloc[0] > 5
    assert table["ratio"].iloc[1] < 1.5
    assert table["ratio"].is_monotonic_decreasing
    assert set(table["band"]) == {"8-30 Hz"}


def test_every_reference_is_compared(contacts: Recording):
    table = compare_references(contacts, ONSET, Onset(after=8.0)).set_index("reference")
    assert table.index.tolist() == list(REFERENCES)
    assert table.loc["bipolar", "n_channels"] == 8
    assert table.loc["none", "line_noise"] > 20 * table.loc["common_average", "line_noise"]
    assert (table["line_noise_after_notch"] < 2).all()
    assert table["at"].str.contains("A3").all()


def test_a_reference_that_the_names_do_not_allow_is_missing_not_fatal(contacts: Recording):
    lonely = contacts.pick(["A1", "A3", "B1", "B5"])
    table = compare_references(lonely, ONSET, Onset(after=8.0)).set_index("reference")
    assert table.loc["bipolar", "n_channels"] == 0
    assert np.isnan(table.loc["bipolar", "largest_ratio"])
    assert table.loc["none", "at"] == "A3"


def test_the_first_event_is_the_onset_unless_one_is_named(contacts: Recording):
    assert find_onset(contacts, Onset()) == 2.0
    assert find_onset(contacts, Onset(trial_type="seizure")) == ONSET


def test_without_an_event_there_is_no_onset(contacts: Recording):
    with pytest.raises(DataError, match="annotate the onset"):
        find_onset(contacts.replace(events=None), Onset())
    with pytest.raises(DataError, match=r"no event has trial_type in \['stop'\]"):
        find_onset(contacts, Onset(trial_type="stop"))


def test_no_reference_leaves_the_recording_as_it_is(contacts: Recording):
    assert refer(contacts, "none") is contacts
    assert refer(contacts, "common_average").meta["steps"][-1]["step"] == "ieeg.common_average"
