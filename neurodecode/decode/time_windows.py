"""When a stimulus can be told from M/EEG: retrieval from windows that slide or grow, those before the stimulus as control."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.hashing import jsonable
from neurodecode.data.validate import as_number, check_option, check_positive
from neurodecode.decode.meeg_images import MEEGImageDecoder
from neurodecode.decode.meeg_score import StimulusRetrieval
from neurodecode.errors import DataError

_FORWARD = "brain_to_stimulus"
_TOUCH = 1e-9  # s; a window that ends at 0 s lies before the stimulus


@dataclass(frozen=True, eq=False, repr=False)
class RetrievalCourse:
    """Retrieval over windows of time.

    Parameters
    ----------
    windows : array of shape (n_windows, 2)
        Start and end of each in s; a sample at the end does not belong to it.
    mode : str
        ``"sliding"`` or ``"growing"``.
    results : list of StimulusRetrieval
        Of the decoder that was fitted on each window.
    k : int
        Places that count for `accuracy`.
    notes : list of str
        What the reader must know.
    """

    windows: NDArray[np.float64]
    mode: str
    results: list[StimulusRetrieval]
    k: int
    notes: list[str] = field(default_factory=list)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Accuracy at `k` in each window, (n_windows,)."""
        return np.array([result.top_k[self.k] for result in self.results])

    @property
    def ci(self) -> NDArray[np.float64]:
        """Interval over stimuli in each window, (n_windows, 2)."""
        return np.array([result.report.ci[_FORWARD][self.k] for result in self.results])

    @property
    def chance(self) -> float:
        """Chance at `k`."""
        return self.results[0].chance[self.k]

    @property
    def before(self) -> NDArray[np.bool_]:
        """Windows that end before the stimulus begins, (n_windows,)."""
        return np.asarray(self.windows[:, 1] <= _TOUCH)

    @property
    def leaks(self) -> bool | None:
        """Whether mean accuracy before the stimulus lies above chance by more than its interval; None without such windows.

        Responses cannot know what comes: filters that look ahead, a baseline taken from later samples, or an order of stimuli
        that repeats may tell it.
        """
        if not self.before.any():
            return None
        return bool((self.ci[self.before, 0] > self.chance).mean() > 0.5)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per window.

        Returns
        -------
        DataFrame
            ``start, stop`` (s), ``k, accuracy, ci_low, ci_high, chance, ridge, before, n_candidates``.
        """
        ridge = [np.nan if result.ridge is None else result.ridge[self.k] for result in self.results]
        return pd.DataFrame(
            {
                "start": self.windows[:, 0],
                "stop": self.windows[:, 1],
                "k": self.k,
                "accuracy": self.accuracy,
                "ci_low": self.ci[:, 0],
                "ci_high": self.ci[:, 1],
                "chance": self.chance,
                "ridge": ridge,
                "before": self.before,
                "n_candidates": self.results[0].n_candidates,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Table and notes as JSON values."""
        rows = self.to_dataframe().to_dict("records")
        return dict(jsonable({"mode": self.mode, "windows": rows, "leaks": self.leaks, "notes": self.notes}))

    def __repr__(self) -> str:
        best = int(np.argmax(self.accuracy))
        start, stop = self.windows[best]
        lines = [
            f"RetrievalCourse: {len(self.windows)} {self.mode} windows, top-{self.k} of {self.results[0].n_candidates} "
            f"candidates, chance {100 * self.chance:.3g} %",
            f"  best {100 * self.accuracy[best]:.1f} % in {start:g} to {stop:g} s",
        ]
        if self.before.any():
            lines.append(f"  before the stimulus at most {100 * self.accuracy[self.before].max():.1f} %")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def time_windows(
    times: NDArray[np.float64], mode: str = "sliding", width: float = 0.1, stride: float = 0.025
) -> NDArray[np.float64]:
    """Lay windows over a time axis.

    Parameters
    ----------
    times : array of shape (n_times,)
        Times in s, on a regular clock.
    mode : str
        ``"sliding"``: each of one width. ``"growing"``: all from the first time on, each longer by `stride`.
    width : float
        Width of a window, and of the first one that grows, in s.
    stride : float
        From one window to the next in s.

    Returns
    -------
    array of shape (n_windows, 2)
        Start and end in s; all whole windows that fit.

    Raises
    ------
    DataError
        If no window fits, or a length is not above 0.
    """
    check_option("mode", mode, ("sliding", "growing"))
    check_positive("width", as_number(width))
    check_positive("stride", as_number(stride))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    begin, end = float(times[0]), float(times[-1]) + step
    n = int(np.floor((end - begin - width) / stride + 1e-6)) + 1
    if n < 1 or width < step - _TOUCH:
        raise DataError(
            f"windows of {width:g} s do not fit into {begin:g} to {end:g} s in steps of {step:g} s: choose another width"
        )
    offsets = begin + stride * np.arange(n)
    starts = offsets if mode == "sliding" else np.full(n, begin)
    limits: NDArray[np.float64] = np.stack([starts, offsets + width], axis=1)
    return limits.round(9)


def retrieval_over_time(
    responses: Responses,
    targets: Responses,
    *,
    decoder: MEEGImageDecoder | None = None,
    mode: str = "sliding",
    width: float = 0.1,
    stride: float = 0.025,
    k: int = 5,
    aggregation: str = "single",
    n_bootstrap: int = 200,
) -> RetrievalCourse:
    """Fit and score one decoder for each window of time.

    Samples are those that the column ``split`` marks as train, validation and test: the same in all windows. Windows that end
    before the stimulus are the control: retrieval there must be at chance.

    Parameters
    ----------
    responses : Responses
        With a column ``split``.
    targets : Responses
        Embeddings, one row per stimulus. Candidates are those of the test stimuli.
    decoder : MEEGImageDecoder, optional
        Fitted anew on each window; by default the ridge of each subject, which takes no training.
    mode : str
        ``"sliding"`` or ``"growing"``, as in `time_windows`.
    width, stride : float
        As in `time_windows`, in s.
    k : int
        Places that count.
    aggregation : str
        As in `MEEGImageDecoder.score`.
    n_bootstrap : int
        Resamples of stimuli behind the intervals.

    Returns
    -------
    RetrievalCourse
        Accuracy with chance and interval in each window.

    Raises
    ------
    DataError
        If there is no time axis, no split, or no window fits.
    SplitLeakError
        As in `MEEGImageDecoder.fit` and `score`.

    References
    ----------
    Benchetrit, Banville, King, ICLR (2024).
    """
    if responses.times is None:
        raise DataError(f"responses have no time axis (shape {responses.data.shape}): cut epochs first")
    used = MEEGImageDecoder("ridge") if decoder is None else decoder
    limits = time_windows(responses.times, mode, width, stride)
    test = responses.select(split="test")
    candidates = targets.select(np.isin(targets.samples["stimulus"].astype(str), test.samples["stimulus"].astype(str)))
    held_in = responses.select(split=[name for name in ("train", "validation") if (responses.samples["split"] == name).any()])
    results = []
    for start, stop in limits:
        fitted = type(used)(**used.get_params()).fit(held_in.select(tmin=start, tmax=stop), targets)
        own = test.select(tmin=start, tmax=stop)
        results.append(fitted.score(own, candidates, k, aggregation=aggregation, n_bootstrap=n_bootstrap))
    notes = [] if (limits[:, 1] <= _TOUCH).any() else ["no window ends before the stimulus: there is no control"]
    return RetrievalCourse(limits, mode, results, k, notes)
