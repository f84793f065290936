"""Low-level features of images and frames: luminance, contrast, edges, colour, spatial frequency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.features.low_level import labelled, per_stimulus
from neurodecode.features.low_level_motion import Pyramid, motion_energy
from neurodecode.features.pixels import lab, linear_luminance

IMAGE_FEATURES = ("luminance", "contrast", "edge_energy", "colour", "spatial_frequency")
VIDEO_FEATURES = (*IMAGE_FEATURES, "change", "motion_energy")
BANDS = (1, 2, 4, 8, 16, 32, 64)  # borders of octaves in cycles per image height
_FLOOR = 1e-10  # power of a difference far below one of 255 grey levels
_BLOCK = 2**24  # pixels that are taken at once
_Array = NDArray[np.float64]


def image_features(images: Stimuli | Sequence[Any] | NDArray[np.uint8], features: Sequence[str] = IMAGE_FEATURES) -> Responses:
    """Describe images by what needs no recognition.

    ================= ==============================================================================================
    feature           value
    ================= ==============================================================================================
    luminance         mean relative luminance, 0 to 1
    contrast          RMS contrast: standard deviation of luminance (Peli 1990)
    edge_energy       mean length of the gradient of luminance, per image height
    colour            mean a* (green to red) and b* (blue to yellow) of CIELAB, and mean chroma
    spatial_frequency log10 of the power of luminance in octaves of cycles per image height
    ================= ==============================================================================================

    Parameters
    ----------
    images : Stimuli, or uint8 array of shape (n_images, height, width, 3), or sequence of (height, width, 3)
        Of kind image, in sRGB; they may differ in size.
    features : sequence of str
        Which, in this order.

    Returns
    -------
    Responses
        One row per image with the column ``stimulus``.

    Raises
    ------
    DataError
        If these are no images, or a feature is unknown.
    """
    chosen = [check_option("feature", name, IMAGE_FEATURES) for name in features]
    if isinstance(images, Stimuli):
        if images.kind != "image":
            raise DataError(f"image_features needs Stimuli of kind image, got {images.kind!r}")
        return per_stimulus(images, lambda item, name: _one_image(item, name, chosen))
    if not len(images):
        raise DataError(f"there are no images to take features of, got {images!r:.80}")
    ids = [f"image{i}" for i in range(len(images))]
    return per_stimulus(Stimuli(ids, list(images), "image"), lambda item, name: _one_image(item, name, chosen))


def video_features(
    video: Stimuli | NDArray[np.uint8],
    sfreq: float | Sequence[float] | None = None,
    features: Sequence[str] = VIDEO_FEATURES,
    *,
    pyramid: str | Pyramid = "modest",
) -> Responses:
    """Describe the frames of films, and the motion in them.

    To the features of images (see `image_features`) come ``change``, the RMS difference of luminance from the frame before,
    and `motion_energy`.

    Parameters
    ----------
    video : Stimuli or uint8 array of shape (n_frames, height, width, 3)
        Of kind video, or one film.
    sfreq : float or sequence of float, optional
        Frames per second of all films or of each; by default the column ``sfreq`` of the table of `Stimuli`.
    features : sequence of str
        Which, in this order.
    pyramid : {"modest", "nishimoto2011"} or Pyramid
        Filters of the motion energy.

    Returns
    -------
    Responses
        One row per frame with ``stimulus``, ``onset`` in s from the begin of the film and ``duration``; they are held, so that
        `to_tr` averages over them.

    Raises
    ------
    DataError
        If these are no films, a rate is missing, or a feature is unknown.
    """
    chosen = [check_option("feature", name, VIDEO_FEATURES) for name in features]
    if not isinstance(video, Stimuli):
        video = Stimuli(["video"], [np.asarray(video)], "video")
    if video.kind != "video":
        raise DataError(f"video_features needs Stimuli of kind video, got {video.kind!r}")
    if sfreq is None and "sfreq" not in video.table:
        raise DataError(f"sfreq is missing: give the frames per second of the {len(video)} films")
    each = np.broadcast_to(np.asarray(video.table["sfreq"] if sfreq is None else sfreq, float), (len(video),))
    rates = dict(zip(video.ids, each, strict=True))
    return per_stimulus(video, lambda item, name: _one_film(item, name, check_positive("sfreq", rates[name]), chosen, pyramid))


def luminance_and_contrast(luminance: ArrayLike) -> NDArray[np.float64]:
    """Mean and standard deviation of the luminance of images.

    Parameters
    ----------
    luminance : array_like of shape (n_images, height, width)
        Relative luminance.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images, 2).

    References
    ----------
    Peli, E. (1990). Contrast in complex images. J. Opt. Soc. Am. A 7, 2032-2040.
    """
    flat = np.asarray(luminance).reshape(len(np.asarray(luminance)), -1)
    return np.column_stack([flat.mean(axis=1, dtype=float), flat.std(axis=1, dtype=float)])


def edge_energy(luminance: ArrayLike) -> NDArray[np.float64]:
    """Mean length of the gradient of luminance, by central differences.

    Parameters
    ----------
    luminance : array_like of shape (n_images, height, width)
        Relative luminance.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images,), in luminance per image height: the same for an image at twice the resolution.
    """
    values = np.asarray(luminance)
    if min(values.shape[1:]) < 2:
        raise DataError(f"edges need images of 2 x 2 pixels or more, got {values.shape[1:]}")
    down, across = np.gradient(values, axis=(1, 2))
    return np.asarray(np.sqrt(down**2 + across**2).mean(axis=(1, 2), dtype=float) * values.shape[1])


def spatial_frequency_power(luminance: ArrayLike, borders: Sequence[float] = BANDS) -> NDArray[np.float64]:
    """Power of luminance in bands of spatial frequency, over all orientations.

    Parameters
    ----------
    luminance : array_like of shape (n_images, height, width)
        Relative luminance; its mean is taken off, and a Hann window keeps the borders from counting as edges.
    borders : sequence of float
        Borders of the bands in cycles per image height, ascending.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images, n_borders - 1); 0 beyond what the resolution holds. Over all frequencies it adds up to the variance.
    """
    values = np.asarray(luminance, float)
    height, width = values.shape[1:]
    taper = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    mean = (values * taper).sum(axis=(1, 2), keepdims=True) / taper.sum()
    power = np.abs(np.fft.fft2((values - mean) * taper)) ** 2 / (height * width * (taper**2).sum())
    radius = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width) * height).ravel()
    band = np.digitize(radius, borders)
    sums = [power.reshape(len(values), -1)[:, band == b].sum(axis=1) for b in range(1, len(borders))]
    return np.stack(sums, axis=1)


def _one_image(image: NDArray[np.uint8], name: str, features: Sequence[str]) -> Responses:
    data, names, units = _of_frames(image[None], features)
    return labelled(data, {"stimulus": [name]}, names, units, {"step": "features.image_features"}, held=False)


def _one_film(film: NDArray[np.uint8], name: str, sfreq: float, features: Sequence[str], pyramid: str | Pyramid) -> Responses:
    """Features of one film, some frames at a time, side by side in the order asked for."""
    if not len(film):
        raise DataError(f"film {name!r} has no frames, shape {film.shape}")
    parts: list[tuple[_Array, list[str], list[str]]] = []
    for feature in features:
        if feature == "motion_energy":
            found = motion_energy(film, sfreq, pyramid=pyramid)
            parts.append((found.data, found.units["name"].tolist(), found.units["unit"].tolist()))
        elif feature == "change":
            parts.append((_change(film)[:, None], ["change"], ["luminance"]))
        else:
            blocks = [_of_frames(block, [feature]) for _, block in _blocks(film)]
            parts.append((np.concatenate([data for data, _, _ in blocks]), blocks[0][1], blocks[0][2]))
    samples = {"stimulus": name, "onset": np.arange(len(film)) / sfreq, "duration": 1 / sfreq}
    step = {"step": "features.video_features", "pyramid": pyramid if isinstance(pyramid, str) else pyramid._asdict()}
    names, units = ([label for part in parts for label in part[i]] for i in (1, 2))
    return labelled(np.hstack([part[0] for part in parts]), samples, names, units, step, held=True)


def _blocks(film: NDArray[np.uint8]) -> Iterable[tuple[int, NDArray[np.uint8]]]:
    """Some frames at a time, with the number of the first."""
    step = max(1, _BLOCK // int(np.prod(film.shape[1:])))
    return ((first, film[first : first + step]) for first in range(0, len(film), step))


def _change(film: NDArray[np.uint8]) -> _Array:
    """RMS difference of each frame from the one before; 0 for the first."""
    change, before = np.zeros(len(film)), None
    for first, block in _blocks(film):
        now = linear_luminance(block)
        earlier = np.concatenate([now[:1] if before is None else before[None], now[:-1]])
        change[first : first + len(block)] = np.sqrt(np.mean((now - earlier) ** 2, axis=(1, 2), dtype=float))
        before = now[-1]
    return change


def _of_frames(frames: NDArray[np.uint8], features: Sequence[str]) -> tuple[_Array, list[str], list[str]]:
    """Chosen features of images of one size, with their names and units."""
    makers: dict[str, Callable[[], tuple[_Array, list[str], list[str]]]] = {
        "luminance": lambda: (luminance_and_contrast(linear_luminance(frames))[:, :1], ["luminance"], ["luminance"]),
        "contrast": lambda: (luminance_and_contrast(linear_luminance(frames))[:, 1:], ["contrast"], ["luminance"]),
        "edge_energy": lambda: (edge_energy(linear_luminance(frames))[:, None], ["edge_energy"], ["luminance/height"]),
        "colour": lambda: (_colour(frames), ["red_green", "blue_yellow", "chroma"], ["CIELAB"] * 3),
        "spatial_frequency": lambda: _frequencies(linear_luminance(frames)),
    }
    parts = [makers[feature]() for feature in features]
    names, units = ([label for part in parts for label in part[i]] for i in (1, 2))
    return np.hstack([part[0] for part in parts]), names, units


def _colour(frames: NDArray[np.uint8]) -> _Array:
    """Mean a*, b* and chroma."""
    colours = lab(frames)
    a, b = colours[..., 1], colours[..., 2]
    return np.stack([part.mean(axis=(1, 2), dtype=float) for part in (a, b, np.hypot(a, b))], axis=1)


def _frequencies(luminance: NDArray[np.float32]) -> tuple[_Array, list[str], list[str]]:
    names = [f"frequency_{low}_{high}" for low, high in pairwise(BANDS)]
    power = np.log10(spatial_frequency_power(luminance) + _FLOOR)
    return power, names, ["log10 power"] * len(names)
