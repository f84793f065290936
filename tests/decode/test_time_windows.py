"""Retrieval over windows of time: what is planted at 0.1 to 0.3 s is found there and nowhere before."""

from __future__ import annotations

import meeg_worlds as mw
import numpy as np
import pytest

from neurodecode.decode import MEEGImageDecoder, retrieval_over_time
from neurodecode.decode.time_windows import time_windows
from neurodecode.errors import DataError

TIMES = np.arange(-4, 12) / mw.SFREQ


def test_windows_slide_or_grow() -> None:
    sliding = time_windows(TIMES, "sliding", 0.1, 0.05)
    np.testing.assert_allclose(sliding[[0, -1]], [[-0.2, -0.1], [0.5, 0.6]])
    assert len(sliding) == 15
    growing = time_windows(TIMES, "growing", 0.1, 0.1)
    np.testing.assert_allclose(growing[:, 0], -0.2)
    np.testing.assert_allclose(growing[[0, -1], 1], [-0.1, 0.6])


@pytest.mark.parametrize(
    ("mode", "width", "stride", "message"),
    [("jumping", 0.1, 0.1, "mode"), ("sliding", 2.0, 0.1, "do not fit"), ("sliding", 0.1, 0.0, "stride")],
)
def test_windows_that_do_not_fit(mode: str, width: float, stride: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        time_windows(TIMES, mode, width, stride)


def test_planted_information_is_found_where_it_is() -> None:
    world = mw.images(noise=0.3, splits={"train": 60, "validation": 10, "test": 40})
    course = retrieval_over_time(world.responses, world.targets, width=0.1, stride=0.1, k=5)
    assert course.chance == pytest.approx(5 / 40)
    inside = (course.windows[:, 0] >= 0.1 - 1e-9) & (course.windows[:, 1] <= 0.3 + 1e-9)
    assert inside.sum() == 2
    assert (course.accuracy[inside] > 0.9).all()
    outside = (course.windows[:, 1] <= 0.1 + 1e-9) | (course.windows[:, 0] >= 0.3 - 1e-9)
    assert np.abs(course.accuracy[outside] - course.chance).max() < 0.2
    assert course.before.sum() == 2
    assert course.leaks is False
    table = course.to_dataframe()
    assert table["before"].sum() == 2
    assert "before the stimulus at most" in repr(course)
    assert course.to_dict()["leaks"] is False


def test_responses_that_look_ahead_are_noticed() -> None:
    """As a filter that smears responses backwards does."""
    world = mw.images(noise=0.3, splits={"train": 60, "validation": 10, "test": 40})
    smeared = world.responses.replace(data=world.responses.data + 2 * np.roll(world.responses.data, -6, axis=2))
    course = retrieval_over_time(smeared, world.targets, width=0.1, stride=0.1, k=5)
    assert course.accuracy[course.before].max() > 0.5
    assert course.leaks


def test_growing_windows_collect() -> None:
    world = mw.images(noise=1.0, splits={"train": 60, "validation": 10, "test": 40})
    course = retrieval_over_time(
        world.responses, world.targets, mode="growing", width=0.2, stride=0.2, k=1, aggregation="instance"
    )
    assert course.accuracy[-1] > course.accuracy[0] + 0.3
    after = retrieval_over_time(world.responses.select(tmin=0.0), world.targets, width=0.3, stride=0.3, k=1)
    assert after.leaks is None
    assert any("no control" in note for note in after.notes)


def test_any_decoder_of_images() -> None:
    world = mw.images()
    decoder = MEEGImageDecoder("projection", trainer=mw.QUICK)
    course = retrieval_over_time(world.responses, world.targets, decoder=decoder, width=0.4, stride=0.4, k=5, n_bootstrap=0)
    assert course.results[0].decoder == "network projection"
    assert np.isfinite(course.to_dataframe()["ridge"]).all()
    flat = world.responses.replace(data=world.responses.data[:, :, 0], times=None)
    with pytest.raises(DataError, match="no time axis"):
        retrieval_over_time(flat, world.targets)
