"""The linear decoder: ridge, logistic regression or shrinkage discriminant, with everything fitted inside the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_option, check_positive
from neurodecode.decode.evaluation import one_thread, score_outputs
from neurodecode.decode.fitting import FitSettings, feature_weights, fit, haufe_pattern, prepare
from neurodecode.decode.folds import encode_labels, usable_units
from neurodecode.decode.result import DecodingResult
from neurodecode.decode.validation import Setup, choose, cross_validate, set_up
from neurodecode.errors import DataError

_ESTIMATORS = {"classification": ("logistic", "lda"), "regression": ("ridge",)}
_ALPHAS = tuple(float(a) for a in np.logspace(0, 8, 17))


@dataclass(eq=False)
class LinearDecoder:
    """Decode labels or values from responses with a linear model.

    Parameters
    ----------
    task : str
        ``"classification"`` or ``"regression"``.
    estimator : str, optional
        ``"logistic"`` (L2 penalty, softmax over more than two classes; the default for classification), ``"lda"`` (linear
        discriminant with Ledoit-Wolf shrinkage; equal to scikit-learn's ``lsqr`` with ``shrinkage="auto"``, and fast) or
        ``"ridge"`` (the default for regression).
    C : float
        Inverse penalty of logistic regression.
    alphas : sequence of float
        Penalties of ridge to choose from, inside each training part, on up to five folds of its groups.
    n_features : int, optional
        Keep this many features, those of the highest ANOVA F (classification) or squared correlation (regression) in the
        training part. By default all.
    scale : bool
        Standardise features by mean and standard deviation of the training part.
    random_state : int
        Seed of the permutations.

    Attributes
    ----------
    coef_ : array of shape (n_outputs, n_units[, n_times])
        Weights of features as they came in, after `fit`; 0 for features not selected and for units marked bad. Do not read
        them as maps.
    intercept_ : array of shape (n_outputs,)
        Offsets.
    patterns_ : array of shape (n_outputs, n_units[, n_times])
        Haufe patterns, which may be read as maps.
    classes_ : list or None
        Classes in the order of outputs.
    unit_names_ : list of str or None
        Units fitted on; None after plain arrays.
    alpha_ : float or None
        Ridge penalty chosen.

    Raises
    ------
    DataError
        If a parameter is out of range.

    Examples
    --------
    >>> result = LinearDecoder("classification").cross_validate(responses, target="trial_type")  # doctest: +SKIP
    >>> result.score, result.chance, result.p_value  # doctest: +SKIP
    """

    task: str = "classification"
    _: KW_ONLY
    estimator: str | None = None
    C: float = 1.0
    alphas: Sequence[float] = _ALPHAS
    n_features: int | None = None
    scale: bool = True
    random_state: int = 0

    def __post_init__(self) -> None:
        check_option("task", self.task, list(_ESTIMATORS))
        if self.estimator is not None:
            check_option(f"estimator for {self.task}", self.estimator, _ESTIMATORS[self.task])
        check_positive("C", self.C)
        if not len(self.alphas) or min(self.alphas) <= 0:
            raise DataError(f"alphas must be at least one number, all above 0, got {list(self.alphas)}")
        if self.n_features is not None and self.n_features < 1:
            raise DataError(f"n_features must be at least 1, or None for all, got {self.n_features}")
        if not isinstance(self.random_state, (int, np.integer)) or self.random_state < 0:
            raise DataError(f"random_state must be a whole number of 0 or more, got {self.random_state!r}")

    # --- validation ------------------------------------------------------------------------------------------------

    def cross_validate(
        self,
        responses: Responses,
        target: str = "trial_type",
        groups: str | Sequence[str] = "run",
        *,
        n_permutations: int = 199,
        n_splits: int | None = None,
        gap: float | None = None,
        jobs: int = 1,
    ) -> DecodingResult:
        """Decode held-out groups, with chance, baseline and permutations.

        Scaling, selection and the choice of a penalty are fitted on the training part of each fold, again for each
        permutation. The metric is ROC-AUC for two classes, balanced accuracy for more, Pearson r for values.

        Parameters
        ----------
        responses : Responses
            Samples with the columns `target` and `groups`; times, if any, become features.
        target : str
            Column of `samples` to decode.
        groups : str or sequence of str
            Columns whose groups are held out: ``"run"`` (the unique subject, session and run), ``"stimulus"``,
            ``"subject"`` or any other. A single run is cut into contiguous blocks with a gap, and the result says so.
        n_permutations : int
            Permutations of labels within runs (between groups, where labels belong to whole groups).
        n_splits : int, optional
            Folds; by default one per group, or 5 blocks.
        gap : float, optional
            Gap of the blocks of a single run in s, between onsets; by default the longest window plus 10 s for BOLD, plus 2 s
            otherwise.
        jobs : int
            Processes for the permutations; the numbers do not depend on it.

        Returns
        -------
        DecodingResult
            Score, folds, null distribution, predictions, patterns.

        Raises
        ------
        DataError
            If a column is missing, there are too few groups, a class is missing from a training part, or data hold NaN.
        SplitLeakError
            If the same recording, or overlapping windows, stand on both sides.
        """
        setup = self.set_up(responses, target, groups, n_splits=n_splits, gap=gap)
        validation = {"groups": groups if isinstance(groups, str) else list(groups), "n_splits": len(setup.folds.splits)}
        return cross_validate(responses, target, setup, n_permutations, jobs, {**self.parameters(), **validation})

    def set_up(self, responses: Responses, target: str, groups: str | Sequence[str] = "run", **options: Any) -> Setup:
        """The checked problem behind `cross_validate`; options as in `neurodecode.decode.validation.set_up`."""
        return set_up(responses, target, groups, self.task, self.settings(), seed=int(self.random_state), **options)

    def settings(self) -> FitSettings:
        """Parameters of one fit."""
        estimator = self.estimator or _ESTIMATORS[self.task][0]
        return FitSettings(estimator, float(self.C), tuple(map(float, self.alphas)), self.n_features, self.scale)

    def parameters(self) -> dict[str, Any]:
        """Parameters that matter for this estimator, as JSON values."""
        settings = asdict(self.settings())
        unused = {"logistic": ["alphas"], "lda": ["C", "alphas"], "ridge": ["C"]}[settings["estimator"]]
        kept = {name: list(v) if isinstance(v, tuple) else v for name, v in settings.items() if name not in unused}
        return {**kept, "random_state": int(self.random_state)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name, as scikit-learn asks for."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def set_params(self, **parameters: Any) -> LinearDecoder:
        """Change constructor arguments, as scikit-learn asks for."""
        for name, value in parameters.items():
            check_option("parameter", name, [f.name for f in fields(self)])
            setattr(self, name, value)
        self.__post_init__()
        return self

    # --- one fit ---------------------------------------------------------------------------------------------------

    def fit(self, responses: Responses | ArrayLike, target: Any = "trial_type", groups: Any = "run") -> LinearDecoder:
        """Fit on all samples given.

        Parameters
        ----------
        responses : Responses or array_like of shape (n_samples, n_units[, n_times])
            Training samples. Units marked bad get weight 0.
        target : str or array_like of shape (n_samples,)
            Column of `samples`, or the labels themselves.
        groups : str or array_like of shape (n_samples,)
            Groups for the choice of the ridge penalty; stretches of samples where there are none.

        Returns
        -------
        LinearDecoder
            This object, fitted.

        Raises
        ------
        DataError
            If data hold NaN, or target and data do not fit.
        """
        responses, labels = self._training_pair(responses, target)
        units = usable_units(responses)
        encoded = encode_labels(labels, target if isinstance(target, str) else "target", self.task)
        data = np.asarray(responses.data)
        x = data[:, units].reshape(len(data), -1).astype(float)
        with one_thread():
            training = prepare(x, _group_codes(responses, groups), self.settings())
            weights = fit(training, encoded.y, encoded.n_classes, self.settings())
            coef, self.intercept_ = feature_weights(training, weights)
            patterns = haufe_pattern(x, coef)
        self.coef_, self.patterns_ = (_spread(a, units, data.shape[1:]) for a in (coef, patterns))
        self.classes_, self.alpha_ = encoded.classes, weights.alpha
        return self

    def decision_function(self, responses: Responses | ArrayLike) -> NDArray[np.float64]:
        """Outputs of the model.

        Parameters
        ----------
        responses : Responses or array_like of shape (n_samples, n_units[, n_times])
            Samples of the units fitted on.

        Returns
        -------
        array of shape (n_samples, n_outputs)
            One output for two classes (above 0 for the second) and for regression, otherwise one per class.

        Raises
        ------
        DataError
            If the decoder is not fitted, units differ, or used units hold NaN.
        """
        data = self._checked_data(responses)
        used = np.any(self.coef_ != 0, axis=tuple(i for i in range(self.coef_.ndim) if i != 1))
        if not np.isfinite(data[:, used]).all():
            row, unit = np.argwhere(~np.isfinite(data.reshape(*data.shape[:2], -1)).all(axis=2) & used)[0]
            raise DataError(
                f"unit {self._unit_name(unit)!r} holds NaN or infinite values in sample {row}: interpolate or leave it out"
            )
        return data[:, used].reshape(len(data), -1) @ self.coef_[:, used].reshape(len(self.coef_), -1).T + self.intercept_

    def predict(self, responses: Responses | ArrayLike) -> NDArray[Any]:
        """Predicted classes or values, shape (n_samples,); see `decision_function`."""
        values = self.decision_function(responses)
        return values[:, 0] if self.classes_ is None else np.array(self.classes_)[choose(values)[0]]

    def predict_proba(self, responses: Responses | ArrayLike) -> NDArray[np.float64]:
        """Probability of each class, shape (n_samples, n_classes).

        Raises
        ------
        DataError
            If this is a regression.
        """
        if self.task != "classification":
            raise DataError(f"task={self.task!r} has no class probabilities: use predict")
        return choose(self.decision_function(responses))[1]

    def score(self, responses: Responses | ArrayLike, target: Any = "trial_type") -> float:
        """The metric of the task on samples of your choice; see `cross_validate` for which metric it is.

        Raises
        ------
        DataError
            If a label was not among the classes fitted, or as in `decision_function`.
        """
        values = self.decision_function(responses)
        labels = np.asarray(_labels(responses, target))
        if self.classes_ is None:
            return float(score_outputs(labels.astype(float), values, None))
        codes = {label: i for i, label in enumerate(self.classes_)}
        unknown = [label for label in labels.tolist() if label not in codes]
        if unknown:
            raise DataError(f"label {unknown[0]!r} was not among the classes fitted, {self.classes_}")
        return float(score_outputs(np.array([codes[label] for label in labels.tolist()]), values, len(codes)))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted decoder as ``config.json`` and ``weights.npz``; see `neurodecode.decode.storage`."""
        from neurodecode.decode.storage import save_decoder

        self._check_fitted()
        return save_decoder(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> LinearDecoder:
        """Read a decoder written by `save`; nothing in the files is executed."""
        from neurodecode.decode.storage import load_decoder

        return load_decoder(Path(folder))

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _training_pair(self, responses: Responses | ArrayLike, target: Any) -> tuple[Responses, Any]:
        labels = _labels(responses, target)
        self.unit_names_ = responses.units["name"].tolist() if isinstance(responses, Responses) else None
        return _as_responses(responses), labels

    def _check_fitted(self) -> None:
        if not hasattr(self, "coef_"):
            raise DataError(f"this {type(self).__name__}({self.task!r}) is not fitted yet: call fit first, or load one")

    def _checked_data(self, responses: Responses | ArrayLike) -> NDArray[Any]:
        self._check_fitted()
        data = np.asarray(responses.data if isinstance(responses, Responses) else responses, float)
        if data.shape[1:] != self.coef_.shape[1:]:
            raise DataError(
                f"samples have shape {data.shape[1:]}, the decoder was fitted on {self.coef_.shape[1:]} (units[, times])"
            )
        names = responses.units["name"].tolist() if isinstance(responses, Responses) else None
        if names and self.unit_names_ and names != self.unit_names_:
            i = next(i for i, (a, b) in enumerate(zip(names, self.unit_names_, strict=True)) if a != b)
            raise DataError(
                f"unit {i} is {names[i]!r}, the decoder was fitted on {self.unit_names_[i]!r}: put units in the same order"
            )
        return data

    def _unit_name(self, i: int) -> str:
        return self.unit_names_[i] if self.unit_names_ else f"unit{i}"


def cross_validate_arrays(
    x: ArrayLike, y: ArrayLike, groups: ArrayLike, decoder: LinearDecoder | None = None, **options: Any
) -> DecodingResult:
    """Cross-validate on plain arrays.

    Parameters
    ----------
    x : array_like of shape (n_samples, n_units) or (n_samples, n_units, n_times)
        Features, taken as float32.
    y : array_like of shape (n_samples,)
        Labels or values.
    groups : array_like of shape (n_samples,)
        Group of each sample, e.g. its run; whole groups are held out and labels permuted within them.
    decoder : LinearDecoder, optional
        By default ``LinearDecoder("classification")``.
    **options
        ``n_permutations, n_splits, jobs`` of `LinearDecoder.cross_validate`.

    Returns
    -------
    DecodingResult
        As there.

    Raises
    ------
    DataError
        As there, and if lengths differ.
    """
    labels, members = np.asarray(y), np.asarray(groups)
    if labels.ndim != 1 or labels.shape != members.shape:
        raise DataError(f"y and groups must be two lists of one length, got shapes {labels.shape} and {members.shape}")
    responses = _as_responses(x, pd.DataFrame({"target": labels, "run": members}))
    return (decoder or LinearDecoder()).cross_validate(responses, "target", "run", **options)


def _as_responses(x: Responses | ArrayLike, samples: pd.DataFrame | None = None) -> Responses:
    if isinstance(x, Responses):
        return x
    data = np.asarray(x)
    if data.ndim not in (2, 3):
        raise DataError(f"data must be (n_samples, n_units[, n_times]), got shape {data.shape}")
    times = np.arange(data.shape[2], dtype=float) if data.ndim == 3 else None
    table = pd.DataFrame(index=range(len(data))) if samples is None else samples
    return Responses(data, table, pd.DataFrame({"name": [f"unit{i}" for i in range(data.shape[1])]}), times)


def _labels(responses: Responses | ArrayLike, target: Any) -> Any:
    """The labels themselves, as many as samples."""
    if isinstance(target, str):
        if not isinstance(responses, Responses):
            raise DataError(f"target={target!r} names a column, but the data are a plain array: give the labels themselves")
        if target not in responses.samples:
            raise DataError(f"samples have no column {target!r}; they have {list(map(str, responses.samples.columns))}")
        return responses.samples[target]
    n = len(responses) if isinstance(responses, Responses) else len(np.asarray(responses))
    if np.shape(target) != (n,):
        raise DataError(f"target must hold one label for each of {n} samples, got shape {np.shape(target)}")
    return target


def _group_codes(responses: Responses, groups: Any) -> NDArray[np.int64]:
    if not isinstance(groups, str):
        return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    if groups not in responses.samples:
        return np.zeros(len(responses), np.int64)
    return responses.groups(groups)


def _spread(values: NDArray[np.float64], units: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Values of used units put in their places, 0 for the others."""
    full = np.zeros((len(values), *shape))
    full[:, units] = values.reshape(len(values), int(units.sum()), *shape[1:])
    return full
