"""Planted connectomes are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.simulate import circular_shifts, planted_tensor, planted_traces

SMALL: dict[str, Any] = {"n_neurons": 14, "n_times": 80, "n_animals": 10, "rank": 3}


class TestTensor:
    """Components of time, animal and pair."""

    def test_without_noise_it_is_the_product_of_its_factors(self) -> None:
        world = planted_tensor(**SMALL, noise=0.0)
        assert world.tensor.shape == (80, 10, 91)
        assert world.tensor.dtype == np.float32
        assert [factor.shape for factor in world.factors] == [(80, 3), (10, 3), (91, 3)]
        np.testing.assert_allclose(world.tensor, np.einsum("tr,wr,pr->twp", *world.factors), rtol=1e-4, atol=1e-6)
        assert world.mask.all()

    def test_noise_has_the_size_that_was_asked_for(self) -> None:
        clean, noisy = (planted_tensor(**SMALL, noise=noise).tensor.astype(float) for noise in (0.0, 0.5))
        added = noisy - clean
        assert added.min() >= -1e-6
        assert np.sqrt(np.mean(added**2)) == pytest.approx(0.5 * clean.std(), rel=0.02)  # |normal| has its second moment

    def test_pairs_of_members_load_and_others_hardly(self) -> None:
        world = planted_tensor(60, 10, 2, 4)
        members, (i, j) = world.truth["members"], np.triu_indices(60, 1)
        inside, pair = members[i] & members[j], world.truth["pair"]
        assert members.mean() == pytest.approx(0.25, abs=0.08)
        assert pair[inside].mean() == pytest.approx(1.01, abs=0.08)  # Gamma(4, 1/4) and up to .02
        assert pair[inside].std() == pytest.approx(0.5, abs=0.06)
        assert pair[~inside].min() >= 0
        assert pair[~inside].max() <= 0.02

    def test_time_courses_are_bumps(self) -> None:
        time = planted_tensor(**SMALL).truth["time"]
        assert time.min() >= 0
        assert ((time.max(axis=0) > 0.99) & (time.max(axis=0) <= 1.5)).all()

    def test_each_neuron_is_missing_in_the_same_share_of_animals(self) -> None:
        world = planted_tensor(**SMALL, missing=0.3)
        observed, (i, j) = world.truth["observed"], np.triu_indices(14, 1)
        np.testing.assert_array_equal((~observed).sum(axis=0), 3)
        assert len(np.unique(observed.T, axis=0)) > 5  # each drawn for itself
        np.testing.assert_array_equal(world.mask, observed[:, i] & observed[:, j])
        assert not world.tensor[:, ~world.mask].any()
        whole = planted_tensor(**SMALL)
        np.testing.assert_array_equal(world.tensor[:, world.mask], whole.tensor[:, world.mask])

    def test_the_seed_decides(self) -> None:
        a, b, c = (planted_tensor(**SMALL, random_state=seed) for seed in (4, 4, 5))
        np.testing.assert_array_equal(a.tensor, b.tensor)
        assert abs(np.corrcoef(a.truth["pair"].ravel(), c.truth["pair"].ravel())[0, 1]) < 0.3

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_neurons": 1}, "n_neurons must be a whole number from 2 up, got 1"),
            ({"n_times": 0}, "n_times must be a whole number from 1 up, got 0"),
            ({"n_animals": 2.0}, "n_animals must be a whole number from 1 up, got 2.0"),
            ({"rank": True}, "rank must be a whole number from 1 up, got True"),
            ({"noise": -0.1}, "noise must be a standard deviation from 0 up, got -0.1"),
            ({"noise": float("nan")}, "noise must be a standard deviation from 0 up, got nan"),
            ({"missing": 1.0}, "from 0 to below 1, got 1.0"),
            ({"missing": 0.96}, "missing=0.96 of 10 animals leaves none"),
        ],
    )
    def test_refusals(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            planted_tensor(**{**SMALL, **options})


class TestTraces:
    """Groups that share a drive for a while."""

    @pytest.mark.parametrize(("n", "sizes"), [(12, [4, 4, 5]), (30, [10, 10, 7]), (100, [33, 33, 25])])
    def test_each_group_shares_two_neurons_with_the_next(self, n: int, sizes: list[int]) -> None:
        members = planted_traces(n, 80, 1).truth["members"]
        assert members.sum(axis=1).tolist() == sizes
        together = members.astype(int) @ members.T
        assert (together[0, 1], together[1, 2], together[0, 2]) == (2, 2, 0)

    def test_windows_follow_each_other(self) -> None:
        active = planted_traces(n_times=400).truth["active"]
        on = [np.flatnonzero(row) for row in active]
        assert [(first[0], first[-1] + 1) for first in on] == [(40, 140), (160, 260), (290, 380)]
        assert (active.sum(axis=0) <= 1).all()

    def test_members_go_together_in_their_window_where_they_take_part(self) -> None:
        world = planted_traces(30, 400, 6, random_state=1)
        members, active, present = (world.truth[name] for name in ("members", "active", "present"))
        assert not present.all()
        for group in range(3):
            for animal in range(6):
                inside = world.traces[animal][np.ix_(members[group], active[group])]
                alike = np.corrcoef(inside)[np.triu_indices(len(inside), 1)].mean()
                assert alike > 0.5 if present[group, animal] else alike < 0.4

    def test_every_group_takes_part_somewhere(self) -> None:
        present = np.stack([planted_traces(12, 80, 1, random_state=seed).truth["present"] for seed in range(5)])
        assert present.all()
        many = np.stack([planted_traces(12, 80, 40, random_state=seed).truth["present"] for seed in range(5)])
        assert many.mean() == pytest.approx(0.75, abs=0.06)

    def test_missing_neurons_are_nan_and_change_nothing_else(self) -> None:
        whole, some = (planted_traces(12, 80, 5, missing=share) for share in (0.0, 0.4))
        assert whole.sfreq == 4.0
        assert np.isfinite(whole.traces).all()
        lost = np.isnan(some.traces)
        np.testing.assert_array_equal(lost, np.repeat(~some.truth["observed"][..., None], 80, axis=2))
        np.testing.assert_array_equal(lost[..., 0].sum(axis=0), 2)
        np.testing.assert_array_equal(some.traces[~lost], whole.traces[~lost])

    def test_an_animal_does_not_depend_on_the_number_of_animals(self) -> None:
        few, many = (planted_traces(12, 80, n) for n in (3, 6))
        same = [k for k in range(3) if (few.truth["present"][:, k] == many.truth["present"][:, k]).all()]
        for k in same:
            np.testing.assert_array_equal(few.traces[k], many.traces[k])
        assert same

    def test_the_seed_decides(self) -> None:
        a, b, c = (planted_traces(12, 80, 2, random_state=seed).traces for seed in (4, 4, 5))
        np.testing.assert_array_equal(a, b)
        assert (a != c).all()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_neurons": 11}, "12 neurons and 80 times or more, got 11 and 400"),
            ({"n_times": 79}, "12 neurons and 80 times or more, got 30 and 79"),
            ({"n_animals": 0}, "n_animals must be a whole number from 1 up, got 0"),
            ({"missing": -0.1}, "from 0 to below 1, got -0.1"),
        ],
    )
    def test_refusals(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            planted_traces(**options)


class TestShifts:
    """The null: each trace as it is, at another time."""

    def test_each_trace_is_moved_by_a_tenth_to_nine_tenths(self) -> None:
        traces = np.random.default_rng(0).standard_normal((5, 40, 50))
        moved = circular_shifts(traces)
        assert moved.shape == traces.shape
        shifts = set()
        for old, new in zip(traces.reshape(-1, 50), moved.reshape(-1, 50), strict=True):
            (shift,) = (k for k in range(50) if (np.roll(old, k) == new).all())
            shifts.add(shift)
        assert min(shifts) >= 5
        assert max(shifts) <= 45
        assert len(shifts) > 30

    def test_missing_traces_stay_missing(self) -> None:
        traces = np.ones((3, 20), np.float32)
        traces[1] = np.nan
        moved = circular_shifts(traces, random_state=3)
        assert moved.dtype == np.float32
        np.testing.assert_array_equal(moved, traces)

    def test_the_seed_decides(self) -> None:
        traces = np.random.default_rng(0).standard_normal((5, 50))
        a, b, c = (circular_shifts(traces, random_state=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    @pytest.mark.parametrize("traces", [np.ones((3, 9)), 1.0])
    def test_few_times_are_refused(self, traces: Any) -> None:
        with pytest.raises(DataError, match="ten times or more, got shape"):
            circular_shifts(traces)
