"""P values of many tests at once, and p values smaller than the number of permutations can show."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

_FEW = 10  # null scores at or above the score; with as many, counting them is good enough
_FEWEST = 100  # permutations from which three moments are known well enough
_SKEWS = np.linspace(0.0, 2.0, 9)  # of the null distributions that the guard knows; 2 is that of an exponential
_N_SIMULATED = 200
_Floats = NDArray[np.float64]


def false_discovery_rate(p: ArrayLike, method: Literal["bh", "by"] = "bh") -> NDArray[np.float64]:
    """Smallest false discovery rate at which each test is still called positive (the q value).

    ``"bh"`` (Benjamini and Hochberg, 1995, J. R. Statist. Soc. B 57:289) holds for independent tests and for tests with positive
    regression dependence, as of neighbouring voxels; ``"by"`` (Benjamini and Yekutieli, 2001, Annals of Statistics 29:1165) holds
    under any dependence and costs a factor of about ``log(n)``.

    Parameters
    ----------
    p : array_like
        P values, of any shape. NaN marks tests that were not made: they stay NaN and do not count.
    method : {"bh", "by"}
        Which procedure.

    Returns
    -------
    NDArray[np.float64]
        Q values of the shape of `p`.

    Raises
    ------
    DataError
        If a value is outside 0 to 1 or the method is unknown.
    """
    from scipy.stats import false_discovery_control

    check_option("method", method, ("bh", "by"))
    values = np.asarray(p, float)
    tested = ~np.isnan(values)
    if not ((values[tested] >= 0) & (values[tested] <= 1)).all():
        raise DataError(f"p values must lie between 0 and 1, got {np.nanmin(values):g} to {np.nanmax(values):g}")
    q = np.full(values.shape, np.nan)
    if tested.any():
        q[tested] = false_discovery_control(values[tested], method=method)
    return q


def tail_p_values(scores: ArrayLike, null: ArrayLike, *, random_state: int | np.random.Generator = 0) -> NDArray[np.float64]:
    r"""P values from a smooth null distribution, for scores that hardly any permutation reaches.

    Where fewer than 10 null scores reach the score, a gamma distribution with the mean, variance and skewness of the null scores
    takes the place of counting (Winkler et al. 2016, NeuroImage 141:502). A negative skewness is set to 0, since the tail would
    end at a finite score and p could be 0; a normal tail is then the careful choice. The fit is used only where it describes
    the highest quarter of the null scores: its squared distance from them must lie below the 95th percentile of samples drawn
    from such a distribution. Everywhere else, and with fewer than 100 permutations, p is ``(b + 1) / (n + 1)`` as without a fit.

    It is a guess about what was not seen: at 1e-5 from 1000 permutations it is right within a factor of 2 in the median for
    normal and gamma nulls, and 5 times too small for a Gumbel null, whose tail the highest quarter does not show.

    Give scores on a scale without an upper end: Fisher's z of a correlation, not r.

    Parameters
    ----------
    scores : array_like of shape (n_targets,)
        The scores found, higher is better. NaN gives NaN.
    null : array_like of shape (n_permutations, n_targets)
        Scores under permuted labels.
    random_state : int or numpy.random.Generator
        Seed of the samples that the fit is held against.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_targets,), never below ``1 / n ** 2``: no three moments of n scores say what lies farther out.

    Raises
    ------
    DataError
        If shapes do not fit.
    """
    found, permuted = np.asarray(scores, float), np.asarray(null, float)
    if found.ndim != 1 or permuted.ndim != 2 or permuted.shape[1] != len(found) or not len(permuted):
        raise DataError(f"scores must be (n,) and null (n_permutations, n), got shapes {found.shape} and {permuted.shape}")
    n = len(permuted)
    reached = np.sum(permuted >= found, axis=0)
    p = np.where(np.isnan(found), np.nan, (reached + 1.0) / (n + 1.0))
    rare = np.flatnonzero(
        (reached < _FEW) & np.isfinite(found) & np.isfinite(permuted).all(axis=0) & (np.ptp(permuted, axis=0) > 0)
    )
    if n < _FEWEST or not rare.size:
        return p
    fitted, distance, skew = _fit_gamma(found[rare], permuted[:, rare])
    limit = np.interp(skew, _SKEWS, _critical_distances(n, np.random.default_rng(random_state)))
    holds = (distance <= limit) & (skew <= _SKEWS[-1])
    p[rare] = np.where(holds, np.maximum(fitted, 1.0 / n**2), p[rare])
    return p


def _fit_gamma(found: _Floats, null: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Tail probability of each score, distance of the fit from the highest quarter of the null, and its skewness."""
    from scipy.stats import pearson3, skew

    n = len(null)
    centre, width = null.mean(axis=0), null.std(axis=0, ddof=1)
    skewness = np.maximum(skew(null, axis=0), 0.0)
    highest = -np.sort(-null, axis=0)[: n // 4]
    expected = ((np.arange(len(highest)) + 0.5) / n)[:, None]
    survival = pearson3.sf((highest - centre) / width, skewness)
    distance = np.sum((survival - expected) ** 2, axis=0)
    return np.asarray(pearson3.sf((found - centre) / width, skewness)), distance, skewness


def _critical_distances(n: int, rng: np.random.Generator) -> _Floats:
    """95th percentile of the distance by skewness, of samples that do come from such a distribution."""
    limits = []
    for skewness in _SKEWS:  # a gamma distribution of shape a has a skewness of 2 / sqrt(a)
        size = (n, _N_SIMULATED)
        sample = rng.gamma((2.0 / skewness) ** 2, size=size) if skewness else rng.standard_normal(size)
        limits.append(np.quantile(_fit_gamma(np.zeros(_N_SIMULATED), sample)[1], 0.95))
    return np.array(limits)
