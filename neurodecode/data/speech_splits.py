"""Sentences of heard speech in blocks that a split never cuts, and the segments that lie in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashed_splits import SEED, hashed_split
from neurodecode.data.tables import fill_defaults
from neurodecode.data.text_similarity import similar_texts
from neurodecode.data.validate import as_number, check_columns, check_positive
from neurodecode.errors import DataError, SplitLeakError

BETWEEN = " | "  # stands between the sentences of a block in its text
_RANK = {"train": 0, "validation": 1, "test": 2}  # who gives way near a border
_SLACK = 1e-6  # s


def speech_blocks(
    words: pd.DataFrame, *, sentence: str = "sentence", min_duration: float = 6.0, uid: str | None = None
) -> pd.DataFrame:
    """Join the sentences of each audio to blocks of some length.

    Consecutive sentences are merged until a block lasts at least `min_duration`; what is left at the end of an audio is a block
    of its own. Blocks depend on the audio alone, and so are the same for all who heard it.

    Parameters
    ----------
    words : DataFrame
        One row per word: ``word``, ``onset`` and ``duration`` (s from the begin of the audio), the column `sentence` (any name or
        number that changes from one sentence to the next), and ``stimulus``, the id of the audio, where there are several.
    sentence : str
        Column that tells sentences apart.
    min_duration : float
        Shortest block in s.
    uid : str, optional
        Column with the id of a sentence in the data set. Each sentence is then a block of its own, split by this id: the rule for
        sentences that come in another order for each subject (MOUS).

    Returns
    -------
    DataFrame
        One row per block, in order: ``stimulus``, ``block`` (unique: audio and number), ``onset`` of its first word and
        ``offset``, the end of its last (s in the audio), ``n_sentences``, ``n_words``, ``text`` (sentences parted by " | ") and
        ``uid``, which the split goes by: the words, or the id.

    Raises
    ------
    DataError
        If a column is missing, there is no word, times are not finite, or an id varies within a sentence.
    """
    check_positive("min_duration", min_duration)
    table = _word_table(words, [sentence] + ([uid] if uid else []))
    changes = table["stimulus"].ne(table["stimulus"].shift()) | table[sentence].ne(table[sentence].shift())
    spoken = table.groupby(changes.cumsum().to_numpy(), sort=False)
    sentences = pd.DataFrame(
        {
            "stimulus": spoken["stimulus"].first(),
            "onset": spoken["onset"].min(),
            "offset": spoken["offset"].max(),
            "n_words": spoken.size(),
            "text": spoken["word"].agg(" ".join),
        }
    )
    if uid is not None:
        return _numbered(sentences.assign(n_sentences=1, uid=_constant(spoken[uid], uid).astype(str)))
    blocks = sentences.groupby(_merged(sentences, min_duration), sort=False)
    found = pd.DataFrame({name: blocks[name].first() for name in ("stimulus", "onset")})
    found = found.assign(offset=blocks["offset"].max(), n_sentences=blocks.size(), n_words=blocks["n_words"].sum())
    return _numbered(found.assign(text=blocks["text"].agg(BETWEEN.join), uid=blocks["text"].agg(" ".join)))


def split_blocks(
    blocks: pd.DataFrame,
    *,
    similarity: float | None = None,
    min_words: int = 4,
    test: float = 0.2,
    validation: float = 0.1,
    seed: int = SEED,
) -> pd.DataFrame:
    """Split blocks by their words, so that the same words are in one split for every subject and repeat.

    Parameters
    ----------
    blocks : DataFrame
        From `speech_blocks`, of all audios that are split together.
    similarity : float, optional
        Blocks with sentences at least as similar as this (`similar_texts`; 0.7 finds near duplicates) go together: the group is
        split by the first of its texts in alphabetical order. By default only equal ``uid`` do.
    min_words : int
        Shorter sentences ("yes, he did") make no blocks similar.
    test, validation : float
        As in `hashed_split`.
    seed : int
        As in `hashed_split`.

    Returns
    -------
    DataFrame
        `blocks` with a column ``split`` and, where similar texts were sought, ``group``, the text that each was split by.

    Raises
    ------
    DataError
        If a column is missing, or a share or the similarity is out of range.
    """
    check_columns(blocks, ["uid", "text"], "blocks")
    shares = {"test": test, "validation": validation, "seed": seed}
    if similarity is None:
        return blocks.assign(split=hashed_split(blocks["uid"], **shares))  # type: ignore[arg-type]
    labels = _similar_blocks(blocks, similarity, min_words)
    group = blocks["uid"].groupby(labels).transform("min")
    return blocks.assign(group=group, split=hashed_split(group, **shares))  # type: ignore[arg-type]


def check_blocks(blocks: pd.DataFrame, *, similarity: float | None = None, min_words: int = 4) -> None:
    """Refuse a split of your own that has the same words, or similar sentences, on two sides.

    Parameters
    ----------
    blocks : DataFrame
        With ``uid, text, split``.
    similarity, min_words : float or None, int
        As in `split_blocks`.

    Raises
    ------
    SplitLeakError
        Naming a text and the splits it is in.
    """
    check_columns(blocks, ["uid", "text", "split"], "blocks")
    labels = blocks["uid"] if similarity is None else pd.Series(_similar_blocks(blocks, similarity, min_words), blocks.index)
    splits = blocks["split"].groupby(labels).unique()
    wrong = splits[splits.map(len) > 1]
    if len(wrong):
        text = blocks["text"][labels == wrong.index[0]].iloc[0]
        what = "the same words" if similarity is None else f"sentences of a similarity of {similarity:g} or more"
        raise SplitLeakError(
            f"{len(wrong)} groups of blocks with {what} stand on both sides of the split, e.g. {text[:80]!r} in "
            f"{sorted(map(str, wrong.iloc[0]))}: split by split_blocks(similarity={similarity})"
        )


def speech_segments_table(
    blocks: pd.DataFrame,
    words: pd.DataFrame | None = None,
    *,
    tmin: float = -0.5,
    tmax: float = 2.5,
    stride: float = 0.5,
    margin: float = 0.0,
) -> pd.DataFrame:
    """List the segments of each split that lie wholly inside one block.

    Segments of training and validation begin every `stride` s from the begin of a block, those of the test at the words.

    Parameters
    ----------
    blocks : DataFrame
        From `split_blocks`.
    words : DataFrame, optional
        As in `speech_blocks`; without it the test, too, has regular segments.
    tmin, tmax : float
        Window of a segment around its trigger, in s.
    stride : float
        From one trigger to the next, in s.
    margin : float
        Segments nearer than this (s) to a block of another split are left out: of training near validation or test, of validation
        near test. Windows and filters that reach further than a block need it.

    Returns
    -------
    DataFrame
        One row per segment: ``stimulus`` (its id: block and number of the word or step), ``audio``, ``block``, ``split``,
        ``onset`` of the trigger (s in the audio), ``word`` (of the test).

    Raises
    ------
    DataError
        If a column is missing, `tmin` is not below `tmax`, or `stride` or `margin` is out of range.
    """
    check_columns(blocks, ["stimulus", "block", "onset", "offset", "split"], "blocks")
    if not tmin < tmax:
        raise DataError(f"tmin must be below tmax, got {tmin} and {tmax} s")
    if not as_number(margin) >= 0:
        raise DataError(f"margin must be a time of at least 0 s, got {margin!r}")
    check_positive("stride", stride)
    spoken = {} if words is None else dict(iter(_word_table(words, []).groupby("stimulus")))
    limits = _limits(blocks, margin)
    rows = []
    for row, (first, last) in zip(blocks.to_dict("records"), limits.tolist(), strict=True):
        by_word = words is not None and row["split"] == "test"
        triggers = _of_words(spoken.get(row["stimulus"]), row) if by_word else _of_steps(row, tmin, tmax, stride)
        inside = (triggers["onset"] + tmin >= first - _SLACK) & (triggers["onset"] + tmax <= last + _SLACK)
        rows.append(triggers[inside].assign(audio=row["stimulus"], block=row["block"], split=row["split"]))
    columns = ["stimulus", "audio", "block", "split", "onset", "word"]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def check_context(frames: pd.DataFrame, blocks: pd.DataFrame) -> None:
    """Refuse features whose context reaches into a block of another split.

    Parameters
    ----------
    frames : DataFrame
        Samples of features: ``audio``, ``block``, and ``context_onset, context_offset``, the stretch of the audio (s) that each
        frame depends on.
    blocks : DataFrame
        From `split_blocks`.

    Raises
    ------
    SplitLeakError
        Naming the first such frame, the two blocks, and their splits.
    """
    check_columns(frames, ["audio", "block", "context_onset", "context_offset"], "samples of the features")
    spans = frames.groupby(["audio", "block"], sort=False).agg(first=("context_onset", "min"), last=("context_offset", "max"))
    split = dict(zip(blocks["block"], blocks["split"], strict=True))
    for (audio, block), (first, last) in zip(spans.index, spans.to_numpy(float), strict=True):
        if block not in split:
            raise DataError(f"the features have a block {block!r} that is none of the {len(blocks)} blocks: embed these blocks")
        others = blocks[(blocks["stimulus"] == audio) & (blocks["split"] != split[block])]
        touched = others[(others["onset"] < last - _SLACK) & (others["offset"] > first + _SLACK)]
        if len(touched):
            other = touched.iloc[0]
            raise SplitLeakError(
                f"features of block {block!r} ({split[block]}) depend on the audio {first:g} to {last:g} s, which holds block "
                f"{other['block']!r} ({other['split']}): embed each block by itself"
            )


def _word_table(words: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Words in order, audio by audio, with the offset of each."""
    check_columns(words, ["word", "onset", *columns], "words")
    table = fill_defaults(words.reset_index(drop=True), {"stimulus": "audio", "duration": 0.0})
    table = table[table["word"].notna()].assign(
        word=lambda t: t["word"].astype(str), stimulus=lambda t: t["stimulus"].astype(str)
    )
    if not len(table):
        raise DataError(f"there is no word among the {len(words)} rows: give one row per word")
    times = table[["onset", "duration"]].to_numpy(float)
    if not np.isfinite(times).all():
        row = table.index[int(np.argmin(np.isfinite(times).all(axis=1)))]
        raise DataError(f"word {table['word'][row]!r} in row {row} has no finite onset or duration: give seconds or drop it")
    first = table["stimulus"].map({name: i for i, name in enumerate(table["stimulus"].unique())})
    order = np.lexsort((table["onset"], first))
    return table.assign(offset=times.sum(axis=1)).iloc[order].reset_index(drop=True)


