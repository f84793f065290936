"""The linear decoder: ridge, logistic regression or shrinkage discriminant, with everything fitted inside the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.data.parameters import Parameters
from neurodecode.data.validate import check_option, check_positive
from neurodecode.decode.evaluation import one_thread, score_outputs
from neurodecode.decode.fitting import FitSettings, feature_weights, fit, haufe_pattern, prepare
from neurodecode.decode.folds import encode_labels, usable_units
from neurodecode.decode.inputs import (
    as_responses,
    check_used,
    given_labels,
    group_codes,
    known_codes,
    matching_data,
    spread,
)
from neurodecode.decode.result import DecodingResult
from neurodecode.decode.validation import Setup, choose, cross_validate, set_up
from neurodecode.errors import DataError

_ESTIMATORS = {"classification": ("logistic", "lda"), "regression": ("ridge",)}
_ALPHAS = tuple(float(a) for a in np.logspace(0, 8, 17))


@dataclass(eq=False)
class LinearDecoder(Parameters):
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
        """The checked problem behind `cross_validate`.

        Parameters
        ----------
        responses : Responses
            What to decode from.
        target : str
            Column of `samples`.
        groups : str or sequence of str
            What is held out.
        **options
            ``n_splits, gap, flat`` of `neurodecode.decode.validation.set_up`.

        Returns
        -------
        Setup
            Problem and words.
        """
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
            training = prepare(x, group_codes(responses, groups), self.settings())
            weights = fit(training, encoded.y, encoded.n_classes, self.settings())
            coef, self.intercept_ = feature_weights(training, weights)
            patterns = haufe_pattern(x, coef)
        self.coef_, self.patterns_ = (spread(a, units, data.shape[1:]) for a in (coef, patterns))
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
        self._check_fitted()
        data = matching_data(responses, self.coef_.shape[1:], self.unit_names_)
        used = np.any(self.coef_ != 0, axis=tuple(i for i in range(self.coef_.ndim) if i != 1))
        check_used(data, used, self.unit_names_)
        return data[:, used].reshape(len(data), -1) @ self.coef_[:, used].reshape(len(self.coef_), -1).T + self.intercept_

    def predict(self, responses: Responses | ArrayLike) -> NDArray[Any]:
        """Predicted classes or values.

        Parameters
        ----------
        responses : Responses or array_like of shape (n_samples, n_units[, n_times])
            Samples of the units fitted on.

        Returns
        -------
        array of shape (n_samples,)
            Classes as they were given to `fit`, or values.

        Raises
        ------
        DataError
            As in `decision_function`.
        """
        values = self.decision_function(responses)
        return values[:, 0] if self.classes_ is None else np.array(self.classes_)[choose(values)[0]]

    def predict_proba(self, responses: Responses | ArrayLike) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        responses : Responses or array_like of shape (n_samples, n_units[, n_times])
            Samples of the units fitted on.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`, as the model has them; they are not calibrated.

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

        Parameters
        ----------
        responses : Responses or array_like of shape (n_samples, n_units[, n_times])
            Samples of the units fitted on.
        target : str or array_like of shape (n_samples,)
            Column of `samples`, or the labels themselves.

        Returns
        -------
        float
            ROC-AUC, balanced accuracy or r.

        Raises
        ------
        DataError
            If a label was not among the classes fitted, or as in `decision_function`.
        """
        values = self.decision_function(responses)
        labels = np.asarray(given_labels(responses, target))
        if self.classes_ is None:
            return float(score_outputs(labels.astype(float), values, None))
        return float(score_outputs(known_codes(labels, self.classes_), values, len(self.classes_)))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted decoder as ``config.json`` and ``weights.npz``.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older decoder of that name is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the decoder is not fitted.
        """
        from neurodecode.decode.storage import save_decoder

        self._check_fitted()
        return save_decoder(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> LinearDecoder:
        """Read a decoder written by `save`; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        LinearDecoder
            Fitted.

        Raises
        ------
        CorruptFileError
            If a file is missing, cut short or altered.
        FormatError
            If the folder holds something else, or a newer version.
        """
        from neurodecode.decode.storage import load_decoder

        return load_decoder(Path(folder))

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _training_pair(self, responses: Responses | ArrayLike, target: Any) -> tuple[Responses, Any]:
        labels = given_labels(responses, target)
        self.unit_names_ = responses.units["name"].tolist() if isinstance(responses, Responses) else None
        return as_responses(responses), labels

    def _check_fitted(self) -> None:
        if not hasattr(self, "coef_"):
            raise DataError(f"this {type(self).__name__}({self.task!r}) is not fitted yet: call fit first, or load one")
