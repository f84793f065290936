"""A population whose gains adapted to a biased ensemble of orientations: tuning before and after, in several sessions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.atomic import atomic_write
from neurodecode.errors import DataError
from neurodecode.simulate.truth import Truth, item_generator
from neurodecode.simulate.tuning_curves import biased_ensemble, gaussian_recurrence, gaussian_tuning

_Floats = NDArray[np.float64]
_SHARES = (0.5, 0.35, 0.35, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3)  # of the adapter, in the sessions of Benucci et al. (2013)


class SimulatedAdaptation(NamedTuple):
    """Tuning of a population in several sessions."""

    control: _Floats
    """Before adaptation, (n_sessions, n_stimuli, n_units)."""
    adapted: _Floats
    """After it, (n_sessions, n_stimuli, n_units)."""
    stimuli: _Floats
    """Orientations in degrees, each once, (n_stimuli,)."""
    preferred: _Floats
    """Preferred orientation of each unit, (n_units,)."""
    probability: _Floats
    """Ensemble adapted to, (n_sessions, n_stimuli)."""
    truth: Truth
    """``gains`` (n_sessions, n_units) and ``gains_control`` (n_units,), ``recurrent`` (n_units, n_units), ``readout`` and the
    parameters."""


def simulate_adaptation(
    *,
    n_sessions: int = 11,
    n_units: int = 12,
    n_stimuli: int = 20,
    alpha: float = 1.0,
    gamma: float = 1.0,
    recurrent_strength: float = 0.5,
    tuning_width: float = 15.0,
    recurrent_width: float = 15.0,
    baseline: float = 0.1,
    adapter: float = 0.0,
    noise: float = 0.01,
    random_state: int = 0,
) -> SimulatedAdaptation:
    r"""Simulate tuning before and after adaptation.

    Gains minimise :math:`\sum_s p_s (\lVert f_s - D M (f_s \circ g) \rVert^2 + \alpha \lVert M (f_s \circ g) \rVert^2) +
    \gamma \lVert g - 1 \rVert^2`, solved as one stacked least squares problem, stimulus by stimulus.

    Parameters
    ----------
    n_sessions, n_units, n_stimuli : int
        Sizes. Units and stimuli are evenly spaced from -90 degrees on.
    alpha, gamma : float
        Prices of activity and of gains that differ from 1.
    recurrent_strength : float
        Sum of the recurrent weights to a unit.
    tuning_width : float
        Of the feedforward tuning, in degrees; its bump has the height 1.
    recurrent_width : float
        How far recurrent weights reach, in degrees.
    baseline : float
        Of the feedforward tuning.
    adapter : float
        The orientation that is shown most often.
    noise : float
        Standard deviation of what is added to each mean response.
    random_state : int
        Seed of the noise.

    Returns
    -------
    SimulatedAdaptation
        Tuning and truth.

    Raises
    ------
    DataError
        If a size or the noise is out of range.
    """
    given = dict(locals())
    if min(n_sessions, n_units, n_stimuli) < 1 or noise < 0:
        sizes = (n_sessions, n_units, n_stimuli)
        raise DataError(f"expected sizes of at least 1 and noise of at least 0, got {sizes} and {noise!r}")
    stimuli, preferred = (-90 + 180 * np.arange(n) / n for n in (n_stimuli, n_units))
    drive = gaussian_tuning(stimuli, preferred, tuning_width, baseline)
    recurrent = gaussian_recurrence(preferred, recurrent_strength, recurrent_width)
    through: NDArray[np.float64] = np.linalg.inv(np.eye(n_units) - recurrent).astype(float)
    uniform = np.full(n_stimuli, 1 / n_stimuli)
    readout = _readout(drive, through)
    probability = np.stack([biased_ensemble(stimuli, adapter, _SHARES[i % 11], 180 / n_stimuli / 2) for i in range(n_sessions)])
    gains = np.stack([_gains(drive, through, readout, p, alpha, gamma) for p in probability])
    first = _gains(drive, through, readout, uniform, alpha, gamma)
    rng = item_generator(random_state, "noise")
    control, adapted = (
        np.stack([(drive * g) @ through.T for g in rows]) + noise * rng.standard_normal((n_sessions, n_stimuli, n_units))
        for rows in (np.tile(first, (n_sessions, 1)), gains)
    )
    arrays = {"gains": gains, "gains_control": first, "recurrent": recurrent, "readout": readout}
    given.pop("random_state")
    truth = Truth("simulate_adaptation", random_state, given, arrays)
    return SimulatedAdaptation(control, adapted, stimuli, preferred, probability, truth)


def write_benucci(folder: str | Path, simulated: SimulatedAdaptation) -> Path:
    """Write tuning in the layout of ``BenucciTuningData.mat``: both ends of the circle stand in it, for stimuli and units.

    Parameters
    ----------
    folder : str or Path
        Where the file goes.
    simulated : SimulatedAdaptation
        With orientations from -90 degrees on.

    Returns
    -------
    Path
        The file, with a cell array ``resps`` of one array (units, stimuli, before and after) per session.
    """
    from scipy.io import savemat

    path = Path(folder) / "BenucciTuningData.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    sessions = np.empty((len(simulated.control), 1), object)
    for number, pair in enumerate(zip(simulated.control, simulated.adapted, strict=True)):
        both = np.stack([tuning.T for tuning in pair], axis=-1)
        sessions[number, 0] = np.pad(both, ((0, 1), (0, 1), (0, 0)), mode="wrap")
    with atomic_write(path) as partial, open(partial, "wb") as file:
        savemat(file, {"resps": sessions})
    return path


def _readout(drive: _Floats, through: _Floats, ridge: float = 1e-6) -> _Floats:
    """Ridge regression of the drive on responses at gains of 1, over all stimuli alike."""
    response = drive @ through.T / np.sqrt(len(drive))
    wide = np.vstack([response, np.sqrt(ridge) * np.eye(response.shape[1])])
    goal = np.vstack([drive / np.sqrt(len(drive)), np.zeros((response.shape[1], drive.shape[1]))])
    return np.asarray(np.linalg.lstsq(wide, goal, rcond=None)[0].T)


def _gains(drive: _Floats, through: _Floats, readout: _Floats, p: _Floats, alpha: float, gamma: float) -> _Floats:
    n = drive.shape[1]
    each = np.sqrt(p)[:, None, None] * through * drive[:, None, :]  # (n_stimuli, n_units, n_gains): M diag(f)
    rows = [(readout @ each).reshape(-1, n), np.sqrt(alpha) * each.reshape(-1, n), np.sqrt(gamma) * np.eye(n)]
    goal = np.concatenate([(np.sqrt(p)[:, None] * drive).ravel(), np.zeros(each.size // n), np.full(n, np.sqrt(gamma))])
    return np.asarray(np.linalg.lstsq(np.vstack(rows), goal, rcond=None)[0])
