"""Delayed copies of features, which never reach across the border of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.clock import first_sample_from, nearest_sample
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError

_TOLERANCE = 1e-3  # of a sample; clocks are written with three or four digits
_Rows = NDArray[np.int64]


class Delayer:
    """Copy features at several delays, so that a linear model can learn the shape of the response.

    Row t of the copy at delay d is row ``t - d`` of the features: a positive delay predicts a response from what came before it,
    a negative one from what comes after. A copy is 0 where that row lies outside the run; `valid` tells which rows have all of
    their delays inside the run, and the others are best dropped from the loss.

    Parameters
    ----------
    delays : sequence of float
        Delays, each once: whole samples, or seconds where `sfreq` is given.
    sfreq : float, optional
        Sampling rate of the rows in Hz (1 / TR for fMRI). Delays in seconds must then be whole samples (within a thousandth):
        a delay is never rounded in silence. `fir` gives all that lie in a window.

    Attributes
    ----------
    steps_ : array of shape (n_delays,)
        Delays in samples, in the order given.

    Raises
    ------
    DataError
        If there is no delay, one stands twice, or one is not a whole sample.

    Examples
    --------
    >>> import numpy as np
    >>> Delayer([0, 1]).transform(np.array([[1.0], [2.0], [3.0]]), groups=[0, 0, 1])
    array([[1., 0.],
           [2., 1.],
           [3., 0.]])
    """

    def __init__(self, delays: Sequence[float], *, sfreq: float | None = None) -> None:
        self.delays = [float(d) for d in np.atleast_1d(np.asarray(delays, float))]
        self.sfreq = None if sfreq is None else check_positive("sfreq", sfreq)
        self.steps_ = _whole_samples(self.delays, self.sfreq)

    @classmethod
    def fir(cls, start: float, stop: float, sfreq: float) -> Delayer:
        """All delays of whole samples in a window: a finite impulse response.

        Parameters
        ----------
        start, stop : float
            First and last delay in s, both included where they are whole samples, e.g. -0.2 and 0.8 for sensors, 2 and 8 for
            BOLD.
        sfreq : float
            Sampling rate in Hz.

        Returns
        -------
        Delayer
            With ``ceil(start * sfreq)`` to ``floor(stop * sfreq)`` samples.

        Raises
        ------
        DataError
            If the window holds no whole sample.
        """
        rate = check_positive("sfreq", sfreq)
        first, last = first_sample_from(start, rate), -first_sample_from(-stop, rate)
        if last < first:
            raise DataError(f"no whole sample at {rate:g} Hz lies between delays of {start:g} and {stop:g} s: widen the window")
        return cls(np.arange(first, last + 1) / rate, sfreq=rate)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.steps_)

    def __repr__(self) -> str:
        rate = "" if self.sfreq is None else f" samples at {self.sfreq:g} Hz"
        return f"<Delayer {self.steps_.tolist()}{rate or ' samples'}>"

    def transform(self, X: Responses | ArrayLike, groups: ArrayLike | None = None) -> Any:
        """Lay the delayed copies side by side.

        Parameters
        ----------
        X : Responses or array_like of shape (n_samples, n_features)
            Features in temporal order, run after run. NaN travels with its row.
        groups : array_like of shape (n_samples,), optional
            Run of each row; an unbroken stretch of one name is a run. By default the runs of `Responses`, or one run.

        Returns
        -------
        array of shape (n_samples, n_delays * n_features), or Responses
            One block of features per delay, of the dtype of `X`. The units of `Responses` have a column ``delay`` (in s where
            `sfreq` is known, else in samples).

        Raises
        ------
        DataError
            If shapes do not fit each other.
        """
        if isinstance(X, Responses):
            return self._transform_responses(X, groups)
        features = np.asarray(X)
        if features.ndim != 2 or features.dtype.kind not in "fiub":
            raise DataError(
                f"features must be real numbers of shape (n_samples, n_features), got {features.dtype} of shape {features.shape}"
            )
        n, p = features.shape
        delayed = np.zeros((n, len(self) * p), features.dtype)
        for k, source in enumerate(self.source_rows(n, groups)):
            inside = source >= 0
            delayed[inside, k * p : (k + 1) * p] = features[source[inside]]
        return delayed

    def _transform_responses(self, responses: Responses, groups: ArrayLike | None) -> Responses:
        if responses.times is not None:
            raise DataError(f"delays apply to samples of (n_samples, n_units), these have the shape {responses.data.shape}")
        groups = run_of(groups, responses)
        unit = 1.0 if self.sfreq is None else self.sfreq
        tables = [responses.units.assign(delay=step / unit) for step in self.steps_]
        units = pd.concat(tables, ignore_index=True)
        units["name"] = [f"{name}@{delay:g}" for name, delay in zip(units["name"], units["delay"], strict=True)]
        data = self.transform(responses.data, groups)
        step = {"delays": self.steps_.tolist(), "sfreq": self.sfreq}
        return responses.with_step("linear.delay", step, data=data, units=units)

    def valid(self, n_samples: int, groups: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Tell which rows have all of their delays inside their run.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        groups : array_like of shape (n_samples,), optional
            As in `transform`.

        Returns
        -------
        array of bool of shape (n_samples,)
            False for the rows to drop from the loss.
        """
        return np.asarray((self.source_rows(n_samples, groups) >= 0).all(axis=0))

    def source_rows(self, n_samples: int, groups: ArrayLike | None = None) -> _Rows:
        """Row of the features that each row of each delayed copy is taken from.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        groups : array_like of shape (n_samples,), optional
            As in `transform`.

        Returns
        -------
        array of shape (n_delays, n_samples)
            Rows, -1 where the delay reaches out of the run.
        """
        first, last = _stretch_limits(n_samples, groups)
        source = np.arange(n_samples) - self.steps_[:, None]
        return np.where((source >= first) & (source <= last), source, -1)


