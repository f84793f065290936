"""The simulated data set is valid BIDS, opens as what was simulated, and is the same to the byte from the same seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neurodecode.data.responses import concatenate
from neurodecode.errors import DataError, OutputExistsError
from neurodecode.io import read_bids, read_bids_all, read_confounds
from neurodecode.preprocess import fmri
from neurodecode.simulate import Truth, write_visual_cortex
from neurodecode.simulate.retinotopy import N_VERTICES
from neurodecode.simulate.visual_cortex import REST, Experiment, draw_trials, load_digits

SMALL = {"n_subjects": 2, "n_runs": 2, "n_per_run": 12, "n_vertices": 40}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Two subjects with two short runs each."""
    folder = tmp_path_factory.mktemp("simulated") / "digits"
    return folder, write_visual_cortex(folder, random_state=5, **SMALL)


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(written: tuple[Path, Truth], tmp_path: Path) -> None:
    write_visual_cortex(tmp_path / "again", random_state=5, **SMALL)
    assert files(tmp_path / "again") == files(written[0])


def test_another_seed_replaces_it_with_other_images_and_noise(tmp_path: Path) -> None:
    tiny = {"n_runs": 1, "n_per_run": 3, "n_vertices": 10}
    signals = []
    for seed in (0, 1):
        write_visual_cortex(tmp_path / "data", random_state=seed, **tiny)
        signals.append(np.asarray(read_bids(tmp_path / "data", derivatives="fmriprep").data)[5000, 2:20])
    assert abs(np.corrcoef(*signals)[0, 1]) < 0.8
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert len(list((tmp_path / "data" / "stimuli").iterdir())) == 3


def test_a_subject_does_not_depend_on_how_many_there_are(written: tuple[Path, Truth], tmp_path: Path) -> None:
    write_visual_cortex(tmp_path / "one", random_state=5, **{**SMALL, "n_subjects": 1})
    alone, both = files(tmp_path / "one"), files(written[0])
    own = [name for name in alone if "sub-01" in name]
    assert len(own) == 2 * 6
    assert all(alone[name] == both[name] for name in own)


def test_a_data_set_of_somebody_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(OutputExistsError, match="not written by"):
        write_visual_cortex(tmp_path, **SMALL)
    assert files(tmp_path) == {"dataset_description.json": b"{}"}


