"""Steps of a causal chain: what each does to a chunk, the state it keeps between chunks, and how long it delays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import check_option, check_positive, suggest
from neurodecode.errors import DataError
from neurodecode.preprocess.causal_filters import Decimator, Runner, Sections, group_delay

_Floats = NDArray[np.float64]

_MOST_UP = 16  # the anti-alias filter runs at `up` times the rate, so its cost grows with it
_STOP_DB, _STOP_EDGE = 60.0, 0.6  # attenuation in dB from this fraction of the new rate on


class Step:
    """What every step of a chain can say and do.

    A step has parameters and no state. `start` gives a function that keeps the state of one pass.
    """

    kind: ClassVar[str] = ""

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """Raise `DataError` if the step does not fit.

        Parameters
        ----------
        channels : sequence of str
            Channels of the chain.
        sfreq : float
            Rate in Hz at which the signal reaches the step.
        """
        self._check(channels, sfreq)

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass.

        Parameters
        ----------
        channels : sequence of str
            Channels of the chain.
        sfreq : float
            Rate in Hz at which the signal reaches the step.

        Returns
        -------
        callable
            From a chunk (n_channels, n) in float64 to what comes out of it, (n_channels, m). It keeps the state of the pass.
        """
        return self._start(channels, sfreq)

    def sections(self, sfreq: float) -> _Floats:
        """Give the filter of the step.

        Parameters
        ----------
        sfreq : float
            Rate in Hz at which the signal reaches the step.

        Returns
        -------
        array of shape (n_sections, 6)
            Second-order sections; none where it does not filter.
        """
        return self._sections(sfreq)

    def factors(self, sfreq: float) -> tuple[int, int]:
        """Give the change of rate.

        Parameters
        ----------
        sfreq : float
            Rate in Hz at which the signal reaches the step.

        Returns
        -------
        up, down : int
            The rate after the step is ``sfreq * up / down``.
        """
        return self._factors(sfreq)

    def delay(self, freqs: _Floats, sfreq: float) -> _Floats:
        """Give the group delay.

        Parameters
        ----------
        freqs : array of shape (n_freqs,)
            Frequencies in Hz.
        sfreq : float
            Rate in Hz at which the signal reaches the step.

        Returns
        -------
        array of shape (n_freqs,)
            In s; NaN where nothing comes through.
        """
        up, _ = self.factors(sfreq)
        held = (up - 1) / (2 * up * sfreq)  # a value that is held for the length of a sample is late by half of it
        return group_delay(self.sections(sfreq), freqs, sfreq * up) + held

    def band(self, sfreq: float) -> tuple[float, float]:
        """Give the band that is let through unchanged.

        Parameters
        ----------
        sfreq : float
            Rate in Hz at which the signal reaches the step.

        Returns
        -------
        low, high : float
            Edges in Hz.
        """
        return self._band(sfreq)

    def parameters(self) -> dict[str, Any]:
        """JSON values by name, with the kind as ``step``."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}  # type: ignore[call-overload]
        return {"step": self.kind, **values}

    # What kinds of steps fill in where the default does not hold.

    def _check(self, channels: Sequence[str], sfreq: float) -> None: ...

    def _start(self, channels: Sequence[str], sfreq: float) -> Runner:
        return Sections(self.sections(sfreq))

    def _sections(self, sfreq: float) -> _Floats:
        return np.zeros((0, 6))

    def _factors(self, sfreq: float) -> tuple[int, int]:
        return 1, 1

    def _band(self, sfreq: float) -> tuple[float, float]:
        return 0.0, sfreq / 2


@dataclass(frozen=True)
class Reference(Step):
    """Take the mean of some channels off every channel.

    Parameters
    ----------
    to : str or sequence of str
        ``"average"`` for all channels of the chain, or names of channels of the chain.
    """

    kind: ClassVar[str] = "reference"
    to: str | tuple[str, ...] = "average"

    def __post_init__(self) -> None:
        if not isinstance(self.to, str):
            object.__setattr__(self, "to", tuple(map(str, self.to)))
        if not self.to:
            raise DataError(f"to must be 'average' or names of channels, got {self.to!r}")

    def _check(self, channels: Sequence[str], sfreq: float) -> None:
        for name in self._names(channels):
            if name not in channels:
                raise DataError(f"the reference {name!r} is no channel of the chain: {suggest(name, channels)}")

    def _start(self, channels: Sequence[str], sfreq: float) -> Runner:
        rows = [list(channels).index(name) for name in self._names(channels)]
        everything = rows == list(range(len(channels)))
        return lambda x: x - (x if everything else x[rows]).mean(axis=0)

    def _names(self, channels: Sequence[str]) -> Sequence[str]:
        return channels if self.to == "average" else [self.to] if isinstance(self.to, str) else self.to


@dataclass(frozen=True)
class BandPass(Step):
    """Butterworth filter in second-order sections, run forward only: causal, and of minimum phase.

    Parameters
    ----------
    l_freq, h_freq : float or None
        Edges of the pass band in Hz (-3 dB); None leaves that side open.
    order : int
        Order of each edge.
    """

    kind: ClassVar[str] = "band_pass"
    l_freq: float | None = None
    h_freq: float | None = None
    order: int = 4

    def __post_init__(self) -> None:
        for name in ("l_freq", "h_freq"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check_positive(name, getattr(self, name)))
        if not isinstance(self.order, int) or not 1 <= self.order <= 12:
            raise DataError(f"order must be a whole number from 1 to 12, got {self.order!r}")

    def _check(self, channels: Sequence[str], sfreq: float) -> None:
        if self.l_freq is None and self.h_freq is None:
            raise DataError(f"band_pass needs l_freq or h_freq, got {self.l_freq} and {self.h_freq}")
        low, high = self._band(sfreq)
        if not low < high or high > sfreq / 2 or (self.h_freq is not None and high == sfreq / 2):
            raise DataError(
                f"a pass band has l_freq < h_freq < {sfreq / 2:g} Hz (half of sfreq), got {self.l_freq} to {self.h_freq}"
            )

    def _sections(self, sfreq: float) -> _Floats:
        from scipy.signal import butter

        low, high = self.l_freq, self.h_freq
        kind = "lowpass" if low is None else "highpass" if high is None else "bandpass"
        edges: Any = [edge for edge in (low, high) if edge is not None]
        return np.asarray(butter(self.order, edges if len(edges) == 2 else edges[0], kind, fs=sfreq, output="sos"))

    def _band(self, sfreq: float) -> tuple[float, float]:
        return self.l_freq or 0.0, self.h_freq or sfreq / 2


@dataclass(frozen=True)
class Notch(Step):
    """Take single frequencies out, each by one second-order section of minimum phase.

    Parameters
    ----------
    freqs : sequence of float
        Frequencies in Hz.
    quality : float
        Frequency over the width of the notch at -3 dB.
    """

    kind: ClassVar[str] = "notch"
    freqs: tuple[float, ...] = ()
    quality: float = 30.0

    def __post_init__(self) -> None:
        values = np.atleast_1d(np.asarray(self.freqs, float)).tolist()
        object.__setattr__(self, "freqs", tuple(check_positive("freqs", f) for f in values))
        object.__setattr__(self, "quality", check_positive("quality", self.quality))

    def _check(self, channels: Sequence[str], sfreq: float) -> None:
        wrong = [f for f in self.freqs if f >= sfreq / 2]
        if wrong or not self.freqs:
            raise DataError(f"notch needs frequencies between 0 and {sfreq / 2:g} Hz (half of sfreq), got {wrong or self.freqs}")

    def _sections(self, sfreq: float) -> _Floats:
        from scipy.signal import iirnotch

        return np.array([np.concatenate(iirnotch(f, self.quality, fs=sfreq)) for f in self.freqs])


@dataclass(frozen=True)
class Resample(Step):
    """Lower the rate by a fraction: each sample is held `up` times, low-passed, and every `down`-th value is kept.

    The low-pass is a Chebyshev filter of the second kind, order 8: 60 dB down from 0.6 of the new rate on, so that nothing
    stronger folds into the lower 80 % of the band, with the shortest delay among the common designs of that steepness. Sample m
    of the result stands at time m / sfreq of the input, whatever the chunks are.

    Parameters
    ----------
    sfreq : float
        New rate in Hz: up / down times the old one, with up at most 16.
    """

    kind: ClassVar[str] = "resample"
    sfreq: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sfreq", check_positive("sfreq of resample", self.sfreq))

    def _check(self, channels: Sequence[str], sfreq: float) -> None:
        up, down = self.factors(sfreq)
        if abs(up / down * sfreq / self.sfreq - 1) > 1e-6 or up > _MOST_UP:
            near = [Fraction(round(self.sfreq / sfreq * down), down) for down in range(1, 100)]
            best = min((f for f in near if 0 < f.numerator <= _MOST_UP), key=lambda f: abs(float(f) * sfreq - self.sfreq))
            raise DataError(
                f"{self.sfreq:g} Hz is no fraction of {sfreq:g} Hz with a numerator up to {_MOST_UP}; "
                f"the nearest is {float(best) * sfreq:.6g} Hz ({best.numerator} / {best.denominator})"
            )
        if 2 * _STOP_EDGE * self.sfreq > sfreq * (1 + 1e-9):
            raise DataError(
                f"resample lowers a rate to at most {sfreq / (2 * _STOP_EDGE):.6g} Hz from {sfreq:g} Hz, asked for {self.sfreq:g}"
            )

    def _factors(self, sfreq: float) -> tuple[int, int]:
        ratio = Fraction(self.sfreq / sfreq).limit_denominator(1000)
        return ratio.numerator, ratio.denominator

    def _sections(self, sfreq: float) -> _Floats:
        from scipy.signal import cheby2

        up, _ = self.factors(sfreq)
        return np.asarray(cheby2(8, _STOP_DB, _STOP_EDGE * self.sfreq, fs=sfreq * up, output="sos"))

    def _start(self, channels: Sequence[str], sfreq: float) -> Runner:
        return Decimator(self.sections(sfreq), *self.factors(sfreq))

    def _band(self, sfreq: float) -> tuple[float, float]:
        return 0.0, (1 - _STOP_EDGE) * self.sfreq  # neither the low-pass nor folding touches more


@dataclass(frozen=True)
class Scale(Step):
    """Take a centre off each channel and divide by a spread, both fixed beforehand from training data.

    Parameters
    ----------
    center, spread : sequence of float
        One value per channel of the chain, in the unit that arrives at this step; the spread is above 0.
    """

    kind: ClassVar[str] = "scale"
    center: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("center", "spread"):
            object.__setattr__(self, name, tuple(np.asarray(getattr(self, name), float).ravel().tolist()))
        if not np.isfinite(self.center).all() or not np.all(np.asarray(self.spread) > 0) or not np.isfinite(self.spread).all():
            raise DataError(f"center must be finite and spread above 0, got {self.center!s:.80} and {self.spread!s:.80}")

    def _check(self, channels: Sequence[str], sfreq: float) -> None:
        if not len(self.center) == len(self.spread) == len(channels):
            raise DataError(f"scale has {len(self.center)} centres and {len(self.spread)} spreads for {len(channels)} channels")

    def _start(self, channels: Sequence[str], sfreq: float) -> Runner:
        center, spread = (np.asarray(v)[:, None] for v in (self.center, self.spread))
        return lambda x: (x - center) / spread


@dataclass(frozen=True)
class Clamp(Step):
    """Set what lies beyond plus or minus a limit to it.

    Parameters
    ----------
    limit : float
        Largest absolute value, in the unit that arrives at this step.
    """

    kind: ClassVar[str] = "clamp"
    limit: float = 20.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", check_positive("limit of clamp", self.limit))

    def _start(self, channels: Sequence[str], sfreq: float) -> Runner:
        return lambda x: np.clip(x, -self.limit, self.limit)


STEPS: dict[str, type[Step]] = {step.kind: step for step in (Reference, BandPass, Notch, Resample, Scale, Clamp)}


def step_from(parameters: dict[str, Any]) -> Step:
    """Make a step from what `Step.parameters` gave.

    Parameters
    ----------
    parameters : dict
        ``step`` and the arguments of that kind of step.

    Returns
    -------
    Step
        Equal to the one it came from.

    Raises
    ------
    DataError
        If the kind or an argument is unknown or out of range.
    """
    if not isinstance(parameters, dict):
        raise DataError(f"a step of a causal chain must be a mapping, got {parameters!r:.80}")
    values = dict(parameters)
    kind = STEPS[check_option("step of a causal chain", values.pop("step", None), list(STEPS))]
    for name in values:
        check_option(f"argument of {kind.kind}", name, list(kind.__dataclass_fields__))  # type: ignore[attr-defined]
    try:
        return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    except (TypeError, ValueError) as error:
        raise DataError(f"step {kind.kind!r} of a causal chain cannot be made of {values!s:.120}: {error}") from error


def usual_steps(
    reference: str | Sequence[str] | None,
    notch: float | Sequence[float] | None,
    band: tuple[float | None, float | None],
    order: int,
    sfreq: float | None,
) -> list[Step]:
    """Reference, notch, band-pass of an order, and lower rate (Hz), each where asked for."""
    steps: list[Step] = []
    if reference is not None:
        steps.append(Reference(reference if isinstance(reference, str) else tuple(reference)))
    if notch is not None:
        steps.append(Notch(tuple(np.atleast_1d(np.asarray(notch, float)).tolist())))
    if any(edge is not None for edge in band):
        steps.append(BandPass(*band, order))
    if sfreq is not None:
        steps.append(Resample(sfreq))
    return steps
