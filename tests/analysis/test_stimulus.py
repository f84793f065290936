"""When stimuli were on, and how much of a component falls into them, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurodecode.analysis.connectome.stimulus import stimulus_courses, stimulus_overlap
from neurodecode.errors import DataError


def test_a_stimulus_is_on_from_its_onset_to_before_its_end() -> None:
    events = pd.DataFrame({"onset": [1.0, 6.0, 2.0], "duration": [2.0, 1.5, 1.0], "trial_type": ["salt", "salt", "odour"]})
    found = stimulus_courses(events, np.arange(0.0, 10.0, 0.5))
    assert list(found) == ["odour", "salt"]
    assert np.flatnonzero(found["salt"]).tolist() == [2, 3, 4, 5, 12, 13, 14]
    assert np.flatnonzero(found["odour"]).tolist() == [4, 5]


def test_kinds_may_be_numbers() -> None:
    events = pd.DataFrame({"onset": [1.0, 3.0], "duration": 1.0, "trial_type": [2, 1]})
    assert list(stimulus_courses(events, np.arange(6.0))) == ["1", "2"]


def test_an_event_without_duration_is_never_on() -> None:
    assert stimulus_courses(pd.DataFrame({"onset": [1.0], "duration": 0.0, "trial_type": "click"}), np.arange(6.0)) == {}


@pytest.mark.parametrize("missing", ["onset", "duration", "trial_type"])
def test_missing_columns_are_told(missing: str) -> None:
    events = pd.DataFrame({"onset": [1.0], "duration": [1.0], "trial_type": ["a"]}).drop(columns=missing)
    with pytest.raises(DataError, match=missing):
        stimulus_courses(events, np.arange(4.0))


def test_a_course_within_its_stimulus_has_the_least_p() -> None:
    """Of 100 frames 5 are on; shifts of 5 to 95 frames miss it."""
    on = np.zeros(100, bool)
    on[40:45] = True
    table = stimulus_overlap(np.stack([on, ~on, np.zeros(100)], axis=1), {"tone": on})
    assert table["component"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(table["overlap"], [1, 0, 0], atol=1e-12)
    assert table["p"].tolist() == pytest.approx([1 / 92, 1, 1])
    assert (table["n_shifts"] == 91).all()
    assert table["chance"].tolist() == [0.05] * 3


def test_the_scale_of_a_course_does_not_count() -> None:
    course = np.random.default_rng(0).random((80, 1))
    on = np.arange(80) < 20
    a, b = (stimulus_overlap(scale * course, {"tone": on}) for scale in (1.0, 1e-12))
    pd.testing.assert_frame_equal(a, b)


def test_a_constant_course_shares_what_the_stimulus_covers() -> None:
    (row,) = stimulus_overlap(np.ones((50, 1)), {"tone": np.arange(50) < 10}).itertuples()
    assert row.overlap == pytest.approx(0.2)
    assert row.p == 1.0


def test_without_stimuli_the_table_is_empty() -> None:
    table = stimulus_overlap(np.ones((50, 2)), {})
    assert list(table) == ["component", "stimulus", "overlap", "chance", "p", "n_shifts"]
    assert len(table) == 0
