"""Dynamic connectomes of planted groups: what is found, where it is stable, how it goes with stimuli, and that it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neurodecode.analysis.connectome import DynamicConnectome
from neurodecode.analysis.connectome.stimulus import stimulus_courses, stimulus_overlap
from neurodecode.data import Recording
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.simulate import planted_traces

WORLD = planted_traces(24, 240, 6, random_state=3)
NAMES = [f"n{i}" for i in range(24)]


def windows_of(world: object = WORLD) -> pd.DataFrame:
    """A stimulus for the window of each group."""
    times = np.arange(240) / WORLD.sfreq
    rows = [(times[on][0], times[on][-1] - times[on][0], f"s{g}") for g, on in enumerate(WORLD.truth["active"].astype(bool))]
    return pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])


@pytest.fixture(scope="module")
def model() -> DynamicConnectome:
    """Fitted on the planted traces."""
    found = DynamicConnectome(rank=3, n_restarts=2, n_splits=2)
    return found.fit(list(WORLD.traces), names=NAMES, sfreq=WORLD.sfreq, events=windows_of())


def test_planted_groups_come_back_in_their_windows(model: DynamicConnectome) -> None:
    found = model.result_
    active = WORLD.truth["active"].astype(float)
    alike = np.corrcoef(np.vstack([found.time_factors.T, active]))[:3, 3:]
    assert (alike.max(axis=0) > 0.6).all()
    assert sorted(alike.argmax(axis=0)) == [0, 1, 2]
    for group, component in enumerate(alike.argmax(axis=0)):
        inside = WORLD.truth["members"][group].astype(bool)
        graph = found.graphs[component]
        assert graph[np.ix_(inside, inside)].mean() > 3 * graph[np.ix_(~inside, ~inside)].mean()


def test_more_is_explained_than_in_shifted_traces_and_components_are_stable(model: DynamicConnectome) -> None:
    found = model.result_
    assert found.null_explained is not None
    assert found.explained > found.null_explained + 0.05
    assert found.n_stable >= 2
    assert "shifted traces" in repr(found)


def test_each_stimulus_finds_the_component_of_its_window(model: DynamicConnectome) -> None:
    table = model.result_.overlap
    best = table.loc[table.groupby("stimulus")["overlap"].idxmax()]
    assert sorted(best["component"]) == [1, 2, 3]
    assert (best["overlap"] > 2 * best["chance"]).all()
    assert (best["p"] < 0.1).all()


def test_edges_are_the_sum_of_components(model: DynamicConnectome) -> None:
    found = model.result_
    t, w = 100, 2
    by_hand = sum(
        model.ntf_.weights[r] * found.time_factors[t, r] * found.sample_factors[w, r] * found.graphs[r] for r in range(3)
    )
    edges = model.edges(float(found.times[t]), w)
    np.testing.assert_allclose(edges, by_hand, rtol=1e-6)
    np.testing.assert_array_equal(edges, edges.T)
    with pytest.raises(DataError, match="time must lie within"):
        model.edges(1e6, 0)
    with pytest.raises(DataError, match="no sample 'worm9'"):
        model.edges(0.0, "worm9")


def test_a_saved_analysis_comes_back(model: DynamicConnectome, tmp_path: Path) -> None:
    again = DynamicConnectome.load(model.save(tmp_path / "kept"))
    assert again.get_params() == model.get_params()
    for name in ("time_factors", "sample_factors", "graphs", "labels", "confidence"):
        np.testing.assert_array_equal(getattr(again.result_, name), getattr(model.result_, name))
    pd.testing.assert_frame_equal(again.result_.components, model.result_.components)
    assert again.score() == model.score()
    np.testing.assert_allclose(again.edges(10.0, 1), model.edges(10.0, 1))


def test_damage_and_strangers_are_refused(model: DynamicConnectome, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        DynamicConnectome.load(tmp_path)
    kept = model.save(tmp_path / "kept")
    factors = kept / "factors.npz"
    factors.write_bytes(factors.read_bytes()[:-10])
    with pytest.raises(CorruptFileError, match="differs from what was saved"):
        DynamicConnectome.load(kept)
    (kept / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorruptFileError, match="no readable analysis"):
        DynamicConnectome.load(kept)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rank": 0}, "rank"),
        ({"rank": "many"}, "rank"),
        ({"n_restarts": 1}, "n_restarts"),
        ({"communities": "louvain"}, "communities"),
    ],
)
def test_bad_settings_are_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        DynamicConnectome(**wrong)  # type: ignore[arg-type]


QUICK: dict[str, Any] = {"rank": 2, "n_restarts": 2, "n_splits": 1, "communities": None}


def recordings(**meta: str) -> list[Recording]:
    """The first two worms from 100 s on, with two stimuli on that clock."""
    events = pd.DataFrame({"onset": [110.0, 130.0], "duration": 4.0, "trial_type": ["salt", "odour"]})
    channels = pd.DataFrame({"name": NAMES})
    return [
        Recording(trace, WORLD.sfreq, channels, events, t0=100.0, meta={"subject": f"w{k}", **meta})
        for k, trace in enumerate(WORLD.traces[:2])
    ]


@pytest.mark.parametrize(
    ("align", "window", "onsets", "span"),
    [(None, None, [110.0, 130.0], [100.0, 159.75]), ("odour", (-25.0, 25.0), [-20.0, 0.0], [-25.0, 25.0])],
)
def test_stimuli_of_recordings_are_on_the_clock_of_the_analysis(
    align: str | None, window: tuple[float, float] | None, onsets: list[float], span: list[float]
) -> None:
    found = DynamicConnectome(**QUICK, null=False).fit(recordings(), align=align, window=window).result_
    assert found.samples == ["w0", "w1"]
    assert found.events["onset"].tolist() == onsets
    assert found.times[[0, -1]].tolist() == pytest.approx(span)
    chance = found.overlap.groupby("stimulus")["chance"].first()
    assert chance.to_dict() == pytest.approx(dict.fromkeys(("odour", "salt"), 16 / len(found.times)))


def test_the_onset_of_trials_is_time_0_of_their_stimulus() -> None:
    """Also where no kind was asked for, and of a recording that comes alone, shifted traces included."""
    model = DynamicConnectome(**QUICK, sample_mode="trial").fit(recordings()[0], window=(-5.0, 10.0))
    found = model.result_
    assert found.samples == ["w0 trial-0", "w0 trial-1"]
    assert found.events["onset"].tolist() == [0.0, 20.0]
    assert set(found.overlap["stimulus"]) == {"salt"}
    assert found.null_explained is not None


def test_events_that_lack_a_column_are_refused_before_the_work() -> None:
    model = DynamicConnectome(**QUICK)
    with pytest.raises(DataError, match="duration"):
        model.fit(list(WORLD.traces), sfreq=WORLD.sfreq, events=pd.DataFrame({"onset": [1.0], "trial_type": ["a"]}))
    assert not hasattr(model, "ntf_")


def test_without_shifted_traces_a_note_says_so_and_numbers_stay_numbers(tmp_path: Path) -> None:
    model = DynamicConnectome(**QUICK, null=False).fit(list(WORLD.traces), sfreq=WORLD.sfreq)
    found = model.result_
    assert found.null_explained is None
    assert "No shifted traces" in found.notes[0]
    assert (found.labels == 0).all()
    assert found.overlap.empty
    again = DynamicConnectome.load(model.save(tmp_path / "kept"))
    pd.testing.assert_frame_equal(again.result_.components, found.components)
    assert list(again.result_.overlap) == list(found.overlap)
    np.testing.assert_array_equal(again.graphs_, model.graphs_)


def test_without_fit_nothing_is_told() -> None:
    with pytest.raises(DataError, match="not fitted"):
        DynamicConnectome().score()


def test_overlap_and_its_p_equal_a_loop_over_shifts() -> None:
    rng = np.random.default_rng(0)
    courses, on = rng.random((60, 2)), rng.random(60) < 0.3
    table = stimulus_overlap(courses, {"tone": on})
    for column, row in zip(courses.T, table.itertuples(), strict=True):
        shifted = [column @ np.roll(on, k) for k in range(3, 58)]
        assert row.overlap == pytest.approx(column[on].sum() / column.sum())
        assert row.n_shifts == 55
        assert row.p == pytest.approx((1 + sum(s >= column @ on - 1e-9 for s in shifted)) / 56)
        assert row.chance == pytest.approx(on.mean())


def test_p_of_unrelated_courses_is_uniform() -> None:
    rng = np.random.default_rng(1)
    on = np.zeros(200, bool)
    on[40:80] = True
    table = stimulus_overlap(rng.random((200, 300)), {"tone": on})
    assert 0.02 < (table["p"] <= 0.05).mean() < 0.09


def test_stimuli_outside_or_always_on_are_left_out() -> None:
    events = pd.DataFrame({"onset": [1.0, 100.0, 0.0], "duration": [2.0, 1.0, 50.0], "trial_type": ["a", "late", "always"]})
    found = stimulus_courses(events, np.arange(10.0))
    assert list(found) == ["a"]
    assert np.flatnonzero(found["a"]).tolist() == [1, 2]
    with pytest.raises(DataError, match="lengths|times"):
        stimulus_overlap(np.ones((5, 1)), found)
