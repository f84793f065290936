"""What decoding found: frozen tables of numbers with their chance level, split and remarks; no figures and no analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class DecodingResult:
    """Cross-validated decoding of one target.

    Parameters
    ----------
    score : float
        The mean of `fold_scores`; over the pooled predictions where a fold alone cannot be scored (`notes` says so).
    metric : str
        ``"roc_auc"`` (two classes), ``"balanced_accuracy"`` (more) or ``"r"`` (regression).
    fold_scores : array of shape (n_folds,)
        Score of each fold, NaN where it is not defined.
    fold_names : list of str
        What each fold held out.
    chance, best : float
        Value of the metric without any information, and with all of it.
    p_value : float or None
        Permutation p: labels permuted, the whole fit repeated; None without permutations.
    null_scores : array of shape (n_permutations,) or None
        Scores of the permutations.
    confidence_interval : tuple of float
        95 % t interval over the folds; see `neurodecode.metrics.fold_confidence_interval` for what it is not.
    baseline : float
        Score of the simplest decoder on the same folds.
    baseline_name : str
        Which decoder that is.
    task : str
        ``"classification"`` or ``"regression"``.
    target : str
        Column of `samples` that was decoded.
    classes : list of str or None
        Names of the classes, in the order of `confusion`.
    confusion : array of shape (n_classes, n_classes) or None
        Numbers of samples: rows true, columns predicted.
    class_counts : DataFrame
        Columns ``fold, held_out, side, label, n``: what each side of each fold held.
    predictions : DataFrame
        Columns ``sample, fold, true, predicted`` and, where they exist, ``decision`` (two classes; above 0 for the second
        class) and ``probability`` (of the predicted class).
    split : str
        One sentence: what was held out, how many folds, which gap.
    patterns : array of shape (n_classes or 1, n_units[, n_times]) or None
        Activation patterns (Haufe et al. 2014), mean over folds; units left out of the analysis are NaN.
    units : DataFrame
        The units of `patterns`.
    times : array of shape (n_times,) or None
        Times of `patterns` in s.
    space : dict or None
        ``meta["space"]`` of the responses.
    settings : dict
        Parameters of the decoder and of the validation.
    scores : dict of str to float
        Other metrics over the same predictions.
    notes : list of str
        What the reader must know.
    """

    score: float
    metric: str
    fold_scores: _Floats
    fold_names: list[str]
    chance: float
    best: float
    p_value: float | None
    null_scores: _Floats | None
    confidence_interval: tuple[float, float]
    baseline: float
    baseline_name: str
    task: str
    target: str
    classes: list[str] | None
    confusion: NDArray[np.int64] | None
    class_counts: pd.DataFrame
    predictions: pd.DataFrame
    split: str
    patterns: _Floats | None = None
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    times: _Floats | None = None
    space: dict[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def n_permutations(self) -> int:
        """Number of permutations behind `p_value`."""
        return 0 if self.null_scores is None else len(self.null_scores)

    def to_dict(self) -> dict[str, Any]:
        """Everything but arrays of maps and single predictions, as JSON values."""
        names = (
            "score metric fold_scores fold_names chance best p_value n_permutations confidence_interval baseline baseline_name "
            "split task target classes confusion scores settings notes"
        )
        values = {name: getattr(self, name) for name in names.split()}
        return dict(jsonable({**values, "class_counts": self.class_counts.to_dict("records")}))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per fold, tidy.

        Returns
        -------
        DataFrame
            Columns ``fold, held_out, metric, score, chance, n_train, n_test``.
        """
        counts = self.class_counts.pivot_table(index="fold", columns="side", values="n", aggfunc="sum")
        table = pd.DataFrame({"fold": np.arange(len(self.fold_names)), "held_out": self.fold_names, "metric": self.metric})
        sizes = {f"n_{side}": counts[side].reindex(table["fold"]).to_numpy() for side in ("train", "test")}
        return table.assign(score=self.fold_scores, chance=self.chance, **sizes)

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f", p = {self.p_value:.3g} ({self.n_permutations} permutations)"
        return (
            f"<DecodingResult {self.target}: {self.metric} {self.score:.3f} (chance {self.chance:g}, "
            f"{self.baseline_name} {self.baseline:.3f}{p})\n  {self.split}>"
        )


