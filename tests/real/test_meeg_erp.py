"""The two Muse sets: kept epochs per run and the size of the evoked difference, as their README has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from neurodecode.data import Responses, concatenate
from neurodecode.io import read_bids_all
from neurodecode.preprocess import meeg

N170 = ("muse_n170", ("house", "face"), [[107, 86], [89, 101], [102, 89], [85, 91]])
P300 = ("muse_p300", ("nontarget", "target"), [[162, 32], [159, 28], [152, 37], [158, 33], [157, 30], [170, 24]])


@lru_cache(maxsize=2)
def epochs_of(root: Path) -> list[Responses]:
    """Epochs of each run by the method of the README."""
    return [
        meeg.epochs(meeg.filter(recording, 1.0, 30.0), -0.1, 0.8, None, reject_peak_to_peak=100e-6)
        for recording in read_bids_all(root, datatype="eeg")
    ]


@pytest.mark.parametrize(("name", "classes", "expected"), [N170, P300])
def test_as_many_epochs_are_kept_per_run_as_in_the_readme(
    real: Callable[..., Path], name: str, classes: tuple[str, str], expected: list[list[int]]
) -> None:
    runs = epochs_of(real(name))
    assert [[int((run.samples["trial_type"] == c).sum()) for c in classes] for run in runs] == expected
    for run, counts in zip(runs, expected, strict=True):
        drops = run.meta["drops"]
        assert drops["kept"] == sum(counts) == drops["events"] - drops["peak-to-peak"] - drops["outside the recording"]
    assert [run.samples["run"].iloc[0] for run in runs] == [f"0{i + 1}" for i in range(len(runs))]


@pytest.mark.parametrize(
    ("name", "classes", "window", "size", "latency"),
    [
        ("muse_n170", ("face", "house"), (0.15, 0.3), -2.24, 0.215),
        ("muse_p300", ("target", "nontarget"), (0.2, 0.6), -4.12, 0.324),
    ],
)
def test_the_evoked_difference_is_that_of_the_readme(
    real: Callable[..., Path], name: str, classes: tuple[str, str], window: tuple[float, float], size: float, latency: float
) -> None:
    joined = concatenate(epochs_of(real(name)))
    temporal = joined.select(units=joined.units["name"].isin(["TP9", "TP10"]).to_numpy(), tmin=window[0], tmax=window[1])
    first, second = (temporal.select(trial_type=c).data.mean(axis=(0, 1), dtype=np.float64) for c in classes)
    difference = 1e6 * (first - second)
    assert difference.min() == pytest.approx(size, abs=0.005)
    assert temporal.times[np.argmin(difference)] == pytest.approx(latency, abs=0.001)


@pytest.mark.parametrize(("name", "line"), [("muse_n170", 60.0), ("muse_p300", 50.0)])
def test_the_mains_peak_is_seen_and_taken_out(real: Callable[..., Path], name: str, line: float) -> None:
    recording = read_bids_all(real(name), run="01")[0]
    assert recording.meta["line_freq"] == line
    before = meeg.quality(recording)["line_noise_ratio"]
    after = meeg.quality(meeg.notch(recording))["line_noise_ratio"]
    assert before.median() > 10
    assert after.median() < 3


def test_the_noisy_channel_of_the_oddball_set_shows_in_the_quality_table(real: Callable[..., Path]) -> None:
    table = meeg.quality(meeg.filter(read_bids_all(real("muse_p300"), run="01")[0], 1.0, 30.0)).set_index("name")
    assert table["std"].idxmax() == "TP9"
    assert not table["bad"].any()


def test_whitening_makes_the_noise_of_a_run_left_out_more_alike(real: Callable[..., Path]) -> None:
    runs = epochs_of(real("muse_p300"))
    noise = meeg.noise_covariance(concatenate(runs[:-1]))
    spread = [np.ptp(np.log(np.asarray(r.data).std(axis=(0, 2)))) for r in (runs[-1], meeg.whiten(runs[-1], noise))]
    assert spread[1] < 0.6 * spread[0]
