"""Responses, noise and drift have the areas, correlations and spectra that their formulas state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from neurodecode.errors import DataError
from neurodecode.simulate import ar_noise, convolve_events, drift, hrf
from neurodecode.simulate.bold import hrf_integral

TIMES = np.arange(0, 60, 0.5)


@pytest.mark.parametrize(("kind", "peak", "dip"), [("glover", 5.0, 12.3), ("spm", 5.0, 15.7)])
def test_response_peaks_and_dips_and_has_an_area_of_one(kind: str, peak: float, dip: float) -> None:
    fine = np.linspace(-5, 60, 65001)
    shape = hrf(fine, kind)  # type: ignore[arg-type]
    assert fine[np.argmax(shape)] == pytest.approx(peak, abs=0.1)
    assert fine[np.argmin(shape)] == pytest.approx(dip, abs=0.1)
    assert np.trapezoid(shape, fine) == pytest.approx(1.0, abs=1e-6)
    assert not shape[fine < 0].any()


@pytest.mark.parametrize("kind", ["glover", "spm"])
@pytest.mark.parametrize("end", [2.0, 6.0, 25.0])
def test_integral_is_the_integral(kind: str, end: float) -> None:
    by_quadrature = quad(lambda t: float(hrf(t, kind)), 0, end)[0]  # type: ignore[arg-type]
    assert float(hrf_integral(end, kind)) == pytest.approx(by_quadrature, abs=1e-8)  # type: ignore[arg-type]


def test_unknown_response() -> None:
    with pytest.raises(DataError, match="gamma"):
        hrf(TIMES, "gamma")  # type: ignore[arg-type]


def test_a_long_event_reaches_its_amplitude() -> None:
    signal = convolve_events([5.0], 50.0, [3.0], TIMES)
    assert signal[-10] == pytest.approx(3.0, abs=1e-3)
    assert not signal[TIMES <= 5].any()


def test_a_short_event_is_its_area_times_the_response() -> None:
    brief, impulse = convolve_events([5.0], 1e-4, [1e4], TIMES), convolve_events([5.0], 0.0, [1.0], TIMES)
    np.testing.assert_allclose(impulse, hrf(TIMES - 5))
    np.testing.assert_allclose(brief, impulse, atol=1e-4)


def test_events_add_and_channels_are_separate() -> None:
    onsets, durations = np.array([1.0, 7.3, 20.0]), np.array([1.0, 0.0, 4.0])
    amplitudes = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 3.0]])
    both = convolve_events(onsets, durations, amplitudes, TIMES, "spm")
    assert both.shape == (2, len(TIMES))
    for j, signal in enumerate(both):
        alone = [
            convolve_events([on], [d], [a], TIMES, "spm") for on, d, a in zip(onsets, durations, amplitudes[:, j], strict=True)
        ]
        np.testing.assert_allclose(signal, np.sum(alone, axis=0), atol=1e-12)


def test_the_clock_only_shifts() -> None:
    a, b = convolve_events([3.0], 2.0, [1.0], TIMES), convolve_events([13.0], 2.0, [1.0], TIMES + 10)
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_events_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="amplitudes has 1 rows, expected 2"):
        convolve_events([0.0, 1.0], 1.0, [1.0], TIMES)
    with pytest.raises(DataError, match="-1"):
        convolve_events([0.0], -1.0, [1.0], TIMES)


def autocorrelation(phi: list[float], n_lags: int) -> np.ndarray:
    """From the impulse response of the filter, which knows nothing of Yule and Walker."""
    response = np.zeros(2000)
    response[0] = 1.0
    for t in range(1, 2000):
        response[t] = sum(c * response[t - k] for k, c in enumerate(phi, start=1) if t >= k)
    covariance = np.array([response[: 2000 - lag] @ response[lag:] for lag in range(n_lags)])
    return covariance / covariance[0]


@pytest.mark.parametrize("phi", [[], [0.5], [-0.6], [0.35, 0.1], [0.6, -0.5], [0.2, 0.1, 0.3], [1.2, -0.6, 0.1, 0.05]])
def test_noise_has_its_autocorrelation_from_the_first_sample_on(rng: np.random.Generator, phi: list[float]) -> None:
    noise = ar_noise((40000, 9), phi, rng)
    covariance = noise.T @ noise / len(noise)
    expected = autocorrelation(phi, 9)
    lags = np.abs(np.arange(9)[:, None] - np.arange(9))
    np.testing.assert_allclose(covariance, expected[lags], atol=0.03)


def test_noise_follows_its_recursion(rng: np.random.Generator) -> None:
    """What the past does not tell is white, of the variance that keeps the whole at 1."""
    noise = ar_noise((3, 50000), [0.5, 0.2], rng)
    innovation = noise[:, 2:] - 0.5 * noise[:, 1:-1] - 0.2 * noise[:, :-2]
    rho_1 = 0.5 / (1 - 0.2)
    assert innovation.var() == pytest.approx(1 - 0.5 * rho_1 - 0.2 * (0.5 * rho_1 + 0.2), rel=0.02)
    assert abs(np.corrcoef(innovation[0, 1:], noise[0, 1:-2])[0, 1]) < 0.02
    assert abs(np.corrcoef(noise[:2])[0, 1]) < 0.05


@pytest.mark.parametrize("n_times", [0, 1, 2, 3])
def test_short_series_are_stationary_too(rng: np.random.Generator, n_times: int) -> None:
    noise = ar_noise((20000, n_times), [0.6, 0.2], rng)
    assert noise.shape == (20000, n_times)
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.03)


def test_a_number_is_the_coefficient_of_order_one() -> None:
    one, other = (ar_noise((2, 3, 20), phi, np.random.default_rng(1)) for phi in (0.4, [0.4]))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("phi", [1.0, -1.0, [0.6, 0.5], [0.0, 1.1], np.nan])
def test_noise_that_would_grow_is_refused(rng: np.random.Generator, phi: object) -> None:
    with pytest.raises(DataError, match="autoregressive coefficients"):
        ar_noise((2, 10), phi, rng)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_times", "tr"), [(150, 2.0), (400, 0.8)])
def test_drift_is_slow_and_of_variance_one(rng: np.random.Generator, n_times: int, tr: float) -> None:
    slow = drift(n_times, tr, rng, shape=(5000,))
    assert slow.shape == (5000, n_times)
    assert (slow**2).mean() == pytest.approx(1.0, rel=0.05)
    np.testing.assert_allclose(slow.mean(axis=1), 0, atol=1e-9)
    order = np.arange(n_times)
    basis = np.cos(np.pi * np.outer(order, np.arange(n_times) + 0.5) / n_times)
    power = ((slow @ basis.T) ** 2).mean(axis=0)
    frequency = order / (2 * n_times * tr)
    assert power[frequency > 1 / 128 + 1e-9].max() < 1e-12 * power.max()
    assert power[1] / power[2] == pytest.approx(4, rel=0.2), "the amplitude falls with the frequency"


def test_drift_of_one_series_and_of_a_short_run(rng: np.random.Generator) -> None:
    assert drift(100, 2.0, rng).shape == (100,)
    assert not drift(20, 2.0, rng, shape=(3,)).any()
    with pytest.raises(DataError, match="tr"):
        drift(20, 0.0, rng)
