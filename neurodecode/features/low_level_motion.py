r"""Motion energy: a pyramid of Gabor filters in space and time, in quadrature.

A filter at (x, y) of direction :math:`\theta` is a Gaussian in space and time times
:math:`e^{2 \pi i (f_s (x \cos\theta + y \sin\theta) - f_t t)}`; its energy is the magnitude of the response. Space and time
separate, and so do the two sides of the image: :math:`z(t) = G_y\, I(t)\, G_x^T` gives all positions of a scale and
orientation by two small products, and a short convolution in time then gives both directions at each temporal frequency.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.features.low_level import labelled
from neurodecode.features.pixels import area_weights, lightness, linear_luminance

_LOG_FLOOR = 1e-5  # Nishimoto et al. (2011) take the log of the energy; what is below is no motion
_FRAMES = 64  # frames that are held in float32 at once


class Pyramid(NamedTuple):
    """Filters that tile an image in position, direction and frequency."""

    spatial_frequencies: tuple[float, ...] = (2, 4, 8)
    """Cycles per image height; each is a scale with its own grid of positions."""
    temporal_frequencies: tuple[float, ...] = (0, 2, 4)
    """Hz; 0 is a static filter, without a direction."""
    n_directions: int = 8
    """Directions of motion, an even number: 0 is rightwards, 90 upwards."""
    blobs: bool = True
    """Whether each scale also has Gaussians without a spatial frequency."""
    cycles: float = 0.6
    """Standard deviation of the Gaussian in cycles of the grating."""
    widest: float = 0.3
    """Largest standard deviation in image heights."""
    spacing: float = 3.5
    """Distance of positions in standard deviations."""
    temporal_window: float = 2 / 3
    """Length of a filter in s."""
    temporal_width: float = 0.3
    """Standard deviation in time as a fraction of the window."""
    height: int = 64
    """Rows to which frames are averaged before."""


PYRAMIDS = {"modest": Pyramid(), "nishimoto2011": Pyramid(spatial_frequencies=(2, 4, 8, 16, 32), height=96)}


def motion_energy(film: NDArray[Any], sfreq: float, *, pyramid: str | Pyramid = "modest", log: bool = True) -> Responses:
    """Compute the motion energy of a film.

    Frames become CIE lightness (0 to 100) at the height of the pyramid. The first and the last frame are held beyond the ends of
    the film. Gaussians are scaled to a sum of 1 in space and in time, so that energies of different scales can be compared.

    Parameters
    ----------
    film : array of shape (n_frames, height, width, 3) or (n_frames, height, width)
        Frames in sRGB, uint8; or lightness itself.
    sfreq : float
        Frames per second.
    pyramid : {"modest", "nishimoto2011"} or Pyramid
        Filters: three spatial frequencies at 64 rows, or all five of Nishimoto et al. at 96.
    log : bool
        Whether to take log(energy + 1e-5), as Nishimoto et al. do.

    Returns
    -------
    Responses
        One row per frame (``onset`` and ``duration`` in s; held), one unit per filter with ``x, y`` (image heights from the top
        left), ``direction`` (degrees, NaN for none), ``spatial_frequency`` (cycles per height) and ``temporal_frequency`` (Hz).

    Raises
    ------
    DataError
        If it is no film, or a frequency is beyond what frames or pixels can show.

    References
    ----------
    Adelson, E. H., & Bergen, J. R. (1985). J. Opt. Soc. Am. A 2, 284-299. Nishimoto, S. et al. (2011). Curr. Biol. 21, 1641-1646.
    """
    chosen = PYRAMIDS[check_option("pyramid", pyramid, list(PYRAMIDS))] if isinstance(pyramid, str) else pyramid
    frames = np.asarray(film)
    if not ((frames.ndim == 4 and frames.shape[3] == 3) or frames.ndim == 3) or not frames.size:
        raise DataError(f"a film must be (n_frames, height, width[, 3]), got shape {frames.shape}")
    height, width = frames.shape[1:3]
    small = (min(chosen.height, height), max(1, round(width * min(chosen.height, height) / height)))
    _check(chosen, check_positive("sfreq", sfreq), small)
    energies, tables = [], []
    for responses, scale in _spatial_responses(frames, small, chosen):
        for energy, table in _energies(responses, scale, sfreq, chosen):
            energies.append(np.log(energy + _LOG_FLOOR) if log else energy)
            tables.append(table)
    units = _unit_table(pd.concat(tables, ignore_index=True))
    samples = {"onset": np.arange(len(frames)) / sfreq, "duration": 1 / sfreq}
    step = {"step": "features.motion_energy", "pyramid": chosen._asdict(), "log": log}
    made = labelled(np.concatenate(energies, axis=1), samples, units["name"].tolist(), units["unit"].tolist(), step, held=True)
    return made.replace(units=units)


class _Scale(NamedTuple):
    """Positions of one spatial frequency and orientation."""

    frequency: float
    angle: float
    sigma: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def _scales(pyramid: Pyramid, aspect: float) -> Iterator[_Scale]:
    """One scale per spatial frequency and orientation, and one without a frequency."""
    for frequency in pyramid.spatial_frequencies:
        sigma = min(pyramid.cycles / frequency, pyramid.widest)
        x, y = (_grid(side, sigma * pyramid.spacing) for side in (aspect, 1.0))
        if pyramid.blobs:
            yield _Scale(0.0, np.nan, sigma, x, y)
        for k in range(pyramid.n_directions // 2):
            yield _Scale(frequency, k * 360.0 / pyramid.n_directions, sigma, x, y)


def _grid(side: float, step: float) -> NDArray[np.float64]:
    """Positions about the middle of a side, half a step or more from its ends; the middle itself at least."""
    n = max(int(np.floor((side - step) / step / 2)), 0)
    return np.asarray(side / 2 + step * np.arange(-n, n + 1), float)


def _spatial_responses(
    frames: NDArray[Any], small: tuple[int, int], pyramid: Pyramid
) -> list[tuple[NDArray[np.complex64], _Scale]]:
    """Response of each position of each scale to each frame, (n_frames, n_positions)."""
    scales = list(_scales(pyramid, small[1] / small[0]))
    found = [np.empty((len(frames), len(s.y) * len(s.x)), np.complex64) for s in scales]
    gabors = [_gabors(scale, small) for scale in scales]
    for first in range(0, len(frames), _FRAMES):
        part = _lightness_at(frames[first : first + _FRAMES], small)
        for out, (down, across) in zip(found, gabors, strict=True):
            rows = (part @ across.view(np.float32).reshape(small[1], -1)).view(np.complex64)
            out[first : first + len(part)] = np.matmul(down.T, rows).reshape(len(part), -1)
    return list(zip(found, scales, strict=True))


def _gabors(scale: _Scale, small: tuple[int, int]) -> tuple[NDArray[np.complex64], NDArray[np.complex64]]:
    """Gabors along the rows and along the columns of a frame: (height, n_y) and (width, n_x)."""
    angle = 0.0 if np.isnan(scale.angle) else np.deg2rad(scale.angle)
    height = small[0]
    sides = ((height, scale.y, -np.sin(angle)), (small[1], scale.x, np.cos(angle)))  # rows count downwards
    return tuple(_gabor((np.arange(n) + 0.5) / height, at, scale, slope) for n, at, slope in sides)  # type: ignore[return-value]


def _gabor(place: NDArray[np.float64], at: NDArray[np.float64], scale: _Scale, slope: float) -> NDArray[np.complex64]:
    distance = place[:, None] - at
    gaussian = np.exp(-(distance**2) / (2 * scale.sigma**2))
    wave = np.exp(2j * np.pi * scale.frequency * slope * distance)
    return np.ascontiguousarray(gaussian / gaussian.sum(axis=0) * wave, dtype=np.complex64)


def _lightness_at(frames: NDArray[Any], small: tuple[int, int]) -> NDArray[np.float32]:
    """Lightness of frames, averaged over the pixels of a smaller image."""
    light = linear_luminance(frames) if frames.ndim == 4 else frames.astype(np.float32)
    if light.shape[1:] != small:
        light = area_weights(light.shape[1], small[0]) @ (light @ area_weights(light.shape[2], small[1]).T)
    return lightness(light) if frames.ndim == 4 else light


def _energies(
    responses: NDArray[np.complex64], scale: _Scale, sfreq: float, pyramid: Pyramid
) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
    """Energy of both directions at each temporal frequency."""
    from scipy.ndimage import convolve1d

    lags = np.arange(-int(pyramid.temporal_window * sfreq / 2), int(pyramid.temporal_window * sfreq / 2) + 1) / sfreq
    gaussian = np.exp(-(lags**2) / (2 * (pyramid.temporal_width * pyramid.temporal_window) ** 2))
    cosine, sine = responses.real.copy(), responses.imag.copy()
    for frequency in pyramid.temporal_frequencies:
        even = gaussian / gaussian.sum() * np.cos(2 * np.pi * frequency * lags)
        odd = gaussian / gaussian.sum() * np.sin(2 * np.pi * frequency * lags)
        ce, co, se, so = (convolve1d(part, taps, 0, mode="nearest") for part in (cosine, sine) for taps in (even, odd))
        if frequency == 0 or scale.frequency == 0:
            yield (
                np.sqrt(ce**2 + co**2 + se**2 + so**2),
                _filters(scale, frequency, np.nan if scale.frequency == 0 else scale.angle),
            )
        else:
            yield np.hypot(ce - so, se + co), _filters(scale, frequency, scale.angle)
            yield np.hypot(ce + so, se - co), _filters(scale, frequency, scale.angle + 180)


def _filters(scale: _Scale, temporal: float, direction: float) -> pd.DataFrame:
    """Table of the filters of one scale, columns of a grid varying fastest."""
    y, x = np.meshgrid(scale.y, scale.x, indexing="ij")
    table = pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "direction": direction})
    return table.assign(spatial_frequency=scale.frequency, temporal_frequency=temporal, sigma=scale.sigma)


def _unit_table(filters: pd.DataFrame) -> pd.DataFrame:
    """Names that say what each filter is."""
    kinds = ["blob" if np.isnan(d) else f"s{s:g}_d{d:g}" for s, d in filters[["spatial_frequency", "direction"]].to_numpy()]
    places = filters[["temporal_frequency", "sigma", "x", "y"]].to_numpy()
    names = [f"motion_{kind}_t{t:g}_w{w:.3g}_x{x:.3g}_y{y:.3g}" for kind, (t, w, x, y) in zip(kinds, places, strict=True)]
    return filters.assign(name=names, unit="log lightness", kind="low_level")


def _check(pyramid: Pyramid, sfreq: float, small: tuple[int, int]) -> None:
    """Refuse frequencies that frames or pixels cannot show, and odd numbers of directions."""
    if pyramid.n_directions < 2 or pyramid.n_directions % 2:
        raise DataError(f"n_directions must be an even number of 2 or more, got {pyramid.n_directions}")
    if (
        not pyramid.spatial_frequencies
        or min(pyramid.spatial_frequencies) <= 0
        or min(pyramid.temporal_frequencies, default=-1) < 0
    ):
        raise DataError(f"a pyramid needs spatial frequencies above 0 and temporal ones of 0 or more, got {pyramid}")
    if max(pyramid.temporal_frequencies) > sfreq / 2:
        fastest = max(pyramid.temporal_frequencies)
        raise DataError(
            f"{sfreq:g} frames per second show motion up to {sfreq / 2:g} Hz, the pyramid has {fastest:g} Hz: leave it out"
        )
    if max(pyramid.spatial_frequencies) > small[0] / 2:
        finest = max(pyramid.spatial_frequencies)
        raise DataError(f"{small[0]} rows show up to {small[0] / 2:g} cycles, the pyramid has {finest:g}: leave them out")
