"""Structural similarity by hand, its two forms, resizing, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from retrieval_data import images, noisy

from neurodecode.errors import DataError
from neurodecode.metrics import pixcorr, ssim
from neurodecode.metrics._resize import resize


def one_window(x: NDArray, y: NDArray) -> float:
    """SSIM of an image of 11 by 11 pixels, which holds one window."""
    w = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    w = np.outer(w, w) / w.sum() ** 2
    mx, my = (w * x).sum(), (w * y).sum()
    xx, yy, xy = (w * x * x).sum() - mx**2, (w * y * y).sum() - my**2, (w * x * y).sum() - mx * my
    return float((2 * mx * my + 1e-4) * (2 * xy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (xx + yy + 9e-4)))


def test_one_window_by_hand(rng: np.random.Generator) -> None:
    x, y = rng.random((2, 3, 11, 11, 1))
    expected = [one_window(a[..., 0], b[..., 0]) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y), expected, rtol=1e-12)


def test_columns_are_images_of_their_own(rng: np.random.Generator) -> None:
    """The order of the columns means nothing to that form, and everything to the other."""
    x, y = rng.random((2, 2, 20, 16, 1))
    order = rng.permutation(16)
    np.testing.assert_allclose(ssim(x[:, :, order], y[:, :, order], "columns"), ssim(x, y, "columns"))
    assert not np.allclose(ssim(x[:, :, order], y[:, :, order]), ssim(x, y))


@pytest.mark.parametrize("protocol", ["2d", "columns"])
class TestBothForms:
    def test_identical_images(self, rng: np.random.Generator, protocol: str) -> None:
        true = images(rng)
        np.testing.assert_allclose(ssim(true, true, protocol), 1.0)

    def test_constant_images_are_defined(self, rng: np.random.Generator, protocol: str) -> None:
        true = images(rng, n=3)
        grey = np.full_like(true, 128)
        found = ssim(true, grey, protocol)
        assert np.isfinite(found).all()
        assert (found < 0.5).all()
        np.testing.assert_allclose(ssim(grey, grey, protocol), 1.0)

    def test_noise_and_order(self, rng: np.random.Generator, protocol: str) -> None:
        true = images(rng)
        little, much = (ssim(true, noisy(true, rng, s), protocol) for s in (10, 60))
        assert (little > much).all()
        made = noisy(true, rng)
        np.testing.assert_allclose(ssim(true, made, protocol), ssim(made, true, protocol))
        np.testing.assert_allclose(ssim(true[::-1], made[::-1], protocol), ssim(true, made, protocol)[::-1])

    def test_bytes_are_shares_of_255(self, rng: np.random.Generator, protocol: str) -> None:
        true = images(rng)
        made = noisy(true, rng)
        np.testing.assert_allclose(ssim(true / 255, made / 255, protocol), ssim(true, made, protocol), rtol=1e-12)

    def test_grey_is_its_own_luminance(self, rng: np.random.Generator, protocol: str) -> None:
        true, made = rng.random((2, 3, 20, 20, 1))
        colours = [np.repeat(v, 3, axis=-1) for v in (true, made)]
        np.testing.assert_allclose(ssim(*colours, protocol), ssim(true, made, protocol), rtol=1e-9)

    def test_blocks_change_nothing(self, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
        true = images(rng)
        made = noisy(true, rng)
        whole = ssim(true, made, protocol, size=30)
        monkeypatch.setattr("neurodecode.metrics.structural_similarity.BLOCK", 5000)
        np.testing.assert_array_equal(ssim(true, made, protocol, size=30), whole)

    def test_resized_first(self, rng: np.random.Generator, protocol: str) -> None:
        true = images(rng, n=4)
        made = noisy(true, rng)
        larger = [resize(v / 255, 40) for v in (true, made)]
        np.testing.assert_allclose(ssim(true, made, protocol, size=40), ssim(*larger, protocol), rtol=1e-10)


class TestResize:
    def test_twice_as_large_by_hand(self) -> None:
        """Centres of the new pixels lie a quarter of a pixel beside the old ones; the border is repeated."""
        row = np.array([0.0, 1, 3]).reshape(1, 1, 3, 1)
        np.testing.assert_allclose(resize(row, 2)[0, 0, :, 0], [0, 0.25, 0.75, 1.5, 2.5, 3])

    def test_same_size_changes_nothing(self, rng: np.random.Generator) -> None:
        image = rng.random((2, 9, 7, 3))
        np.testing.assert_allclose(resize(image, 7), image)

    def test_the_shorter_side_counts(self, rng: np.random.Generator) -> None:
        assert resize(rng.random((1, 20, 30, 3)), 10).shape == (1, 10, 15, 3)
        assert resize(rng.random((1, 30, 20, 1)), 40).shape == (1, 60, 40, 1)

    def test_no_size(self) -> None:
        with pytest.raises(DataError, match="got 0"):
            resize(np.ones((1, 4, 4, 1)), 0)

    def test_pixcorr_at_425_pixels(self, rng: np.random.Generator) -> None:
        true = images(rng, n=3)
        made = noisy(true, rng)
        expected = [
            np.corrcoef(resize(t[None], 425).ravel(), resize(m[None], 425).ravel())[0, 1] for t, m in zip(true, made, strict=True)
        ]
        np.testing.assert_allclose(pixcorr(true, made, protocol="nsd"), expected, rtol=1e-10)
        assert (pixcorr(true, made, protocol="nsd") > pixcorr(true, made)).all(), "interpolation smooths noise away"


@pytest.mark.parametrize(
    ("images_", "options", "message"),
    [
        (np.ones((2, 10, 20, 1)), {}, "at least 11 pixels"),
        (np.ones((2, 20, 20, 2)), {}, "1 or 3"),
        (np.ones((20, 20, 3)), {}, "1 or 3"),
        (np.full((2, 20, 20, 3), 200.0), {}, "from 200 to 200"),
        (np.full((2, 20, 20, 3), 2, np.int64), {}, "int64 from 2 to 2"),
        (np.full((2, 20, 20, 3), np.nan), {}, "item 0 holds NaN"),
        (np.ones((2, 20, 20, 1)), {"protocol": "rows"}, "protocol='rows'"),
        (np.ones((2, 20, 20, 1)), {"size": 0}, "got 0"),
    ],
)
def test_what_cannot_be_scored(images_: NDArray, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ssim(images_, images_, **options)


def test_narrow_images_have_columns() -> None:
    assert ssim(np.ones((1, 20, 4, 1)), np.ones((1, 20, 4, 1)), "columns")[0] == pytest.approx(1)


def test_unknown_protocol_of_pixcorr(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="protocol='425'"):
        pixcorr(images(rng), images(rng), protocol="425")
