"""Windows of continuous signals, cut when they are asked for: overlapping windows need no memory of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.lazy import LazySignal
from neurodecode.data.validate import check_index


class Cut(NamedTuple):
    """How a window is made of a stretch of a signal."""

    n_samples: int
    """Samples of the stretch."""
    first: int = 0
    """First of them that is kept."""
    stop: int | None = None
    """Behind the last that is kept; None for the end."""
    baseline: tuple[int, int] | None = None
    """Samples from and to (behind the last) whose mean is taken off."""
    clamp: float | None = None
    """Values beyond plus or minus this are set to it."""

    @property
    def kept(self) -> range:
        """Samples of the stretch that are kept."""
        return range(self.n_samples)[self.first : self.stop]


class WindowedArray:
    """An array (n_windows, n_channels, n_times) of windows that are cut out of continuous signals when they are read.

    The value of a window is ``clip((stretch - mean(stretch[baseline]) - center) / spread)``. Indexing by slices, row numbers and
    masks gives another such array, unread, which `numpy.asarray` turns into numbers; a single row number gives the numbers.

    Parameters
    ----------
    signals : sequence of array of shape (n_channels_i, n_times_i)
        Continuous signals; memory maps and `LazySignal` stay unread.
    signal : array of shape (n_windows,)
        Number of the signal of each window.
    start : array of shape (n_windows,)
        First sample of the stretch of each window.
    cut : Cut
        How windows are made.
    channels : array of shape (n_signals, n_channels), optional
        Row of each channel in each signal, -1 where the signal lacks it (the window then holds NaN). By default all rows.
    center, spread : array of shape (n_signals, n_channels), optional
        What is taken off each channel, and what it is divided by.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(
        self,
        signals: Sequence[Any],
        signal: NDArray[np.int64],
        start: NDArray[np.int64],
        cut: Cut,
        *,
        channels: NDArray[np.int64] | None = None,
        center: NDArray[np.float64] | None = None,
        spread: NDArray[np.float64] | None = None,
    ) -> None:
        n = 0 if not len(signals) else signals[0].shape[0]
        self._signals, self._signal, self._start, self.cut = list(signals), signal, start, cut
        self._channels = np.tile(np.arange(n), (len(signals), 1)) if channels is None else channels
        self._center, self._spread = center, spread
        self.shape = (len(signal), int(self._channels.shape[1]), len(cut.kept))

    @property
    def nbytes(self) -> int:
        """Bytes it would take in memory."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"WindowedArray({' x '.join(map(str, self.shape))}, of {len(self._signals)} signals, not read yet)"

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self._window(row, np.empty(self.shape[1:], np.float32)) for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = np.empty(self.shape, np.float32)
        for row in range(len(self)):
            self._window(row, found[row])
        return found if dtype is None else found.astype(dtype, copy=False)

    def __getitem__(self, index: Any) -> Any:
        axes = index if isinstance(index, tuple) else (index,)
        axes = (*axes, *(slice(None) for _ in range(3 - len(axes))))
        lists = [check_index(axis, size, name) for axis, size, name in zip(axes, self.shape, _NAMES, strict=True)]
        part = self._take(lists[0], lists[1])
        single = tuple(0 if np.ndim(axis) == 0 and not isinstance(axis, slice) else slice(None) for axis in axes)
        if single == (slice(None),) * 3 and _is_stretch(lists[2]):
            return part._crop(lists[2])
        return np.asarray(part)[:, :, lists[2]][single]

    def scaled(self, center: NDArray[np.float64], spread: NDArray[np.float64], clamp: float | None) -> WindowedArray:
        """The same windows on another scale.

        Parameters
        ----------
        center, spread : array of shape (n_signals, n_channels)
            What is taken off each channel, and what it is divided by.
        clamp : float or None
            Values beyond plus or minus this are set to it.

        Returns
        -------
        WindowedArray
            Still unread.
        """
        return self._with(cut=self.cut._replace(clamp=clamp), center=center, spread=spread)

    def without_baseline(self) -> WindowedArray:
        """The same windows with their baseline on.

        Returns
        -------
        WindowedArray
            Still unread.
        """
        return self._with(cut=self.cut._replace(baseline=None))

    def _take(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> WindowedArray:
        """Some windows of some channels."""
        scale = {"center": self._center, "spread": self._spread}
        cut_scale = {name: part if part is None else part[:, columns] for name, part in scale.items()}
        return self._with(signal=self._signal[rows], start=self._start[rows], channels=self._channels[:, columns], **cut_scale)

    def _crop(self, times: NDArray[np.intp]) -> WindowedArray:
        """A stretch of the times."""
        first = self.cut.first + (int(times[0]) if len(times) else 0)
        return self._with(cut=self.cut._replace(first=first, stop=first + len(times)))

    def _with(self, **members: Any) -> WindowedArray:
        """The same but for some members."""
        held = {
            "signals": self._signals,
            "signal": self._signal,
            "start": self._start,
            "cut": self.cut,
            "channels": self._channels,
            "center": self._center,
            "spread": self._spread,
        }
        return WindowedArray(**{**held, **members})

    def _window(self, row: int, out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write the numbers of one window."""
        number, start, cut = int(self._signal[row]), int(self._start[row]), self.cut
        channels = self._channels[number]
        stretch = np.asarray(self._signals[number][:, start : start + cut.n_samples], np.float32)
        if not np.array_equal(channels, np.arange(len(stretch))):
            stretch = stretch[channels]
        out[:] = stretch[:, cut.first : cut.stop]
        if cut.baseline is not None:
            out -= stretch[:, slice(*cut.baseline)].mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        if self._center is not None:
            out -= self._center[number][:, None].astype(np.float32)
        if self._spread is not None:
            out /= self._spread[number][:, None].astype(np.float32)
        if cut.clamp is not None:
            np.clip(out, -cut.clamp, cut.clamp, out=out)
        out[channels < 0] = np.nan
        return out


_NAMES = ("windows", "channels", "times")


def _is_stretch(picked: NDArray[np.intp]) -> bool:
    """Whether some times follow each other without a gap."""
    return bool(np.all(np.diff(picked) == 1))


def joined_windows(parts: Sequence[Any]) -> WindowedArray:
    """Arrays of windows one after the other, unread: each counts as a signal in which its windows stand end to end.

    Parameters
    ----------
    parts : sequence of array of shape (n_windows_i, n_channels, n_times)
        Memory maps stay unread.

    Returns
    -------
    WindowedArray
        Of shape (sum of n_windows_i, n_channels, n_times).
    """
    n_times = int(parts[0].shape[2])
    lengths = [len(part) for part in parts]
    number = np.repeat(np.arange(len(parts)), lengths)
    start = np.concatenate([n_times * np.arange(length) for length in lengths])
    return WindowedArray([_end_to_end(part) for part in parts], number, start, Cut(n_times))


def _end_to_end(windows: Any) -> LazySignal:
    n_windows, n_channels, n_times = windows.shape

    def read(first: int, stop: int) -> NDArray[np.float32]:
        row = first // n_times
        block = np.asarray(windows[row : -(-stop // n_times)], np.float32)
        signal = np.moveaxis(block, 1, 0).reshape(n_channels, -1)
        return np.asarray(signal[:, first - row * n_times : stop - row * n_times])

    return LazySignal(read, (n_channels, n_windows * n_times))