@dataclass(frozen=True, eq=False)
class TimeResolvedResult:
    """A decoder trained and tested at each time.

    Parameters
    ----------
    times : array of shape (n_times,)
        Times in s.
    scores : array of shape (n_folds, n_times)
        Score of each fold at each time.
    mean : array of shape (n_times,)
        Score over folds; over pooled predictions where folds alone cannot be scored.
    metric : str
        As in `DecodingResult`.
    chance : float
        Value of the metric without any information.
    p_values : array of shape (n_times,) or None
        Corrected over times by the maximum statistic; None without permutations.
    split : str
        What was held out.
    fold_names : list of str
        What each fold held out.
    target : str
        Column that was decoded.
    notes : list of str
        What the reader must know.
    """

    times: _Floats
    scores: _Floats
    mean: _Floats
    metric: str
    chance: float
    p_values: _Floats | None
    split: str
    fold_names: list[str]
    target: str
    notes: list[str] = field(default_factory=list)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per time: ``time, score, chance, p_value``."""
        p = np.full(len(self.times), np.nan) if self.p_values is None else self.p_values
        return pd.DataFrame({"time": self.times, "score": self.mean, "chance": self.chance, "p_value": p})


@dataclass(frozen=True, eq=False)
class GeneralizationResult:
    """A decoder trained at one time and tested at every other.

    Parameters
    ----------
    train_times, test_times : array of shape (n_train,) and (n_test,)
        Times in s.
    scores : array of shape (n_folds, n_train, n_test)
        Score of each fold.
    mean : array of shape (n_train, n_test)
        Score over folds.
    metric : str
        As in `DecodingResult`.
    chance : float
        Value of the metric without any information.
    split : str
        What was held out.
    target : str
        Column that was decoded.
    notes : list of str
        What the reader must know.
    """

    train_times: _Floats
    test_times: _Floats
    scores: _Floats
    mean: _Floats
    metric: str
    chance: float
    split: str
    target: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class SearchlightResult:
    """A decoder on the sphere around each unit.

    Parameters
    ----------
    scores : array of shape (n_units,)
        Score of the sphere around each unit, NaN where the unit was left out.
    metric : str
        As in `DecodingResult`.
    chance : float
        Value of the metric without any information.
    units : DataFrame
        The centres.
    space : dict or None
        ``meta["space"]`` of the responses.
    p_values : array of shape (n_units,) or None
        Corrected over spheres by the maximum statistic; None without permutations.
    split : str
        What was held out.
    target : str
        Column that was decoded.
    radius_mm : float
        Radius of the sphere in mm.
    notes : list of str
        What the reader must know.
    """

    scores: _Floats
    metric: str
    chance: float
    units: pd.DataFrame
    space: dict[str, Any] | None
    p_values: _Floats | None
    split: str
    target: str
    radius_mm: float
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class RoiResult:
    """A decoder on each region.

    Parameters
    ----------
    table : DataFrame
        Columns ``roi, score, chance, p, p_corrected, n_units``; `p` is of the region alone, `p_corrected` over all regions
        by the maximum statistic; both NaN without permutations.
    metric : str
        As in `DecodingResult`.
    chance : float
        Value of the metric without any information.
    split : str
        What was held out.
    target : str
        Column that was decoded.
    notes : list of str
        What the reader must know.
    """

    table: pd.DataFrame
    metric: str
    chance: float
    split: str
    target: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False, repr=False)
class ReconstructionResult:
    """Images reconstructed from held-out responses.

    Parameters
    ----------
    score : float
        The mean of `image_scores`.
    metric : str
        ``"pixcorr"``, see `neurodecode.metrics.pixcorr`.
    image_scores : array of shape (n_images,)
        Score of each image; 0 for a reconstruction without any contrast.
    stimuli : list of str
        Id of each image.
    images, reconstructions : array of shape (n_images, height, width, 3)
        What was shown, and what was made of the responses, uint8.
    fold : array of shape (n_images,)
        Fold that held the image out.
    fold_names : list of str
        What each fold held out.
    chance : float
        Mean score of wrong pairs: of each reconstruction with the other images of its fold. Images of one kind resemble each
        other, so that it is not 0.
    best : float
        Score of a perfect reconstruction.
    p_value : float or None
        Images and reconstructions paired at random within folds; None without permutations.
    null_scores : array of shape (n_permutations,) or None
        Scores of the random pairings.
    baseline : float
        Score of showing the same image always: the mean training image of each fold.
    baseline_name : str
        Which image that is.
    baseline_scores : array of shape (n_images,)
        Its score for each image.
    identification : float
        Two-way identification: how often a reconstruction resembles its own image more than another of its fold.
    identification_chance : float
        0.5.
    target : str
        Column of `samples` with the ids.
    split : str
        What was held out.
    settings : dict
        Reconstructor with its parameters, and the seed of the pairings.
    notes : list of str
        What the reader must know.
    """

    score: float
    metric: str
    image_scores: _Floats
    stimuli: list[str]
    images: NDArray[np.uint8]
    reconstructions: NDArray[np.uint8]
    fold: NDArray[np.int64]
    fold_names: list[str]
    chance: float
    best: float
    p_value: float | None
    null_scores: _Floats | None
    baseline: float
    baseline_name: str
    baseline_scores: _Floats
    identification: float
    identification_chance: float
    target: str
    split: str
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def n_permutations(self) -> int:
        """Number of random pairings behind `p_value`."""
        return 0 if self.null_scores is None else len(self.null_scores)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the images and their single scores, as JSON values."""
        names = (
            "score metric chance best p_value n_permutations baseline baseline_name identification identification_chance split "
            "target settings notes"
        )
        return dict(jsonable({name: getattr(self, name) for name in names.split()} | {"n_images": len(self.stimuli)}))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per image: ``stimulus, fold, held_out, score, baseline``."""
        held_out = [self.fold_names[fold] for fold in self.fold]
        table = pd.DataFrame({"stimulus": self.stimuli, "fold": self.fold, "held_out": held_out})
        return table.assign(score=self.image_scores, baseline=self.baseline_scores)

    def __repr__(self) -> str:
        p = "" if self.p_value is None else f", p = {self.p_value:.3g} ({self.n_permutations} permutations)"
        return (
            f"<ReconstructionResult {len(self.stimuli)} images: {self.metric} {self.score:.3f} (chance {self.chance:.3f}, "
            f"{self.baseline_name} {self.baseline:.3f}{p})\n  {self.split}>"
        )
