"""Images reconstructed from responses, one held-out group at a time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.hashing import sha256_array
from neurodecode.data.splits import Split
from neurodecode.data.validate import check_columns
from neurodecode.decode.folds import make_folds, usable_units
from neurodecode.decode.reconstructors import Reconstructor, RidgeReconstructor
from neurodecode.decode.result import ReconstructionResult
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.metrics import permutation_p_value, pixcorr

_Floats = NDArray[np.float64]
_Images = NDArray[np.uint8]


class PairScores(NamedTuple):
    """How reconstructions compare with right and wrong images."""

    right: _Floats
    """Correlation of each reconstruction with its own image, (n_images,)."""
    wrong: _Floats
    """Mean correlation of each reconstruction with the other candidates, (n_images,)."""
    identified: _Floats
    """Share of the other candidates that resemble the reconstruction less than its own image does, (n_images,)."""
    null: _Floats
    """Mean correlation under random pairings, (n_permutations,)."""


class _Shown(NamedTuple):
    """The images behind the samples."""

    ids: list[str]
    images: _Images  # (n_stimuli, H, W, 3)
    codes: NDArray[np.int64]  # stimulus of each sample


class _Held(NamedTuple):
    """What one fold gives, for the stimuli that it held out."""

    codes: NDArray[np.int64]
    reconstructions: _Images
    mean_image: _Images


def reconstruct(
    responses: Responses,
    stimuli: Stimuli,
    *,
    groups: str | Sequence[str] = "run",
    reconstructor: Reconstructor | None = None,
    column: str = "stimulus",
    n_splits: int | None = None,
    n_permutations: int = 999,
    random_state: int = 0,
) -> ReconstructionResult:
    """Reconstruct the images of held-out groups, with chance, baseline and permutations.

    Everything is fitted on the training part of each fold. Held-out responses to one stimulus are averaged before it is
    reconstructed, so that each stimulus has one reconstruction. A reconstruction is compared with the images of its own fold
    (all images, where a fold holds only one): the mean over wrong pairs is chance, and p comes from random pairings.

    Parameters
    ----------
    responses : Responses
        Samples with the stimulus that was shown; times, if any, become features. Units marked bad are not used.
    stimuli : Stimuli
        Images of one size, held in memory while this runs.
    groups : str or sequence of str
        Columns whose groups are held out; ``"stimulus"`` where stimuli come again in several runs.
    reconstructor : Reconstructor, optional
        What makes images of features; by default `RidgeReconstructor`. Each fold fits a copy.
    column : str
        Column of `samples` with the id of the stimulus.
    n_splits : int, optional
        Folds; by default one per group.
    n_permutations : int
        Random pairings behind the p value; 0 for none.
    random_state : int
        Seed of the pairings.

    Returns
    -------
    ReconstructionResult
        Images, scores, chance, baseline, identification and split.

    Raises
    ------
    DataError
        If samples name no or unknown stimuli, images differ in size or show nothing, or a used unit holds NaN.
    SplitLeakError
        If a stimulus, or the same picture under another name, stands in training and test samples, or the reconstructor says
        that it was trained on one before (``has_seen``).
    """
    if n_permutations < 0:
        raise DataError(f"n_permutations must be 0 or more, got {n_permutations}")
    shown, keep = _shown(responses, stimuli, column), usable_units(responses)
    folds, maker = make_folds(responses, groups, n_splits, None), reconstructor or RidgeReconstructor()
    _refuse_shared(shown, folds.splits, column)
    _refuse_seen(shown, maker)
    features = np.asarray(responses.data)[:, keep].reshape(len(responses), -1)
    held = [_hold_out(split, features, shown, folds.groups, maker) for split in folds.splits]
    tested, made = np.concatenate([h.codes for h in held]), np.concatenate([h.reconstructions for h in held])
    fold = np.repeat(np.arange(len(held)), [len(h.codes) for h in held])
    true, means = shown.images[tested], np.stack([h.mean_image for h in held])[fold]
    pairs = score_pairs(true, made, _candidates(fold), n_permutations, np.random.default_rng(random_state))
    score, blind = float(pairs.right.mean()), np.nan_to_num(pixcorr(true, means))
    settings = {"reconstructor": type(maker).__name__, **_parameters(maker), "random_state": random_state}
    return ReconstructionResult(
        score=score,
        metric="pixcorr",
        image_scores=pairs.right,
        stimuli=[shown.ids[code] for code in tested],
        images=true,
        reconstructions=made,
        fold=fold,
        fold_names=[split.name for split in folds.splits],
        chance=float(pairs.wrong.mean()),
        best=1.0,
        p_value=permutation_p_value(score, pairs.null) if n_permutations else None,
        null_scores=pairs.null if n_permutations else None,
        baseline=float(blind.mean()),
        baseline_name="mean training image",
        baseline_scores=blind,
        identification=float(pairs.identified.mean()),
        identification_chance=0.5,
        target=column,
        split=folds.sentence,
        settings=settings,
        notes=folds.notes,
    )


def score_pairs(
    true: _Images, made: _Images, candidates: NDArray[np.int64], n_permutations: int, rng: np.random.Generator
) -> PairScores:
    """Compare each reconstruction with its own image and with the others of its block.

    A reconstruction without any contrast correlates 0 with everything: it knows nothing.

    Parameters
    ----------
    true, made : array of shape (n_images, height, width, 3)
        Images and their reconstructions.
    candidates : array of shape (n_images,)
        Block of each image; only images of one block are compared. At least two images per block.
    n_permutations : int
        Random pairings within blocks.
    rng : Generator
        Source of the pairings.

    Returns
    -------
    PairScores
        Per image, and per pairing.
    """
    n = len(true)
    right, wrong, identified, null = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n_permutations)
    for block in np.unique(candidates):
        rows = np.flatnonzero(candidates == block)
        alike, others = _correlations(made[rows], true[rows]), len(rows) - 1
        own = np.diag(alike)
        right[rows], wrong[rows] = own, (alike.sum(axis=1) - own) / others
        won = (own[:, None] > alike).sum(axis=1) + ((own[:, None] == alike).sum(axis=1) - 1) / 2
        identified[rows] = won / others
        null += [float(alike[np.arange(len(rows)), rng.permutation(len(rows))].sum()) / n for _ in range(n_permutations)]
    return PairScores(right, wrong, identified, null)


def _correlations(made: _Images, true: _Images) -> _Floats:
    """Pixel correlation of every reconstruction (rows) with every image (columns)."""
    a, b = _standardised(made), _standardised(true)
    return np.asarray(a @ b.T)


def _standardised(images: _Images) -> _Floats:
    """Images as rows of mean 0 and norm 1; all 0 where an image has one value everywhere."""
    rows = images.reshape(len(images), -1).astype(float)
    rows -= rows.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(rows / np.where(norm > 0, norm, 1.0))


def _candidates(fold: NDArray[np.int64]) -> NDArray[np.int64]:
    """Blocks of images that are compared with each other: folds, or all where a fold holds one image."""
    if len(fold) < 2:
        raise DataError(f"{len(fold)} stimuli are held out, at least two are needed to compare reconstructions")
    return fold if np.bincount(fold).min() > 1 else np.zeros_like(fold)


def _shown(responses: Responses, stimuli: Stimuli, column: str) -> _Shown:
    """Images of the stimuli that samples name, checked to be of one size and to show something."""
    check_columns(responses.samples, [column], "samples")
    names = responses.samples[column]
    if names.isna().any() or not len(names):
        raise DataError(f"{column!r} has no value in {int(names.isna().sum())} of {len(names)} samples: select those that have")
    if stimuli.kind != "image":
        raise DataError(f"stimuli are of kind {stimuli.kind!r}, expected images")
    ids, codes = np.unique(names.astype(str).to_numpy(), return_inverse=True)
    items = [stimuli[str(name)] for name in ids]
    for name, item in zip(ids, items, strict=True):
        if item.shape != items[0].shape:
            raise DataError(f"stimuli must be of one size: {ids[0]!r} is {items[0].shape}, {name!r} is {item.shape}; resize them")
        if item.min() == item.max():
            raise DataError(f"stimulus {name!r} has the value {item.min()} in every pixel: leave its samples out")
    return _Shown(ids.tolist(), np.stack(items), codes.astype(np.int64))


def _refuse_shared(shown: _Shown, splits: Sequence[Split], column: str) -> None:
    """Refuse folds in which a picture stands on both sides, whatever it is called."""
    digests = np.array([sha256_array(image) for image in shown.images])[shown.codes]
    for split in splits:
        both = np.isin(digests[split.test], digests[split.train])
        if both.any():
            name = shown.ids[shown.codes[split.test[np.argmax(both)]]]
            raise SplitLeakError(
                f"{int(both.sum())} test samples of {split.name} show a picture that is shown in the training part, too, e.g. "
                f"{name!r}: hold out by groups={column!r}, or give each picture one name"
            )


def _refuse_seen(shown: _Shown, maker: Any) -> None:
    """Refuse a reconstructor that was trained on pictures to be tested, where it can tell."""
    known = maker.has_seen(shown.images) if hasattr(maker, "has_seen") else np.zeros(len(shown.ids), bool)
    seen = np.flatnonzero(known)
    if len(seen):
        raise SplitLeakError(
            f"{type(maker).__name__} was trained on {len(seen)} of the {len(shown.ids)} pictures that are held out here, e.g. "
            f"{shown.ids[seen[0]]!r}: train it on others"
        )


def _hold_out(
    split: Split, features: NDArray[Any], shown: _Shown, groups: NDArray[np.int64], reconstructor: Reconstructor
) -> _Held:
    """Fit on the training part of a fold, and reconstruct what it holds out."""
    fitted = copy.copy(reconstructor)
    seen = shown.images[shown.codes[split.train]]
    fitted.fit(features[split.train].astype(float), seen, groups[split.train])
    codes, position = np.unique(shown.codes[split.test], return_inverse=True)
    averaging = (position == np.arange(len(codes))[:, None]) / np.bincount(position)[:, None]
    predicted = np.asarray(fitted.predict(averaging @ features[split.test].astype(float)), float)
    expected = (len(codes), *seen.shape[1:])
    if predicted.shape != expected or not np.isfinite(predicted).all():
        raise DataError(
            f"{type(reconstructor).__name__}.predict must give finite images of shape {expected}, got {predicted.shape} with "
            f"{int((~np.isfinite(predicted)).sum())} values that are not finite"
        )
    return _Held(codes, as_pixels(predicted), as_pixels(seen.mean(axis=0)))


def as_pixels(images: NDArray[Any]) -> _Images:
    """Brightness as uint8: rounded, and cut off at 0 and 255."""
    return np.asarray(np.clip(np.rint(images), 0, 255), np.uint8)


def _parameters(reconstructor: Any) -> dict[str, Any]:
    """Constructor arguments of a reconstructor that can tell them."""
    return dict(reconstructor.get_params()) if hasattr(reconstructor, "get_params") else {}
