"""Videos as responses: clips or frames with their times, equal to a plain call of the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import films, hidden_states, pictures

from neurodecode.data import Stimuli
from neurodecode.errors import DataError
from neurodecode.features import embed_images, embed_video, load_model, to_tr
from neurodecode.features.video import plan_clips

Tiny = Callable[[str], Path]


def plain(folder: Path, clip: np.ndarray) -> np.ndarray:
    """Hidden states of one clip, shape (n_layers, n_tokens, d)."""
    pixels = load_model(folder).image_processor([list(clip)], return_tensors="pt")["pixel_values"]
    return np.stack([s[0] for s in hidden_states(folder, pixel_values=pixels)])


def test_clips_are_equal_to_a_plain_call(tiny: Tiny) -> None:
    stimuli = films(11, 4)
    found = embed_video(stimuli, tiny("videomae"), sfreq=10.0)
    assert found.samples.to_numpy().tolist() == [["film0", 0.0, 0.4], ["film0", 0.4, 0.8], ["film1", 0.0, 0.4]]
    for row, clip in enumerate([stimuli[0][:4], stimuli[0][4:8], stimuli[1]]):
        np.testing.assert_allclose(found.data[row], plain(tiny("videomae"), clip).mean(1).ravel(), rtol=1e-4, atol=1e-5)


def test_moments_of_a_clip(tiny: Tiny) -> None:
    stimuli = films(9)
    found = embed_video(stimuli, tiny("videomae"), sfreq=10.0, pooling="time")
    np.testing.assert_allclose(found.samples["onset"], [0.0, 0.2, 0.4, 0.6], atol=1e-12)
    np.testing.assert_allclose(found.samples["offset"], [0.2, 0.4, 0.6, 0.8], atol=1e-12)
    states = plain(tiny("videomae"), stimuli[0][4:8])
    for row, half in ((2, slice(0, 16)), (3, slice(16, 32))):
        np.testing.assert_allclose(found.data[row], states[:, half].mean(1).ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "projected"])
def test_frames_are_images(tiny: Tiny, pooling: str) -> None:
    stimuli = films(5)
    found = embed_video(stimuli, tiny("clip"), sfreq=4.0, pooling=pooling, every=2, batch_size=2)
    frames = Stimuli(["0", "2", "4"], list(stimuli[0][::2]), "image")
    np.testing.assert_allclose(found.data, embed_images(frames, tiny("clip"), pooling=pooling).data, atol=1e-5)
    assert found.samples["onset"].tolist() == [0.0, 0.5, 1.0]
    assert found.samples["offset"].tolist() == [0.5, 1.0, 1.25]


@pytest.mark.parametrize("kind", ["clip", "videomae"])
def test_one_row_per_video(tiny: Tiny, kind: str) -> None:
    stimuli = films(9, 5)
    rows = embed_video(stimuli, tiny(kind), sfreq=10.0)
    means = embed_video(stimuli, tiny(kind), sfreq=10.0, average=True)
    np.testing.assert_allclose(means.data, rows.average().data, atol=1e-5)
    assert means.samples["n_averaged"].tolist() == rows.samples["stimulus"].value_counts(sort=False).tolist()


def test_the_rate_of_each_video_from_the_table(tiny: Tiny) -> None:
    two = films(2, 2)
    stimuli = Stimuli(two.ids, list(two), "video", {"id": two.ids, "sfreq": [10.0, 20.0]})  # type: ignore[arg-type]
    for rates in (None, [10.0, 20.0]):
        assert embed_video(stimuli, tiny("clip"), layers=1, sfreq=rates).samples["onset"].tolist() == [0.0, 0.1, 0.0, 0.05]


def test_frames_last_until_the_next(tiny: Tiny) -> None:
    """On the clock of the scans, frames are averaged: none counts twice where a film has more of them."""
    found = embed_video(films(8), tiny("clip"), sfreq=4.0, layers=-1)
    scans = to_tr(found, TR=1.0, n_scans=2, method="box")
    np.testing.assert_allclose(scans.data, np.asarray(found.data).reshape(2, 4, -1).mean(1), atol=1e-5)


@pytest.mark.parametrize(
    ("n", "per_clip", "every", "frames", "times"),
    [
        (8, 4, 1, [[0, 1, 2, 3], [4, 5, 6, 7]], [(0, 4), (4, 8)]),
        (11, 4, 2, [[0, 2, 4, 6]], [(0, 8)]),
        (7, 4, 2, [[0, 2, 4, 6]], [(0, 7)]),
        (3, 4, 1, [[0, 1, 1, 2]], [(0, 3)]),
        (1, 4, 1, [[0, 0, 0, 0]], [(0, 1)]),
        (3, 1, 1, [[0], [1], [2]], [(0, 1), (1, 2), (2, 3)]),
        (5, 1, 3, [[0], [3]], [(0, 3), (3, 5)]),
    ],
)
def test_clips_follow_each_other(n: int, per_clip: int, every: int, frames: Any, times: Any) -> None:
    clips = plan_clips(n, per_clip, every, 1.0)
    assert [c.frames.tolist() for c in clips] == frames
    assert [(c.onset, c.offset) for c in clips] == times


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_batches_make_no_difference(tiny: Tiny, batch_size: int) -> None:
    whole = embed_video(films(16), tiny("videomae"), sfreq=10.0)
    np.testing.assert_allclose(
        embed_video(films(16), tiny("videomae"), sfreq=10.0, batch_size=batch_size).data, whole.data, atol=1e-5
    )


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("clip", {"sfreq": None}, "frame rate of these 1 videos is not known"),
        ("clip", {"sfreq": 0.0}, "sfreq"),
        ("clip", {"sfreq": [10.0, 10.0]}, "one for each of 1 videos"),
        ("clip", {"every": 0}, "every"),
        ("clip", {"pooling": "none"}, "pooling='none'"),
        ("clip", {"pooling": "time"}, "sees several frames at once"),
        ("videomae", {"pooling": "projected"}, "without an embedding of its own"),
        ("videomae", {"pooling": "cls"}, "no class token"),
        ("videomae", {"layers": 5}, "no layer 5"),
        ("gpt2", {}, "not images"),
    ],
)
def test_wrong_arguments(tiny: Tiny, kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        embed_video(films(5), tiny(kind), **{"sfreq": 10.0, **options})


def test_only_videos_with_frames(tiny: Tiny) -> None:
    with pytest.raises(DataError, match="kind 'image'"):
        embed_video(pictures(1), tiny("clip"), sfreq=1.0)
    with pytest.raises(DataError, match="'film0' has no frames"):
        embed_video(films(0), tiny("clip"), sfreq=1.0)


def test_the_cache_knows_the_rate(tiny: Tiny, tmp_path: Path) -> None:
    first, again = (embed_video(films(4), tiny("clip"), sfreq=10.0, cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.data, again.data)
    embed_video(films(4), tiny("clip"), sfreq=20.0, cache=tmp_path)
    assert len(list(tmp_path.glob("embed_video-*"))) == 2
