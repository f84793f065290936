"""How long after it happened something is decoded, and of which parts that time is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable

_Floats = NDArray[np.float64]
PERCENTILES = (50.0, 95.0, 99.0, 100.0)


@dataclass(frozen=True, eq=False, repr=False)
class LatencyReport:
    """Latency of a decoded stream.

    What happens is known after: the rest of its packet (half of it on average), the way of the packet to the decoder, the group
    delay of the causal filters, the part of the window that lies behind the event, and the computation.

    Parameters
    ----------
    source : str
        What was decoded.
    realtime : bool
        Whether samples came at the pace of a clock; otherwise only the computation was measured.
    duration : float
        Length of the signal in s.
    hop : float or None
        Time between windows in s; None for windows around markers.
    n_windows : int
        Windows that were due.
    invalid : dict of str to int
        Windows that were not decoded, by reason.
    chunk : array of shape (n_chunks,)
        Length of each delivery in s.
    acquisition : array of shape (n_chunks,)
        Time from the last sample of a delivery to its arrival, in s; NaN without a clock.
    group_delay : float
        Median over the pass band of the chain, in s.
    tail : float
        How long after its marker a window ends, in s.
    filtering, decoding, retrieval : array of shape (n_decoded,)
        Wall time in s of each window: the chain on the chunk in which it ended, the decoder, the comparison with candidates.
    processor : array of shape (n_decoded,)
        Processor time in s of all three together, over all threads.
    gaps, lost_samples, restarts, overruns : int
        Gaps in the time stamps, the samples lost in them, jumps of the clock after which everything began anew, and how often
        the source threw samples away because the decoder was late.
    notes : list of str
        What the reader must know.
    """

    source: str
    realtime: bool
    duration: float
    hop: float | None
    n_windows: int
    invalid: dict[str, int]
    chunk: _Floats
    acquisition: _Floats
    group_delay: float
    tail: float
    filtering: _Floats
    decoding: _Floats
    retrieval: _Floats
    processor: _Floats
    gaps: int = 0
    lost_samples: int = 0
    restarts: int = 0
    overruns: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def compute(self) -> _Floats:
        """Wall time in s of filter, decoder and retrieval together, shape (n_decoded,)."""
        return self.filtering + self.decoding + self.retrieval

    @property
    def n_decoded(self) -> int:
        """Windows that were decoded."""
        return len(self.decoding)

    def percentiles(self, what: str = "compute") -> dict[str, float]:
        """Median, 95th and 99th percentile and maximum of a duration.

        Parameters
        ----------
        what : str
            ``"compute"``, ``"processor"``, ``"filtering"``, ``"decoding"``, ``"retrieval"``, ``"chunk"`` or ``"acquisition"``.

        Returns
        -------
        dict of str to float
            ``p50, p95, p99, max`` in s; NaN where nothing was measured.
        """
        values = np.asarray(getattr(self, what), float)
        values = values[np.isfinite(values)]
        found = np.percentile(values, PERCENTILES) if values.size else np.full(len(PERCENTILES), np.nan)
        return dict(zip(("p50", "p95", "p99", "max"), map(float, found), strict=True))

    def parts(self) -> pd.DataFrame:
        """Parts of the latency and their sum.

        Returns
        -------
        DataFrame
            Columns ``part``, ``typical`` and ``worst`` in s. Typical: half a delivery and medians; worst: a whole delivery, 99th
            percentiles of the computation and the longest acquisition. What was not measured counts as 0.
        """
        chunk, arrival = self.percentiles("chunk"), self.percentiles("acquisition")
        rows = [
            ("acquisition chunk", chunk["p50"] / 2, chunk["max"]),
            ("acquisition delay", arrival["p50"], arrival["max"]),
            ("group delay of the filters", self.group_delay, self.group_delay),
            ("window after the event", self.tail, self.tail),
            *((f"computing: {name}", p["p50"], p["p99"]) for name, p in ((n, self.percentiles(n)) for n in _COMPUTED)),
        ]
        table = pd.DataFrame(rows, columns=["part", "typical", "worst"])
        total = {"part": "sum", **table[["typical", "worst"]].fillna(0.0).sum().to_dict()}
        return pd.concat([table, pd.DataFrame([total])], ignore_index=True)

    @property
    def sentence(self) -> str:
        """The report in one line."""
        p, total = self.percentiles(), self.parts().iloc[-1]
        how = "in real time" if self.realtime else "as fast as possible"
        return (
            f"{self.n_decoded} of {self.n_windows} windows decoded in {self.duration:.1f} s of signal ({how}); compute p50 "
            f"{1e3 * p['p50']:.2f} ms, p95 {1e3 * p['p95']:.2f}, p99 {1e3 * p['p99']:.2f}, max {1e3 * p['max']:.2f}; latency "
            f"typically {1e3 * total['typical']:.0f} ms, at worst {1e3 * total['worst']:.0f} ms; {self.gaps} gaps, "
            f"{self.lost_samples} samples lost, {self.overruns} overruns"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single durations, as JSON values (s)."""
        names = (
            "source realtime duration hop n_windows n_decoded invalid group_delay tail gaps lost_samples restarts overruns notes"
        )
        values = {name: getattr(self, name) for name in names.split()}
        durations = {name: self.percentiles(name) for name in ("compute", "processor", *_COMPUTED, "chunk", "acquisition")}
        return dict(jsonable({**values, "percentiles": durations, "latency": self.parts().to_dict("records")}))

    def __repr__(self) -> str:
        return f"LatencyReport({self.sentence})"


_COMPUTED = ("filtering", "decoding", "retrieval")


class Timings:
    """Collects the durations of a stream while it runs."""

    def __init__(self) -> None:
        self.chunks: list[tuple[float, float]] = []
        self.windows: list[tuple[float, float, float, float]] = []
        self.invalid: dict[str, int] = {}
        self.n_windows = 0

    def add_chunk(self, length: float, delay: float) -> None:
        """Note a delivery: its length and how late it came, in s."""
        self.chunks.append((length, delay))

    def add_window(self, filtering: float, decoding: float, retrieval: float, processor: float) -> None:
        """Note a decoded window: durations in s."""
        self.n_windows += 1
        self.windows.append((filtering, decoding, retrieval, processor))

    def add_invalid(self, reason: str) -> None:
        """Note a window that was not decoded."""
        self.n_windows += 1
        self.invalid[reason] = self.invalid.get(reason, 0) + 1

    def durations(self) -> dict[str, Any]:
        """What `LatencyReport` takes of it."""
        chunk, acquisition = np.array(self.chunks, float).reshape(-1, 2).T
        names = (*_COMPUTED, "processor")
        parts = dict(zip(names, np.array(self.windows, float).reshape(-1, len(names)).T, strict=True))
        return {**parts, "chunk": chunk, "acquisition": acquisition, "n_windows": self.n_windows, "invalid": dict(self.invalid)}
