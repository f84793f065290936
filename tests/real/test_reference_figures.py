"""The figures that come with the recordings, found again through readers, preprocessing and decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodecode.data import Responses, concatenate
from neurodecode.decode import LinearDecoder, searchlight, time_resolved
from neurodecode.io import read_bids_all
from neurodecode.preprocess import fmri, meeg

Find = Callable[..., Path]


@pytest.fixture(scope="module")
def objects(real: Find) -> Responses:
    """Haxby 2001: 64 blocks of eight categories, 530 voxels, eight runs; the preprocessing of the README."""
    folder = real("haxby2001", "derivatives", "slicemask", "sub-1", "func")
    mask = folder / "sub-1_task-objectviewing_desc-brain_mask.nii.gz"
    runs = read_bids_all(real("haxby2001"), task="objectviewing", datatype="func", mask=mask)
    cleaned = [fmri.clean(run, detrend="linear", high_pass=None, allow_raw=True) for run in runs]
    return fmri.block_average(cleaned, lag=5.0)


def epochs(root: Path) -> Responses:
    """Muse EEG: 1 to 30 Hz, -0.1 to 0.8 s, no baseline, spans above 100 microvolt out; the preprocessing of the README."""
    filtered = [meeg.filter(run, 1.0, 30.0) for run in read_bids_all(root)]
    return concatenate([meeg.epochs(run, -0.1, 0.8, None, reject_peak_to_peak=100e-6) for run in filtered])


@pytest.fixture(scope="module")
def faces(real: Find) -> Responses:
    return epochs(real("muse_n170"))


def test_haxby_eight_objects(objects: Responses) -> None:
    """README: 31 of 64 by voxels chosen in the training runs; 29 is the floor, p <= 0.01 the demand."""
    decoder = LinearDecoder("classification", C=0.01, n_features=500, scale=False)
    result = decoder.cross_validate(objects, n_permutations=199)
    assert result.metric == "balanced_accuracy"
    assert round(result.score * 64) == 31
    np.testing.assert_allclose(result.fold_scores, [0.625, 0.375, 0.625, 0.625, 0.5, 0.5, 0.5, 0.125])
    assert result.p_value == 1 / 200
    assert result.null_scores is not None
    assert abs(result.null_scores.mean() - 0.125) < 0.02
    assert result.confusion is not None
    assert result.confusion.sum(axis=1).tolist() == [8] * 8
    assert result.patterns is not None
    assert result.patterns.shape == (8, 530)


def test_haxby_face_against_house(objects: Responses) -> None:
    pair = objects.select(trial_type=["face", "house"])
    result = LinearDecoder("classification", C=0.01, n_features=500, scale=False).cross_validate(pair, n_permutations=0)
    assert result.score == 1.0
    assert result.scores["accuracy"] == 1.0


def test_haxby_searchlight_finds_voxels_above_chance(objects: Responses) -> None:
    result = searchlight(objects.select(trial_type=["face", "house"]), radius_mm=7.0)
    assert result.scores.shape == (530,)
    assert result.space is not None
    assert result.space["type"] == "volume"
    assert result.scores.max() > 0.9
    assert 0.7 < result.scores.mean() < 0.95


@pytest.mark.parametrize(
    ("name", "folds"),
    [("muse_n170", [0.616, 0.679, 0.659, 0.630]), ("muse_p300", [0.797, 0.780, 0.771, 0.752, 0.711, 0.685])],
)
def test_muse_evoked_responses(real: Find, name: str, folds: list[float]) -> None:
    """README: standardised samples of all channels, shrinkage discriminant, one run out."""
    result = LinearDecoder("classification", estimator="lda").cross_validate(epochs(real(name)), n_permutations=0)
    assert result.metric == "roc_auc"
    np.testing.assert_allclose(result.fold_scores, folds, atol=0.0006)
    assert abs(result.score - np.mean(folds)) < 0.0006


def test_labels_shuffled_within_runs_are_at_chance(faces: Responses) -> None:
    result = LinearDecoder("classification", estimator="lda").cross_validate(faces, n_permutations=19)
    assert result.p_value == 1 / 20
    assert result.null_scores is not None
    assert abs(result.null_scores.mean() - 0.5) < 4 * result.null_scores.std(ddof=1) / np.sqrt(19)


def test_faces_can_be_told_after_the_n170_only(faces: Responses) -> None:
    result = time_resolved(faces, n_permutations=19)
    assert result.p_values is not None
    before = result.times < 0.05
    assert result.mean[before].max() < 0.58
    assert result.p_values[before].min() > 0.05
    assert 0.15 < result.times[result.mean.argmax()] < 0.5
    assert result.p_values.min() == 1 / 20