def delayed_kernel(gram: NDArray[Any], left: _Rows, right: _Rows) -> NDArray[Any]:
    """Kernel of delayed features from the kernel of the features themselves: ``sum_d gram[t - d, s - d]``.

    It costs the square of the number of samples per delay, whatever the number of features.

    Parameters
    ----------
    gram : array of shape (n_left, n_right)
        Scalar products of features, without delays.
    left, right : array of shape (n_delays, n_left), (n_delays, n_right)
        `Delayer.source_rows` of both sides.

    Returns
    -------
    array of shape (n_left, n_right)
        Scalar products of the delayed features; 0 stands where a delay reaches out of its run.
    """
    total = np.zeros_like(gram)
    for rows, columns in zip(left, right, strict=True):
        here, there = rows >= 0, columns >= 0
        shifted = gram[np.ix_(rows, columns)]  # -1 takes the last row, which is then set to 0
        shifted[~here] = 0
        shifted[:, ~there] = 0
        total += shifted
    return total


def run_of(groups: ArrayLike | None, *objects: Any) -> ArrayLike | None:
    """Runs of samples: those given, or those that `Responses` know.

    Parameters
    ----------
    groups : array_like of shape (n_samples,) or None
        Run of each sample, where it was given.
    *objects
        Arrays, `Responses`, or lists of them.

    Returns
    -------
    array_like of shape (n_samples,) or None
        `groups`, else the runs of the first `Responses` with a column ``run``, else None.
    """
    if groups is not None:
        return groups
    flat = [part for thing in objects for part in (thing if isinstance(thing, (list, tuple)) else [thing])]
    known = [part for part in flat if isinstance(part, Responses) and "run" in part.samples]
    return known[0].groups("run") if known else None


def _whole_samples(delays: list[float], sfreq: float | None) -> _Rows:
    """Delays in samples, refused where they are none."""
    seconds = np.asarray(delays)
    position = seconds * (1.0 if sfreq is None else sfreq)
    if not len(seconds) or not np.isfinite(seconds).all():
        raise DataError(f"delays must be at least one finite number, got {delays}")
    steps = nearest_sample(position, 1.0)
    off = np.abs(position - steps)
    if np.any(off > _TOLERANCE):
        worst = int(np.argmax(off))
        what = "samples; give sfreq for seconds" if sfreq is None else f"s at {sfreq:g} Hz; Delayer.fir gives a whole window"
        raise DataError(f"a delay must be a whole sample, got {delays[worst]:g} {what} (sample {position[worst]:.4g})")
    if len(np.unique(steps)) < len(steps):
        raise DataError(f"each delay must stand once, got {steps.tolist()} samples")
    return steps


def _stretch_limits(n_samples: int, groups: ArrayLike | None) -> tuple[_Rows, _Rows]:
    """First and last row of the run that each row belongs to."""
    if groups is None:
        return np.zeros(n_samples, np.int64), np.full(n_samples, n_samples - 1)
    names = np.asarray(groups)
    if names.shape != (n_samples,):
        raise DataError(f"groups must name the run of each of the {n_samples} samples, got shape {names.shape}")
    starts = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]])) if n_samples else np.zeros(0, np.int64)
    lengths = np.diff(np.append(starts, n_samples))
    return np.repeat(starts, lengths), np.repeat(starts + lengths - 1, lengths)
