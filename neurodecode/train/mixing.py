"""Mixed samples: input of the losses that know about mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Mixed(NamedTuple):
    """Samples of a batch mixed with others of it."""

    inputs: Tensor
    """:math:`b_i x_i + (1 - b_i) x_{j_i}`, shape (n, ...)."""
    partner: Tensor
    """Row :math:`j_i` of the other sample, shape (n,), int64."""
    weight: Tensor
    """:math:`b_i`, shape (n,); 1 for a sample that is not mixed."""


def mix_samples(inputs: Tensor, *, beta: float = 0.15, share: float = 0.5, generator: Generator | None = None) -> Mixed:
    r"""Mix samples of a batch in pairs, the input of `neurodecode.train.losses.mixco`.

    Parameters
    ----------
    inputs : Tensor of shape (n, ...)
        Samples x.
    beta : float
        Both parameters of the Beta distribution of the weights.
    share : float
        Part of the batch that is mixed, 0 to 1, rounded down; which samples these are is random.
    generator : torch.Generator, optional
        On the CPU; by default the global stream of torch.

    Returns
    -------
    Mixed
        Mixed samples, partners and weights.

    Raises
    ------
    DataError
        If `beta` is not above 0 or `share` not within 0 and 1.
    """
    import torch

    if not 0 <= share <= 1:
        raise DataError(f"share must be a part between 0 and 1, got {share!r}")
    n = len(inputs)
    # a Beta variable is one Gamma variable over the sum of two; torch's Beta takes no generator
    shape = torch.full((2, n), check_positive("beta", beta), dtype=torch.float64)
    draws = torch._standard_gamma(shape, generator=generator).clamp_min(torch.finfo(torch.float64).tiny)
    weight = draws[0] / draws.sum(0)
    weight[torch.randperm(n, generator=generator)[int(share * n) :]] = 1
    partner = torch.randperm(n, generator=generator).to(inputs.device)
    weight = weight.to(inputs.device, inputs.dtype)
    wide = weight.reshape(-1, *[1] * (inputs.ndim - 1))
    return Mixed(wide * inputs + (1 - wide) * inputs[partner], partner, weight)
