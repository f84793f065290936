"""Planted encodings: what is said to be in the data is in the data."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.errors import DataError
from neurodecode.linear import Delayer
from neurodecode.metrics import r2_score
from neurodecode.simulate import hrf, planted_bands, planted_encoding


def explained(x: np.ndarray, y: np.ndarray) -> float:
    """Share of variance that least squares explains, mean over targets."""
    x = np.column_stack([np.ones(len(x)), x])
    return float(np.mean(r2_score(y, x @ np.linalg.lstsq(x, y, rcond=None)[0])))


def test_signal_is_features_times_weights_and_of_its_share() -> None:
    share = np.linspace(0.05, 0.95, 7)
    features, brain, truth = planted_encoding(3000, 10, 7, signal=share, n_runs=3)
    signal = features.data @ truth["weights"]
    np.testing.assert_allclose(signal.var(axis=0), share, rtol=1e-5)
    noise = brain.data - signal
    np.testing.assert_allclose(noise.var(axis=0), 1 - share, rtol=0.15)
    np.testing.assert_array_equal(truth["signal_fraction"], share)
    assert features.data.dtype == brain.data.dtype == np.float32


@pytest.mark.parametrize(("n_repeats", "rho"), [(1, 0.3), (3, 0.3 / (0.3 + 0.7 / 3)), (10, 0.3 / 0.37)])
def test_ceiling_is_what_the_true_model_reaches(n_repeats: int, rho: float) -> None:
    features, brain, truth = planted_encoding(2000, 8, 60, signal=0.3, noise_ar=0.0, n_repeats=n_repeats)
    np.testing.assert_allclose(truth["rho"], rho)
    mean = brain.average("stimulus")
    assert mean.samples["stimulus"].tolist() == features.samples["stimulus"].tolist()
    assert r2_score(mean.data, features.data @ truth["weights"]).mean() == pytest.approx(rho, abs=0.01)


@pytest.mark.parametrize("n_runs", [1, 3])
def test_delays_are_those_of_the_delayer(n_runs: int) -> None:
    delays = (2.0, 6.0, 10.0)
    features, brain, truth = planted_encoding(90, 4, 5, signal=1.0, delays_s=delays, n_runs=n_runs)
    delayed = Delayer(delays, sfreq=0.5).transform(features.data, truth["runs"])
    np.testing.assert_allclose(brain.data, delayed @ truth["weights"], atol=1e-5)
    blocks = truth["weights"].reshape(3, 4, 5)
    np.testing.assert_allclose(blocks / blocks[:1], np.broadcast_to((hrf(delays) / hrf(2.0))[:, None, None], blocks.shape))


def test_a_delay_longer_than_a_run_brings_nothing() -> None:
    short, longer = (planted_encoding(20, 3, 2, signal=1.0, n_runs=4, delays_s=d) for d in ((2.0, 4.0), (2.0, 4.0, 40.0)))
    np.testing.assert_allclose(short.brain.data, longer.brain.data, atol=1e-6)


def test_runs_and_tables() -> None:
    features, brain, truth = planted_encoding(10, 3, 2, n_runs=3, n_repeats=2, tr=1.5)
    assert truth["runs"].tolist() == [0] * 4 + [1] * 3 + [2] * 3
    assert features.groups("run").tolist() == truth["runs"].tolist()
    assert features.samples["onset"].tolist() == [0, 1.5, 3, 4.5, 0, 1.5, 3, 0, 1.5, 3]
    assert brain.data.shape == (20, 2)
    assert brain.samples["repeat"].tolist() == [1] * 10 + [2] * 10
    assert features.samples["stimulus"].is_unique
    assert features.meta["TR"] == 1.5
    assert len(set(features.units["name"])) == 3


def test_autocorrelation_and_independence_between_runs() -> None:
    features, _, _ = planted_encoding(4000, 50, 2, feature_ar=0.8, n_runs=2)
    x = features.data
    lag = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in x.T]
    assert np.mean(lag) == pytest.approx(0.8, abs=0.02)
    across = np.corrcoef(x[1999], x[2000])[0, 1]
    assert abs(across) < 0.4
    assert np.corrcoef(x[1998], x[1999])[0, 1] > 0.6


def test_seeds() -> None:
    first, same, other = (planted_encoding(50, 4, 3, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.brain.data, same.brain.data)
    np.testing.assert_array_equal(first.truth["weights"], same.truth["weights"])
    assert not np.array_equal(first.features.data, other.features.data)
    noisy = planted_encoding(50, 4, 3, random_state=1, n_repeats=2)
    np.testing.assert_array_equal(noisy.brain.data[:50], first.brain.data)  # one more repeat leaves the first as it was
    assert not np.array_equal(noisy.brain.data[50:], first.brain.data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signal": 1.2}, "share from 0 to 1"),
        ({"signal": [0.1, 0.2]}, "one per each of 5 targets"),
        ({"n_runs": 30}, "30 runs of at least two"),
        ({"n_repeats": 0}, "n_repeats must be 1 or more, got 0"),
        ({"delays_s": (3.0,)}, "multiples of the 2 s"),
        ({"delays_s": (0.0, 2.0)}, "above 0"),
        ({"delays_s": ()}, "multiples"),
        ({"tr": 0.0}, "tr must be"),
        ({"noise_ar": 1.0}, "grow without bound"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_refuses(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        planted_encoding(40, 3, 5, **options)


def test_two_spaces_explain_their_unique_and_shared_parts() -> None:
    bands = planted_bands(6000, n_targets=40)
    a, b = (space.data for space in bands.spaces)
    y = bands.brain.data
    alone_a, alone_b, both = explained(a, y), explained(b, y), explained(np.hstack([a, b]), y)
    assert alone_a == pytest.approx(0.35, abs=0.01)
    assert alone_b == pytest.approx(0.25, abs=0.01)
    assert both == pytest.approx(0.45, abs=0.01)
    assert bands.truth["parts"]["spaces"].tolist() == ["0", "1", "0+1"]
    np.testing.assert_allclose(bands.truth["fractions"][:, 0], [0.2, 0.1, 0.15])
    np.testing.assert_allclose(bands.truth["rho"], 0.45)


def test_three_spaces_by_inclusion_and_exclusion() -> None:
    parts = {(0,): 0.1, (1,): 0.1, (2,): 0.0, (0, 1): 0.1, (1, 2): 0.15, (0, 1, 2): 0.2}
    bands = planted_bands(8000, parts, 30, n_latents=3, noise_ar=0.0, n_runs=2)
    x, y = [space.data for space in bands.spaces], bands.brain.data
    assert [space.n_units for space in bands.spaces] == [9, 12, 9]
    for chosen in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
        expected = sum(share for part, share in parts.items() if set(part) & set(chosen))
        assert explained(np.hstack([x[k] for k in chosen]), y) == pytest.approx(expected, abs=0.012), chosen


def test_no_column_of_a_space_is_a_part_by_itself() -> None:
    bands = planted_bands(4000, n_latents=4)
    a, b = (space.data for space in bands.spaces)
    shares = [explained(b, column[:, None]) for column in a.T]
    assert min(shares) > 0.1
    assert max(shares) < 0.9


def test_repeats_of_bands_are_averaged_like_any() -> None:
    bands = planted_bands(100, n_targets=3, n_repeats=4)
    assert bands.brain.average("stimulus").data.shape == (100, 3)
    np.testing.assert_allclose(bands.truth["rho"], 0.45 / (0.45 + 0.55 / 4))


@pytest.mark.parametrize("parts", [{}, {(0,): 0.2, (2,): 0.1}, {(0,): 0.8, (1,): 0.3}, {(0,): -0.1}, {(1,): 0.2}])
def test_refuses_parts(parts: dict) -> None:
    with pytest.raises(DataError, match="parts must map tuples of spaces"):
        planted_bands(50, parts)


def test_parts_may_fill_all_of_the_variance() -> None:
    bands = planted_bands(200, {(0,): 0.1, (1,): 0.2, (0, 1): 0.7}, 3)
    assert np.isfinite(bands.brain.data).all()
    assert explained(np.hstack([space.data for space in bands.spaces]), bands.brain.data) == pytest.approx(1.0, abs=1e-4)
