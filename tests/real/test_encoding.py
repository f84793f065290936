"""Encoding of real recordings: known effects where they are known to be, and nothing from features without a stimulus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from neurodecode.compare import encode
from neurodecode.data import Responses
from neurodecode.io import read_bids_all
from neurodecode.preprocess import fmri
from neurodecode.simulate import oasm


def test_a_listener_is_predicted_by_the_others(real: Callable[..., Path], rng: np.random.Generator) -> None:
    """Every listener heard the same story; shifted in time, nothing is left."""
    with np.load(real("story_htfa", "story_htfa.npz"), allow_pickle=False) as held:
        listeners = held["weights"]
    others, one = np.delete(listeners, 0, axis=0).mean(axis=0), listeners[0]
    found = encode(others, one, TR=1.5, delays_s=(0, 3), n_permutations=199)
    assert found.score.mean() > 0.1
    assert found.p is not None
    assert (found.p < 0.05).mean() > 0.15
    shifted = encode(others, np.roll(one, 100, axis=0), TR=1.5, delays_s=(0, 3), n_permutations=199)
    assert shifted.score.mean() < 0.05
    assert shifted.p is not None
    assert (shifted.p < 0.05).mean() <= 0.1


def test_events_predict_bold_with_the_shape_of_its_response(real: Callable[..., Path]) -> None:
    """Six kinds of trials, TR 2 s: weights peak 4 to 8 s after the event and are near 0 before it."""
    table = pd.read_csv(real("nitime_fmri", "event_related_fmri.csv"))
    events = (table["events"].to_numpy()[:, None] == np.arange(1, 7)).astype(np.float32)
    bold = table["bold"].to_numpy(np.float32)
    found = encode(events, bold, TR=2.0, delays_s=(-2, 12), n_permutations=199, keep_weights=True)
    assert found.score[0] == pytest.approx(0.43, abs=0.05)
    assert found.p is not None
    assert found.p[0] < 0.01
    assert found.weights is not None
    shape = found.weights[:, 0].reshape(8, 6).mean(axis=1)
    assert found.settings["delays_s"][int(shape.argmax())] in (4.0, 6.0, 8.0)
    assert abs(shape[0]) < 0.1 * shape.max()
    at_once = encode(events, bold, TR=2.0, delays_s=(0, 0))
    assert at_once.score[0] < 0.1


def test_rest_is_not_predicted_without_a_stimulus(real: Callable[..., Path]) -> None:
    """Real autocorrelation: 28 regions at rest, features that know the time alone."""
    regions = pd.read_csv(real("nitime_fmri", "fmri_timeseries.csv")).to_numpy(np.float32)[:, 3:]
    assert abs(encode(oasm(250), regions, TR=1.89, delays_s=(0, 0)).score.mean()) < 0.02


@pytest.fixture
def blocks(real: Callable[..., Path]) -> Responses:
    """Mean responses to 64 blocks of eight categories in eight runs."""
    root = real("haxby2001")
    mask = root / "derivatives" / "slicemask" / "sub-1" / "func" / "sub-1_task-objectviewing_desc-brain_mask.nii.gz"
    runs = read_bids_all(root, task="objectviewing", mask=mask)
    cleaned = [fmri.clean(run, high_pass=None, detrend="linear", allow_raw=True) for run in runs]
    return fmri.block_average(cleaned, lag=5.0)


def test_categories_predict_voxels_of_the_ventral_slice(blocks: Responses) -> None:
    kinds = pd.get_dummies(blocks.samples["trial_type"])
    found = encode(kinds.to_numpy(np.float32), blocks, delays_s=None, groups="run")
    assert found.settings["n_rows"] == 64
    assert "8 values of 'run'" in found.split
    assert np.quantile(found.score, 0.9) > 0.3
    shuffled = encode(kinds.sample(frac=1, random_state=0).to_numpy(np.float32), blocks, delays_s=None, groups="run")
    assert abs(np.median(shuffled.score)) < 0.1
    image = found.to_nifti()
    best = blocks.units.iloc[int(np.argmax(found.score))]
    assert image.get_fdata()[best["i"], best["j"], best["k"]] == pytest.approx(found.score.max(), rel=1e-6)
    null = encode(oasm(64, groups=blocks.samples["run"]), blocks, delays_s=None, groups="run")
    assert abs(null.score.mean()) < 0.02


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of mne, reading metadata under the newest pandas
def test_relatedness_of_words_predicts_the_n400(real: Callable[..., Path]) -> None:
    """Sensors and times: the map has its peak at Pz between 300 and 500 ms, and nothing before the word."""
    epochs = mne.read_epochs(real("priming_n400", "priming_n400-epo.fif"), verbose="error")
    table = epochs.metadata
    words = table["association"].astype(str).to_numpy()
    units = pd.DataFrame({"name": epochs.ch_names})
    brain = Responses(epochs.get_data(copy=True), pd.DataFrame({"stimulus": words, "run": 1}), units, epochs.times)
    related = np.stack([table["FAS"], table["label"] == 6], axis=1)
    features = Responses(related, pd.DataFrame({"stimulus": words}), pd.DataFrame({"name": ["FAS", "related"]}))
    found = encode(features, brain)
    assert found.score.shape == (32, 60)
    course = found.score[epochs.ch_names.index("Pz")]
    assert 0.3 <= epochs.times[course.argmax()] <= 0.5
    assert course.max() > 0.3
    assert abs(course[epochs.times < 0].mean()) < 0.15
    table = found.to_dataframe()
    assert len(table) == 32 * 60
    assert table.loc[table["name"].eq("Pz"), "score"].max() == course.max()
