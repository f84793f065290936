"""Line noise, high gamma and band power on signals with planted line noise and bursts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Intervals, Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import ieeg, meeg
from neurodecode.preprocess.ieeg_power import sub_bands

SFREQ = 500.0
BURSTS = [(5.0, 5.5), (12.0, 12.3), (20.0, 21.0)]


def pink(rng: np.random.Generator, n_channels: int, n_times: int) -> np.ndarray:
    """Noise with 1/f amplitude, standard deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal((n_channels, n_times)))
    spectrum /= np.maximum(np.fft.rfftfreq(n_times, 1 / SFREQ), 0.5)
    noise = np.fft.irfft(spectrum, n_times)
    return noise / noise.std(axis=1, keepdims=True)


@pytest.fixture
def ecog(rng: np.random.Generator) -> Recording:
    """Thirty seconds of four contacts: pink noise, 50 Hz mains on all, broadband bursts on A1 alone; and an ECG channel."""
    n = round(30 * SFREQ)
    times = np.arange(n) / SFREQ
    data = 5e-5 * pink(rng, 5, n)
    data[:4] += sum(1e-4 / k * np.sin(2 * np.pi * 50 * k * times) for k in (1, 2, 3))
    inside = Intervals(*zip(*BURSTS, strict=True)).contains(times)
    data[0] += inside * 2e-5 * rng.standard_normal(n)
    channels = pd.DataFrame({"name": ["A1", "A2", "A3", "B1", "EKG"], "kind": ["seeg"] * 4 + ["ecg"], "unit": "V"})
    events = pd.DataFrame({"onset": [15.0], "trial_type": ["seizure"]})
    return Recording(data, SFREQ, channels, events, meta={"line_freq": 50.0, "modality": "ieeg"})


def in_bursts(recording: Recording) -> np.ndarray:
    return Intervals(*zip(*BURSTS, strict=True)).contains(recording.times)


def test_line_noise_goes_and_the_rest_stays(ecog: Recording) -> None:
    cleaned = ieeg.remove_line_noise(ecog)
    before, after = (meeg.quality(r)["line_noise_ratio"].iloc[:4] for r in (ecog, cleaned))
    assert (before / after).min() > 1e3
    assert after.max() < 10
    spectra = [meeg.psd(r, picks="seeg") for r in (ecog, cleaned)]
    kept = (spectra[0].freqs > 2) & (np.abs((spectra[0].freqs + 25) % 50 - 25) > 5) & (spectra[0].freqs < 245)
    np.testing.assert_allclose(spectra[1].power[:, kept], spectra[0].power[:, kept], rtol=0.05)


def test_line_noise_removal_needs_contacts(ecog: Recording) -> None:
    with pytest.raises(DataError, match="remove_line_noise needs channels of kind ecog, seeg, dbs"):
        ieeg.remove_line_noise(ecog.pick(["EKG"]))


def test_high_gamma_finds_the_planted_bursts_on_their_contact(ecog: Recording) -> None:
    high = ieeg.high_gamma(ecog)
    assert high.names == ["A1", "A2", "A3", "B1"]
    inside = in_bursts(high)
    ratio = high.data[:, inside].mean(axis=1) / high.data[:, ~inside].mean(axis=1)
    assert ratio[0] > 5
    np.testing.assert_allclose(ratio[1:], 1, atol=0.15)
    hits = (high.data[0] > 2) == inside
    assert hits.mean() > 0.97


def test_high_gamma_is_one_on_average_and_does_not_see_the_mains(ecog: Recording) -> None:
    high = ieeg.high_gamma(ecog)
    np.testing.assert_allclose(high.data.mean(axis=1), 1, rtol=1e-4)
    assert high.channels["unit"].tolist() == ["n/a"] * 4
    quiet = ieeg.high_gamma(ieeg.remove_line_noise(ecog))
    np.testing.assert_allclose(quiet.data[1], high.data[1], atol=0.05)
    blind = ieeg.high_gamma(ecog.replace(meta={}))
    assert np.abs(blind.data[1] - quiet.data[1]).max() > 0.3, "without line_freq the mains stands in the band"


def test_each_band_counts_alike(ecog: Recording) -> None:
    tilted = ecog.replace(data=np.gradient(ecog.data, axis=1))
    assert in_ratio(ieeg.high_gamma(tilted)) == pytest.approx(in_ratio(ieeg.high_gamma(ecog)), rel=0.15)


def in_ratio(high: Recording) -> float:
    inside = in_bursts(high)
    return float(high.data[0, inside].mean() / high.data[0, ~inside].mean())


def test_high_gamma_in_units_of_the_training_run(ecog: Recording) -> None:
    louder = ecog.replace(data=3 * ecog.data)
    np.testing.assert_allclose(ieeg.high_gamma(louder, train=ecog).data, 3 * ieeg.high_gamma(ecog).data, rtol=1e-3)
    with pytest.raises(DataError, match="no channel 'B1'"):
        ieeg.high_gamma(ecog, train=ecog.pick(["A1", "A2", "A3"]))


