"""Learning rates and temperatures as functions of how far the training is: no state, so that a resumed run goes on exactly."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

Schedule = Literal["constant", "cosine", "one_cycle"]
_FIRST, _LAST = 1 / 25, 1 / 25e4  # of the highest rate: begin and end of one cycle


def rate_factor(step: int, n_steps: int, schedule: Schedule = "constant", warmup: float = 0.0) -> float:
    """Learning rate of a step as a part of the highest one.

    ========== ===================================================================================================
    schedule   course
    ========== ===================================================================================================
    constant   a straight line up to 1 over the warm-up, then 1
    cosine     the same, then half a cosine down to 0
    one_cycle  half a cosine from 1/25 up to 1 over the warm-up, then half a cosine down to 1/250,000
    ========== ===================================================================================================

    Parameters
    ----------
    step : int
        Steps that are done, from 0.
    n_steps : int
        Steps of the whole training.
    schedule : {"constant", "cosine", "one_cycle"}
        Course, as in the table.
    warmup : float
        Part of the training, 0 to below 1.

    Returns
    -------
    float
        Factor between 0 and 1.

    Raises
    ------
    DataError
        If the schedule is unknown or the warm-up out of range.

    References
    ----------
    Loshchilov & Hutter, ICLR (2017), for the cosine; Smith & Topin, arXiv:1708.07120 (2017), for one cycle.
    """
    check_option("schedule", schedule, ("constant", "cosine", "one_cycle"))
    if not 0 <= warmup < 1:
        raise DataError(f"warmup must be a part of the training between 0 and 1, got {warmup!r}")
    if schedule == "one_cycle":
        return _one_cycle(step, n_steps, warmup)
    n_warm = warmup * n_steps
    if step < n_warm:
        return (step + 1) / (math.ceil(n_warm) + 1)
    if schedule == "constant":
        return 1.0
    return anneal(1.0, 0.0, (step - n_warm) / max(n_steps - n_warm, 1))


def _one_cycle(step: int, n_steps: int, warmup: float) -> float:
    """Up and down; the last step has the lowest rate."""
    top = warmup * n_steps - 1
    if step <= top:
        return anneal(_FIRST, 1.0, step / top if top else 1.0)
    return anneal(1.0, _LAST, (step - top) / max(n_steps - 1 - top, 1))


def anneal(start: float, end: float, progress: float) -> float:
    """Go from one value to another along half a cosine.

    Parameters
    ----------
    start, end : float
        Values at progress 0 and 1.
    progress : float
        Part that is done; beyond 0 and 1 the nearer value holds.

    Returns
    -------
    float
        Value between both.
    """
    done = min(max(progress, 0.0), 1.0)
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


class ContrastivePhase(NamedTuple):
    """Which contrastive loss holds now."""

    loss: Literal["bimixco", "soft_clip"]
    """Name of the function in `neurodecode.train.losses`."""
    temperature: float
    """Its temperature."""


def mixco_then_soft_clip(
    progress: float, *, switch: float = 1 / 3, mixed: float = 0.006, start: float = 0.004, end: float = 0.0075
) -> ContrastivePhase:
    """Choose the loss: BiMixCo at first, then SoftCLIP with a temperature that rises along half a cosine.

    Parameters
    ----------
    progress : float
        Part of the training that is done, 0 to 1.
    switch : float
        Progress at which SoftCLIP begins.
    mixed : float
        Temperature of BiMixCo.
    start, end : float
        Temperature of SoftCLIP at the switch and at the end.

    Returns
    -------
    ContrastivePhase
        Loss and temperature.

    References
    ----------
    Scotti et al., ICML (2024).
    """
    if progress < switch:
        return ContrastivePhase("bimixco", mixed)
    return ContrastivePhase("soft_clip", anneal(start, end, (progress - switch) / max(1 - switch, 1e-12)))
