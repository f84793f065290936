"""The same numbers as MNE, scikit-learn and scipy give when called directly."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest
from scipy import signal
from sklearn.preprocessing import RobustScaler

from neurodecode.data import Recording, Responses
from neurodecode.data.convert import from_mne, to_mne
from neurodecode.preprocess import ieeg, meeg


@pytest.fixture
def raw() -> mne.io.RawArray:
    """Half a minute of eight EEG channels at positions of the 10-20 system, one EOG channel with blinks, one stim channel."""
    rng = np.random.default_rng(1)
    names = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "O1", "O2", "VEOG", "STI"]
    info = mne.create_info(names, 200.0, ["eeg"] * 8 + ["eog", "stim"])
    blink = np.zeros(6000)
    for start in range(300, 5700, 430):
        blink[start : start + 80] = 2e-4 * np.hanning(80)
    data = 1e-5 * rng.laplace(size=(10, 6000)) + 1e-6 * np.cumsum(rng.standard_normal((10, 6000)), axis=1)
    data[:9] += np.array([1, 0.9, 0.6, 0.5, 0.3, 0.3, 0.1, 0.1, 1.2])[:, None] * blink
    data[9] = np.repeat(np.arange(60) % 4, 100)
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.info["line_freq"] = 50.0
    return raw.set_montage("biosemi32", on_missing="ignore", verbose="error")


@pytest.fixture
def recording(raw: mne.io.RawArray) -> Recording:
    events = pd.DataFrame({"onset": np.arange(1.0, 28.0, 0.77), "trial_type": ["x", "y", "z"] * 12}, index=range(36))
    return from_mne(raw).replace(events=events.iloc[:35])


def close(ours: object, theirs: object, scale: float = 1e-5) -> None:
    """Equal within the precision of float32 at the scale of the data."""
    np.testing.assert_allclose(ours, theirs, atol=2e-6 * scale, rtol=3e-6)


@pytest.mark.parametrize("edges", [(1.0, 40.0), (0.5, None), (None, 30.0)])
def test_filter(recording: Recording, raw: mne.io.RawArray, edges: tuple[float | None, float | None]) -> None:
    close(meeg.filter(recording, *edges).data, raw.filter(*edges, picks=["eeg", "eog"], verbose="error").get_data(), 1e-4)


def test_notch(recording: Recording, raw: mne.io.RawArray) -> None:
    close(meeg.notch(recording).data, raw.notch_filter(50, picks=["eeg", "eog"], verbose="error").get_data(), 1e-4)


def test_resample(recording: Recording, raw: mne.io.RawArray) -> None:
    theirs = raw.resample(100, verbose="error").get_data()
    np.testing.assert_allclose(meeg.resample(recording, 100).data[:9, 200:-200], theirs[:9, 200:-200], atol=2e-7)


@pytest.mark.parametrize("to", ["average", ["O1", "O2"], ["C3"]])
def test_reference(recording: Recording, raw: mne.io.RawArray, to: object) -> None:
    close(meeg.reference(recording, to).data, raw.set_eeg_reference(to, verbose="error").get_data(), 1e-4)


def test_interpolation(recording: Recording, raw: mne.io.RawArray) -> None:
    raw.info["bads"] = ["C3", "Fp2"]
    marked = recording.replace(channels=recording.channels.assign(bad=recording.channels["name"].isin(raw.info["bads"])))
    close(meeg.interpolate_bads(marked).data, raw.interpolate_bads(verbose="error").get_data(), 1e-4)


def test_ica(recording: Recording, raw: mne.io.RawArray) -> None:
    theirs = mne.preprocessing.ICA(5, random_state=4, verbose="error").fit(raw, picks="eeg", verbose="error")
    ours = meeg.fit_ica(recording, 5, random_state=4)
    sources = theirs.get_sources(raw).get_data()
    np.testing.assert_allclose(meeg.ica_sources(recording, ours), sources, atol=1e-3)
    np.testing.assert_allclose(ours.mixing / theirs.pre_whitener_, theirs.get_components(), rtol=1e-4, atol=1e-10)
    cleaned = theirs.apply(raw.copy(), exclude=[0, 3], verbose="error").get_data()
    np.testing.assert_allclose(meeg.apply_ica(recording, ours, [3, 0]).data, cleaned, atol=1e-9)


def test_regression(recording: Recording, raw: mne.io.RawArray) -> None:
    raw.set_eeg_reference("average", verbose="error")
    theirs = mne.preprocessing.EOGRegression(picks="eeg", picks_artifact="eog").fit(raw).apply(raw).get_data()
    ours = meeg.regress_out(meeg.reference(recording), "eog", train=meeg.reference(recording))
    np.testing.assert_allclose(ours.data, theirs, atol=2e-9)


def test_ssp(recording: Recording, raw: mne.io.RawArray) -> None:
    projs, events = mne.preprocessing.compute_proj_eog(raw, n_eeg=2, no_proj=True, verbose="error")
    projection = meeg.fit_ssp(recording, "eog", n_vectors=2)
    assert (len(projection.vectors), projection.n_events) == (2, len(events))
    theirs = raw.add_proj(projs, verbose="error").apply_proj(verbose="error").get_data()
    np.testing.assert_allclose(meeg.apply_ssp(recording, projection).data, theirs, atol=2e-9)


@pytest.mark.parametrize("window", [(-0.2, 0.8), (-0.1, 0.513), (0.05, 0.25)])
@pytest.mark.parametrize("limit", [None, 1.5e-4])
def test_epochs(recording: Recording, raw: mne.io.RawArray, window: tuple[float, float], limit: float | None) -> None:
    onsets = recording.events["onset"].to_numpy()
    codes = recording.events["trial_type"].map({"x": 1, "y": 2, "z": 3})
    events = np.column_stack([np.floor(onsets * 200 + 0.5).astype(int), np.zeros(len(onsets), int), codes])
    reject = None if limit is None else {"eeg": limit}
    theirs = mne.Epochs(
        raw, events, None, *window, baseline=(None, 0.1), picks="eeg", reject=reject, preload=True, verbose="error"
    )
    ours = meeg.epochs(recording, *window, (None, 0.1), reject_peak_to_peak=limit)
    assert 0 < ours.n_samples == len(theirs)
    np.testing.assert_allclose(ours.times, theirs.times, atol=1e-9)
    np.testing.assert_allclose(ours.data, theirs.get_data(), atol=1e-10)
    assert ours.samples["trial_type"].map({"x": 1, "y": 2, "z": 3}).tolist() == theirs.events[:, 2].tolist()


def test_baseline(recording: Recording) -> None:
    epochs = meeg.epochs(recording, -0.2, 0.5, None)
    theirs = to_mne(epochs).apply_baseline((-0.1, 0.0), verbose="error").get_data()
    np.testing.assert_allclose(meeg.baseline(epochs, -0.1, 0.0).data, theirs, atol=1e-10)


def test_spectrum(recording: Recording, raw: mne.io.RawArray) -> None:
    spectrum = meeg.psd(recording, window=2.0)
    theirs = raw.compute_psd("welch", n_fft=400, n_overlap=200, window="hann", picks="eeg", verbose="error")
    keep = spectrum.freqs > 0
    np.testing.assert_allclose(spectrum.power[:, keep], theirs.get_data()[:, keep], rtol=1e-3)


def test_robust_scaling() -> None:
    rng = np.random.default_rng(0)
    train, test = (
        Responses(rng.standard_cauchy((50, 4)), pd.DataFrame(index=range(50)), pd.DataFrame(index=range(4))) for _ in "ab"
    )
    theirs = RobustScaler().fit(train.data).transform(test.data)
    np.testing.assert_allclose(meeg.robust_scale(test, meeg.fit_robust_scale(train), None).data, theirs, rtol=1e-4)


def test_band_envelope() -> None:
    rng = np.random.default_rng(0)
    recording = Recording(
        rng.standard_normal((2, 4000)), 500.0, pd.DataFrame({"name": ["A1", "A2"], "kind": "ecog", "unit": "V"})
    )
    narrow = mne.filter.filter_data(
        recording.data.astype(float), 500.0, 70, 110, l_trans_bandwidth=2, h_trans_bandwidth=2, verbose="error"
    )
    theirs = np.abs(signal.hilbert(narrow))
    np.testing.assert_allclose(ieeg.band_power(recording, 70, 110).data[:, 200:-200], theirs[:, 200:-200], atol=5e-3)


def test_bipolar() -> None:
    info = mne.create_info(["A1", "A2", "A3"], 100.0, "seeg")
    raw = mne.io.RawArray(np.random.default_rng(0).standard_normal((3, 500)), info, verbose="error")
    theirs = mne.set_bipolar_reference(raw, ["A1", "A2"], ["A2", "A3"], verbose="error")
    ours = ieeg.bipolar(from_mne(raw))
    assert ours.names == theirs.ch_names
    np.testing.assert_allclose(ours.data, theirs.get_data(), atol=1e-6)
