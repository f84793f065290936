"""Repetition time and time of the first volume."""

from pathlib import Path
from typing import Any

import pytest

from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.io.timing import Stated, start_time, timing

IMAGE = Path("run_bold.nii.gz")


@pytest.mark.parametrize(
    ("header", "sidecar", "tr", "expected"),
    [
        (Stated(2.5, "sec"), {}, None, 2.5),
        (Stated(2500, "msec"), {}, None, 2.5),
        (Stated(720000, "usec"), {}, None, 0.72),
        (Stated(2.5, "sec"), {"RepetitionTime": 2.0}, None, 2.0),
        (Stated(0, "unknown"), {"RepetitionTime": 0.8}, None, 0.8),
        (Stated(float("nan"), "sec"), {"RepetitionTime": 0.8}, None, 0.8),
        (Stated(2000, "sec"), {"RepetitionTime": 2}, None, 2.0),
        (Stated(2.5, "sec"), {"RepetitionTime": 2.0}, 1.5, 1.5),
        (Stated(2.5, "sec"), {"VolumeTiming": [0, 3, 6, 9]}, None, 3.0),
    ],
)
def test_what_states_the_repetition_time(header: Stated, sidecar: dict[str, Any], tr: float | None, expected: float):
    assert timing(IMAGE, header, sidecar, 4, tr).tr == pytest.approx(expected)


@pytest.mark.parametrize(
    ("header", "sidecar", "message"),
    [
        (Stated(2000.0, "sec"), {}, r"between 0.001 and 30 s, got 2000.0; 2000.0 ms would be 2 s.*Pass the repetition time"),
        (Stated(2, "unknown"), {}, "repetition time of 2 without a unit"),
        (Stated(1, "hz"), {}, "repetition time of 1 without a unit"),
        (Stated(0, "sec"), {}, "neither its header nor a JSON sidecar"),
        (Stated(2, "sec"), {"RepetitionTime": 2000}, "RepetitionTime of its sidecar must lie .* got 2000; 2000 ms would be 2 s"),
        (Stated(2, "sec"), {"RepetitionTime": 0}, "got 0"),
        (Stated(2, "sec"), {"RepetitionTime": "2 s"}, "got '2 s'"),
        (Stated(2, "sec"), {"RepetitionTime": True}, "got True"),
        (Stated(2, "sec"), {"VolumeTiming": [0, 2, 4]}, "lists 3 volumes, the image has 4"),
        (Stated(2, "sec"), {"VolumeTiming": [0, 2, 4, 9]}, r"not equally spaced \(2 to 5 s\)"),
        (Stated(2, "sec"), {"StartTime": "0.5"}, "StartTime of its sidecar must be a number of seconds, got '0.5'"),
    ],
)
def test_times_that_cannot_be_right_are_refused(header: Stated, sidecar: dict[str, Any], message: str):
    with pytest.raises(FormatError, match=message) as error:
        timing(IMAGE, header, sidecar, 4)
    assert IMAGE.name in str(error.value)


@pytest.mark.parametrize("value", [-2.0, float("nan"), float("inf")])
def test_a_damaged_header_is_damaged(value: float):
    with pytest.raises(CorruptFileError, match=str(value)):
        timing(IMAGE, Stated(value, "sec"), {}, 4)


@pytest.mark.parametrize("tr", [0.0, -1.0, 2000.0, float("nan")])
def test_a_wrong_argument_is_no_fault_of_the_file(tr: float):
    with pytest.raises(DataError, match="tr must lie between"):
        timing(IMAGE, Stated(2, "sec"), {}, 4, tr)


@pytest.mark.parametrize(
    ("header", "note"),
    [
        (Stated(2.0, "sec"), None),
        (Stated(2.004, "sec"), None),
        (Stated(2000, "msec"), None),
        (Stated(0, "unknown"), None),
        (Stated(1, "unknown"), None),
        (Stated(2000, "sec"), "the header gives the repetition time in ms but calls it s"),
        (Stated(2.5, "sec"), "the header gives a repetition time of 2.5 s; 2 s, as stated outside of it, was used"),
    ],
)
def test_a_header_that_contradicts_the_sidecar_is_noted(header: Stated, note: str | None):
    notes = timing(IMAGE, header, {"RepetitionTime": 2.0}, 4).notes
    assert (notes == []) if note is None else (len(notes) == 1 and notes[0].startswith(note))


@pytest.mark.parametrize(
    ("sidecar", "expected"),
    [
        ({}, 0.0),
        ({"SliceTiming": [0.0, 1.0, 0.5]}, 0.0),  # not corrected: no single time is right
        ({"SliceTimingCorrected": False, "SliceTiming": [0.0, 1.0]}, 0.0),
        ({"StartTime": 0.35}, 0.35),
        ({"StartTime": 0.0, "SliceTimingCorrected": True}, 0.0),
        ({"SliceTimingCorrected": True}, 1.0),
        ({"SliceTimingCorrected": True, "SliceTiming": [0.0, 1.6, 0.8]}, 0.8),
        ({"SliceTimingCorrected": True, "SliceTiming": [0.2, 1.6, 0.8], "StartTime": 0.3}, 0.3),
    ],
)
def test_time_of_the_first_volume(sidecar: dict[str, Any], expected: float):
    assert start_time(IMAGE, sidecar, 2.0) == pytest.approx(expected)


def test_volume_timing_gives_the_time_of_the_first_volume():
    assert timing(IMAGE, Stated(0, "sec"), {"VolumeTiming": [1.5, 4.5, 7.5]}, 3).t0 == 1.5


def test_slice_times_in_ms_are_refused():
    with pytest.raises(FormatError, match="SliceTiming of its sidecar spans 0 to 1600 s, beyond the repetition time of 2 s"):
        start_time(IMAGE, {"SliceTimingCorrected": True, "SliceTiming": [0, 1600]}, 2.0)
