"""The ECoG recording of a seizure: mains, referencing, high gamma, and the contacts where it begins, as its README has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.data import Recording
from neurodecode.io import read_bids
from neurodecode.preprocess import ieeg, meeg

ONSET = 10.229
RATIOS = {"BTM1": 9.4, "BTM3": 6.39, "BTM2": 3.58, "BTM4": 1.81, "BTP5": 1.15}


@pytest.fixture(scope="module")
def ecog(real: Callable[..., Path]) -> Recording:
    return read_bids(real("ecog_seizure"), datatype="ieeg").load()


def test_beta_power_after_the_onset_is_that_of_the_readme(ecog: Recording) -> None:
    table = ieeg.band_power_ratio(ecog, ONSET, 8.0, 30.0)
    assert len(table) == 76
    highest = table.sort_values("ratio", ascending=False).head(5)
    assert dict(zip(highest["name"], highest["ratio"].round(2), strict=True)) == pytest.approx(RATIOS, abs=0.005)
    assert table["ratio"].median() == pytest.approx(0.35, abs=0.005)


def test_the_onset_is_found_by_name(ecog: Recording) -> None:
    named = ieeg.band_power_ratio(ecog, "eeg sz start")
    assert named["ratio"].tolist() == pytest.approx(ieeg.band_power_ratio(ecog, ONSET)["ratio"].tolist(), rel=1e-3)


def test_the_mains_stands_at_60_hz_and_goes(ecog: Recording) -> None:
    assert ecog.meta["line_freq"] == 60.0
    before = meeg.quality(ecog.pick(kind="ecog"))["line_noise_ratio"].median()
    after = meeg.quality(ieeg.remove_line_noise(ecog).pick(kind="ecog"))["line_noise_ratio"].median()
    elsewhere = meeg.quality(ecog.pick(kind="ecog").replace(meta={"line_freq": 50.0}))["line_noise_ratio"].median()
    assert 1500 < before < 4000  # 2038 in the README, with another resolution
    assert elsewhere < 2
    assert after < 5


def test_line_length_before_the_onset_is_that_of_the_readme(ecog: Recording) -> None:
    steps = 1e6 * np.abs(np.diff(ecog.pick(kind="ecog").data, axis=1))
    assert steps[:, : round(ONSET * ecog.sfreq)].mean() == pytest.approx(15.23, abs=0.005)


def test_references_keep_the_mains_down_and_the_contacts_named(ecog: Recording) -> None:
    pairs = ieeg.bipolar(ecog)
    assert pairs.n_channels == 63 + 5 + 5 + 2
    assert "BTM6-BTP1" not in pairs.names
    assert ieeg.laplacian(ecog).n_channels == ieeg.common_average(ecog, by="shaft").n_channels == 78
    mains = [meeg.psd(r, picks="ecog") for r in (ecog, pairs)]
    at_60 = [np.median(s.power[:, np.argmin(np.abs(s.freqs - 60))]) for s in mains]
    assert at_60[1] < 0.5 * at_60[0]


def test_the_seizure_begins_on_the_same_strip_against_the_average_of_the_shaft(ecog: Recording) -> None:
    table = ieeg.band_power_ratio(ieeg.common_average(ecog, by="shaft"), ONSET)
    highest = table.sort_values("ratio", ascending=False)["name"].head(4)
    assert highest.iloc[0] == "BTM1"
    assert highest.str.startswith("BTM").all()


def test_high_gamma_is_one_on_average_and_keeps_away_from_the_mains(ecog: Recording) -> None:
    high = ieeg.high_gamma(ieeg.bipolar(ieeg.remove_line_noise(ecog)))
    np.testing.assert_allclose(high.data.mean(axis=1), 1, rtol=1e-3)
    for low, top in high.meta["steps"][-1]["bands"]:
        assert not low - 2.9 < 120 < top + 2.9
    assert np.isfinite(high.data).all()


def test_no_contact_is_flat_and_spikes_are_counted(ecog: Recording) -> None:
    assert ieeg.mark_flat(ecog).meta["steps"][-1]["marked_bad"] == {}
    marked = ieeg.mark_spikes(ieeg.bipolar(ecog))
    spikes = marked.events[marked.events["trial_type"] == "interictal spike"]
    assert len(spikes) == marked.meta["steps"][-1]["n_spikes"]
    assert set(spikes["channel"]) <= set(marked.names)
