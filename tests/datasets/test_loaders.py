"""What loaders give, beyond the contract: events, expectations, runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bids_trees import write_table
from datasets import miniatures

from neurodecode import datasets
from neurodecode.data import Responses
from neurodecode.datasets.expectations import check_expectations
from neurodecode.datasets.manifest import Expect, Manifest
from neurodecode.errors import DataError, FormatError
from neurodecode.preprocess import fmri


class TestHaxby:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return miniatures.write_haxby2001(tmp_path)

    def load(self, root: Path, **options: Any) -> Any:
        return datasets.load("haxby2001", root, "1", manifest=miniatures.haxby2001(), **options)

    def test_blocks(self, root: Path) -> None:
        recording, stimuli = self.load(root)
        assert recording.sfreq == pytest.approx(0.4)
        events = recording.events
        assert len(events) == 8
        assert sorted(events["trial_type"]) == stimuli.ids
        np.testing.assert_allclose(events["duration"], 22.5)
        np.testing.assert_allclose(events["onset"], 12.0 + 36.0 * np.arange(8))
        assert events["n_events"].tolist() == [12] * 8
        assert stimuli["face"] == "face"

    def test_pictures(self, root: Path) -> None:
        recording, _ = self.load(root, blocks=False)
        assert len(recording.events) == 96
        joined = fmri.join_blocks(recording)
        pd.testing.assert_frame_equal(joined.events, self.load(root)[0].events)

    def test_runs_become_responses(self, root: Path) -> None:
        runs, stimuli = datasets.haxby2001.load_runs(root, "sub-1", manifest=miniatures.haxby2001())
        assert [run.meta["run"] for run in runs] == ["01", "02"]
        responses = fmri.block_average(runs)
        assert responses.data.shape == (16, np.prod(miniatures.SHAPE))
        assert set(responses.samples["stimulus"]) == set(stimuli.ids)
        assert responses.samples["n_volumes"].between(9, 10).all()

    def test_the_full_set_has_other_voxels(self, root: Path) -> None:
        with pytest.raises(
            FormatError, match=r"run-01_bold.*has shape \(163840, 121\), got \(60, 121\).*datasets verify haxby2001"
        ):
            datasets.load("haxby2001", root, "1")

    def test_a_mask_changes_the_shape_and_nothing_else(self, root: Path) -> None:
        mask = np.zeros(miniatures.SHAPE, bool)
        mask[0] = True
        recording, _ = datasets.load("haxby2001", root, "1", mask=mask)
        assert recording.n_channels == 15

    def test_a_picture_too_few(self, root: Path) -> None:
        table = root / "sub-1" / "func" / "sub-1_task-objectviewing_run-01_events.tsv"
        write_table(table, miniatures.pictures(1).iloc[1:])
        with pytest.raises(FormatError, match="has 12 events 'chair', got 11"):
            self.load(root)
        self.load(root, run=2)

    def test_a_run_without_labels_is_known_of_subject_5(self, root: Path) -> None:
        (root / "sub-1").rename(root / "sub-5")
        for path in (root / "sub-5" / "func").iterdir():
            path.rename(path.with_name(path.name.replace("sub-1", "sub-5")))
        table = root / "sub-5" / "func" / "sub-5_task-objectviewing_run-01_events.tsv"
        write_table(table, miniatures.pictures(1).iloc[:0])
        recording, _ = datasets.load("haxby2001", root, "5", manifest=miniatures.haxby2001())
        assert len(recording.events) == 0

    @pytest.mark.parametrize("options", [{"run": 3}, {"run": 1, "derivatives": "fmriprep"}])
    def test_what_is_not_there(self, options: dict, root: Path) -> None:
        with pytest.raises((DataError, FormatError)):
            self.load(root, **options)

    def test_no_such_subject(self, root: Path) -> None:
        with pytest.raises(DataError, match="no runs of task 'objectviewing' of subject '7'"):
            datasets.haxby2001.load_runs(root, "7")


class TestOddball:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return miniatures.write_auditory_oddball(tmp_path)

    def test_sounds_and_presses(self, root: Path) -> None:
        recording, stimuli = datasets.load("auditory_oddball", root, "sub-001")
        events = recording.events
        assert events["trial_type"].tolist() == ["standard", "oddball", "response", "noise", "standard", "oddball"]
        assert events["stimulus"].fillna("").tolist() == ["standard", "oddball", "", "noise", "standard", "oddball"]
        assert events["answered"].tolist() == [False, True, False, False, True, False]
        assert events["value"].tolist() == [v for v in miniatures.SOUNDS if v not in ("ignore", "condition 5")]
        assert stimuli["oddball"] == "tone of 1000 Hz, the target"

    def test_channels_in_volt(self, root: Path) -> None:
        recording, _ = datasets.load("auditory_oddball", root, "001", run=2)
        assert recording.n_channels == 79
        assert recording.sfreq == 256.0
        assert recording.channels["kind"].value_counts()["eeg"] == 64
        assert 1e-5 < np.asarray(recording.load().data)[:64].std() < 3e-5

    def test_runs(self, root: Path) -> None:
        runs, _ = datasets.auditory_oddball.load_runs(root, "001")
        assert [run.meta["run"] for run in runs] == ["1", "2"]

    def test_without_the_column_value(self, root: Path) -> None:
        table = root / "sub-001" / "eeg" / "sub-001_task-P300_run-1_events.tsv"
        write_table(table, miniatures.sounds().drop(columns="value"))
        with pytest.raises(DataError, match="no column 'value'"):
            datasets.load("auditory_oddball", root, "001")

    @pytest.mark.parametrize(
        ("expect", "message"),
        [
            ({"sfreq": 512.0}, "a sampling rate of 512 Hz, got 256 Hz"),
            ({"shape": {"eeg": [80, None]}}, r"shape \(80, 'any'\), got \(79, 512\)"),
            ({"shape": {"eeg": [79]}}, r"shape \(79,\), got"),
            ({"n_events": {"oddball": 3}}, "3 events 'oddball', got 2"),
            ({"channel_kinds": {"eeg": 65}}, "65 channels 'eeg', got 64"),
            ({"channel_kinds": {"eog": 1}}, "1 channels 'eog', got 0"),
        ],
    )
    def test_every_expectation_is_checked(self, expect: dict, message: str, root: Path) -> None:
        manifest = datasets.info("auditory_oddball").model_copy(update={"expect": Expect.model_validate(expect)})
        with pytest.raises(FormatError, match=rf"run-1_eeg\.set: auditory_oddball 1\.1\.2 has {message}"):
            datasets.load("auditory_oddball", root, "001", manifest=manifest)

    def test_what_is_right_passes(self, root: Path) -> None:
        expect = {"sfreq": 256.0, "shape": {"eeg": [79, 512], "meg": [1]}, "n_events": {"oddball": 2, "none": 0}}
        told = Expect.model_validate({**expect, "channel_kinds": {"eeg": 64}, "n_samples_per_subject": 7})
        manifest = datasets.info("auditory_oddball").model_copy(update={"expect": told})
        datasets.load("auditory_oddball", root, "001", manifest=manifest)


@pytest.mark.parametrize(("expect", "message"), [({"n_samples_per_subject": 4}, "4 samples per subject, got 3"), ({}, None)])
def test_responses(expect: dict, message: str | None) -> None:
    about: Manifest = datasets.info("haxby2001").model_copy(update={"expect": Expect.model_validate(expect)})
    responses = Responses(np.zeros((3, 2)), {"trial_type": list("abc")}, {"name": ["u", "v"]})
    if message is None:
        check_expectations(responses, about, "root")
    else:
        with pytest.raises(FormatError, match=message):
            check_expectations(responses, about, "root")
