"""Responses that are linear in features: weights, ceiling and shares of variance are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError
from neurodecode.simulate.bold import ar_noise, hrf
from neurodecode.simulate.truth import Truth, item_generator


class PlantedEncoding(NamedTuple):
    """Features, the responses that they drive, and how."""

    features: Responses
    """Shape (n_samples, n_features), one row per stimulus; samples hold ``stimulus``, ``run`` and ``onset`` (s)."""
    brain: Responses
    """Shape (n_repeats * n_samples, n_targets), one repeat after the other; samples hold ``repeat`` too.
    ``brain.average("stimulus")`` has the rows of the features."""
    truth: Truth
    """``weights`` (n_delays * n_features, n_targets), the delays one after the other; ``signal_fraction`` of one repeat and
    ``rho`` of the mean over repeats (variance units), both (n_targets,); ``runs`` (n_samples,)."""


class PlantedBands(NamedTuple):
    """Correlated feature spaces, the responses that they drive, and which part of the variance belongs to whom."""

    spaces: list[Responses]
    """One per space, shape (n_samples, n_features of the space)."""
    brain: Responses
    """Shape (n_repeats * n_samples, n_targets), as in `PlantedEncoding`."""
    truth: Truth
    """``fractions`` (n_parts, n_targets) of the variance of one repeat, in the order of the table ``parts``, whose column
    ``spaces`` names the spaces that hold the part (``0+1``); ``signal_fraction``, ``rho`` and ``runs`` as before."""


def planted_encoding(
    n_samples: int = 600,
    n_features: int = 20,
    n_targets: int = 50,
    *,
    signal: ArrayLike = 0.3,
    feature_ar: ArrayLike = 0.3,
    noise_ar: ArrayLike = 0.3,
    delays_s: Sequence[float] | None = None,
    n_runs: int = 1,
    n_repeats: int = 1,
    tr: float = 2.0,
    random_state: int = 0,
) -> PlantedEncoding:
    r"""Simulate features and responses that are linear in them.

    :math:`y_t = \sqrt{s}\,\sum_d h(d)\,x_{t-d} w + \sqrt{1 - s}\,\epsilon_t`: the signal is scaled to a variance of :math:`s`
    over these samples, the noise has :math:`1 - s`. Features and noise are autoregressive within a run and independent between
    runs; each repeat has noise of its own. The ceiling of the mean over :math:`K` repeats is
    :math:`\rho = s / (s + (1 - s) / K)`.

    Parameters
    ----------
    n_samples, n_features, n_targets : int
        Stimuli (or scans), features, and voxels or sensors.
    signal : float or array_like of shape (n_targets,)
        Share of signal in the variance of one repeat, from 0 to 1.
    feature_ar, noise_ar : array_like of shape (order,) or float
        Autoregressive coefficients; 0 for white.
    delays_s : sequence of float, optional
        Delays in s, multiples of `tr`, at which the features act with the weight of `hrf`; before the start of a run they are 0.
        By default they act at once.
    n_runs : int
        Runs of equal length (within one sample).
    n_repeats : int
        How often each stimulus is shown.
    tr : float
        Time between samples in s.
    random_state : int
        Seed.

    Returns
    -------
    PlantedEncoding
        Features, responses and truth.

    Raises
    ------
    DataError
        If a share is outside 0 to 1, a delay is no multiple of `tr` above 0, or a run would be shorter than two samples.
    """
    share = _shares(signal, n_targets)
    runs = _runs(n_samples, n_runs)
    lags = _lags(delays_s, tr)
    x = _series(runs, n_features, feature_ar, item_generator(random_state, "features")).astype(np.float32)
    height = np.ones(1) if delays_s is None else hrf(delays_s)
    drawn = item_generator(random_state, "weights").standard_normal((n_features, n_targets))
    weights = (height[:, None, None] * drawn).reshape(-1, n_targets)
    drive = np.concatenate([_delayed(x, lag, runs) for lag in lags], axis=1) @ weights
    scale = np.sqrt(share) / drive.std(axis=0)
    brain = _respond(drive * scale, share, runs, noise_ar, n_repeats, tr, random_state)
    truth = Truth(
        "planted_encoding",
        random_state,
        {
            "n_runs": n_runs,
            "n_repeats": n_repeats,
            "tr": tr,
            "delays_s": None if delays_s is None else [float(d) for d in delays_s],
        },
        {"weights": weights * scale, **_ceiling(share, n_repeats), "runs": runs},
    )
    return PlantedEncoding(_features(x, runs, tr, "feature"), brain, truth)


def planted_bands(
    n_samples: int = 600,
    parts: Mapping[tuple[int, ...], float] | None = None,
    n_targets: int = 50,
    *,
    n_latents: int = 5,
    feature_ar: ArrayLike = 0.3,
    noise_ar: ArrayLike = 0.3,
    n_runs: int = 1,
    n_repeats: int = 1,
    tr: float = 2.0,
    random_state: int = 0,
) -> PlantedBands:
    """Simulate two or more feature spaces that share part of what drives the responses.

    Each part of the variance has latent features of its own. A space holds those of all parts that it belongs to, rotated at
    random, so that the parts are not columns of it. With spaces A and B and enough samples, R2 of A is its unique part and the
    shared one, R2 of both is the sum of all parts.

    Parameters
    ----------
    n_samples : int
        Stimuli, or scans.
    parts : mapping of tuple of int to float, optional
        Share of each part in the variance of one repeat, by the spaces that hold it; by default
        ``{(0,): 0.2, (1,): 0.1, (0, 1): 0.15}``. Shares sum to 1 at most; a part of 0 is held by its spaces but drives nothing.
    n_targets : int
        Voxels or sensors.
    n_latents : int
        Features of each part.
    feature_ar, noise_ar : array_like of shape (order,) or float
        Autoregressive coefficients; 0 for white.
    n_runs, n_repeats : int
        Runs of equal length, and how often each stimulus is shown.
    tr : float
        Time between samples in s.
    random_state : int
        Seed.

    Returns
    -------
    PlantedBands
        Spaces, responses and truth.

    Raises
    ------
    DataError
        If shares do not fit, or a space between 0 and the largest number belongs to no part.
    """
    wanted = {(0,): 0.2, (1,): 0.1, (0, 1): 0.15} if parts is None else dict(parts)
    names = _check_parts(wanted)
    runs, fractions = _runs(n_samples, n_runs), np.array(list(wanted.values()), float)
    latent, drive = [], np.zeros((n_samples, n_targets))
    for part, fraction in wanted.items():
        rng = item_generator(random_state, f"part {part}")
        latent.append(_series(runs, n_latents, feature_ar, rng))
        signal = latent[-1] @ rng.standard_normal((n_latents, n_targets))
        drive += np.sqrt(fraction) * signal / signal.std(axis=0)
    spaces = []
    for space in range(len(names)):
        held = np.concatenate([z for z, part in zip(latent, wanted, strict=True) if space in part], axis=1)
        rotation = np.linalg.qr(item_generator(random_state, f"space {space}").standard_normal((held.shape[1],) * 2))[0]
        spaces.append(_features((held @ rotation).astype(np.float32), runs, tr, f"space{space}_"))
    share = np.full(n_targets, min(fractions.sum(), 1.0))
    truth = Truth(
        "planted_bands",
        random_state,
        {"n_latents": n_latents, "n_runs": n_runs, "n_repeats": n_repeats, "tr": tr},
        {"fractions": np.tile(fractions[:, None], n_targets), **_ceiling(share, n_repeats), "runs": runs},
        {"parts": pd.DataFrame({"spaces": ["+".join(map(str, part)) for part in wanted], "fraction": fractions})},
    )
    return PlantedBands(spaces, _respond(drive, share, runs, noise_ar, n_repeats, tr, random_state), truth)


def _shares(signal: ArrayLike, n_targets: int) -> NDArray[np.float64]:
    """Share of signal of each target."""
    given = np.asarray(signal, float)
    if given.shape not in ((), (n_targets,)) or not ((given >= 0) & (given <= 1)).all():
        raise DataError(f"signal must be a share from 0 to 1, one or one per each of {n_targets} targets, got {signal!s:.80}")
    return np.broadcast_to(given, (n_targets,)).copy()


def _check_parts(parts: Mapping[tuple[int, ...], float]) -> list[int]:
    """Numbers of the spaces, all of which must hold something."""
    shares = np.array(list(parts.values()), float)
    names = sorted({space for part in parts for space in part})
    if not names or names != list(range(len(names))) or not (shares >= 0).all() or shares.sum() > 1 + 1e-9:
        raise DataError(
            f"parts must map tuples of spaces numbered from 0 on to shares of at least 0 and at most 1 in sum, got {dict(parts)}"
        )
    return names


def _runs(n_samples: int, n_runs: int) -> NDArray[np.int64]:
    """Number of the run of each sample, from 0."""
    if n_runs < 1 or n_samples < 2 * n_runs:
        raise DataError(f"{n_samples} samples do not make {n_runs} runs of at least two: simulate more samples or fewer runs")
    return np.repeat(np.arange(n_runs), [len(part) for part in np.array_split(np.arange(n_samples), n_runs)])


def _lags(delays_s: Sequence[float] | None, tr: float) -> list[int]:
    """Delays in samples."""
    delays = np.asarray([0.0] if delays_s is None else delays_s, float) / check_positive("tr", tr)
    whole = np.allclose(delays, np.round(delays), atol=1e-6)
    if not len(delays) or not whole or (delays_s is not None and (delays <= 0).any()):
        raise DataError(f"delays_s must be multiples of the {tr:g} s between samples, above 0, got {delays_s}")
    return [int(lag) for lag in np.round(delays)]


def _series(runs: NDArray[np.int64], n_columns: int, ar: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Autoregressive columns of variance 1, independent between runs, shape (n_samples, n_columns)."""
    return np.concatenate([ar_noise((n_columns, length), ar, rng).T for length in np.bincount(runs)])


