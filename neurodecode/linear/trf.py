"""Temporal response functions: how a continuous stimulus is followed by a response, and the way back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.parameters import Parameters
from neurodecode.data.splits import Split
from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.linear.backend import few_threads, get_backend
from neurodecode.linear.delays import Delayer, run_of
from neurodecode.linear.lagged_fit import LaggedFit, PairSums, Penalty, fit_lagged, held_out_score, smoothness
from neurodecode.linear.lagged_folds import FoldMoments, trial_folds
from neurodecode.linear.lagged_moments import lagged_moments, lagged_rows
from neurodecode.linear.trials import Trials, as_trials, check_pairs, first_not_finite

_Floats = NDArray[np.float64]
_AT_ONCE = 2**25  # bytes of lagged inputs that exist at once


@dataclass(eq=False)
class TRF(Parameters):
    """Temporal response function: a ridge from the recent past of a stimulus to the response, or from the response back.

    Forward (encoding), for lags tau of the response behind the stimulus, in s:

        response(t) = sum_tau stimulus(t - tau) coef(tau) + intercept

    Backward (decoding), with the same lags: ``stimulus(t) = sum_tau response(t + tau) coef(tau) + intercept``. Each target has
    its own penalty, chosen on trials that were left out whole. The sums of products that all folds share are computed once;
    weights and held-out scores of every fold follow from them, without a pass over the signals.

    Parameters
    ----------
    tmin, tmax : float
        First and last lag in s; all whole samples between them are used (`Delayer.fir`), e.g. 0 and 0.4.
    sfreq : float
        Sampling rate of both signals in Hz.
    direction : str
        ``"forward"`` or ``"backward"``.
    alphas : array_like of shape (n_alphas,), optional
        Penalties to choose from, by default those of `RidgeCV`. With a single one nothing is held out.
    cv : int, splitter or iterable of (train, test), optional
        Folds in numbers of trials, by default leave one trial (or group) out, or 20 folds where there are more. A single trial is
        cut into contiguous blocks, as `resolve_folds` does.
    gap : int, optional
        Samples left out around a block of a single trial, by default as many as there are lags.
    penalty : str
        ``"ridge"`` (squares of the weights) or ``"smooth"`` (half the squares of their steps from lag to lag, a Tikhonov
        penalty; inputs do not mix).
    edges : str
        What lags find outside a trial: ``"zero"``, or ``"drop"`` leaves such samples out of the fit.
    metric : str
        ``"r2"`` or ``"correlation"``: by what penalties are compared, and what `score` gives.
    fit_intercept : bool
        Whether there is an offset, which is not penalised.
    backend : str
        ``"numpy"`` or ``"torch"``, who factorises.
    device : str, optional
        Device of torch, e.g. ``"cuda"``.

    Attributes
    ----------
    coef_ : array of shape (n_inputs, n_lags, n_targets)
        Weights. Inputs are features of the stimulus and targets channels of the response, or the other way round.
    intercept_ : array of shape (n_targets,)
        Offsets.
    times_ : array of shape (n_lags,)
        Lags of the response behind the stimulus in s, ascending, in both directions.
    alpha_ : array of shape (n_targets,)
        Penalty chosen: of the highest mean score, the largest of equals.
    alphas_ : array of shape (n_alphas,)
        Penalties compared.
    cv_scores_ : array of shape (n_alphas, n_targets)
        Mean over folds of the score of the held-out samples; NaN where a target never varies, or nothing was held out.
    folds_ : list of Split
        Folds, in numbers of trials; in samples where there is one trial.

    Notes
    -----
    All sums are of double precision. Memory holds the products of lagged inputs, ``(n_lags * n_inputs)^2``, once per fold up to
    2 GB and else a few times. NaN is refused. mTRF-Toolbox and mTRFpy write the same model with weights per second,
    ``coef_ * sfreq``, and a penalty of ``alpha / (sfreq * n_trials)``.

    References
    ----------
    Crosse et al. (2016), Frontiers in Human Neuroscience 10, 604. Holdgraf et al. (2017), Frontiers in Systems Neuroscience
    11, 61.

    Examples
    --------
    >>> model = TRF(0.0, 0.4, 100.0).fit(envelopes, eeg)  # lists of trials  # doctest: +SKIP
    >>> model.times_[model.coef_[0].var(axis=1).argmax()], model.score(new_envelopes, new_eeg)  # doctest: +SKIP
    """

    tmin: float
    tmax: float
    sfreq: float
    direction: str = "forward"
    alphas: ArrayLike | None = None
    cv: Any = None
    _: KW_ONLY
    gap: int | None = None
    penalty: str = "ridge"
    edges: str = "zero"
    metric: str = "r2"
    fit_intercept: bool = True
    backend: str = "numpy"
    device: str | None = None

    def __post_init__(self) -> None:
        check_positive("sfreq", self.sfreq)
        check_option("direction", self.direction, ["forward", "backward"])
        check_option("penalty", self.penalty, ["ridge", "smooth"])
        check_option("edges", self.edges, ["zero", "drop"])
        check_option("metric", self.metric, ["r2", "correlation"])
        check_option("backend", self.backend, ["numpy", "torch"])
        Delayer.fir(self.tmin, self.tmax, self.sfreq)

    def fit(self, stimulus: Any, response: Any, groups: ArrayLike | None = None) -> TRF:
        """Choose penalties and fit all trials.

        Parameters
        ----------
        stimulus, response : sequence of array, array, Responses or Recording
            A list of trials (n_times_i, n_channels); windows (n_trials, n_channels, n_times), as `Responses` hold them; or one
            matrix (n_times, n_channels). Both alike.
        groups : array_like of shape (n_trials,) or (n_times,), optional
            Trials of one group (block, story) are held out together. For a matrix, the trial of each row. By default the runs of
            `Responses`, or each trial alone.

        Returns
        -------
        TRF
            This object.

        Raises
        ------
        DataError
            If trials do not fit each other, values are not finite, or penalties are out of range.
        SplitLeakError
            If a trial stands on both sides of a fold of your own.
        """
        stimuli, responses = self._trials(stimulus, response, groups)
        inputs, targets = (stimuli, responses) if self.direction == "forward" else (responses, stimuli)
        labels = responses.groups if stimuli.groups is None else stimuli.groups
        with few_threads(len(self._lags()) * inputs.arrays[0].shape[1], most=400):
            return self._keep(*self._solve(inputs, targets, labels))

    def _solve(self, inputs: Trials, targets: Trials, labels: Any) -> tuple[list[Split], LaggedFit]:
        """Sums over all parts of the data, then weights and scores from them."""
        lags, n_inputs = self._lags(), inputs.arrays[0].shape[1]
        choice = self.alphas is None or np.size(self.alphas) > 1
        folds = trial_folds(inputs.lengths, labels, self.cv, self.gap, len(lags)) if choice else []
        margin = (max(0, int(lags[-1])), max(0, -int(lags[0]))) if self.edges == "drop" else (0, 0)
        measure = partial(lagged_moments, inputs.arrays, targets.arrays, lags)
        moments = FoldMoments(measure, folds, inputs.lengths, margin, len(lags) * n_inputs)
        if not np.isfinite([moments.total.x.sum(), moments.total.y.sum()]).all():
            raise DataError(first_not_finite({"inputs": inputs.arrays, "targets": targets.arrays}))
        penalty = Penalty(smoothness(len(lags), n_inputs) if self.penalty == "smooth" else None, self.fit_intercept)
        backend = get_backend(self.backend, self.device)
        return folds, fit_lagged(moments, len(folds), self.alphas, penalty, self.metric, backend)

    def _keep(self, folds: list[Split], found: LaggedFit) -> TRF:
        """Results, with lags of the response behind the stimulus ascending in both directions."""
        lags, sign = self._lags(), 1 if self.direction == "forward" else -1
        coef = found.coef.reshape(len(found.coef), len(lags), -1)[:, ::sign]
        self.coef_, self.intercept_ = np.ascontiguousarray(coef.transpose(2, 1, 0)), found.intercept
        self.times_ = np.sort(lags * sign) / self.sfreq
        self.folds_, self.alphas_, self.alpha_, self.cv_scores_ = folds, found.alphas, found.alpha, found.scores
        return self

    def _lags(self) -> NDArray[np.int64]:
        """How far the targets lie behind the inputs, in samples, ascending."""
        steps = Delayer.fir(self.tmin, self.tmax, self.sfreq).steps_
        return steps if self.direction == "forward" else -steps[::-1]

    def predict(self, X: Any, groups: ArrayLike | None = None) -> Any:
        """Predict responses from stimuli, or stimuli from responses, depending on the direction.

        Parameters
        ----------
        X : sequence of array, array, Responses or Recording
            The side that is predicted from, in any form that `fit` takes.
        groups : array_like of shape (n_times,), optional
            For a matrix, the trial of each row.

        Returns
        -------
        list of array, or array
            Predictions in the form of `X`: a list of (n_times_i, n_targets), windows (n_trials, n_targets, n_times), or a matrix
            (n_times, n_targets).

        Raises
        ------
        DataError
            If the model is not fitted, was fitted on other inputs, or values are not finite.
        """
        self._check_fitted()
        inputs = as_trials("X", X, groups, self.sfreq)
        return inputs.like([self._predict(trial, k) for k, trial in enumerate(inputs.arrays)])

    def _predict(self, trial: NDArray[Any], number: int) -> _Floats:
        """Predictions of one trial, some samples at a time."""
        lags, coef = self._lags(), self.coef_ if self.direction == "forward" else self.coef_[:, ::-1]
        if trial.shape[1] != len(coef):
            raise DataError(f"X has {trial.shape[1]} channels in trial {number}, the model was fitted on {len(coef)}")
        weights = coef.transpose(1, 0, 2).reshape(-1, coef.shape[2])
        step = max(1, _AT_ONCE // (8 * len(weights)))
        found = np.empty((len(trial), coef.shape[2]))
        for start in range(0, len(trial), step):
            stop = min(start + step, len(trial))
            found[start:stop] = lagged_rows(trial, lags, start, stop) @ weights + self.intercept_
        if not np.isfinite(found).all():
            raise DataError(first_not_finite({"X": [trial]}, number))
        return found

    def score(self, stimulus: Any, response: Any, groups: ArrayLike | None = None) -> _Floats:
        """R2 (about their mean) or correlation of each target over all samples of these trials.

        Parameters
        ----------
        stimulus, response : sequence of array, array, Responses or Recording
            As in `fit`.
        groups : array_like of shape (n_trials,) or (n_times,), optional
            As in `fit`.

        Returns
        -------
        array of shape (n_targets,)
            Best 1; chance 0; NaN where a target does not vary.

        Raises
        ------
        DataError
            As in `fit` and `predict`.
        """
        self._check_fitted()
        stimuli, responses = self._trials(stimulus, response, groups)
        inputs, targets = (stimuli, responses) if self.direction == "forward" else (responses, stimuli)
        n_targets = len(self.intercept_)
        if targets.arrays[0].shape[1] != n_targets:
            raise DataError(f"the targets have {targets.arrays[0].shape[1]} channels, the model was fitted on {n_targets}")
        sums = np.zeros((5, n_targets))
        for k, (trial, held) in enumerate(zip(inputs.arrays, targets.arrays, strict=True)):
            y, p = np.asarray(held, np.float64), self._predict(trial, k)
            sums += [part.sum(axis=0) for part in (y, y * y, p, p * p, y * p)]
        if not np.isfinite(sums[0]).all():
            raise DataError(first_not_finite({"targets": targets.arrays}))
        return held_out_score(self.metric, PairSums(float(sum(targets.lengths)), *sums))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted model as ``config.json`` and ``weights.npz``.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older model of that name is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        DataError
            If the model is not fitted.
        """
        from neurodecode.linear.storage import save_ridge

        self._check_fitted()
        return save_ridge(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> TRF:
        """Read a model written by `save`; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        TRF
            Fitted.

        Raises
        ------
        CorruptFileError
            If a file is missing, cut short or altered.
        FormatError
            If the folder holds something else, or a newer version.
        """
        from neurodecode.linear.storage import load_model

        return load_model(Path(folder), cls)

    def _trials(self, stimulus: Any, response: Any, groups: ArrayLike | None) -> tuple[Trials, Trials]:
        """Both signals as trials of the same lengths."""
        if groups is None:
            groups = run_of(None, stimulus, response)
        found = as_trials("stimulus", stimulus, groups, self.sfreq), as_trials("response", response, groups, self.sfreq)
        check_pairs(*found, ("stimulus", "response"))
        return found

    def _check_fitted(self) -> None:
        if not hasattr(self, "coef_"):
            raise DataError(f"this {type(self).__name__} is not fitted yet: call fit first, or load one")