def test_nothing_is_left_of_a_write_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurodecode.simulate.visual_cortex_bids._write_surface", full)
    with pytest.raises(OSError, match="no room"):
        write_visual_cortex(tmp_path / "data", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_descriptions_say_that_it_is_simulated(written: tuple[Path, Truth]) -> None:
    for folder, kind in ((written[0], "raw"), (written[0] / "derivatives" / "fmriprep", "derivative")):
        fields = json.loads((folder / "dataset_description.json").read_text())
        assert fields["DatasetType"] == kind
        assert {"Name", "BIDSVersion", "License", "ReferencesAndLinks"} <= set(fields)
        assert fields["GeneratedBy"][0]["Name"] == "neurodecode.simulate"
        assert "laid out as fMRIPrep" in fields["GeneratedBy"][0]["Description"]
    participants = pd.read_csv(written[0] / "participants.tsv", sep="\t")
    assert participants["participant_id"].tolist() == ["sub-01", "sub-02"]


def test_both_hemispheres_open_as_one_recording(written: tuple[Path, Truth]) -> None:
    run = read_bids(written[0], derivatives="fmriprep", space="fsaverage5", subject="01", run=1)
    assert run.n_channels == 2 * N_VERTICES
    assert run.channels["hemisphere"].value_counts().to_dict() == {"L": N_VERTICES, "R": N_VERTICES}
    assert (run.sfreq, run.t0) == (0.5, 1.0)
    assert run.meta["space"]["name"] == "fsaverage5"
    assert run.meta["preprocessed"] is True
    assert run.t0 + run.duration > run.events["onset"].max() + 2 + 15
    assert np.asarray(run.data).mean(axis=1).min() > 700


def test_events_are_those_of_the_truth(written: tuple[Path, Truth]) -> None:
    folder, truth = written
    runs = read_bids_all(folder, derivatives="fmriprep", space="fsaverage5")
    events = pd.concat([run.events for run in runs], ignore_index=True)
    columns = ["onset", "duration", "trial_type", "stimulus", "stim_file"]
    pd.testing.assert_frame_equal(events[columns], truth["trials"][columns], check_dtype=False)
    assert set(events["trial_type"]) == set("0123456789")
    assert (events["onset"] >= REST - 0.5).all()


def test_pictures_are_the_digits(written: tuple[Path, Truth]) -> None:
    folder, truth = written
    original = load_digits()
    for row, image in zip(truth["trials"].itertuples(), truth["images"], strict=True):
        picture = np.asarray(Image.open(folder / "stimuli" / row.stim_file))
        assert picture.shape == (32, 32, 3)
        assert picture.dtype == np.uint8
        assert np.abs(picture[2::4, 2::4, 0] / 255 - image).max() <= 0.5 / 255
        assert int(row.trial_type) == original.labels[row.image]
    assert len(list((folder / "stimuli").iterdir())) == truth["trials"]["stim_file"].nunique()


def test_truth_lies_beside_the_data(written: tuple[Path, Truth]) -> None:
    folder, truth = written
    again = Truth.load(folder / "sourcedata" / "truth")
    assert again.random_state == 5
    assert again.parameters["n_per_run"] == 12
    assert truth["receptive_fields"].shape == (2, 80, 8, 8)
    np.testing.assert_array_equal(again["amplitudes"], truth["amplitudes"])
    assert len(truth["vertices"]) == 2 * 80
    assert not np.array_equal(truth["receptive_fields"][0], truth["receptive_fields"][1])


def test_confounds_serve_the_default_of_the_pipeline(written: tuple[Path, Truth]) -> None:
    run = read_bids(written[0], derivatives="fmriprep", subject="02", run=2)
    table = read_confounds(run, written[0])
    assert fmri.n_non_steady_state(table) == 2
    assert fmri.select_confounds(table).shape == (run.n_times, 24 + 6)
    early, late = (np.asarray(run.data)[:, part].mean() for part in (slice(0, 1), slice(2, None)))
    assert early > 1.1 * late


def test_without_noise_each_vertex_shows_its_own_response_and_others_none(tmp_path: Path) -> None:
    truth = write_visual_cortex(tmp_path / "data", noise=0.0, n_runs=2, n_per_run=10, n_vertices=60, interval=8.0)
    made = []
    for run in read_bids_all(tmp_path / "data", derivatives="fmriprep", space="fsaverage5"):
        run, _ = fmri.drop_non_steady_state(run, read_confounds(run, tmp_path / "data"))
        data = np.asarray(run.data)
        seen = set(truth["vertices"]["hemisphere"] + "_" + truth["vertices"]["vertex"].astype(str))
        still = ~run.channels["name"].isin(seen).to_numpy()
        assert not np.ptp(data[still], axis=1).any()
        percent = run.replace(data=100 * (data / data[:, :1] - 1))
        made.append(fmri.betas(percent, method="lsa", high_pass=None))
    betas = concatenate(made)
    names = (truth["vertices"]["hemisphere"] + "_" + truth["vertices"]["vertex"].astype(str)).tolist()
    found = betas.matrix()[:, [betas.units["name"].tolist().index(name) for name in names]]
    np.testing.assert_allclose(found, truth["amplitudes"], atol=0.25)  # whole numbers round by 0.05 percent
    assert np.corrcoef(found.ravel(), truth["amplitudes"].ravel())[0, 1] > 0.99


def test_no_image_is_shown_twice_and_digits_are_balanced() -> None:
    trials = draw_trials(load_digits(), Experiment(n_runs=4, n_per_run=45), 0, "01")
    assert trials["stimulus"].is_unique
    for _, run in trials.groupby("run"):
        assert set(run["trial_type"].value_counts()) == {4, 5}
        gaps = np.diff(run["onset"])
        assert gaps.min() >= 4.0
        assert gaps.mean() == pytest.approx(5.0, abs=0.1)
    assert trials.groupby("run")["trial_type"].agg("".join).nunique() == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_run": 2}, "n_runs"),
        ({"n_runs": 0}, "n_runs"),
        ({"n_per_run": 2.5}, "n_per_run"),
        ({"tr": 0}, "tr"),
        ({"noise": -1.0}, "noise"),
        ({"interval": 2.0}, "interval"),
        ({"n_runs": 40}, "1797 digits"),
    ],
)
def test_impossible_experiments(tmp_path: Path, wrong: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_visual_cortex(tmp_path / "data", **wrong)
    assert list(tmp_path.iterdir()) == []
