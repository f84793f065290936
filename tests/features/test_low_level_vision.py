"""Features of images and frames: patches, gratings and colours whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.data import Stimuli
from neurodecode.errors import DataError
from neurodecode.features import image_features, to_tr, video_features
from neurodecode.features.low_level_vision import edge_energy, luminance_and_contrast, spatial_frequency_power
from neurodecode.features.pixels import area_weights, lab, lightness, linear_luminance

RED, GREEN, BLUE, WHITE, BLACK = ([255, 0, 0], [0, 255, 0], [0, 0, 255], [255] * 3, [0] * 3)


def patch(colour: list[int], size: int = 16) -> np.ndarray:
    """An image of one colour."""
    return np.full((size, size, 3), colour, np.uint8)


def of(out: object, name: str) -> np.ndarray:
    """One feature."""
    return out.data[:, out.units["name"].tolist().index(name)]  # type: ignore[attr-defined]


def test_luminance_of_colours() -> None:
    out = image_features([patch(c) for c in (BLACK, WHITE, RED, GREEN, BLUE, [188] * 3)])
    np.testing.assert_allclose(of(out, "luminance"), [0, 1, 0.2126, 0.7152, 0.0722, 0.5], atol=0.005)
    np.testing.assert_allclose(of(out, "contrast"), 0, atol=1e-6)
    np.testing.assert_allclose(of(out, "edge_energy"), 0, atol=1e-5)
    assert out.samples["stimulus"].tolist() == [f"image{i}" for i in range(6)]


def test_colours_have_their_sign() -> None:
    out = image_features([patch(c) for c in (RED, GREEN, BLUE, [255, 255, 0], [90] * 3)], ["colour"])
    assert out.units["name"].tolist() == ["red_green", "blue_yellow", "chroma"]
    assert (of(out, "red_green")[[0, 1]] * [1, -1] > 60).all()
    assert (of(out, "blue_yellow")[[3, 2]] * [1, -1] > 80).all()
    np.testing.assert_allclose(out.data[4], 0, atol=0.02)


def test_contrast_of_two_halves() -> None:
    half = np.concatenate([patch(BLACK), patch(WHITE)])
    assert of(image_features([half]), "contrast")[0] == pytest.approx(0.5)
    np.testing.assert_allclose(luminance_and_contrast([[[0.0, 1.0]]]), [[0.5, 0.5]])


@pytest.mark.parametrize("size", [32, 64, 128])
def test_edges_of_a_ramp_do_not_depend_on_the_resolution(size: int) -> None:
    ramp = np.broadcast_to((np.arange(size) + 0.5) / size, (1, size, size))
    assert edge_energy(ramp)[0] == pytest.approx(1.0)
    assert edge_energy(ramp.transpose(0, 2, 1))[0] == pytest.approx(1.0)


@pytest.mark.parametrize("cycles", [3, 6, 12, 24])
@pytest.mark.parametrize("angle", [0, 30, 90])
def test_a_grating_lies_in_its_octave(cycles: int, angle: int) -> None:
    y, x = (np.mgrid[:64, :96] + 0.5) / 64
    wave = 0.5 + 0.25 * np.cos(2 * np.pi * cycles * (x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))))
    power = spatial_frequency_power(wave[None])[0]
    assert np.argmax(power) == np.floor(np.log2(cycles))
    assert power.max() == pytest.approx(0.25**2 / 2, rel=0.2)


def test_bands_add_up_to_the_variance(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((2, 64, 64))
    power = spatial_frequency_power(noise, [0.5, 4, 16, 100])
    np.testing.assert_allclose(power.sum(axis=1), noise.var(axis=(1, 2)), rtol=0.1)
    assert spatial_frequency_power(noise, [64, 128]).max() == 0


def test_images_of_different_sizes_and_of_stimuli(rng: np.random.Generator) -> None:
    images = [rng.integers(0, 256, shape).astype(np.uint8) for shape in ((20, 30, 3), (40, 10, 3))]
    out = image_features(Stimuli(["a", "b"], images, "image"), ["luminance", "spatial_frequency"])
    assert out.samples["stimulus"].tolist() == ["a", "b"]
    assert out.data.shape == (2, 7)
    assert out.meta["held"] is False
    np.testing.assert_array_equal(out.data, image_features(images, ["luminance", "spatial_frequency"]).data)


def test_frames_of_films() -> None:
    film = np.stack([patch(BLACK)] * 5 + [patch(WHITE)] * 5)
    out = video_features(film, 10.0, ["change", "luminance"])
    np.testing.assert_allclose(of(out, "luminance"), [0] * 5 + [1] * 5, atol=1e-6)
    np.testing.assert_allclose(of(out, "change"), [0] * 5 + [1] + [0] * 4, atol=1e-6)
    np.testing.assert_allclose(out.samples["onset"], np.arange(10) / 10)
    np.testing.assert_allclose(of(to_tr(out, TR=0.25, n_scans=4, method="box"), "luminance"), [0, 0, 1, 1], atol=1e-6)


def test_films_are_read_in_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    film = rng.integers(0, 256, (9, 16, 16, 3)).astype(np.uint8)
    whole = video_features(film, 10.0, ["change", "contrast", "colour"])
    monkeypatch.setattr("neurodecode.features.low_level_vision._BLOCK", 2 * 16 * 16 * 3)
    np.testing.assert_array_equal(video_features(film, 10.0, ["change", "contrast", "colour"]).data, whole.data)


def test_films_of_stimuli_have_their_own_rates(rng: np.random.Generator) -> None:
    films = [rng.integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)] * 2
    stimuli = Stimuli(["a", "b"], films, "video", {"id": ["a", "b"], "sfreq": [10.0, 20.0]})
    out = video_features(stimuli, features=["luminance"])
    np.testing.assert_allclose(out.samples["onset"], [0, 0.1, 0.2, 0.3, 0, 0.05, 0.1, 0.15])
    assert out.meta["held"] is True


def test_all_features_of_a_film(rng: np.random.Generator) -> None:
    out = video_features(rng.integers(0, 256, (8, 64, 64, 3)).astype(np.uint8), 12.0)
    assert np.isfinite(out.data).all()
    assert out.units["name"].is_unique
    assert out.units["name"].str.startswith("motion_").sum() > 100


def test_many_images_show_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    image_features([patch(RED, 4)] * 60, ["luminance"])
    assert "low-level features" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: image_features(Stimuli(["x"], ["text"], "text")), "kind image, got 'text'"),
        (lambda: image_features([]), "no images"),
        (lambda: image_features([patch(RED)], ["faces"]), "feature='faces' is unknown"),
        (lambda: image_features([patch(RED).astype(float)]), "must be a uint8 array"),
        (lambda: image_features([patch(RED, 1)], ["edge_energy"]), "2 x 2 pixels or more"),
        (lambda: video_features(np.zeros((3, 8, 8, 3), np.uint8)), "sfreq is missing"),
        (lambda: video_features(np.zeros((3, 8, 8, 3), np.uint8), 0.0), "sfreq must be"),
        (lambda: video_features(np.zeros((0, 8, 8, 3), np.uint8), 5.0), "has no frames"),
        (lambda: video_features(Stimuli(["x"], ["text"], "text"), 5.0), "kind video, got 'text'"),
        (lambda: linear_luminance(np.zeros((4, 4))), "must be uint8"),
    ],
)
def test_what_does_not_fit_is_named(call: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()  # type: ignore[operator]


def test_lightness_and_its_colours_agree(rng: np.random.Generator) -> None:
    frames = rng.integers(0, 256, (2, 5, 6, 3)).astype(np.uint8)
    np.testing.assert_allclose(lightness(linear_luminance(frames)), lab(frames)[..., 0], atol=1e-3)


@pytest.mark.parametrize(("n_from", "n_to"), [(10, 5), (7, 3), (96, 64), (5, 5)])
def test_areas_keep_the_mean(n_from: int, n_to: int, rng: np.random.Generator) -> None:
    weights, values = area_weights(n_from, n_to), rng.standard_normal(n_from)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert (weights @ values).mean() == pytest.approx(values.mean(), abs=1e-6)
    if n_from == 10:
        np.testing.assert_allclose(weights @ values, values.reshape(5, 2).mean(axis=1), atol=1e-6)
