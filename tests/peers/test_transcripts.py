"""Our TextGrids against praatio's, in all of its forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodecode.io import read_transcript


@pytest.mark.parametrize("form", ["short_textgrid", "long_textgrid"])
def test_words_are_those_of_praatio(form: str, tmp_path: Path, rng: np.random.Generator) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    borders = np.cumsum(np.round(rng.uniform(0.05, 0.5, 81), 4))
    labels = [f'w{i} "said" ünd' if i % 3 else f"w{i}" for i in range(80)]
    entries = [(float(a), float(b), label) for a, b, label in zip(borders, borders[1:], labels, strict=False) if label != "w9"]
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("words", entries, 0, float(borders[-1]) + 1))
    grid.addTier(textgrid.PointTier("beats", [(0.5, "x")], 0, float(borders[-1]) + 1))
    path = tmp_path / "story.TextGrid"
    grid.save(str(path), format=form, includeBlankSpaces=True)
    theirs = textgrid.openTextgrid(str(path), includeEmptyIntervals=False).getTier("words").entries
    ours = read_transcript(path)
    assert ours["word"].tolist() == [entry.label for entry in theirs]
    np.testing.assert_array_equal(ours["onset"], [entry.start for entry in theirs])
    np.testing.assert_array_equal(ours["offset"], [entry.end for entry in theirs])
