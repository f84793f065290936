"""Steps of a causal chain: what each does to a chunk, the state it keeps between chunks, and how long it delays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import check_option, check_positive, suggest
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
Runner = Callable[[_Floats], _Floats]  # takes (n_channels, n), keeps its state, gives (n_channels, m)

_MOST_UP = 16  # the anti-alias filter runs at `up` times the rate, so its cost grows with it
_STOP_DB, _STOP_EDGE = 60.0, 0.6  # attenuation in dB from this fraction of the new rate on


class Step:
    """What every step of a chain can say and do.

    A step has parameters and no state. `start` gives a function that keeps the state of one pass.
    """

    kind: ClassVar[str] = ""

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """Raise `DataError` if the step does not fit these channels at this rate (Hz)."""

    def output_rate(self, sfreq: float) -> float:
        """Rate in Hz after the step, for a signal that comes at `sfreq`."""
        return sfreq

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass: a function from a chunk (n_channels, n) to what comes out of it, shape (n_channels, m)."""
        raise NotImplementedError

    def delay(self, freqs: _Floats, sfreq: float) -> _Floats:
        """Group delay in s at frequencies in Hz, shape (n_freqs,)."""
        return np.zeros(len(freqs))

    def band(self, sfreq: float) -> tuple[float, float]:
        """Edges in Hz of what the step lets through unchanged."""
        return 0.0, sfreq / 2

    def parameters(self) -> dict[str, Any]:
        """JSON values by name, with the kind as ``step``."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}  # type: ignore[call-overload]
        return {"step": self.kind, **values}


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

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """Every reference channel must be a channel of the chain."""
        for name in self._names(channels):
            if name not in channels:
                raise DataError(f"the reference {name!r} is no channel of the chain: {suggest(name, channels)}")

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass; there is no state."""
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

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """Edges must be in order and below half of the rate."""
        if self.l_freq is None and self.h_freq is None:
            raise DataError(f"band_pass needs l_freq or h_freq, got {self.l_freq} and {self.h_freq}")
        low, high = self.l_freq or 0.0, np.inf if self.h_freq is None else self.h_freq
        if not low < high or max(low, 0.0 if self.h_freq is None else high) >= sfreq / 2:
            raise DataError(
                f"the pass band must satisfy l_freq < h_freq < {sfreq / 2:g} Hz (half of sfreq), got {self.l_freq} to {self.h_freq}"
            )

    def sections(self, sfreq: float) -> _Floats:
        """Second-order sections at a rate in Hz, shape (n_sections, 6)."""
        from scipy.signal import butter

        low, high = self.l_freq, self.h_freq
        if low is None or high is None:
            edge, kind = (high, "lowpass") if low is None else (low, "highpass")
        else:
            edge, kind = (low, high), "bandpass"  # type: ignore[assignment]
        return np.asarray(butter(self.order, edge, kind, fs=sfreq, output="sos"))

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass, as if the first sample had been there for ever."""
        return _Sections(self.sections(sfreq))

    def delay(self, freqs: _Floats, sfreq: float) -> _Floats:
        """Group delay of the filter in s, shape (n_freqs,)."""
        return group_delay(self.sections(sfreq), freqs, sfreq)

    def band(self, sfreq: float) -> tuple[float, float]:
        """The pass band in Hz."""
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

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """Frequencies must lie below half of the rate."""
        wrong = [f for f in self.freqs if f >= sfreq / 2]
        if wrong or not self.freqs:
            raise DataError(f"notch needs frequencies between 0 and {sfreq / 2:g} Hz (half of sfreq), got {wrong or self.freqs}")

    def sections(self, sfreq: float) -> _Floats:
        """Second-order sections at a rate in Hz, shape (n_freqs, 6)."""
        from scipy.signal import iirnotch

        return np.array([np.concatenate(iirnotch(f, self.quality, fs=sfreq)) for f in self.freqs])

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass, as if the first sample had been there for ever."""
        return _Sections(self.sections(sfreq))

    def delay(self, freqs: _Floats, sfreq: float) -> _Floats:
        """Group delay of the notches in s, shape (n_freqs,)."""
        return group_delay(self.sections(sfreq), freqs, sfreq)


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

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """The new rate must be a simple fraction of the old one, and low enough for the anti-alias filter."""
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

    def factors(self, sfreq: float) -> tuple[int, int]:
        """Whole numbers `up` and `down` with new rate = old rate (Hz) * up / down."""
        ratio = Fraction(self.sfreq / sfreq).limit_denominator(1000)
        return ratio.numerator, ratio.denominator

    def output_rate(self, sfreq: float) -> float:
        """The new rate in Hz."""
        return self.sfreq

    def sections(self, sfreq: float) -> _Floats:
        """Second-order sections of the low-pass, which runs at `up` times the old rate (Hz), shape (4, 6)."""
        from scipy.signal import cheby2

        up, _ = self.factors(sfreq)
        return np.asarray(cheby2(8, _STOP_DB, _STOP_EDGE * self.sfreq, fs=sfreq * up, output="sos"))

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass; the phase of the samples that are kept is counted on over the chunks."""
        return _Decimator(self.sections(sfreq), *self.factors(sfreq))

    def delay(self, freqs: _Floats, sfreq: float) -> _Floats:
        """Group delay of low-pass and holding in s, shape (n_freqs,)."""
        up, _ = self.factors(sfreq)
        return group_delay(self.sections(sfreq), freqs, sfreq * up) + (up - 1) / (2 * up * sfreq)

    def band(self, sfreq: float) -> tuple[float, float]:
        """What neither the low-pass nor folding touches: up to 0.4 of the new rate, in Hz."""
        return 0.0, (1 - _STOP_EDGE) * self.sfreq


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

    def check(self, channels: Sequence[str], sfreq: float) -> None:
        """One value per channel."""
        if not len(self.center) == len(self.spread) == len(channels):
            raise DataError(f"scale has {len(self.center)} centres and {len(self.spread)} spreads for {len(channels)} channels")

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass; there is no state."""
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

    def start(self, channels: Sequence[str], sfreq: float) -> Runner:
        """Begin a pass; there is no state."""
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
    values = dict(parameters)
    kind = STEPS[check_option("step of a causal chain", values.pop("step", None), list(STEPS))]
    for name in values:
        check_option(f"argument of {kind.kind}", name, list(kind.__dataclass_fields__))  # type: ignore[attr-defined]
    try:
        return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    except (TypeError, ValueError) as error:
        raise DataError(f"step {kind.kind!r} of a causal chain cannot be made of {values!s:.120}: {error}") from error


