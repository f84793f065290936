"""How alike two RDMs are."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.rdm_design import Floats
from neurodecode.compare.rdm_embedding import MEASURES, Measure, as_rdms, embed, pair_values, shared_pairs, tau_a
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError


def compare_rdms(
    a: ArrayLike,
    b: ArrayLike,
    method: Measure = "spearman",
    *,
    sigma: ArrayLike | None = None,
    missing: Literal["raise", "drop"] = "raise",
) -> float | Floats:
    r"""Similarity of RDMs, over pairs of conditions (the upper triangle).

    Chance 0, best 1, but where the table says otherwise.

    ======================  ==========================================================================================
    spearman                correlation of ranks
    rho_a                   the mean of Spearman over all ways to break ties; a model with ties cannot reach 1
    tau_a                   (concordant - discordant) / all pairs of entries; a model with ties cannot reach 1
    pearson                 correlation
    cosine                  cosine of the angle; of distances that are never negative it is far above 0 by chance
    whitened_cosine         :math:`a^T V^{-1} b`, normed, V the covariance of the entries; of crossnobis distances unbiased
    whitened_correlation    the same with the mean over pairs taken off first
    ======================  ==========================================================================================

    Use ``rho_a`` or ``tau_a`` where models predict ties (categories): Spearman favours models that do (Schütt et al. 2023).

    Entries that share a condition have correlated errors, :math:`V_{ij,kl} \propto ((e_i - e_j)^T \Sigma (e_k - e_l))^2`
    (Diedrichsen et al. 2021), where Sigma is the covariance of the pattern estimates over conditions. V is never formed, of
    n conditions it takes O(n^3) operations.

    RSA on predictions of an encoding model (voxel-encoding RSA) is ``compare_rdms(rdm(predicted), rdm(measured))`` of the
    held-out responses.

    Parameters
    ----------
    a, b : array_like of shape (n_conditions, n_conditions) or (n_rdms, n_conditions, n_conditions)
        RDMs of the same conditions in the same order (see `conditions_of`). The diagonal is not looked at.
    method : str
        One of the measures above.
    sigma : array_like of shape (n_conditions,) or (n_conditions, n_conditions), optional
        Covariance of pattern estimates, or its diagonal, for the whitened measures; by default the identity.
    missing : {"raise", "drop"}
        What to do about pairs that are NaN in any RDM: refuse them, or leave them out of all, so that all comparisons are
        about the same pairs. Whitening then uses V of the pairs that are left.

    Returns
    -------
    float or array of shape (n_rdms_a, n_rdms_b)
        A float for one RDM and one RDM. NaN where an RDM does not vary.

    Raises
    ------
    DataError
        If shapes do not fit, an RDM is not symmetric, or pairs are missing.

    References
    ----------
    Nili et al. (2014), PLoS Computational Biology 10:e1003553. Diedrichsen et al. (2021), Neurons, Behavior, Data Analysis and
    Theory 5(3). Schütt et al. (2023), eLife 12:e82566.
    """
    check_option("method", method, MEASURES)
    check_option("missing", missing, ("raise", "drop"))
    left, right = as_rdms(a, "a"), as_rdms(b, "b")
    kept = shared_pairs(missing, left, right)
    covariance = _covariance(sigma, left.shape[1], method)
    found = compare_stacks(left, right, method, kept, covariance)
    return float(found[0, 0]) if np.ndim(a) == np.ndim(b) == 2 else found


def compare_stacks(a: Floats, b: Floats, measure: str, kept: NDArray[np.bool_], sigma: Floats | None = None) -> Floats:
    """`compare_rdms` of checked stacks.

    Parameters
    ----------
    a : array of shape (n_a, n_conditions, n_conditions)
        RDMs.
    b : array of shape (n_b, n_conditions, n_conditions)
        RDMs.
    measure : str
        One of `MEASURES`.
    kept : array of bool of shape (n_conditions, n_conditions)
        Pairs that count.
    sigma : array of shape (n_conditions,) or (n_conditions, n_conditions), optional
        Covariance of the pattern estimates.

    Returns
    -------
    array of shape (n_a, n_b)
        Similarities.
    """
    if measure == "tau_a":
        return tau_a(pair_values(a, kept), pair_values(b, kept))
    return np.asarray(embed(a, measure, kept, sigma) @ embed(b, measure, kept, sigma).T, np.float64)


def _covariance(sigma: ArrayLike | None, n: int, measure: str) -> Floats | None:
    if sigma is None:
        return None
    if not measure.startswith("whitened"):
        raise DataError(f"method={measure!r} takes no sigma: choose 'whitened_cosine' or 'whitened_correlation'")
    values = np.asarray(sigma, np.float64)
    if values.shape not in ((n,), (n, n)) or not np.isfinite(values).all():
        raise DataError(f"sigma must be finite, of shape ({n},) or ({n}, {n}), one per condition, got shape {values.shape}")
    lowest = values.min() if values.ndim == 1 else np.linalg.eigvalsh(values)[0]
    if lowest <= 0 or not np.allclose(values, values.T):
        raise DataError(f"sigma must be symmetric and positive definite, its lowest eigenvalue is {lowest:g}")
    return values
