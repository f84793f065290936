"""What was decoded from a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.decode.stream_latency import LatencyReport


class Prediction(NamedTuple):
    """What was decoded from one window."""

    start: float
    """Time of the first sample of the window in s, on the clock of the stream."""
    stop: float
    """Time of its last sample in s."""
    marker: str | None
    """Label of the marker that the window is locked to."""
    onset: float
    """Time of that marker in s; of the last sample where there is none."""
    valid: bool
    """Whether the window was decoded."""
    reason: str
    """Why it was not; empty where it was."""
    label: str | None
    """Class or candidate."""
    score: float
    """Probability, similarity or value, as in `neurodecode.decode.stream_predict.Output`."""
    values: NDArray[np.float64]
    """All outputs of the decoder, shape (n_outputs,)."""
    compute: float
    """Wall time in s of chain, decoder and retrieval."""


@dataclass(frozen=True, eq=False)
class StreamResult:
    """Predictions of a stream, and how late they came.

    Parameters
    ----------
    predictions : DataFrame
        One row per window: the fields of `Prediction` but `values`.
    values : array of shape (n_windows, n_outputs)
        Outputs of the decoder; NaN where a window was not decoded.
    latency : LatencyReport
        Times.
    """

    predictions: pd.DataFrame
    values: NDArray[np.float64]
    latency: LatencyReport


def tables(predictions: Sequence[Prediction]) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Predictions as a table and, for those that were decoded, their outputs as an array (n_windows, n_outputs)."""
    columns = [name for name in Prediction._fields if name != "values"]
    table = pd.DataFrame([[getattr(p, name) for name in columns] for p in predictions], columns=columns)
    values = np.full((len(predictions), max((p.values.size for p in predictions), default=0)), np.nan)
    for row, prediction in zip(values, predictions, strict=True):
        row[: prediction.values.size] = prediction.values
    return table, values
