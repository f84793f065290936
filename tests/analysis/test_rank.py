"""How many components: the rule by hand, cells that are held out, and planted ranks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from connectome_data import built, full, noisy, random_factors, separable

from neurodecode.analysis.connectome import NTF, RankCurves, factor_match_score, ntf_hals, rank_curves
from neurodecode.analysis.connectome.core import core_consistency
from neurodecode.analysis.connectome.rank import HeldOut, held_out_error, hold_out, propose_rank
from neurodecode.analysis.connectome.subsets import Cells, as_cells
from neurodecode.errors import DataError
from neurodecode.simulate import planted_tensor

WORLD = planted_tensor(16, 200, 8, 3, missing=0.2, noise=0.0, random_state=2)
NOISY = WORLD.tensor + 0.3 * WORLD.tensor.std() * np.random.default_rng(2).standard_normal(WORLD.tensor.shape, np.float32)
QUICK: dict[str, Any] = {"ranks": (2, 1, 3, 4), "mask": WORLD.mask, "n_restarts": 3, "n_repeats": 2, "block": 20}


@pytest.fixture(scope="module")
def curves() -> RankCurves:
    """Of three planted components under noise of zero mean: a mean would be one component more."""
    return rank_curves(NOISY, **QUICK)


class TestRule:
    """Least error, standard error and agreement of starts."""

    errors = np.array([[0.90, 0.90], [0.50, 0.50], [0.30, 0.33], [0.30, 0.32], [0.40, 0.40]])  # least .31, standard error .01

    @pytest.mark.parametrize(
        ("stability", "expected"),
        [
            ([1.0, 0.95, 0.95, 0.2, 0.2], (30, 30, True)),
            ([1.0, 0.95, 0.90, 0.2, 0.2], (30, 30, True)),
            ([1.0, 0.95, 0.89, 0.99, 0.99], (30, 20, False)),
            ([1.0, 0.50, 0.50, 0.99, 0.99], (30, 10, False)),
            ([0.5, 0.50, 0.50, 0.99, 0.99], (30, 30, False)),
        ],
    )
    def test_by_hand(self, stability: list[float], expected: tuple[int, int, bool]) -> None:
        assert propose_rank([10, 20, 30, 40, 50], self.errors, np.array(stability)) == expected

    def test_beyond_one_standard_error_more_components_are_taken(self) -> None:
        errors = self.errors.copy()
        errors[2] = [0.315, 0.335]
        assert propose_rank([1, 2, 3, 4, 5], errors, np.ones(5)) == (4, 4, True)


class TestHoldingOut:
    """Blocks of time, sample and pair."""

    cells = as_cells(np.ones((103, 6, 400), np.float32), np.arange(400) < 300)

    def draw(self, seed: int = 0) -> HeldOut:
        return hold_out(self.cells, 0.1, 10, np.random.default_rng(seed))

    def test_blocks_fill_the_time(self) -> None:
        firsts = set()
        for seed in range(30):
            bounds = self.draw(seed).bounds
            assert (bounds[0], bounds[-1]) == (0, 103)
            lengths = np.diff(bounds)
            assert (lengths[1:-1] == 10).all()
            assert (lengths > 0).all()
            assert lengths.max() == 10
            firsts.add(int(lengths[0]))
        assert len(firsts) > 5  # borders are shifted

    def test_the_share_is_that_of_observed_cells(self) -> None:
        found = self.draw()
        assert found.cells.shape == (len(found.bounds) - 1, 6, 400)
        assert found.cells[..., :300].mean() == pytest.approx(0.1, abs=0.01)
        assert not found.cells[..., 300:].any()

    def test_the_seed_decides(self) -> None:
        np.testing.assert_array_equal(self.draw(1).cells, self.draw(1).cells)
        assert self.draw(1).cells.shape != self.draw(2).cells.shape or (self.draw(1).cells != self.draw(2).cells).any()

    @pytest.mark.parametrize("block", [0, 35])
    def test_too_few_blocks_are_refused(self, block: int) -> None:
        with pytest.raises(DataError, match=rf"blocks of {block} frames of 103 are too few"):
            hold_out(self.cells, 0.1, block, np.random.default_rng(0))


class TestHeldOutError:
    """Squared error over squared norm of what was not seen."""

    tensor, factors = noisy((60, 5, 20), 2)

    def masks(self, cells: Cells, held: HeldOut) -> np.ndarray:
        """Held-out cells of the whole tensor."""
        return np.repeat(held.cells, np.diff(held.bounds), axis=0)

    def test_it_is_that_of_a_fit_with_a_mask(self) -> None:
        mask = np.random.default_rng(0).random((5, 20)) < 0.9
        cells = as_cells(self.tensor, mask)
        held = hold_out(cells, 0.2, 7, np.random.default_rng(3))
        hidden = self.masks(cells, held)
        train, test = held_out_error(cells, held, 2, seed=5)
        fit = ntf_hals(self.tensor, 2, mask=mask & ~hidden, random_state=np.random.default_rng(5))
        residual = np.square(self.tensor - full(fit.factors, fit.weights))
        assert test == pytest.approx(residual[hidden].sum() / np.square(self.tensor[hidden]).sum(), rel=1e-6)
        seen = mask & ~hidden
        assert train == pytest.approx(residual[seen].sum() / np.square(self.tensor[seen]).sum(), rel=1e-4)

    def test_nothing_of_the_held_out_cells_is_seen(self) -> None:
        cells = as_cells(self.tensor)
        held = hold_out(cells, 0.2, 7, np.random.default_rng(3))
        wild = as_cells(np.where(self.masks(cells, held), 1e3, self.tensor))
        (train, test), (same, worse) = (held_out_error(part, held, 2) for part in (cells, wild))
        assert same == pytest.approx(train, rel=1e-9)
        assert worse > 0.9 > test

    def test_components_without_noise_are_predicted(self) -> None:
        exact = as_cells(full(random_factors((60, 5, 20), 2)))
        held = hold_out(exact, 0.1, 7, np.random.default_rng(0))
        assert held_out_error(exact, held, 2)[1] < 1e-3
        assert held_out_error(exact, held, 1)[1] > 0.1

    def test_traces_give_what_their_tensor_gives(self) -> None:
        affinity = separable(missing=0.2, dtype=np.float64)
        implicit = as_cells(affinity)
        dense = as_cells(built(affinity), implicit.mask)
        held = hold_out(implicit, 0.1, 10, np.random.default_rng(0))
        np.testing.assert_allclose(held_out_error(implicit, held, 2), held_out_error(dense, held, 2), rtol=1e-3)

    def test_nothing_to_predict_is_told(self) -> None:
        cells = as_cells(self.tensor)
        nothing = HeldOut(np.array([0, 60]), np.zeros((1, 5, 20), bool))
        with pytest.raises(DataError, match="0 held-out cells"):
            held_out_error(cells, nothing, 2)
        empty = self.tensor.copy()
        empty[:, 0] = 0
        silent = HeldOut(np.array([0, 60]), np.zeros((1, 5, 20), bool))
        silent.cells[0, 0, :3] = True
        with pytest.raises(DataError, match="3 held-out cells"):
            held_out_error(as_cells(empty), silent, 2)


class TestCurves:
    """Evidence for the planted number."""

    def test_the_planted_number_is_proposed(self, curves: RankCurves) -> None:
        assert curves.ranks == [1, 2, 3, 4]
        assert (curves.by_error, curves.rank, curves.agreed) == (3, 3, True)
        assert factor_match_score(WORLD.factors, curves.ensemble.best(3)) > 0.97

    def test_errors_fall_until_all_components_are_there(self, curves: RankCurves) -> None:
        assert curves.test_error.shape == curves.train_error.shape == (4, 2)
        train, test = curves.train_error.mean(axis=1), curves.test_error.mean(axis=1)
        assert (np.diff(train) < 0).all()
        assert (np.diff(test[:3]) < -0.02).all()
        assert test[3] > test[2]

    def test_starts_agree_and_the_core_is_pure_up_to_it(self, curves: RankCurves) -> None:
        assert curves.stability[:3].min() > 0.98
        assert curves.stability[3] < 0.9
        np.testing.assert_allclose(curves.core_consistency[:3], 100, atol=0.5)
        np.testing.assert_array_equal(curves.stability, curves.ensemble.stability)
        np.testing.assert_array_equal(curves.chance, curves.ensemble.chance)

    def test_an_executor_gives_the_same_numbers(self, curves: RankCurves) -> None:
        with ThreadPoolExecutor(2) as executor:
            parallel = rank_curves(NOISY, **QUICK, executor=executor)
        np.testing.assert_array_equal(parallel.test_error, curves.test_error)
        np.testing.assert_array_equal(parallel.stability, curves.stability)

    def test_a_rank_does_not_depend_on_the_others(self, curves: RankCurves) -> None:
        alone = rank_curves(NOISY, **{**QUICK, "ranks": [2]})
        np.testing.assert_array_equal(alone.test_error[0], curves.test_error[1])
        assert alone.rank == 2

    def test_blocks_are_twice_the_correlation_time(self) -> None:
        tensor = np.random.default_rng(0).gamma(1.0, 1.0, (40, 4, 12))
        found = rank_curves(tensor, [1], n_restarts=2, n_repeats=2)
        assert found.block == 2

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_repeats": 1}, "two repeats"),
            ({"fraction": 0.0}, "fraction above 0 to 0.5; got .* 0.0"),
            ({"fraction": 0.6}, "got .* 0.6"),
            ({"ranks": []}, r"a rank, .* got \[\]"),
            ({"n_restarts": 1}, "two starts or more"),
            ({"block": 100}, "blocks of 100 frames of 200"),
            ({"mask": np.ones((8, 120), int)}, "truth values"),
        ],
    )
    def test_refusals(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            rank_curves(NOISY, **{**QUICK, "ranks": [1], **options})


class TestCore:
    """Core consistency against least squares on the whole tensor."""

    def by_hand(self, tensor: np.ndarray, fit: NTF) -> float:
        time, sample, pair = (factor.astype(float) for factor in fit.factors)
        design = np.einsum("ta,wb,pc->twpabc", time * fit.weights, sample, pair).reshape(tensor.size, -1)
        rank = len(fit.weights)
        core = np.linalg.lstsq(design, tensor.ravel(), rcond=None)[0].reshape(rank, rank, rank)
        ideal = np.zeros_like(core)
        ideal[np.arange(rank), np.arange(rank), np.arange(rank)] = 1
        return float(100 * (1 - np.square(core - ideal).sum() / rank))

    @pytest.mark.parametrize("rank", [1, 2, 3])
    def test_by_least_squares(self, rank: int) -> None:
        tensor, _ = noisy((15, 4, 10), 2, noise=0.3)
        fit = ntf_hals(tensor, rank, random_state=0)
        assert core_consistency(as_cells(tensor), fit) == pytest.approx(self.by_hand(tensor, fit), rel=1e-6, abs=1e-6)

    def test_missing_cells_are_taken_as_the_fit_has_them(self) -> None:
        tensor, _ = noisy((15, 4, 10), 2, noise=0.3)
        mask = np.random.default_rng(0).random((4, 10)) < 0.8
        fit = ntf_hals(tensor, 2, mask=mask, random_state=0)
        imputed = np.where(mask, tensor, full(fit.factors, fit.weights))
        found = core_consistency(as_cells(np.where(mask, tensor, 1e6), mask), fit)
        assert found == pytest.approx(self.by_hand(imputed, fit), rel=1e-6, abs=1e-6)

    def test_traces_give_what_their_tensor_gives(self) -> None:
        affinity = separable(20, 3, 8, missing=0.2, dtype=np.float64)
        implicit = as_cells(affinity)
        fit = ntf_hals(affinity, 2, random_state=0)
        dense = core_consistency(as_cells(built(affinity), implicit.mask), fit)
        assert core_consistency(implicit, fit) == pytest.approx(dense, rel=1e-6, abs=1e-6)