def _constant(groups: Any, name: str) -> pd.Series:
    """The one value of each sentence."""
    n = groups.nunique(dropna=False)
    if (n > 1).any():
        number = int(n.idxmax())
        raise DataError(f"{name!r} has {int(n.max())} values within sentence {number}: it must be the id of a whole sentence")
    return pd.Series(groups.first())


def _merged(sentences: pd.DataFrame, min_duration: float) -> NDArray[np.int64]:
    """Number of the block of each sentence."""
    labels, current, begin, audio = np.zeros(len(sentences), np.int64), 0, -np.inf, None
    end = np.inf
    for i, (stimulus, onset, offset) in enumerate(sentences[["stimulus", "onset", "offset"]].itertuples(index=False)):
        if stimulus != audio or end - begin >= min_duration - _SLACK:
            current, begin, audio, end = current + 1, onset, stimulus, offset
        labels[i], end = current, max(end, offset)
    return labels


def _numbered(blocks: pd.DataFrame) -> pd.DataFrame:
    """Blocks with a name each."""
    number = blocks.groupby("stimulus").cumcount()
    names = [f"{audio}#{k:03d}" for audio, k in zip(blocks["stimulus"], number, strict=True)]
    columns = ["stimulus", "block", "onset", "offset", "n_sentences", "n_words", "text", "uid"]
    return blocks.assign(block=names)[columns].reset_index(drop=True)


