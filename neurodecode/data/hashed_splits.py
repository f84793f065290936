"""A split that a stimulus carries in its name: the same for every subject, session and repeat, whatever else was recorded."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import as_number
from neurodecode.errors import DataError

SEED = 12  # of Défossez et al.; another one gives another, equally good split
SPLITS = ("train", "validation", "test")


def stimulus_draw(uid: str, seed: int = SEED) -> float:
    r"""Draw a number that depends on the name of a stimulus alone.

    :math:`u = \mathrm{Random}(\mathrm{sha256}(uid) + seed).\mathrm{random}()`, with the digest of the name in UTF-8 read as an
    integer (most significant byte first) and Python's Mersenne twister.

    Parameters
    ----------
    uid : str
        Name, or text, of the stimulus.
    seed : int
        Added to the hash.

    Returns
    -------
    float
        Between 0 and 1, the same on every machine.
    """
    digest = hashlib.sha256(str(uid).encode()).digest()
    return random.Random(int.from_bytes(digest, "big") + seed).random()


def hashed_split(uids: Iterable[str], *, test: float = 0.2, validation: float = 0.1, seed: int = SEED) -> NDArray[np.object_]:
    """Split stimuli by their names: a draw below `test` is test, below `test` + `validation` validation, else train.

    Parameters
    ----------
    uids : iterable of str
        Name, or text, of each stimulus; equal ones fall into one split.
    test, validation : float
        Expected shares. The published split has draws below 0.2 for test and below 0.3 for validation.
    seed : int
        As in `stimulus_draw`.

    Returns
    -------
    array of str of shape (n_stimuli,)
        ``"train"``, ``"validation"`` or ``"test"``.

    Raises
    ------
    DataError
        If a share is negative, or nothing is left to train on.

    References
    ----------
    Défossez et al. (2023), Nature Machine Intelligence 5:1097.
    """
    if not (as_number(test) >= 0 and as_number(validation) >= 0 and test + validation < 1):
        raise DataError(f"test and validation must be shares that leave something to train on, got {test!r} and {validation!r}")
    draws = np.array([stimulus_draw(uid, seed) for uid in uids], float)
    names = np.full(len(draws), "train", object)
    names[draws < test + validation] = "validation"
    names[draws < test] = "test"
    return names
