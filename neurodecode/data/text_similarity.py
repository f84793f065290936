"""Which texts are nearly the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import as_number
from neurodecode.errors import DataError

_AT_ONCE = 512  # texts that are compared with all others at once


def similar_texts(texts: Sequence[str], threshold: float = 0.7) -> NDArray[np.int64]:
    r"""Group texts that have most of their words in common.

    The similarity of two texts is that of Dice, :math:`2 |A \cap B| / (|A| + |B|)`, of their words with repeats, without regard
    to order, case and punctuation at the ends of words. Texts are in one group if a chain of similar texts leads from one to the
    other.

    Parameters
    ----------
    texts : sequence of str
        Sentences.
    threshold : float
        Similarity from which two texts belong together, above 0 and at most 1.

    Returns
    -------
    array of int of shape (n_texts,)
        Group of each text, numbered from 0.

    Raises
    ------
    DataError
        If the threshold is out of range.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    if not 0 < as_number(threshold) <= 1:
        raise DataError(f"a similarity must lie above 0 and at most at 1, got {threshold!r}")
    if not len(texts):
        return np.zeros(0, np.int64)
    words = [_words(text) for text in texts]
    known: dict[tuple[str, int], int] = {}
    columns = np.array([known.setdefault(word, len(known)) for text in words for word in text], np.int64)
    sizes = np.array([len(text) for text in words], np.int64)
    borders = np.concatenate([[0], np.cumsum(sizes)])
    table = csr_array((np.ones(len(columns)), columns, borders), shape=(len(texts), max(1, len(known))))
    pairs = [np.zeros((2, 0), np.int64)]
    for start in range(0, len(texts), _AT_ONCE):
        common = (table[start : start + _AT_ONCE] @ table.T).tocoo()
        left, right = common.coords[0] + start, common.coords[1]
        alike = 2 * common.data >= threshold * (sizes[left] + sizes[right]) - 1e-9
        pairs.append(np.stack([left[alike], right[alike]]))
    joined = np.concatenate(pairs, axis=1)
    graph = csr_array((np.ones(joined.shape[1]), (joined[0], joined[1])), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _words(text: str) -> list[tuple[str, int]]:
    """Words of a text, each with how often it came before: equal words of two texts are then counted with their repeats."""
    seen: dict[str, int] = {}
    found = []
    for raw in text.casefold().split():
        word = raw.strip(".,;:!?\"'()[]…«»“”‘’-") or raw
        seen[word] = seen.get(word, -1) + 1
        found.append((word, seen[word]))
    return found