def _similar_blocks(blocks: pd.DataFrame, similarity: float, min_words: int) -> NDArray[np.int64]:
    """Group of each block: those that share equal words, or a similar sentence."""
    texts = blocks["text"].str.split(BETWEEN, regex=False)
    owner = np.repeat(np.arange(len(blocks)), texts.map(len))
    sentences = [sentence for text in texts for sentence in text]
    long = np.array([len(sentence.split()) >= min_words for sentence in sentences], bool)
    labels = np.arange(len(sentences)) + len(sentences)
    labels[long] = similar_texts([s for s, kept in zip(sentences, long, strict=True) if kept], similarity)
    uids = pd.factorize(blocks["uid"])[0]
    return _joined(len(blocks), [np.stack([owner, labels]), np.stack([np.arange(len(blocks)), uids])])


def _joined(n: int, edges: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Connected components of blocks, each of which hangs on some labels."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns, offset = [], [], n
    for owner, label in edges:
        rows.append(owner)
        columns.append(label + offset)
        offset += int(label.max(initial=-1)) + 1
    pairs = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(pairs[0])), pairs), shape=(offset, offset))
    return np.asarray(connected_components(graph, directed=False)[1][:n], np.int64)


def _limits(blocks: pd.DataFrame, margin: float) -> NDArray[np.float64]:
    """Where the segments of each block may begin and end (s in the audio), shape (n_blocks, 2)."""
    limits = blocks[["onset", "offset"]].to_numpy(float).copy()
    rank = blocks["split"].map(_RANK).to_numpy(float)
    if np.isnan(rank).any():
        raise DataError(f"splits must be {list(_RANK)}, got {blocks['split'].iloc[int(np.argmax(np.isnan(rank)))]!r}")
    for rows in blocks.groupby("stimulus", sort=False).indices.values():
        onset, offset = blocks["onset"].to_numpy(float)[rows], blocks["offset"].to_numpy(float)[rows]
        stronger = rank[rows][None] > rank[rows][:, None]
        before = np.where(stronger & (offset[None] <= onset[:, None] + _SLACK), offset[None], -np.inf).max(axis=1)
        after = np.where(stronger & (onset[None] >= offset[:, None] - _SLACK), onset[None], np.inf).min(axis=1)
        limits[rows] = np.column_stack([np.maximum(onset, before + margin), np.minimum(offset, after - margin)])
    return limits


def _of_words(words: pd.DataFrame | None, block: Mapping[Any, Any]) -> pd.DataFrame:
    """Triggers at the words of a block."""
    if words is None:
        raise DataError(f"words has none of audio {block['stimulus']!r}, which has test blocks: give the words of every audio")
    first, last = np.searchsorted(words["onset"], [block["onset"] - _SLACK, block["offset"] + _SLACK])
    chosen = words.iloc[first:last]
    names = [f"{block['block']}:word{k}" for k in range(len(chosen))]
    return pd.DataFrame({"stimulus": names, "onset": chosen["onset"].to_numpy(float), "word": chosen["word"].to_numpy()})


def _of_steps(block: Mapping[Any, Any], tmin: float, tmax: float, stride: float) -> pd.DataFrame:
    """Triggers at regular steps."""
    room = block["offset"] - block["onset"] - (tmax - tmin)
    n = max(0, int(np.floor(room / stride + _SLACK)) + 1)
    names = [f"{block['block']}:{k}" for k in range(n)]
    return pd.DataFrame({"stimulus": names, "onset": block["onset"] - tmin + stride * np.arange(n), "word": None})
