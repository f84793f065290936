"""Non-negative factorisation against tensorly and its own definition, and on traces against the tensor they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.analysis.connectome import NTF, affinity_tensor, factor_match_score, ntf_hals
from neurodecode.simulate import planted_tensor, planted_traces

WORLD = planted_tensor(20, 150, 8, rank=3, random_state=2)


def rebuilt(fit: NTF) -> np.ndarray:
    """The tensor that a factorisation stands for."""
    return np.einsum("r,tr,wr,pr->twp", fit.weights, *(np.asarray(factor, float) for factor in fit.factors))


def relative_error(tensor: np.ndarray, fit: NTF) -> float:
    """Norm of what is left over that of the tensor."""
    x = np.asarray(tensor, float)
    return float(np.linalg.norm(x - rebuilt(fit)) / np.linalg.norm(x))


def test_tensorly_finds_the_same() -> None:
    tensorly = pytest.importorskip("tensorly.decomposition")
    ours = min((ntf_hals(WORLD.tensor, 3, tol=1e-9, max_sweeps=2000, random_state=k) for k in range(2)), key=lambda f: f.error)
    fits = []
    for seed in range(2):
        found = tensorly.non_negative_parafac_hals(
            WORLD.tensor.astype(float), 3, n_iter_max=1500, tol=1e-11, init="random", random_state=seed
        )
        fits.append(NTF(np.asarray(found.weights), [np.asarray(factor) for factor in found.factors], 0.0))
    theirs = min(fits, key=lambda fit: relative_error(WORLD.tensor, fit))
    assert relative_error(WORLD.tensor, ours) == pytest.approx(relative_error(WORLD.tensor, theirs), rel=1e-4)
    assert factor_match_score(ours, theirs) >= 0.99


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_the_error_told_is_the_error(backend: str) -> None:
    if backend == "torch":
        pytest.importorskip("torch")
    fit = ntf_hals(WORLD.tensor.astype(np.float32), 3, backend=backend, random_state=0)
    assert fit.error == pytest.approx(relative_error(WORLD.tensor, fit), rel=1e-4)


def test_traces_give_what_their_tensor_gives() -> None:
    world = planted_traces(20, 200, 4, random_state=1)
    dense, implicit = (affinity_tensor(world.traces, sfreq=world.sfreq, path=path) for path in ("dense", "implicit"))
    start = ntf_hals(dense, 3, max_sweeps=5, random_state=0)
    a, b = (ntf_hals(given, 3, init=start, max_sweeps=30, tol=1e-12) for given in (dense, implicit))
    assert a.error == pytest.approx(b.error, rel=1e-5)
    assert factor_match_score(a, b) >= 1 - 1e-4