def _delayed(x: NDArray[np.float32], lag: int, runs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Features of `lag` samples ago, 0 before the start of a run."""
    source = np.arange(len(x)) - lag
    inside = (source >= 0) & (runs[np.maximum(source, 0)] == runs)
    return np.where(inside[:, None], x[np.maximum(source, 0)], np.float32(0.0))


def _respond(
    signal: NDArray[np.float64],
    share: NDArray[np.float64],
    runs: NDArray[np.int64],
    noise_ar: ArrayLike,
    n_repeats: int,
    tr: float,
    random_state: int,
) -> Responses:
    """Signal plus fresh noise, once per repeat."""
    if n_repeats < 1:
        raise DataError(f"n_repeats must be 1 or more, got {n_repeats}")
    noise = np.sqrt(1.0 - share)
    parts = [
        signal + noise * _series(runs, signal.shape[1], noise_ar, item_generator(random_state, f"noise {k}"))
        for k in range(n_repeats)
    ]
    table = pd.concat([_table(runs, tr).assign(repeat=k + 1) for k in range(n_repeats)], ignore_index=True)
    units = pd.DataFrame({"name": [f"target{i}" for i in range(signal.shape[1])]})
    return Responses(np.concatenate(parts).astype(np.float32), table, units, meta={"TR": float(tr)})


def _features(x: NDArray[np.float32], runs: NDArray[np.int64], tr: float, prefix: str) -> Responses:
    """Features as responses of a model."""
    units = pd.DataFrame({"name": [f"{prefix}{i}" for i in range(x.shape[1])]})
    return Responses(x, _table(runs, tr), units, meta={"TR": float(tr)})


def _table(runs: NDArray[np.int64], tr: float) -> pd.DataFrame:
    """Stimulus, run and onset of each sample."""
    within = np.concatenate([np.arange(length) for length in np.bincount(runs)])
    names = [f"run-{run + 1}_{t:05d}" for run, t in zip(runs, within, strict=True)]
    return pd.DataFrame({"stimulus": names, "run": (runs + 1).astype(str), "onset": within * float(tr), "duration": float(tr)})


def _ceiling(share: NDArray[np.float64], n_repeats: int) -> dict[str, Any]:
    """Share of signal in one repeat, and in the mean over all."""
    return {"signal_fraction": share, "rho": share / (share + (1.0 - share) / n_repeats)}