def test_a_flat_contact_has_no_high_gamma(ecog: Recording) -> None:
    ecog.data[2] = 0
    assert not ieeg.high_gamma(ecog).data[2].any()


def test_high_gamma_of_valid_stretches_only(ecog: Recording) -> None:
    ecog.data[:4, 5000:6000] = np.nan
    high = ieeg.high_gamma(ecog.replace(valid=Intervals([0, 12], [10, 30])))
    assert np.isnan(high.data[:, 5000:6000]).all()
    valid = np.r_[0:5000, 6000:15000]
    np.testing.assert_allclose(high.data[:, valid].mean(axis=1), 1, rtol=1e-4)
    with pytest.raises(DataError, match="'A1' holds NaN"):
        ieeg.high_gamma(ecog)


def test_picks_allow_other_kinds(ecog: Recording) -> None:
    assert ieeg.high_gamma(ecog, picks=["A2", "ecg"]).names == ["A2", "EKG"]


@pytest.mark.parametrize(("line", "n_bands"), [(50.0, 8), (60.0, 8), (60.0, 1), (None, 4), (50.0, 20)])
def test_sub_bands_fill_the_band_beside_the_mains(line: float | None, n_bands: int) -> None:
    bands = np.array(sub_bands((70, 150), n_bands, line, 500))
    assert (bands[:, 0] < bands[:, 1]).all()
    assert (bands[0, 0], bands[-1, 1]) == pytest.approx((70, 150 if line != 50 else 147))
    assert len(bands) == pytest.approx(max(n_bands, 2 if line else 1), abs=1)
    for harmonic in [] if line is None else line * np.arange(1, 5):
        assert ((bands[:, 1] <= harmonic - 3 + 1e-9) | (bands[:, 0] >= harmonic + 3 - 1e-9)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"band": (150, 70)}, "150 to 70"),
        ({"band": (70, 260)}, "250 Hz"),
        ({"n_bands": 0}, "n_bands must be at least 1, got 0"),
        ({"band": (98, 102)}, "nothing of the band"),
    ],
)
def test_bands_are_checked(ecog: Recording, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ieeg.high_gamma(ecog, **options)


@pytest.mark.parametrize(("output", "power", "unit"), [("amplitude", 1, "V"), ("power", 2, "n/a")])
def test_band_power_is_the_amplitude_of_a_sine(output: str, power: int, unit: str) -> None:
    times = np.arange(5000) / SFREQ
    data = np.vstack([3 * np.sin(2 * np.pi * 20 * times), 3 * np.sin(2 * np.pi * 60 * times)])
    recording = Recording(data, SFREQ, pd.DataFrame({"name": ["A1", "A2"], "kind": "ecog", "unit": "V"}))
    result = ieeg.band_power(recording, 10, 30, output=output)
    np.testing.assert_allclose(result.data[0, 500:-500], 3**power, rtol=0.01)
    assert np.abs(result.data[1, 500:-500]).max() < 0.05
    assert result.channels["unit"].tolist() == [unit, unit]


def test_the_ratio_compares_after_with_before(ecog: Recording) -> None:
    times = ecog.times
    ecog.data[1] += np.where((times >= 15) & (times < 20), 3e-4, 1e-4) * np.sin(2 * np.pi * 20 * times)
    table = ieeg.band_power_ratio(ecog, 15.0, after=5.0).set_index("name")
    assert table.index.tolist() == ["A1", "A2", "A3", "B1"]
    assert table["ratio"]["A2"] == pytest.approx(9, rel=0.1)
    assert table["before"]["A2"] == pytest.approx(0.5e-8, rel=0.1)
    assert table["ratio"].drop("A2").between(0.5, 2).all()
    longer = ieeg.band_power_ratio(ecog, 15.0, after=100.0).set_index("name")
    assert longer["ratio"]["A2"] == pytest.approx((9 * 5 + 10) / 15, rel=0.1)


def test_the_onset_may_be_the_name_of_an_event(ecog: Recording) -> None:
    pd.testing.assert_frame_equal(ieeg.band_power_ratio(ecog, "seizure"), ieeg.band_power_ratio(ecog, 15.0))
    with pytest.raises(DataError, match=r"expected one event 'sz', found 0 among 1 seizure"):
        ieeg.band_power_ratio(ecog, "sz")


@pytest.mark.parametrize(("onset", "side"), [(0.0, "before"), (31.0, "after"), (-5.0, "before")])
def test_both_sides_of_the_onset_need_samples(ecog: Recording, onset: float, side: str) -> None:
    with pytest.raises(DataError, match=f"no valid sample lies {side} the onset at {onset:g} s"):
        ieeg.band_power_ratio(ecog, onset)


def test_bad_contacts_are_left_out_of_the_ratio(ecog: Recording) -> None:
    marked = ecog.replace(channels=ecog.channels.assign(bad=ecog.channels["name"] == "A2"))
    assert ieeg.band_power_ratio(marked, 15.0)["name"].tolist() == ["A1", "A3", "B1"]
