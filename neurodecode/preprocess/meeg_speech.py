"""From recordings of people who heard speech, and features of that speech, to pairs of windows that a decoder learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import LazySignal, Recording, Responses
from neurodecode.data.clock import nearest_sample
from neurodecode.data.speech_splits import check_blocks, check_context, speech_segments_table
from neurodecode.data.validate import check_columns
from neurodecode.data.windowed import Cut, WindowedArray
from neurodecode.errors import DataError
from neurodecode.preprocess.meeg_windows import SPLITS, scaled_windows

_AT_ONCE = 2**24  # values that are read at once
_SAME_RATE = 1e-3  # of a sample, over a block


class SpeechSegments(NamedTuple):
    """What was heard, and how the brain answered."""

    responses: Responses
    """One row per segment and presentation, (n_samples, n_channels, n_times): training, validation, then test. Samples hold
    ``stimulus`` (the segment, a row of the targets), ``audio, block, split, word, onset`` (s on the clock of the recording),
    ``segment_onset`` (s in the audio) and ``repeat``."""
    targets: Responses
    """One row per segment, (n_stimuli, n_features, n_times), in the same order of splits."""


def speech_segments(
    recordings: Sequence[Recording],
    features: Responses,
    blocks: pd.DataFrame,
    words: pd.DataFrame | None = None,
    *,
    tmin: float = -0.5,
    tmax: float = 2.5,
    lag: float = 0.15,
    stride: float = 0.5,
    margin: float = 0.0,
    baseline: tuple[float | None, float | None] | None = (None, 0.0),
    clamp: float | None = 20.0,
    n_fit: int = 200,
    n_fit_targets: int = 8000,
    random_state: int = 0,
) -> SpeechSegments:
    r"""Pair windows of M/EEG with the speech that was heard, each wholly inside one block of sentences.

    A window of `tmin` to `tmax` around the trigger has, at 120 Hz, 361 samples. The brain answers later than the ear hears: the
    first ``round(lag * sfreq)`` samples of the brain and the last of the speech are cut, and 343 of both are left. Windows of
    training and validation follow each other every `stride` s, those of the test begin at the words.

    Brain: baseline off, scaled by median and interquartile range of training windows of each recording, clamped
    (`scaled_windows`). Speech: one mean and one standard deviation of all values of training windows. Both are cut out of the
    continuous signals when they are read; `neurodecode.data.save` writes them to a folder, window by window.

    Parameters
    ----------
    recordings : sequence of Recording
        At the rate of the features (`resample`). An event with an audio of `blocks` in its column ``stimulus`` says when that
        audio began; a column ``start`` (s in the audio, 0 where missing) lets an audio have several marks, against drifting
        clocks.
    features : Responses
        Frames of the audio, block by block (`neurodecode.features.speech_embedding`, `speech_mel`): samples hold ``audio, block,
        onset`` (s in the audio) and the context of each frame, ``context_onset, context_offset``.
    blocks : DataFrame
        From `neurodecode.data.stimulus_splits.split_blocks`.
    words : DataFrame, optional
        Words of each audio, as in `speech_blocks`; without them the test has regular windows, too.
    tmin, tmax : float
        Window around the trigger, in s.
    lag : float
        Of the brain behind the speech, in s.
    stride : float
        From one window to the next, in s.
    margin : float
        As in `speech_segments_table`.
    baseline : tuple of (float or None, float or None), optional
        As in `scaled_windows`.
    clamp : float, optional
        As in `scaled_windows`.
    n_fit, n_fit_targets : int
        Training windows that the scale of a recording, and that of the targets, is found on.
    random_state : int
        Seed of the draw of these windows.

    Returns
    -------
    SpeechSegments
        Responses and targets.

    Raises
    ------
    DataError
        If rates differ, no audio was heard, or as in `scaled_windows`.
    SplitLeakError
        If features depend on audio of another split, or the same words are in two splits.

    References
    ----------
    Défossez et al. (2023), Nature Machine Intelligence 5:1097.

    Examples
    --------
    >>> blocks = split_blocks(speech_blocks(words))  # doctest: +SKIP
    >>> features = speech_mel(audio, blocks)  # doctest: +SKIP
    >>> responses, targets = speech_segments(recordings, features, blocks, words)  # doctest: +SKIP
    """
    check_blocks(blocks)
    check_context(features.samples, blocks)
    if not recordings:
        raise DataError(f"got {len(recordings)} recordings, expected at least one")
    sfreq = recordings[0].sfreq
    segments = speech_segments_table(blocks, words, tmin=tmin, tmax=tmax, stride=stride, margin=margin)
    segments, start, cut = _frames_of(segments, features, sfreq, (tmin, tmax, lag))
    if not len(segments):
        longest = float((blocks["offset"] - blocks["onset"]).max())
        raise DataError(
            f"no window of {tmin:g} to {tmax:g} s fits into one of the {len(blocks)} blocks, the longest of which has "
            f"{longest:g} s: make blocks longer (speech_blocks(min_duration=...)), or the window shorter"
        )
    triggers = [_heard(recording, segments) for recording in recordings]
    if not sum(map(len, triggers)):
        seen = sorted({str(s) for r in recordings if "stimulus" in r.events for s in r.events["stimulus"].dropna()})
        raise DataError(
            f"no event of {len(recordings)} recordings names one of the audios {sorted(set(blocks['stimulus']))[:5]} in its "
            f"column 'stimulus' (there are {seen[:5]}): add events with stimulus and onset where each audio began"
        )
    responses = scaled_windows(
        recordings,
        triggers,
        tmin=tmin,
        tmax=tmax,
        lag=lag,
        baseline=baseline,
        n_fit=n_fit,
        clamp=clamp,
        random_state=random_state,
    )
    used = segments["stimulus"].isin(responses.samples["stimulus"]).to_numpy()
    windows = WindowedArray([_turned(features.data)], np.zeros(int(used.sum()), np.int64), start[used], cut)
    table = segments[used].reset_index(drop=True)
    return SpeechSegments(responses, _targets(windows, table, features, sfreq, tmin, n_fit_targets, random_state))


def _frames_of(
    segments: pd.DataFrame, features: Responses, sfreq: float, window: tuple[float, float, float]
) -> tuple[pd.DataFrame, NDArray[np.int64], Cut]:
    """Segments whose frames are there, the row of the first frame of each, and how many frames make a window."""
    check_columns(features.samples, ["audio", "block", "onset"], "samples of the features")
    tmin, tmax, lag = window
    cut = Cut(round(tmax * sfreq) - round(tmin * sfreq) + 1 - round(lag * sfreq))
    labels = features.groups("block")
    first = np.flatnonzero(np.diff(labels, prepend=-1))
    if len(first) != len(np.unique(labels)):
        raise DataError(
            f"the frames of a block must follow each other, {len(np.unique(labels))} blocks stand in {len(first)} pieces"
        )
    count = np.diff(np.append(first, len(labels)))
    onset = features.samples["onset"].to_numpy(float)
    _check_rate(onset, first, count, sfreq)
    place = {name: i for i, name in enumerate(features.samples["block"].iloc[first])}
    known = segments["block"].map(place)
    if known.isna().any():
        raise DataError(f"the features have no frame of block {segments['block'][known.isna()].iloc[0]!r}: embed all blocks")
    row = known.to_numpy(np.int64)
    begin = nearest_sample(segments["onset"].to_numpy(float) - onset[first[row]], sfreq) + round(tmin * sfreq)
    inside = (begin >= 0) & (begin + cut.n_samples <= count[row])
    kept = np.flatnonzero(inside)[
        segments["split"][inside].map({name: k for k, name in enumerate(SPLITS)}).argsort(kind="stable")
    ]
    return segments.iloc[kept].reset_index(drop=True), (first[row] + begin)[kept], cut


def _check_rate(onset: NDArray[np.float64], first: NDArray[np.int64], count: NDArray[np.int64], sfreq: float) -> None:
    """Refuse frames on another clock than that of the recordings."""
    last = first + count - 1
    off = np.abs(onset[last] - onset[first] - (count - 1) / sfreq) * sfreq
    if (off > _SAME_RATE * np.maximum(count, 1)).any():
        worst = int(np.argmax(off))
        rate = (count[worst] - 1) / (onset[last[worst]] - onset[first[worst]])
        raise DataError(
            f"features have {rate:g} frames per second, recordings {sfreq:g} Hz: resample the recordings, or give the features "
            f"sfreq={sfreq:g}"
        )


def _heard(recording: Recording, segments: pd.DataFrame) -> pd.DataFrame:
    """When each segment was heard in a recording: one row per presentation, ``onset`` on its clock."""
    events = recording.events
    columns = [*segments.columns, "segment_onset"]
    if "stimulus" not in events:
        return pd.DataFrame(columns=columns)
    marks = events[events["stimulus"].astype(str).isin(set(segments["audio"]))].reset_index(drop=True)
    start = marks["start"].fillna(0.0).to_numpy(float) if "start" in marks else np.zeros(len(marks))
    audio = marks["stimulus"].astype(str).to_numpy(object)
    until = np.full(len(marks), np.inf)
    goes_on = (audio[1:] == audio[:-1]) & (start[1:] > start[:-1]) if len(marks) else np.zeros(0, bool)
    until[:-1][goes_on] = start[1:][goes_on]
    parts = [pd.DataFrame(columns=columns)]
    for name, onset, begin, end in zip(audio, marks["onset"].to_numpy(float), start, until, strict=True):
        own = segments[(segments["audio"] == name) & (segments["onset"] >= begin - 1e-6) & (segments["onset"] < end - 1e-6)]
        parts.append(own.assign(segment_onset=own["onset"], onset=onset + own["onset"] - begin))
    filled = [part for part in parts[1:] if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _turned(data: Any) -> Any:
    """Frames (n_frames, n_features) as a signal (n_features, n_frames), unread."""
    if isinstance(data, np.ndarray):
        return data.T
    return LazySignal(lambda first, stop: np.asarray(data[first:stop]).T, (data.shape[1], data.shape[0]))


def _targets(
    windows: WindowedArray, table: pd.DataFrame, features: Responses, sfreq: float, tmin: float, n_fit: int, random_state: int
) -> Responses:
    """Windows of the features about one mean and over one standard deviation, both of training windows."""
    train = np.flatnonzero(table["split"] == "train")
    if not len(train):
        raise DataError(f"none of {len(table)} segments is in training: the scale of the targets cannot be found")
    chosen = np.sort(np.random.default_rng(random_state).choice(train, min(int(n_fit), len(train)), replace=False))
    step = max(1, _AT_ONCE // (windows.shape[1] * windows.shape[2]))
    sums = np.zeros(2)
    for begin in range(0, len(chosen), step):
        values = np.asarray(windows[chosen[begin : begin + step]], np.float64)
        sums += values.sum(), np.square(values).sum()
    n = len(chosen) * windows.shape[1] * windows.shape[2]
    mean = sums[0] / n
    deviation = float(np.sqrt(max(sums[1] / n - mean**2, 0.0))) or 1.0
    if not np.isfinite(deviation):
        raise DataError(f"features hold NaN or infinite values (mean {mean}): embed the audio again")
    shape = (1, windows.shape[1])
    scaled = windows.scaled(np.full(shape, mean), np.full(shape, deviation), None)
    times = round(tmin * sfreq) / sfreq + np.arange(windows.shape[2]) / sfreq
    found = Responses(scaled, table, features.units, times, features.meta)
    return found.with_step("meeg.speech_segments", {"mean": float(mean), "standard_deviation": deviation, "n_fit": len(chosen)})
