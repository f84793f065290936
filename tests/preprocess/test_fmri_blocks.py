"""Block averages, and the choice between them and betas."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from bold_runs import bold, event_table, simulate

from neurodecode.data import Intervals, Recording
from neurodecode.errors import DataError
from neurodecode.preprocess import fmri


@pytest.fixture
def run(rng: np.random.Generator) -> Recording:
    """100 volumes at TR 2 s whose value is their number; five blocks of 12 s."""
    data = np.tile(np.arange(100.0), (3, 1)) + np.array([[0], [1000], [2000]])
    return bold(data, events=event_table([0, 40, 80, 120, 160], 12.0).assign(stimulus=list("abcde")))


@pytest.mark.parametrize(
    ("lag", "duration", "t0", "first", "last"),
    [
        (5.0, None, 0.0, 3, 8),  # volumes at 6 ... 16 s of the block at 0 s
        (4.0, None, 0.0, 2, 7),  # a volume at onset + lag counts, one at the end does not
        (5.0, 6.0, 0.0, 3, 5),
        (5.0, None, 1.0, 2, 7),  # volume 2 is at 5 s on this clock
        (0.0, None, 0.0, 0, 5),
        (-2.0, None, 0.0, 0, 4),  # the window begins before the run
    ],
)
def test_window(run: Recording, lag: float, duration: float | None, t0: float, first: int, last: int) -> None:
    moved = run.replace(t0=t0, valid=None)
    blocks = fmri.block_average(moved, lag=lag, duration=duration)
    expected = np.arange(first, last + 1).mean()
    np.testing.assert_allclose(np.asarray(blocks.data)[0], expected + np.array([0, 1000, 2000]))
    assert blocks.samples["n_volumes"][0] == last - first + 1


def test_samples_carry_events_and_identity(run: Recording) -> None:
    blocks = fmri.block_average(run)
    assert blocks.samples.columns.tolist() == [
        *["subject", "run", "task"],
        *["onset", "duration", "trial_type", "stimulus", "n_volumes"],
    ]
    assert blocks.samples["stimulus"].tolist() == list("abcde")
    assert blocks.units["name"].tolist() == run.names
    assert blocks.meta["space"] == run.meta["space"]
    step = blocks.meta["steps"][-1]
    assert step["lag"] == 5.0
    json.dumps(blocks.meta)


def test_blocks_without_a_volume_are_counted(run: Recording) -> None:
    late = pd.concat([run.events, event_table([197.0, 400.0], 12.0)])
    blocks = fmri.block_average(run.replace(events=late))
    assert len(blocks) == 5
    assert blocks.meta["drops"] == {"events": 7, "kept": 5, "without a volume": 2}


def test_blocks_cut_by_the_end_keep_what_is_there(run: Recording) -> None:
    blocks = fmri.block_average(run.replace(events=event_table([185.0], 12.0)))
    assert blocks.samples["n_volumes"].tolist() == [5]
    assert np.asarray(blocks.data)[0, 0] == np.arange(95, 100).mean()


def test_volumes_outside_the_valid_stretches_are_not_averaged(run: Recording) -> None:
    scrubbed = run.replace(valid=Intervals([0, 12], [10, 200]))
    blocks = fmri.block_average(scrubbed)
    assert blocks.samples["n_volumes"].tolist() == [5, 6, 6, 6, 6]
    assert np.asarray(blocks.data)[0, 0] == pytest.approx(np.mean([3, 4, 6, 7, 8]))


def test_trial_types(run: Recording) -> None:
    blocks = fmri.block_average(run, trial_types=["face", "cat"])
    assert blocks.samples["trial_type"].tolist() == ["face", "cat", "face"]
    assert fmri.block_average(run, trial_types="house").meta["steps"][-1]["trial_types"] == ["house"]
    with pytest.raises(DataError, match=r"no event of trial_type 'hose'.*did you mean 'house'"):
        fmri.block_average(run, trial_types="hose")


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (None, "has 0 events, expected at least one"),
        (event_table([10.0], 0.0), "none of the 1 events .* Give duration="),
        (event_table([1000.0], 12.0), "none of the 1 events"),
    ],
)
def test_nothing_to_average(run: Recording, events: pd.DataFrame | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fmri.block_average(run.replace(events=events))


def test_trial_types_need_their_column(run: Recording) -> None:
    with pytest.raises(DataError, match="has no column 'trial_type'"):
        fmri.block_average(run.replace(events=pd.DataFrame({"onset": [1.0]})), trial_types="face")


def test_runs_are_joined_and_counts_add_up(run: Recording) -> None:
    second = run.replace(events=pd.concat([run.events, event_table([400.0], 12.0)]), meta={**run.meta, "run": "2"})
    blocks = fmri.block_average([run, second])
    assert blocks.samples["run"].tolist() == ["1"] * 5 + ["2"] * 5
    assert blocks.meta["drops"] == {"events": 11, "kept": 10, "without a volume": 1}
    assert "run" not in blocks.meta
    assert blocks.meta["subject"] == "01"
    assert blocks.meta["steps"][-1]["step"] == "fmri.block_average"
    assert [d["events"] for d in blocks.meta["steps"][-1]["drops"]] == [5, 6]


def test_channel_that_is_bad_in_one_run_is_bad(run: Recording) -> None:
    marked = run.replace(channels=run.channels.assign(bad=[False, True, False]))
    assert fmri.block_average([run, marked]).units["bad"].tolist() == [False, True, False]


def test_runs_that_do_not_match_are_refused(run: Recording) -> None:
    with pytest.raises(DataError, match="part 1 has other units than part 0"):
        fmri.block_average([run, run.pick([0, 1])])
    with pytest.raises(DataError, match="different steps"):
        fmri.block_average([run, fmri.clean(run, high_pass=None, detrend="linear")])
    with pytest.raises(DataError, match=r"got \[\], expected"):
        fmri.block_average([])


def test_nan_spreads(run: Recording) -> None:
    data = np.array(run.data)
    data[1, 4] = np.nan
    blocks = np.asarray(fmri.block_average(run.replace(data=data)).data)
    assert np.isnan(blocks).sum() == 1
    assert np.isnan(blocks[0, 1])


@pytest.mark.parametrize(("duration", "method"), [(12.0, "block_average"), (10.0, "block_average"), (9.9, "lss"), (1.0, "lss")])
def test_method_follows_the_length_of_the_events(rng: np.random.Generator, duration: float, method: str) -> None:
    run, _ = simulate(rng, event_table(np.arange(10, 350, 30.0), duration), n_voxels=5)
    made = fmri.responses(run)
    assert made.meta["steps"][-1]["method"] == method
    assert f"{duration:g} s" in made.meta["steps"][-1]["reason"]
    expected = fmri.block_average(run) if method == "block_average" else fmri.betas(run)
    np.testing.assert_array_equal(made.data, expected.data)


def test_one_short_event_makes_all_runs_betas(rng: np.random.Generator) -> None:
    long, _ = simulate(rng, event_table([10.0, 60.0, 110.0], 20.0), n_voxels=5)
    short, _ = simulate(rng, event_table([10.0, 60.0, 110.0], 2.0), n_voxels=5)
    steps = fmri.responses([long, short]).meta["steps"]
    assert [step["step"] for step in steps] == ["fmri.betas", "fmri.responses"]


def test_method_can_be_asked_for(rng: np.random.Generator) -> None:
    run, _ = simulate(rng, event_table([10.0, 60.0, 110.0], 20.0), n_voxels=5)
    made = fmri.responses(run, method="lsa", beta_options={"hrf": "spm"})
    np.testing.assert_array_equal(made.data, fmri.betas(run, method="lsa", hrf="spm").data)
    assert made.meta["steps"][-1]["reason"] == "asked for"
    with pytest.raises(DataError, match=r"\['hrf'\] do not apply to block averages"):
        fmri.responses(run, beta_options={"hrf": "spm"})
    with pytest.raises(DataError, match="method='mean' is unknown"):
        fmri.responses(run, method="mean")  # type: ignore[arg-type]


def test_pictures_of_a_block_are_joined(run: Recording) -> None:
    pictures = event_table([0, 2, 4, 40, 42], 0.5, ["face"]).assign(trial_type=["face"] * 3 + ["house"] * 2)
    joined = fmri.join_blocks(run.replace(events=pictures), gap=4.0)
    assert joined.events[["onset", "duration", "trial_type", "n_events"]].values.tolist() == [
        [0.0, 4.5, "face", 3],
        [40.0, 2.5, "house", 2],
    ]
    assert joined.meta["steps"][-1]["n_blocks"] == 2
    assert joined.data is run.data
    with pytest.raises(DataError, match=r"gap must be 0 s or more, got -1\.0"):
        fmri.join_blocks(run, gap=-1.0)
    with pytest.raises(DataError, match="'eeg'"):
        fmri.join_blocks(run.replace(meta={"modality": "eeg"}))
