"""Motion energy: its equation, the direction of drifting gratings, position, frequency, and the published count of filters."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.features import Pyramid, motion_energy

SFREQ = 24.0


def grating(direction: float, spatial: float, temporal: float, *, n: int = 36, size: tuple[int, int] = (48, 48)) -> np.ndarray:
    """Lightness of a drifting grating: 0 degrees is rightwards, 90 upwards."""
    y, x = np.mgrid[: size[0], : size[1]] / size[0]
    angle, t = np.deg2rad(direction), np.arange(n)[:, None, None] / SFREQ
    return 50 + 20 * np.cos(2 * np.pi * (spatial * (x * np.cos(angle) - y * np.sin(angle)) - temporal * t) + 0.7)


def strongest(film: np.ndarray, pyramid: Pyramid) -> dict[str, float]:
    """Direction and frequencies of the filters that answer most, on average over positions and inner frames."""
    out = motion_energy(film, SFREQ, pyramid=pyramid, log=False)
    table = out.units.assign(energy=np.asarray(out.data)[8:-8].mean(axis=0)).dropna(subset="direction")
    mean = table.groupby(["direction", "spatial_frequency", "temporal_frequency"])["energy"].mean()
    return dict(zip(mean.index.names, mean.idxmax(), strict=True))


GRATINGS = [(d, s, t) for d in np.arange(0, 360, 45.0) for s in (2.0, 4.0, 8.0) for t in (2.0, 4.0)]


def test_the_preferred_direction_wins() -> None:
    pyramid = Pyramid(height=48)
    found = [strongest(grating(*g), pyramid) for g in GRATINGS]
    direction = np.mean([f["direction"] == g[0] for f, g in zip(found, GRATINGS, strict=True)])
    both = np.mean([tuple(f.values()) == g for f, g in zip(found, GRATINGS, strict=True)])
    assert direction >= 0.95, f"{direction:.1%} of {len(GRATINGS)} gratings"
    assert both >= 0.9, f"{both:.1%} in direction and both frequencies"


@pytest.mark.parametrize("size", [(48, 48), (40, 60)])
def test_opposite_motion_is_weaker_by_far(size: tuple[int, int]) -> None:
    out = motion_energy(grating(45, 4, 4, size=size), SFREQ, pyramid=Pyramid(height=size[0]), log=False)
    energy = out.units.assign(energy=np.asarray(out.data)[8:-8].mean(axis=0))
    chosen = (
        energy[(energy["spatial_frequency"] == 4) & (energy["temporal_frequency"] == 4)].groupby("direction")["energy"].mean()
    )
    assert chosen[45.0] > 5 * chosen[225.0]


@pytest.mark.parametrize("direction", [0.0, 135.0, 270.0])
@pytest.mark.parametrize("temporal", [0.0, 4.0])
def test_energy_is_the_response_of_an_explicit_pair_of_filters(
    direction: float, temporal: float, rng: np.random.Generator
) -> None:
    film = rng.uniform(0, 100, (30, 24, 32))
    out = motion_energy(film, SFREQ, pyramid=Pyramid((4,), (temporal,), cycles=0.4, height=24), log=False)
    wanted = direction % 180 if temporal == 0 else direction
    column = int(np.flatnonzero((out.units["direction"] == wanted) & (out.units["spatial_frequency"] == 4))[2])
    unit = out.units.iloc[column]
    y, x = (np.mgrid[:24, :32] + 0.5) / 24
    gaussian = np.exp(-((x - unit["x"]) ** 2 + (y - unit["y"]) ** 2) / (2 * unit["sigma"] ** 2))
    angle, lags = np.deg2rad(wanted), np.arange(-8, 9) / SFREQ
    phase = 4 * ((x - unit["x"]) * np.cos(angle) - (y - unit["y"]) * np.sin(angle))
    in_time = np.exp(-(lags**2) / (2 * 0.2**2))
    filters = in_time[:, None, None] / in_time.sum() * gaussian / gaussian.sum()
    filters = filters * np.exp(2j * np.pi * (phase + temporal * lags[:, None, None]))  # seen backwards in time
    at = 15
    expected = np.abs((filters[::-1] * film[at - 8 : at + 9]).sum())
    assert np.asarray(out.data)[at, column] == pytest.approx(expected, rel=1e-3)


def test_a_moving_patch_is_seen_where_it_is() -> None:
    film = np.full((30, 48, 48), 50.0)
    film[:, 2:22, 26:46] = grating(0, 8, 4, n=30)[:, 2:22, 26:46]
    out = motion_energy(film, SFREQ, pyramid=Pyramid(height=48), log=False)
    units = out.units.assign(energy=np.asarray(out.data)[8:-8].mean(axis=0))
    units = units[(units["spatial_frequency"] == 8) & (units["temporal_frequency"] == 4) & (units["direction"] == 0)]
    best = units.loc[units["energy"].idxmax()]
    assert best["x"] == pytest.approx(36 / 48, abs=0.15)
    assert best["y"] == pytest.approx(12 / 48, abs=0.15)


def test_a_still_image_has_no_motion_and_a_flicker_has_no_direction() -> None:
    still = np.repeat(grating(0, 4, 0, n=1), 30, axis=0)
    out = motion_energy(still, SFREQ, pyramid=Pyramid(height=48), log=False)
    energy = out.units.assign(energy=np.asarray(out.data).mean(axis=0)).dropna(subset="direction")
    by_rate = energy.groupby("temporal_frequency")["energy"].max()
    assert by_rate[0.0] > 5 * by_rate[4.0]
    flicker = np.broadcast_to(50 + 20 * np.cos(2 * np.pi * 4 * np.arange(36) / SFREQ)[:, None, None], (36, 48, 48))
    blobs = motion_energy(flicker, SFREQ, pyramid=Pyramid(height=48), log=False)
    strongest_blob = blobs.units.iloc[int(np.argmax(np.asarray(blobs.data)[18] * (blobs.units["temporal_frequency"] > 0)))]
    assert np.isnan(strongest_blob["direction"])
    assert strongest_blob["temporal_frequency"] == 4


def test_the_published_pyramid_has_6555_filters() -> None:
    out = motion_energy(np.zeros((2, 96, 96)), 15.0, pyramid="nishimoto2011")
    assert out.data.shape == (2, 6555)
    assert sorted(out.units["spatial_frequency"].unique()) == [0, 2, 4, 8, 16, 32]
    assert out.units["name"].is_unique


def test_colours_become_lightness_at_a_smaller_size(rng: np.random.Generator) -> None:
    film = rng.integers(0, 256, (70, 96, 128, 3)).astype(np.uint8)
    out = motion_energy(film, SFREQ)
    assert out.data.dtype == np.float32
    assert np.isfinite(out.data).all()
    grey = np.repeat(np.full((70, 96, 128, 1), 119, np.uint8), 3, axis=3)
    flat = motion_energy(grey, SFREQ, log=False)
    blob = np.asarray(flat.data)[:, (flat.units["spatial_frequency"] == 0) & (flat.units["temporal_frequency"] == 0)]
    np.testing.assert_allclose(blob, 50, atol=0.1)


def test_the_log_is_taken_of_the_same_energy(rng: np.random.Generator) -> None:
    film = rng.uniform(0, 100, (20, 32, 32))
    plain, logged = (np.asarray(motion_energy(film, SFREQ, log=log).data) for log in (False, True))
    np.testing.assert_allclose(logged, np.log(plain + 1e-5), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("film", "sfreq", "pyramid", "message"),
    [
        (np.zeros((3, 4)), SFREQ, "modest", r"got shape \(3, 4\)"),
        (np.zeros((0, 64, 64)), SFREQ, "modest", r"got shape \(0, 64, 64\)"),
        (np.zeros((3, 64, 64, 3)), SFREQ, "modest", "must be uint8"),
        (np.zeros((3, 64, 64)), 0.0, "modest", "sfreq must be"),
        (np.zeros((3, 64, 64)), 6.0, "modest", "up to 3 Hz, the pyramid has 4 Hz"),
        (np.zeros((3, 12, 64)), SFREQ, "modest", "12 rows show up to 6 cycles, the pyramid has 8"),
        (np.zeros((3, 64, 64)), SFREQ, "full", "pyramid='full' is unknown"),
        (np.zeros((3, 64, 64)), SFREQ, Pyramid(n_directions=5), "even number of 2 or more, got 5"),
        (np.zeros((3, 64, 64)), SFREQ, Pyramid(spatial_frequencies=()), "spatial frequencies above 0"),
        (np.zeros((3, 64, 64)), SFREQ, Pyramid(spatial_frequencies=(0, 2)), "spatial frequencies above 0"),
        (np.zeros((3, 64, 64)), SFREQ, Pyramid(temporal_frequencies=(-1,)), "spatial frequencies above 0"),
    ],
)
def test_what_does_not_fit_is_named(film: np.ndarray, sfreq: float, pyramid: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        motion_energy(film, sfreq, pyramid=pyramid)  # type: ignore[arg-type]