def group_delay(sections: _Floats, freqs: _Floats, sfreq: float) -> _Floats:
    r"""Group delay of second-order sections, :math:`-d\phi / d\omega`.

    Parameters
    ----------
    sections : array of shape (n_sections, 6)
        Filter.
    freqs : array of shape (n_freqs,)
        Frequencies in Hz.
    sfreq : float
        Rate in Hz at which the filter runs.

    Returns
    -------
    array of shape (n_freqs,)
        Delay in s; NaN at a zero of the filter, where nothing comes through.
    """
    z = np.exp(-2j * np.pi * np.asarray(freqs)[:, None] * np.arange(3) / sfreq)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = [(z @ (part * np.arange(3)).T) / (z @ part.T) for part in (sections[:, :3], sections[:, 3:])]
        delay = (slopes[0] - slopes[1]).real.sum(axis=1) / sfreq
    return np.where(np.isfinite(delay), delay, np.nan)


class _Sections:
    """A recursive filter in the middle of a signal."""

    def __init__(self, sections: _Floats) -> None:
        self._sections, self._state = sections, np.zeros(0)

    def __call__(self, x: _Floats) -> _Floats:
        from scipy.signal import sosfilt, sosfilt_zi

        if not self._state.size:
            self._state = sosfilt_zi(self._sections)[:, None, :] * x[None, :, :1]
        y, self._state = sosfilt(self._sections, x, zi=self._state)
        return np.asarray(y)


class _Decimator:
    """A low-pass of which every `down`-th value is kept, counted from the first sample of the pass."""

    def __init__(self, sections: _Floats, up: int, down: int) -> None:
        self._filter, self._up, self._down = _Sections(sections), up, down
        self._skip = 0  # values to pass over before the next one that is kept

    def __call__(self, x: _Floats) -> _Floats:
        y = self._filter(np.repeat(x, self._up, axis=1) if self._up > 1 else x)
        kept = y[:, self._skip :: self._down]
        self._skip += kept.shape[1] * self._down - y.shape[1]
        return kept
