"""An embedding is computed once, kept whole, and computed again when anything it depends on changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from worker_jobs import embed_and_count

from neurodecode.data import Responses, Stimuli, load, save
from neurodecode.errors import CorruptFileError, DataError, OutputExistsError
from neurodecode.features.cache import HalfArray, embedded, stimulus_hash
from neurodecode.features.units import Block, Site

ROWS = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)


class Maker:
    """Gives the rows in blocks and counts how often it was asked."""

    def __init__(self, rows: np.ndarray = ROWS, size: int = 3, fails_at: int | None = None) -> None:
        self.rows, self.size, self.fails_at, self.calls = rows, size, fails_at, 0

    def __call__(self) -> Iterator[Block]:
        self.calls += 1
        for start in range(0, len(self.rows), self.size):
            if start == self.fails_at:
                raise DataError(f"stopped at {start}")
            part = self.rows[start : start + self.size]
            table = pd.DataFrame({"stimulus": [f"s{start + i}" for i in range(len(part))], "onset": 0.1 * start})
            yield Block({Site("hidden", 0): part[:, :1], Site("hidden", 2): part[:, 1:]}, table)


MODEL = {"id": "tiny", "revision": None, "files": {"config.json": "abc"}}


def embed(maker: Maker, cache: Path | None = None, **changes: Any) -> Responses:
    options = {"settings": {"layers": "all"}, "content": lambda: "stimuli", "model": MODEL, "stored_as": "float32", **changes}
    return embedded("embed_things", blocks=maker, cache=cache, **options)


def folders(cache: Path) -> list[Path]:
    return sorted(p for p in cache.iterdir() if not p.name.startswith("."))


def test_memory_and_disk_hold_the_same(tmp_path: Path) -> None:
    maker = Maker()
    here, there = embed(maker), embed(maker, tmp_path)
    np.testing.assert_array_equal(here.data, ROWS)
    np.testing.assert_array_equal(there.data, ROWS)
    assert isinstance(there.data, np.memmap)
    pd.testing.assert_frame_equal(here.samples, there.samples)
    pd.testing.assert_frame_equal(here.units, there.units)
    assert here.meta["steps"] == there.meta["steps"]
    assert there.meta["recipe"]["model"] == MODEL


def test_a_second_call_opens_what_is_there(tmp_path: Path) -> None:
    maker = Maker()
    first, second = embed(maker, tmp_path), embed(maker, tmp_path)
    assert maker.calls == 1
    np.testing.assert_array_equal(first.data, second.data)
    assert len(folders(tmp_path)) == 1


def test_without_a_cache_the_stimuli_are_not_hashed() -> None:
    def content() -> str:
        raise AssertionError("was read")

    assert embed(Maker(), content=content).n_samples == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"layers": [1]}},
        {"content": lambda: "other stimuli"},
        {"model": {**MODEL, "files": {"config.json": "abd"}}},
        {"model": {**MODEL, "revision": "1"}},
        {"model": None},
        {"stored_as": "float16"},
    ],
)
def test_whatever_changes_is_computed_anew(tmp_path: Path, changes: dict[str, Any]) -> None:
    maker = Maker()
    embed(maker, tmp_path)
    embed(maker, tmp_path, **changes)
    assert maker.calls == 2
    assert len(folders(tmp_path)) == 2


def test_a_newer_code_computes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker()
    embed(maker, tmp_path)
    monkeypatch.setattr("neurodecode.features.cache._VERSION", 10**6)
    embed(maker, tmp_path)
    assert maker.calls == 2


@pytest.mark.parametrize("member", ["data.npy", "samples.tsv", "units.tsv", "meta.json"])
@pytest.mark.parametrize("how", ["cut", "altered", "removed"])
def test_what_is_damaged_is_computed_again_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, member: str, how: str
) -> None:
    maker = Maker()
    embed(maker, tmp_path)
    path = folders(tmp_path)[0] / member
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(content[:-2] if how == "cut" else content[:-2] + b"~\n")
    if (member, how) == ("meta.json", "removed"):  # no longer known as ours: never overwritten
        with pytest.raises(OutputExistsError, match=folders(tmp_path)[0].name):
            embed(maker, tmp_path)
        return
    with caplog.at_level(logging.WARNING):
        again = embed(maker, tmp_path)
    assert maker.calls == 2
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(again.data, ROWS)


def test_the_folder_is_one_of_the_store(tmp_path: Path) -> None:
    embed(Maker(), tmp_path)
    folder = folders(tmp_path)[0]
    assert folder.name.startswith("embed_things-")
    np.testing.assert_array_equal(load(folder).data, ROWS)
    (folder / "data.npy").write_bytes(b"")
    with pytest.raises(CorruptFileError):
        load(folder)


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="stopped at 3"):
        embed(Maker(fails_at=3), tmp_path)
    assert folders(tmp_path) == []
    assert embed(Maker(), tmp_path).n_samples == 7


@pytest.mark.parametrize("on_disk", [True, False])
def test_nothing_to_embed(tmp_path: Path, on_disk: bool) -> None:
    with pytest.raises(DataError, match="nothing to embed"):
        embed(Maker(ROWS[:0]), tmp_path if on_disk else None)
    assert folders(tmp_path) == []


def test_half_precision_takes_half_the_space(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).standard_normal((200, 50)).astype(np.float32)
    maker = Maker(rows, 64)
    half = embed(maker, tmp_path, stored_as="float16")
    assert (folders(tmp_path)[0] / "data.npy").stat().st_size < 2 * rows.size + 256
    assert half.data.dtype == np.float32
    np.testing.assert_allclose(half.data, rows, rtol=5e-4, atol=1e-7)
    np.testing.assert_array_equal(embed(maker, tmp_path, stored_as="float16").data, half.data)
    assert maker.calls == 1


@pytest.mark.parametrize("value", [1e5, -1e5])
def test_a_value_too_large_for_half_precision(tmp_path: Path, value: float) -> None:
    rows = np.where(np.arange(28).reshape(7, 4) == 20, value, ROWS)
    with pytest.raises(DataError, match="100000 does not fit into float16"):
        embed(Maker(rows), tmp_path, stored_as="float16")
    assert folders(tmp_path) == []


def test_half_precision_keeps_nan(tmp_path: Path) -> None:
    rows = np.where(np.arange(28).reshape(7, 4) == 20, np.nan, ROWS)
    assert np.isnan(np.asarray(embed(Maker(rows), tmp_path, stored_as="float16").data)).sum() == 1


def test_an_unknown_type_on_disk() -> None:
    with pytest.raises(DataError, match="stored_as='float8'"):
        embed(Maker(), stored_as="float8")


def test_a_half_array_behaves_like_an_array(tmp_path: Path) -> None:
    stored = ROWS.astype(np.float16)
    half, wide = HalfArray(stored), stored.astype(np.float32)
    assert (len(half), half.ndim, half.nbytes) == (7, 2, wide.nbytes)
    for index in (2, slice(1, 4), [0, 3], np.arange(7) > 4, (slice(None), 1), (slice(2), [0, 2])):
        np.testing.assert_array_equal(half[index], wide[index])
        assert half[index].dtype == np.float32
    np.testing.assert_array_equal(np.asarray(half, dtype=np.float64), wide)
    np.testing.assert_array_equal(list(half), wide)
    responses = Responses(half, pd.DataFrame({"stimulus": list("aabbccd")}), pd.DataFrame({"layer": [0] * 4}))
    np.testing.assert_allclose(responses.average().data[0], wide[:2].mean(0), rtol=1e-6)
    np.testing.assert_array_equal(responses.select(stimulus="d", units=[3]).data, wide[6:, 3:])
    np.testing.assert_array_equal(load(save(responses, tmp_path / "saved")).data, wide)


def test_the_hash_of_stimuli_follows_ids_and_contents() -> None:
    texts = Stimuli(["a", "b"], ["one", "two"], "text")
    others = [
        Stimuli(["a", "c"], ["one", "two"], "text"),
        Stimuli(["a", "b"], ["one", "too"], "text"),
        Stimuli(["b", "a"], ["two", "one"], "text"),
    ]
    hashes = [stimulus_hash(s) for s in (texts, *others)]
    assert len(set(hashes)) == 4
    assert stimulus_hash(Stimuli(["a", "b"], ["one", "two"], "text")) == hashes[0]


def test_of_two_processes_one_computes(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        sums = list(pool.map(embed_and_count, [str(tmp_path)] * 3))
    assert len(set(sums)) == 1
    assert (tmp_path / "calls").read_text() == "x"
