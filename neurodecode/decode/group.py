"""Decoding within many subjects, put together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neurodecode.decode.result import DecodingResult
from neurodecode.errors import DataError
from neurodecode.metrics import fold_confidence_interval, permutation_p_value


def combine_subjects(results: Mapping[str, DecodingResult]) -> DecodingResult:
    """Mean over subjects of scores that were found within each.

    The null score of permutation k is the mean over subjects of their k-th null scores, so that p tests the mean score. It
    does not say in how many subjects, or in which population, the target can be decoded.

    Parameters
    ----------
    results : mapping of str to DecodingResult
        One result per subject, all with the same metric and target.

    Returns
    -------
    DecodingResult
        ``fold_scores`` has one score per subject, ``fold_names`` the subjects, ``confidence_interval`` is over subjects.

    Raises
    ------
    DataError
        If there is no subject, or the subjects have other metrics, targets or numbers of permutations.
    """
    if not results:
        raise DataError("there is no subject to combine, expected at least one result")
    names, parts = list(results), list(results.values())
    first = parts[0]
    for attribute in ("metric", "target", "n_permutations", "classes"):
        values = {str(getattr(part, attribute)) for part in parts}
        if len(values) > 1:
            raise DataError(f"subjects differ in {attribute} ({sorted(values)}): decode all of {names} alike")
    scores = np.array([part.score for part in parts])
    null = None if first.null_scores is None else np.mean([np.asarray(part.null_scores) for part in parts], axis=0)
    confusion = None if first.confusion is None else np.sum([np.asarray(part.confusion) for part in parts], axis=0)
    return DecodingResult(
        score=float(scores.mean()),
        metric=first.metric,
        fold_scores=scores,
        fold_names=names,
        chance=float(np.mean([part.chance for part in parts])),
        best=first.best,
        p_value=None if null is None else permutation_p_value(float(scores.mean()), null),
        null_scores=null,
        confidence_interval=fold_confidence_interval(scores),
        baseline=float(np.mean([part.baseline for part in parts])),
        baseline_name=first.baseline_name,
        task=first.task,
        target=first.target,
        classes=first.classes,
        confusion=confusion,
        class_counts=_stack(names, [part.class_counts for part in parts]),
        predictions=_stack(names, [part.predictions for part in parts]),
        split=f"within each of {len(parts)} subjects, then averaged: {first.split}",
        times=first.times,
        settings=first.settings,
        scores={name: float(np.mean([part.scores[name] for part in parts])) for name in first.scores},
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _stack(names: list[str], tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table.assign(subject=name) for name, table in zip(names, tables, strict=True)], ignore_index=True)
