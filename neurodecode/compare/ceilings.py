"""Noise ceilings of responses to repeated stimuli, or to stimuli that several subjects saw."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.compare.cross_subject import Extrapolation, cross_subject_ceiling
from neurodecode.data import Responses
from neurodecode.data.validate import check_columns, check_option
from neurodecode.errors import DataError
from neurodecode.metrics import ceilings

Method = Literal["split_half", "ncsnr", "schoppe", "explainable_variance", "cross_subject"]
_ESTIMATORS = {
    "split_half": ceilings.ceiling_split_half,
    "ncsnr": ceilings.ceiling_ncsnr,
    "schoppe": ceilings.ceiling_schoppe,
    "explainable_variance": ceilings.ceiling_explainable_variance,
}


def noise_ceiling(
    data: Responses | ArrayLike,
    method: Method = "split_half",
    *,
    by: str = "stimulus",
    split: str = "repeat",
    standardise: str | None = "auto",
    n_splits: int = 100,
    cv: Any = None,
    average: bool = False,
    extrapolate: Extrapolation | None = None,
    random_state: int | np.random.Generator = 0,
) -> NDArray[np.float64]:
    r"""Reliability rho of averaged responses, in units of variance: the largest R² and r² that any model can reach.

    A correlation is held against :math:`\sqrt\rho`: see `neurodecode.metrics.normalise_r`, and `normalise_r2` for shares of
    variance. Keep the raw scores beside, and say what share of targets reaches the floor (`ceiling_coverage`).

    Parameters
    ----------
    data : Responses, or array_like of shape (n_stimuli, n_repeats, n_targets)
        Single trials. Of `Responses` the trials of one stimulus are found by the column `by`, however often each was shown.
        NaN marks a missing repeat. For ``cross_subject`` several subjects, or an array (n_stimuli, n_subjects, n_targets).
    method : str
        ``"split_half"`` (correlation of random halves, Spearman-Brown), ``"ncsnr"`` (NSD), ``"schoppe"`` (signal power over the
        power of the mean), ``"explainable_variance"``: see ``neurodecode.metrics.ceiling_...``. ``"cross_subject"`` predicts
        each subject from the others: see `cross_subject_ceiling`.
    by : str
        Column of `samples` that names the stimulus.
    split : str
        What the halves of ``split_half`` are made of: ``"repeat"``, or whole ``"run"`` or ``"session"`` (any column), so that
        noise which the trials of a run share does not count as signal.
    standardise : str or None
        Scale each unit within each ``"run"`` or ``"session"`` first. ``"auto"`` does so by session for ``ncsnr`` where
        `samples` has several sessions, as NSD does, and else nothing.
    n_splits : int
        Random halves of ``split_half``.
    cv : int, splitter or iterable of (train, test), optional
        Folds over stimuli of ``cross_subject``, as in `neurodecode.linear.folds.resolve_folds`.
    average : bool
        Whether ``cross_subject`` averages the others target by target first, for targets that mean the same in all.
    extrapolate : {"reliability", "exponential"}, optional
        Curve by which ``cross_subject`` is extrapolated to infinitely many subjects.
    random_state : int or Generator
        Seed of random halves and subsets of subjects.

    Returns
    -------
    NDArray[np.float64]
        One reliability per target: shape (n_targets,), or (n_units, n_times) where responses have times;
        (n_subjects, n_targets) for ``cross_subject``. 0 where no signal was found (NaN for ``schoppe``), and NaN where no
        stimulus was repeated.

    Raises
    ------
    DataError
        If the method is unknown, nothing is repeated, several subjects are mixed, or an argument does not apply.
    """
    check_option("method", method, (*_ESTIMATORS, "cross_subject"))
    if split != "repeat" and (method != "split_half" or not isinstance(data, Responses)):
        raise DataError(f"split={split!r} applies to method='split_half' of Responses, got {method!r} of {type(data).__name__}")
    if method == "cross_subject":
        subjects = _subjects(data, by) if isinstance(data, Responses) else data
        return cross_subject_ceiling(subjects, cv=cv, average=average, extrapolate=extrapolate, random_state=random_state)
    options: dict[str, Any] = {"n_splits": n_splits, "random_state": random_state} if method == "split_half" else {}
    if not isinstance(data, Responses):
        return _ESTIMATORS[method](data, **options)
    names = _names(data, by)
    _check_one_subject(data)
    if split != "repeat":
        options["groups"] = data.groups(split)
    return _ESTIMATORS[method](_scaled(data, method, standardise).data, stimulus=pd.factorize(names)[0], **options)


def _names(data: Responses, by: str) -> pd.Series:
    check_columns(data.samples, [by], "samples")
    names = data.samples[by]
    if names.isna().any():
        row = int(np.argmax(names.isna()))
        raise DataError(f"sample {row} has no {by!r}, like {int(names.isna().sum())} of {len(names)}: select those that have one")
    return names


def _check_one_subject(data: Responses) -> None:
    held = data.samples["subject"].unique().tolist() if "subject" in data.samples else []
    if len(held) > 1:
        raise DataError(f"the responses are of subjects {held}: take one at a time with select, or method='cross_subject'")


def _scaled(data: Responses, method: str, standardise: str | None) -> Responses:
    """Responses on one scale over sessions or runs, where that is asked for."""
    from neurodecode.preprocess.fmri_repeats import standardise_runs

    if standardise == "auto":
        several = "session" in data.samples and len(data.samples["session"].unique()) > 1
        standardise = "session" if method == "ncsnr" and several else None
    return data if standardise is None else standardise_runs(data, standardise)


def _subjects(data: Responses, by: str) -> NDArray[np.float64]:
    """Mean response of each subject to the stimuli that all of them saw, (n_stimuli, n_subjects, n_targets)."""
    _names(data, by)
    check_columns(data.samples, ["subject"], "samples")
    mean = data.average(["subject", by])
    tables = [part.reset_index().set_index(by)["index"] for _, part in mean.samples.groupby("subject", sort=False)]
    common = [name for name in tables[0].index if all(name in table.index for table in tables)]
    if len(common) < 3:
        raise DataError(
            f"{len(tables)} subjects have {len(common)} values of {by!r} in common, at least 3 are needed: check their names"
        )
    rows = np.stack([table.loc[common].to_numpy() for table in tables], axis=1)
    return np.asarray(np.asarray(mean.data, np.float64)[rows])
