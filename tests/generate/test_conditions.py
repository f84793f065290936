"""Principal components, simulated decoders and uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from generate_data import blobs
from sklearn.decomposition import PCA

from neurodecode.errors import DataError
from neurodecode.generate import held_out_uncertainty
from neurodecode.generate.compaction import find_compaction, shrink
from neurodecode.generate.conditions import embed, fit_embedding, simulate_decoding


def small(n: int = 60) -> np.ndarray:
    """Blobs from -1 to 1."""
    return shrink(blobs(n), find_compaction(blobs(n)))


class TestEmbedding:
    def test_it_is_the_one_of_scikit_learn_up_to_sign(self) -> None:
        images = small()
        theirs = PCA(5, svd_solver="full").fit(images.reshape(60, -1).astype(float))
        ours = fit_embedding(images, 5)
        np.testing.assert_allclose(np.abs(np.sum(ours.components * theirs.components_, axis=1)), 1, atol=1e-5)
        np.testing.assert_allclose(ours.scale**2 * 60 / 59, theirs.explained_variance_, rtol=1e-4)

    def test_coordinates_have_the_scale_that_is_stored(self) -> None:
        images = small()
        found = fit_embedding(images, 5)
        coordinates = embed(images, found)
        np.testing.assert_allclose(coordinates.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(coordinates.std(axis=0), found.scale, rtol=1e-4)
        assert coordinates.dtype == np.float32

    def test_all_components_give_the_image_back(self) -> None:
        images = small()
        found = fit_embedding(images, 64)
        back = found.mean + embed(images, found) @ found.components
        np.testing.assert_allclose(back, images.reshape(60, -1), atol=1e-4)

    def test_no_more_components_than_images_allow(self) -> None:
        assert len(fit_embedding(small(6), 40).scale) == 5

    def test_images_that_do_not_differ(self) -> None:
        with pytest.raises(DataError, match="4 images do not differ"):
            fit_embedding(np.zeros((4, 1, 8, 8), np.float32), 3)


class TestSimulatedDecoding:
    def test_means_are_posterior_means(self) -> None:
        """Regression of the truth on what is told has slope 1, and leaves the variance that is told."""
        z = torch.randn(40000, 6, generator=torch.Generator().manual_seed(0))
        means, uncertainties = simulate_decoding(z, torch.Generator().manual_seed(1))
        for low, high in [(0.0, 0.5), (0.5, 0.8), (0.8, 0.95)]:
            rows = (uncertainties > low) & (uncertainties < high)
            m, left = means[rows], z[rows] - means[rows]
            assert float((m * z[rows]).mean() / (m**2).mean()) == pytest.approx(1, abs=0.05)
            assert float(left.std()) == pytest.approx(float((uncertainties[rows] ** 2).mean().sqrt()), rel=0.05)

    def test_of_some_images_nothing_is_known(self) -> None:
        z = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0))
        means, uncertainties = simulate_decoding(z, torch.Generator().manual_seed(1), known=0.7)
        nothing = (uncertainties == 1).all(dim=1)
        assert float(nothing.float().mean()) == pytest.approx(0.3, abs=0.03)
        assert (means[nothing] == 0).all()

    def test_early_components_are_known_better(self) -> None:
        _, uncertainties = simulate_decoding(torch.zeros(5000, 20), torch.Generator().manual_seed(1))
        average = uncertainties.mean(dim=0)
        assert float(average[0]) < float(average[10]) < float(average[19])


class TestUncertainty:
    def test_the_error_is_found(self) -> None:
        rng = np.random.default_rng(0)
        true = rng.standard_normal((20000, 3)) * [1, 5, 100]
        noise = rng.standard_normal((20000, 3)) * [0.1, 2, 30]
        np.testing.assert_allclose(held_out_uncertainty(true - noise, true), [0.1, 2, 30], rtol=0.03)

    def test_an_offset_is_an_error(self) -> None:
        true = np.random.default_rng(0).standard_normal((5000, 1)) * 9
        np.testing.assert_allclose(held_out_uncertainty(true + 3, true), 3, rtol=1e-5)

    def test_a_decoder_that_is_wrong_knows_nothing_and_not_less(self) -> None:
        true = np.random.default_rng(0).standard_normal((50, 3))
        np.testing.assert_allclose(held_out_uncertainty(-5 * true, true), true.std(axis=0), rtol=1e-6)

    def test_something_always_stays_open(self) -> None:
        true = np.random.default_rng(0).standard_normal((50, 3))
        np.testing.assert_allclose(held_out_uncertainty(true, true), 0.05 * true.std(axis=0), rtol=1e-6)

    @pytest.mark.parametrize(
        ("predicted", "true"),
        [(np.ones((5, 2)), np.ones((5, 3))), (np.ones((2, 2)), np.ones((2, 2))), (np.full((5, 2), np.nan), np.ones((5, 2)))],
    )
    def test_refusals(self, predicted: np.ndarray, true: np.ndarray) -> None:
        with pytest.raises(DataError, match="got"):
            held_out_uncertainty(predicted, true)
