"""Causal preprocessing of M/EEG: the same numbers from a whole recording and from a stream, whatever its chunks."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Recording
from neurodecode.data.atomic import write_text
from neurodecode.data.hashing import sha256_json
from neurodecode.data.validate import check_finite, check_positive, check_unique
from neurodecode.errors import CorruptFileError, DataError, NeurodecodeError
from neurodecode.preprocess._channels import REMEDY, names_of, pick_rows
from neurodecode.preprocess.causal_audit import noncausal_steps, read_parameters
from neurodecode.preprocess.causal_filters import Runner
from neurodecode.preprocess.causal_steps import BandPass, Clamp, Notch, Reference, Resample, Scale, Step, step_from, usual_steps
from neurodecode.preprocess.meeg_noise import RobustScale, fit_robust_scale

__all__ = ["BandPass", "CausalChain", "Clamp", "Notch", "Reference", "Resample", "Scale", "noncausal_steps"]

_KIND, _VERSION = "neurodecode causal chain", 1
_BLOCK = 2**14  # samples of a recording that are worked on at once
_N_FREQS = 64  # at which the delay of a pass band is looked at
_AGAIN = "Save the chain again"


@dataclass(eq=False, repr=False)
class CausalChain:
    """Steps that use no future sample, with the state that they keep from one chunk to the next.

    Parameters
    ----------
    channels : sequence of str
        Channels that the chain takes, in the order in which it takes and gives them.
    sfreq : float
        Rate in Hz at which they come.
    steps : sequence of step
        `Reference`, `BandPass`, `Notch`, `Resample`, `Scale`, `Clamp`, in the order in which they are applied.

    Raises
    ------
    DataError
        If a step does not fit the channels or the rate at which the signal reaches it.

    Notes
    -----
    `process` for chunks of any length, one sample included, gives the numbers of `run` on the whole recording: filters are
    recursive and go on from their state, and the samples that a `Resample` keeps are counted over the chunks. A pass begins as
    if its first sample had been there for ever, so that an offset of the amplifier makes no step.

    Examples
    --------
    >>> chain = CausalChain.design(recording, l_freq=1.0, h_freq=30.0, sfreq=128.0).fit_scale(recording)  # doctest: +SKIP
    >>> offline, online = chain.run(recording), [chain.process(chunk) for chunk in chunks]  # doctest: +SKIP
    """

    channels: Sequence[str]
    sfreq: float
    steps: Sequence[Step] = ()
    _runners: list[Runner] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.channels, self.steps = list(map(str, self.channels)), tuple(self.steps)
        self.sfreq = check_positive("sfreq", self.sfreq)
        if not self.channels:
            raise DataError(f"a chain needs at least one channel, got {self.channels!r}")
        check_unique(pd.Series(self.channels, dtype=object), "channels of a chain")
        for step in self.steps:
            if not isinstance(step, Step):
                raise DataError(f"steps must be those of neurodecode.preprocess.causal, got {type(step).__name__}: {step!r:.80}")
        for step, rate in self._paced():
            step.check(self.channels, rate)

    @classmethod
    def design(
        cls,
        recording: Recording,
        *,
        picks: str | Sequence[str] | None = None,
        reference: str | Sequence[str] | None = None,
        notch: float | Sequence[float] | None = None,
        l_freq: float | None = None,
        h_freq: float | None = None,
        order: int = 4,
        sfreq: float | None = None,
    ) -> CausalChain:
        """The usual chain for the channels of a recording: reference, notch, band-pass, lower rate, each where asked for.

        Parameters
        ----------
        recording : Recording
            Of the montage that will be streamed.
        picks : str or sequence of str, optional
            Channel kinds or names, by default all good data channels.
        reference : str or sequence of str, optional
            ``"average"`` or names of channels, as in `Reference`.
        notch : float or sequence of float, optional
            Frequencies in Hz to take out.
        l_freq, h_freq : float, optional
            Edges of the pass band in Hz.
        order : int
            Order of each edge of the pass band.
        sfreq : float, optional
            New rate in Hz.

        Returns
        -------
        CausalChain
            Without scaling: see `fit_scale`.

        Raises
        ------
        DataError
            As the constructor, and if there is no such channel.
        """
        new_rate = None if sfreq == recording.sfreq else sfreq
        steps = usual_steps(reference, notch, (l_freq, h_freq), order, new_rate)
        return cls(names_of(recording, pick_rows(recording, picks, "a causal chain")), recording.sfreq, steps)

    def fit_scale(self, train: Recording | Sequence[Recording], clamp: float | None = 20.0) -> CausalChain:
        """Add scaling by median and interquartile range of training data, and a clamp behind it.

        Parameters
        ----------
        train : Recording or sequence of Recording
            Training recordings as they come from the device; their valid stretches count.
        clamp : float, optional
            Limit in interquartile ranges; None clamps nothing.

        Returns
        -------
        CausalChain
            A longer one; this one stays as it is.

        Raises
        ------
        DataError
            If a channel is missing, holds NaN or does not vary.
        """
        runs = [self.run(part) for part in ([train] if isinstance(train, Recording) else train)]
        plain = [run.replace(channels=run.channels.assign(kind="eeg", bad=False)) for run in runs]  # all of them count
        return self.with_scale(fit_robust_scale(plain), clamp)

    def with_scale(self, scale: RobustScale, clamp: float | None = 20.0) -> CausalChain:
        """Add scaling that was fitted elsewhere.

        Parameters
        ----------
        scale : RobustScale
            Centre and spread of the channels of the chain.
        clamp : float, optional
            Limit in units of the spread; None clamps nothing.

        Returns
        -------
        CausalChain
            A longer one; this one stays as it is.

        Raises
        ------
        DataError
            If the channels differ.
        """
        if list(scale.names) != list(self.channels):
            raise DataError(f"the scale is of channels {list(scale.names)!s:.80}, the chain has {list(self.channels)!s:.80}")
        added: list[Step] = [Scale(tuple(scale.center), tuple(scale.spread))]
        return CausalChain(self.channels, self.sfreq, [*self.steps, *added, *([] if clamp is None else [Clamp(clamp)])])

    # --- what it does ----------------------------------------------------------------------------------------------

    @property
    def output_sfreq(self) -> float:
        """Rate in Hz of what comes out."""
        rates = [self.sfreq, *(rate * up / down for step, rate in self._paced() for up, down in [step.factors(rate)])]
        return rates[-1]

    def process(self, chunk: ArrayLike) -> NDArray[np.float32]:
        """Take the next samples and give what follows from them.

        Parameters
        ----------
        chunk : array_like of shape (n_channels, n)
            The next n samples of `channels`, in SI units; n may be 0 or 1, and differ from call to call.

        Returns
        -------
        array of shape (n_channels, m)
            As many samples at `output_sfreq` as are complete.

        Raises
        ------
        DataError
            If the shape is wrong or a channel holds NaN: a recursive filter would never forget it.
        """
        signal = np.asarray(chunk)
        if signal.ndim != 2 or len(signal) != len(self.channels):
            raise DataError(f"a chunk must have shape ({len(self.channels)}, n), one row per channel, got {signal.shape}")
        if not signal.shape[1]:
            return np.zeros((len(self.channels), 0), np.float32)
        if not np.isfinite(signal).all():
            check_finite(signal, list(self.channels), "a causal chain", REMEDY)
        if not self._runners:
            self._runners = [step.start(self.channels, rate) for step, rate in self._paced()]
        values = signal.astype(np.float64)
        for run in self._runners:
            if not values.shape[1]:
                break
            values = run(values)
        return values.astype(np.float32, order="C")

    def reset(self) -> None:
        """Forget all samples: the next chunk begins a new pass."""
        self._runners = []

    def fresh(self) -> CausalChain:
        """A chain of the same steps at the beginning of a pass; this one is not touched."""
        other = copy.copy(self)
        other._runners = []
        return other

    def run(self, recording: Recording) -> Recording:
        """Process a whole recording in one pass of its own.

        Parameters
        ----------
        recording : Recording
            Has `channels` among its channels, at `sfreq`.

        Returns
        -------
        Recording
            The channels of the chain at `output_sfreq`, from the same `t0` on; events stay where they were. The signal lags
            behind by `group_delay`.

        Raises
        ------
        DataError
            If a channel is missing, the rate differs, or a channel holds NaN.
        """
        self.check_rate(recording.sfreq)
        picked, chain = recording.pick(self.channels), self.fresh()
        data = np.empty((len(self.channels), self.n_outputs(picked.n_times)), np.float32)
        filled = 0
        for start in range(0, picked.n_times, _BLOCK):
            part = chain.process(picked.data[:, start : start + _BLOCK])
            data[:, filled : filled + part.shape[1]] = part
            filled += part.shape[1]
        scaled = any(isinstance(step, Scale) for step in self.steps)
        channels = picked.channels.assign(unit="n/a") if scaled else picked.channels
        return picked.with_step("causal.run", self.summary(), data=data, sfreq=self.output_sfreq, channels=channels)

    def check_rate(self, sfreq: float) -> None:
        """Raise `DataError` if a signal at this rate (Hz) is not for the chain.

        Parameters
        ----------
        sfreq : float
            Of the signal, in Hz.
        """
        if abs(sfreq / self.sfreq - 1) > 1e-4:
            raise DataError(f"the chain is for {self.sfreq:g} Hz, the signal comes at {sfreq:g} Hz")

    def n_outputs(self, n_inputs: int) -> int:
        """Say how many samples come out.

        Parameters
        ----------
        n_inputs : int
            Samples since the beginning of a pass.

        Returns
        -------
        int
            Samples at `output_sfreq`.
        """
        n = n_inputs
        for step, rate in self._paced():
            up, down = step.factors(rate)
            n = -(-n * up // down)
        return n

    # --- what it costs in time -------------------------------------------------------------------------------------

    def group_delay(self, freqs: ArrayLike) -> NDArray[np.float64]:
        """By how much the chain delays the envelope of an oscillation.

        Parameters
        ----------
        freqs : array_like of shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        array of shape (n_freqs,)
            Group delay in s; NaN where nothing comes through.
        """
        at = np.atleast_1d(np.asarray(freqs, float))
        total = np.zeros(len(at))
        for step, rate in self._paced():
            total = total + step.delay(at, rate)
        return total

    @property
    def band(self) -> tuple[float, float]:
        """Edges in Hz of what passes all steps."""
        edges = [step.band(rate) for step, rate in self._paced()]
        return max([0.0, *(low for low, _ in edges)]), min([self.sfreq / 2, *(high for _, high in edges)])

    @property
    def delay(self) -> float:
        """Median group delay over the pass band in s."""
        low, high = self.band
        return float(np.nanmedian(self.group_delay(np.linspace(low, high, _N_FREQS + 2)[1:-1])))

    # --- on disk ---------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All parameters as JSON values."""
        steps = [step.parameters() for step in self.steps]
        return {"kind": _KIND, "version": _VERSION, "channels": list(self.channels), "sfreq": self.sfreq, "steps": steps}

    @property
    def fingerprint(self) -> str:
        """The sha256 of all parameters: equal chains have equal ones."""
        return sha256_json(self.to_dict())

    def summary(self) -> dict[str, Any]:
        """Parameters for the record of a step: all but the values of single channels, with the fingerprint for those."""
        steps = [{n: v for n, v in step.parameters().items() if n not in ("center", "spread")} for step in self.steps]
        return {"sfreq": self.sfreq, "output_sfreq": self.output_sfreq, "steps": steps, "fingerprint": self.fingerprint}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CausalChain:
        """Make a chain from what `to_dict` gave.

        Parameters
        ----------
        values : dict
            JSON values.

        Returns
        -------
        CausalChain
            Of equal fingerprint.

        Raises
        ------
        DataError
            If something is missing, unknown or out of range.
        """
        if values.get("kind") != _KIND or values.get("version") != _VERSION:
            raise DataError(f"expected {_KIND!r} of version {_VERSION}, got {values.get('kind')!r} of {values.get('version')!r}")
        if not isinstance(values.get("channels"), list) or not isinstance(values.get("steps"), list):
            raise DataError(f"channels and steps must be lists, got {values.get('channels')!r:.60}, {values.get('steps')!r:.60}")
        return cls(values["channels"], values.get("sfreq", float("nan")), [step_from(step) for step in values["steps"]])

    def save(self, path: str | Path) -> Path:
        """Write all parameters as JSON.

        Parameters
        ----------
        path : str or Path
            The file; an older one is replaced.

        Returns
        -------
        Path
            The file.
        """
        write_text(path, json.dumps(self.to_dict(), indent=1) + "\n")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> CausalChain:
        """Read a chain written by `save`; nothing in the file is executed.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        CausalChain
            At the beginning of a pass.

        Raises
        ------
        FormatError
            If there is no such file, or it is something else.
        CorruptFileError
            If the parameters do not fit each other.
        """
        values = read_parameters(Path(path), _KIND)
        try:
            return cls.from_dict(values)
        except (NeurodecodeError, OverflowError) as error:
            raise CorruptFileError(path, f"its parameters do not fit ({error})", _AGAIN) from error

    # --- helpers ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        names = ", ".join(step.kind for step in self.steps) or "no steps"
        return f"CausalChain({len(self.channels)} channels, {self.sfreq:g} to {self.output_sfreq:g} Hz: {names})"

    def _paced(self) -> Iterator[tuple[Step, float]]:
        """Each step with the rate in Hz at which the signal reaches it."""
        rate = self.sfreq
        for step in self.steps:
            yield step, rate
            up, down = step.factors(rate)
            rate = rate * up / down
