"""Head motion: how the head moves, what that leaves in the signal, and the table of confounds that tells of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.validate import check_columns

HEAD_RADIUS = 50.0  # mm; a rotation moves the cortex by about this far per rad
PARAMETERS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


def head_motion(n_times: int, rng: np.random.Generator, *, step: float = 0.02) -> pd.DataFrame:
    """Let a head move as a random walk.

    Parameters
    ----------
    n_times : int
        Number of volumes.
    rng : numpy.random.Generator
        Source of random numbers.
    step : float
        Standard deviation of the translation from one volume to the next, in mm; that of the rotation moves a point at 50 mm
        from the centre as far.

    Returns
    -------
    DataFrame of shape (n_times, 6)
        ``trans_x, trans_y, trans_z`` in mm and ``rot_x, rot_y, rot_z`` in rad, 0 in the first volume.
    """
    steps = rng.standard_normal((n_times, 6)) * ([step] * 3 + [step / HEAD_RADIUS] * 3)
    steps[:1] = 0.0
    return pd.DataFrame(np.cumsum(steps, axis=0), columns=list(PARAMETERS))


def motion_terms(motion: pd.DataFrame) -> pd.DataFrame:
    """The six parameters, their differences, and the squares of both, in the names of fMRIPrep.

    Parameters
    ----------
    motion : DataFrame of shape (n_times, n_columns)
        With the columns of `head_motion`.

    Returns
    -------
    DataFrame of shape (n_times, 24)
        Differences are missing in the first row.

    Raises
    ------
    DataError
        If a column is missing.
    """
    check_columns(motion, PARAMETERS, "motion")
    terms: dict[str, pd.Series] = {}
    for name in PARAMETERS:
        position, step = motion[name], motion[name].diff()
        terms |= {name: position, f"{name}_derivative1": step, f"{name}_power2": position**2}
        terms |= {f"{name}_derivative1_power2": step**2}
    return pd.DataFrame(terms)


def motion_leakage(
    motion: pd.DataFrame, n_channels: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What motion leaves in a signal after realignment, the history of the spins included.

    A random sum of the position of the head, its last move, and the squares of both (Friston et al. 1996, Magnetic Resonance
    in Medicine 35:346).

    Parameters
    ----------
    motion : DataFrame of shape (n_times, n_columns)
        With the columns of `head_motion`.
    n_channels : int
        Number of voxels or vertices.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    signal : NDArray[np.float64]
        Shape (n_channels, n_times), with mean 0.
    weights : NDArray[np.float64]
        Shape (n_channels, 24): weight of each term, scaled to variance 1, in the order of `motion_terms`.

    Raises
    ------
    DataError
        If a column is missing.
    """
    terms = motion_terms(motion).fillna(0.0).to_numpy()
    spread = terms.std(axis=0)
    scaled = (terms - terms.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    weights = rng.standard_normal((n_channels, scaled.shape[1])) / np.sqrt(scaled.shape[1])
    return weights @ scaled.T, weights


def confounds_table(motion: pd.DataFrame, components: NDArray[np.float64], n_unsteady: int = 0) -> pd.DataFrame:
    """A table of confounds as fMRIPrep writes it.

    Parameters
    ----------
    motion : DataFrame of shape (n_times, n_columns)
        With the columns of `head_motion`.
    components : array of shape (n_components, n_times)
        Time courses of noise outside grey matter, which become ``a_comp_cor_00`` and so on.
    n_unsteady : int
        Number of first volumes before the magnetisation is steady.

    Returns
    -------
    DataFrame of shape (n_times, n_columns)
        24 motion terms, framewise displacement (mm), components, and one ``non_steady_state_outlier`` column per such volume.

    Raises
    ------
    DataError
        If a column of motion is missing.
    """
    terms = motion_terms(motion)
    moved = terms[[f"{name}_derivative1" for name in PARAMETERS]].abs() * ([1.0] * 3 + [HEAD_RADIUS] * 3)
    displacement = pd.DataFrame({"framewise_displacement": moved.sum(axis=1, skipna=False)})
    noise = pd.DataFrame({f"a_comp_cor_{i:02d}": series for i, series in enumerate(components)})
    unsteady = {f"non_steady_state_outlier{i:02d}": (np.arange(len(motion)) == i).astype(int) for i in range(n_unsteady)}
    return pd.concat([terms, displacement, noise, pd.DataFrame(unsteady, index=motion.index)], axis=1)
