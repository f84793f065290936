"""The generic M/EEG pipeline: channels, cleaning and defaults, on a small data set whose answer is known."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Recording, Responses
from neurodecode.errors import DataError
from neurodecode.pipeline import load_config, run_pipeline
from neurodecode.pipeline.config import Signal
from neurodecode.pipeline.decode import common_units, shuffle_within_runs
from neurodecode.pipeline.prepare import clean_meeg
from neurodecode.report import load_contents


def responses(names: str, seed: int = 0) -> Responses:
    """Four samples of units with one-letter names."""
    data = np.random.default_rng(seed).standard_normal((4, len(names)))
    return Responses(data, pd.DataFrame({"trial_type": list("abab"), "run": "1"}), pd.DataFrame({"name": list(names)}))


def test_units_that_some_run_lacks_are_left_out_of_all():
    first, second = responses("abcd"), responses("dba", 1)
    runs, left_out = common_units([first, second])
    assert left_out == ["c"]
    assert [run.units["name"].tolist() for run in runs] == [list("abd"), list("abd")]
    np.testing.assert_array_equal(runs[1].data, second.data[:, [2, 1, 0]])


def test_runs_with_equal_units_pass_untouched():
    first, second = responses("ab"), responses("ab", 1)
    runs, left_out = common_units([first, second])
    assert left_out == []
    assert runs[0] is first


def test_runs_without_a_common_unit_are_refused():
    with pytest.raises(DataError, match="no unit in common"):
        common_units([responses("ab"), responses("cd")])


def test_labels_are_shuffled_within_runs_only():
    data = np.zeros((8, 1))
    samples = pd.DataFrame({"trial_type": list("aaab") + list("cccd"), "run": ["1"] * 4 + ["2"] * 4})
    mixed = shuffle_within_runs(Responses(data, samples, pd.DataFrame({"name": ["u"]})), "trial_type", 1)
    labels = mixed.samples["trial_type"].tolist()
    assert sorted(labels[:4]) == list("aaab")
    assert sorted(labels[4:]) == list("cccd")
    seeds = {"".join(shuffle_within_runs(mixed, "trial_type", seed).samples["trial_type"]) for seed in range(20)}
    assert len(seeds) > 3


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, ["meeg.filter"]),
        ({"resample": 50.0}, ["meeg.filter", "meeg.resample"]),
        ({"reference": "average"}, ["meeg.filter", "meeg.reference"]),
        ({"l_freq": None, "h_freq": None, "reference": "average"}, ["meeg.reference"]),
        ({"find_bad_channels": True}, ["meeg.find_bad_channels", "meeg.filter"]),
    ],
)
def test_cleaning_does_what_the_settings_say_in_the_order_of_the_field(eeg: Recording, settings: dict, steps: list[str]):
    cleaned = clean_meeg(eeg, Signal(**{"l_freq": 1.0, "h_freq": 30.0, **settings}))
    assert [step["step"] for step in cleaned.meta["steps"]] == steps


def test_bad_channels_are_dropped_or_kept_as_told(eeg: Recording):
    marked = eeg.replace(channels=eeg.channels.assign(bad=[True, False, False, False]))
    assert clean_meeg(marked, Signal(l_freq=1.0, h_freq=30.0)).names == ["Cz", "Pz", "Oz"]
    assert clean_meeg(marked, Signal(l_freq=1.0, h_freq=30.0, bad_channels="keep")).names == eeg.names


def test_a_channel_bad_in_one_run_is_left_out_and_the_report_says_so(real: Callable[..., Path], tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(real("muse_n170"), data)
    path = data / "sub-1/ses-1/eeg/sub-1_ses-1_task-n170_run-03_channels.tsv"
    table = pd.read_csv(path, sep="\t")
    table.loc[table["name"] == "AF7", "status"] = "bad"
    table.to_csv(path, sep="\t", index=False)
    options = ["decode.n_permutations=0", "decode.time_resolved=false", "signal.l_freq=1", "signal.h_freq=30"]
    done = run_pipeline(load_config("meeg_decoding", options), data, tmp_path / "out")
    assert any("AF7" in note for note in done.results["notes"])
    assert load_contents(tmp_path / "out").results["decoding"].units["name"].tolist() == ["TP9", "AF8", "TP10"]
    assert done.results["score"] > 0.55
