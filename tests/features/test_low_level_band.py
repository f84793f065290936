"""One call for whatever was shown, heard or read, and its place in the runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Responses, Stimuli
from neurodecode.errors import DataError
from neurodecode.features import at_events, nuisance_band, to_tr
from neurodecode.io import read_transcript

FILM = np.zeros((6, 64, 64, 3), np.uint8)
BANDS = [
    (Stimuli(["x"], [FILM[0]], "image"), {}, "luminance"),
    (Stimuli(["x"], [(np.ones(800, np.float32), 800.0)], "audio"), {"fmax": 300.0}, "envelope"),
    (Stimuli(["x"], [FILM], "video"), {"sfreq": 12.0}, "change"),
    (Stimuli(["x"], ["so it goes"], "text"), {}, "n_words"),
    (pd.DataFrame({"onset": [0.0], "offset": [1.0], "word": ["so"]}), {}, "word_rate"),
]


@pytest.mark.parametrize(("stimuli", "options", "expected"), BANDS)
def test_the_kind_chooses_the_features(stimuli: object, options: dict[str, float], expected: str) -> None:
    out = nuisance_band(stimuli, **options)  # type: ignore[arg-type]
    assert isinstance(out, Responses)
    assert expected in out.units["name"].tolist()
    assert out.units["kind"].unique().tolist() == ["low_level"]


@pytest.mark.parametrize("stimuli", [pd.DataFrame({"text": ["a"]}), np.zeros(3), "words"])
def test_something_else_is_refused(stimuli: object) -> None:
    with pytest.raises(DataError, match="needs Stimuli, or a table of words"):
        nuisance_band(stimuli)  # type: ignore[arg-type]


def films() -> Responses:
    """Two films of three and two frames."""
    table = {"stimulus": ["a"] * 3 + ["b"] * 2, "onset": [0, 1, 2, 0, 1.0], "duration": 1.0}
    return Responses(np.arange(1, 6.0)[:, None], table, {"name": ["luminance"]}, meta={"held": True})


def test_films_are_put_where_they_were_shown() -> None:
    events = pd.DataFrame(
        {"onset": [10, 2.5, 0, 5], "duration": [0, 2.5, 0, 0], "stimulus": ["a", "b", None, "a"], "run": ["1", "1", "2", "2"]}
    )
    out = at_events(films(), events)
    assert out.samples["onset"].tolist() == [10, 11, 12, 2.5, 3.5, 5, 6, 7]
    assert out.samples["run"].tolist() == ["1"] * 5 + ["2"] * 3
    assert out.data[:, 0].tolist() == [1, 2, 3, 4, 5, 1, 2, 3]
    scans = to_tr(out, TR=1.0, n_scans=14, method="box")
    np.testing.assert_allclose(scans.data[[2, 3, 10, 12, 13], 0], [4, 4.5, 1, 3, 0], atol=1e-6)
    np.testing.assert_allclose(scans.data[[14 + 5, 14 + 7, 14 + 9], 0], [1, 3, 0], atol=1e-6)


def test_a_film_that_was_stopped_is_cut() -> None:
    out = at_events(films(), pd.DataFrame({"onset": [1.0], "duration": [2.0], "stimulus": ["a"]}))
    assert out.data[:, 0].tolist() == [1, 2]


def test_images_last_as_long_as_they_were_shown() -> None:
    images = Responses([[1.0], [3.0]], {"stimulus": ["x", "y"]}, {"name": ["contrast"]})
    events = pd.DataFrame({"onset": [1.0, 4.0], "duration": [0.5, 2.0], "stimulus": ["y", "x"], "run": 1})
    out = at_events(images, events)
    assert out.samples["onset"].tolist() == [1.0, 4.0]
    assert out.samples["duration"].tolist() == [0.5, 2.0]
    assert out.data[:, 0].tolist() == [3.0, 1.0]


def test_ends_move_with_the_begin() -> None:
    words = Responses([[1.0]], {"stimulus": ["s"], "onset": [0.5], "offset": [0.75]}, {"name": ["rate"]})
    out = at_events(words, pd.DataFrame({"onset": [10.0], "stimulus": ["s"]}))
    assert out.samples[["onset", "offset"]].iloc[0].tolist() == [10.5, 10.75]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ({"stimulus": ["a"]}, "no column 'onset'"),
        ({"onset": [0.0]}, "no column 'stimulus'"),
        ({"onset": [0.0], "stimulus": ["c"]}, r"'c' was presented and has no features; features are of \['a', 'b'\]"),
        ({"onset": [0.0], "stimulus": [None]}, "names no stimulus in any of 1 events"),
    ],
)
def test_events_that_do_not_fit(events: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        at_events(films(), pd.DataFrame(events))


def test_from_a_transcript_to_the_scans(tmp_path: Path) -> None:
    spoken = "\n".join(f"{0.4 * i:.1f}\t0.3\tword{i}{'.' if i % 5 == 4 else ''}" for i in range(50))
    (tmp_path / "story.tsv").write_text(f"onset\tduration\tword\n{spoken}\n")
    band = nuisance_band(read_transcript(tmp_path / "story.tsv"), features=["word_rate", "word_length", "sentence_end"])
    scans = to_tr(band, TR=1.5, n_scans=20, method="box")
    assert scans.samples["duration"].unique().tolist() == [1.5]
    np.testing.assert_allclose(scans.data.sum(axis=0), [50, 290, 10], rtol=1e-6)


def test_frames_of_a_network_are_averaged_and_words_are_not() -> None:
    frames = Responses(np.full((40, 1), 2.0), {"onset": np.arange(40) / 10}, {"name": ["x"]}, meta={"held": True})
    np.testing.assert_allclose(to_tr(frames, TR=1.0, n_scans=4).data, 2.0, rtol=1e-6)
    again = to_tr(to_tr(frames, TR=0.5, n_scans=8), TR=1.0, n_scans=4)
    np.testing.assert_allclose(again.data, 2.0, rtol=1e-6)
