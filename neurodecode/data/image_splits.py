"""Splits of image data sets by image and by concept, and the check that a test was of new concepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.hashed_splits import SEED, stimulus_draw
from neurodecode.data.responses import Responses
from neurodecode.data.validate import as_number, check_columns, check_option
from neurodecode.errors import DataError, SplitLeakError

EXCLUDED = "excluded"
_Names = NDArray[np.object_]


def things_meg_split(
    trials: pd.DataFrame,
    *,
    protocol: str = "zero_shot",
    test_set: str = "small",
    validation: float = 0.2,
    seed: int = SEED,
    image: str = "stimulus",
    concept: str = "concept",
    trial_type: str = "trial_type",
) -> _Names:
    """Split the trials of THINGS-MEG: 22,248 images once (12 of each of 1,854 concepts), and 200 test images twelve times.

    The 200 concepts of the test images are among the 1,854. In the *original* split they are trained on. The *zero-shot* split
    takes all images of a test concept out of training, which leaves 19,848 images (79,392 trials of four subjects); the 2,400
    images taken out are the *large* test set, each shown once, the 200 repeated ones the *small* test set.

    Parameters
    ----------
    trials : DataFrame
        One row per trial, of one subject or of several.
    protocol : {"zero_shot", "original"}
        Whether concepts of the test are left out of training.
    test_set : {"small", "large"}
        Which trials are the test; those of the other set are excluded. The original split has the small one alone.
    validation : float
        Share of training images whose trials become validation, drawn by the name of the image (`stimulus_draw`), so that repeats
        and subjects stay together.
    seed : int
        As in `stimulus_draw`.
    image, concept, trial_type : str
        Columns with the image, its concept, and the kind of trial: ``exp``, ``test`` or ``catch``.

    Returns
    -------
    array of str of shape (n_trials,)
        ``"train"``, ``"validation"``, ``"test"`` or ``"excluded"`` (catch trials, and those that the protocol leaves out).

    Raises
    ------
    DataError
        If a column is missing, a kind of trial unknown, there is no test trial, or an option does not fit.

    References
    ----------
    Hebart et al. (2023), eLife 12:e82580. Benchetrit, Banville and King (2024), ICLR.
    """
    check_option("protocol", protocol, ["zero_shot", "original"])
    check_option("test_set", test_set, ["small", "large"])
    if protocol == "original" and test_set == "large":
        raise DataError("test_set='large' are images of test concepts, which protocol='original' trains on: take 'zero_shot'")
    check_columns(trials, [image, concept, trial_type], "trials")
    kind = trials[trial_type].to_numpy(object)
    for value in pd.unique(trials[trial_type]):
        check_option("trial_type", value, ["exp", "test", "catch"])
    tested = set(trials.loc[kind == "test", concept])
    if not tested:
        raise DataError(f"none of the {len(trials)} trials is of trial_type 'test': give the trials of whole sessions")
    held = trials[concept].isin(tested).to_numpy() & (kind == "exp") & (protocol == "zero_shot")
    names = np.full(len(trials), EXCLUDED, object)
    names[(kind == "exp") & ~held] = "train"
    names[held if test_set == "large" else kind == "test"] = "test"
    return _with_validation(names, trials[image], validation, seed)


def things_eeg2_split(
    trials: pd.DataFrame,
    *,
    validation: int = 740,
    seed: int = SEED,
    image: str = "stimulus",
    concept: str = "concept",
    part: str = "trial_type",
) -> _Names:
    """Split the trials of THINGS-EEG2: a training part (16,540 images of 1,654 concepts) and a test part (200 other concepts).

    Parameters
    ----------
    trials : DataFrame
        One row per trial, of one subject or of several.
    validation : int
        Training images kept for validation, with all their repeats: those with the smallest draws (`stimulus_draw`).
    seed : int
        As in `stimulus_draw`.
    image, concept, part : str
        Columns with the image, its concept, and the part: ``train``, ``test`` or ``target`` (trials to press a button at).

    Returns
    -------
    array of str of shape (n_trials,)
        ``"train"``, ``"validation"``, ``"test"`` or ``"excluded"``.

    Raises
    ------
    DataError
        If a column is missing, a part unknown, or there are not more training images than `validation`.
    SplitLeakError
        If a concept of the test is also in training: these are no trials of THINGS-EEG2.

    References
    ----------
    Gifford et al. (2022), NeuroImage 264:119754.
    """
    check_columns(trials, [image, concept, part], "trials")
    for value in pd.unique(trials[part]):
        check_option(part, value, ["train", "test", "target"])
    names = np.array(trials[part].replace("target", EXCLUDED), object)
    images = sorted(set(trials.loc[names == "train", image].astype(str)), key=lambda name: (stimulus_draw(name, seed), name))
    if not 0 <= validation < len(images):
        raise DataError(f"validation must be a number of images below the {len(images)} of training, got {validation!r}")
    held = set(images[:validation])
    names[trials[image].astype(str).isin(held).to_numpy() & (names == "train")] = "validation"
    check_zero_shot(trials[concept], names)
    return names


def check_zero_shot(concepts: ArrayLike, split: ArrayLike) -> None:
    """Refuse a test of concepts that were trained on.

    Parameters
    ----------
    concepts : array_like of shape (n_samples,)
        Concept of each sample.
    split : array_like of shape (n_samples,)
        Split of each sample; training and validation are both known to the decoder.

    Raises
    ------
    DataError
        If the two differ in length, or there is no test or no training sample.
    SplitLeakError
        With the number of shared concepts and one of them.
    """
    names, sides = np.asarray(concepts, object), np.asarray(split, object)
    if names.shape != sides.shape:
        raise DataError(f"concepts have shape {names.shape} and split {sides.shape}: give one of both per sample")
    test, seen = set(names[sides == "test"]), set(names[(sides == "train") | (sides == "validation")])
    if not test or not seen:
        raise DataError(f"a zero-shot test needs concepts on both sides, got {len(seen)} trained on and {len(test)} tested")
    shared = sorted(map(str, test & seen))
    if shared:
        raise SplitLeakError(
            f"{len(shared)} of {len(test)} test concepts were trained on, e.g. {shared[0]!r}: this is no zero-shot test; take "
            "their images out of training, or say zero_shot=False"
        )


def with_split(responses: Responses, split: ArrayLike, *, zero_shot: bool = False) -> Responses:
    """Write a split into the samples, and drop what it excludes.

    Parameters
    ----------
    responses : Responses
        With a column ``stimulus`` and, for a zero-shot split, ``concept``.
    split : array_like of shape (n_samples,)
        ``"train"``, ``"validation"``, ``"test"`` or ``"excluded"``.
    zero_shot : bool
        Whether the test is claimed to be of concepts that were never trained on.

    Returns
    -------
    Responses
        With the column ``split`` and, in ``meta["split"]``, the samples, stimuli and concepts of each, and `zero_shot`.

    Raises
    ------
    DataError
        If the split does not fit the samples.
    SplitLeakError
        If a stimulus is in two splits, or a concept in a zero-shot test and in training.
    """
    names = np.asarray(split, object)
    if names.shape != (len(responses),):
        raise DataError(f"split must name the split of each of the {len(responses)} samples, got shape {names.shape}")
    for value in pd.unique(pd.Series(names)):
        check_option("split", value, ["train", "validation", "test", EXCLUDED])
    check_columns(responses.samples, ["stimulus"] + (["concept"] if zero_shot else []), "samples")
    part = responses.select(names != EXCLUDED)
    table = part.samples.assign(split=names[names != EXCLUDED])
    of_stimulus = table.groupby("stimulus")["split"].nunique()
    if (of_stimulus > 1).any():
        name = of_stimulus.idxmax()
        found = sorted(table.loc[table["stimulus"] == name, "split"].unique())
        raise SplitLeakError(
            f"{int((of_stimulus > 1).sum())} stimuli are in two splits, e.g. {name!r} in {found}: split by stimulus"
        )
    if zero_shot:
        check_zero_shot(table["concept"], table["split"])
    return part.replace(samples=table, meta={**part.meta, "split": {"zero_shot": zero_shot, **_counts(table)}})


def _counts(table: pd.DataFrame) -> dict[str, Any]:
    """Samples, stimuli and concepts of each split."""
    columns = [c for c in ("stimulus", "concept") if c in table]
    return {
        str(name): {"samples": len(rows), **{f"{c}s" if c == "concept" else "stimuli": int(rows[c].nunique()) for c in columns}}
        for name, rows in table.groupby("split", sort=False)
    }


def _with_validation(names: _Names, images: pd.Series, share: float, seed: int) -> _Names:
    """Turn the trials of some training images into validation."""
    if not 0 <= as_number(share) < 1:
        raise DataError(f"validation must be a share from 0 to below 1, got {share!r}")
    unique = images[names == "train"].astype(str).unique()
    held = {name for name in unique if stimulus_draw(name, seed) < share}
    chosen = (names == "train") & images.astype(str).isin(held).to_numpy()
    return np.where(chosen, "validation", names).astype(object)
