"""Which layer of a model explains which part of a brain: each layer scored, and one chosen without looking at the test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.compare.assemble import Assembly
from neurodecode.compare.crossval import Batch, BatchScores, batches
from neurodecode.compare.fold_fit import ModelSettings
from neurodecode.compare.fold_scores import mean_over_folds
from neurodecode.compare.outer import Outer
from neurodecode.compare.prepare import DELAYS_S, prepare
from neurodecode.compare.result import ComparisonResult
from neurodecode.compare.significance import Inference
from neurodecode.data.responses import Responses
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LayerResult:
    """Scores of every layer, and of the layer chosen for each target on inner folds.

    Parameters
    ----------
    best : ComparisonResult
        Of the chosen layers, on data that neither chose nor fitted them.
    layers : list of str
        Names of the layers.
    scores : array of shape (n_layers, ...)
        Held-out r per layer and target. The largest of them is no score of a chosen layer: it was picked on the test data.
    chosen : array of shape (n_folds, ...)
        Number of the layer chosen per fold and target.
    """

    best: ComparisonResult
    layers: list[str]
    scores: _Floats
    chosen: NDArray[np.int64]

    def to_dataframe(self) -> pd.DataFrame:
        """One row per layer and target, tidy.

        Returns
        -------
        DataFrame
            ``layer``, the name of the unit (and ``time``, s), ``metric``, ``score``, ``chance`` and ``chosen`` (fraction of
            folds that chose this layer).
        """
        times = [None] if self.best.times is None else list(self.best.times)
        target = pd.DataFrame({"name": np.repeat(self.best.units["name"].to_numpy(object), len(times))})
        if self.best.times is not None:
            target["time"] = np.tile(self.best.times, len(self.best.units))
        tables = []
        for number, layer in enumerate(self.layers):
            share = (self.chosen == number).mean(axis=0).ravel()
            table = target.assign(layer=layer, metric="r", score=self.scores[number].ravel(), chance=0.0, chosen=share)
            tables.append(table[["layer", *target.columns, "metric", "score", "chance", "chosen"]])
        return pd.concat(tables, ignore_index=True)

    def roi_table(self, column: str = "region") -> pd.DataFrame:
        """Layers against regions.

        Parameters
        ----------
        column : str
            Column of the units that names the region; units without one are left out.

        Returns
        -------
        DataFrame
            One row per region and layer: ``roi``, ``layer``, ``n_units``, ``median`` and ``mean`` score over units (and times),
            ``chance``, and ``chosen``: the fraction of units and folds for which this layer was chosen.

        Raises
        ------
        DataError
            If there is no such column, or no unit has a region.
        """
        check_columns(self.best.units, [column], "units")
        named = self.best.units[column].to_numpy(object)
        regions = list(dict.fromkeys(value for value in named if not pd.isna(value)))
        if not regions:
            raise DataError(f"none of the {len(named)} units has a value in {column!r}: name their regions first")
        every = [(region, number) for region in regions for number in range(len(self.layers))]
        return pd.DataFrame([self._row(region, np.flatnonzero(named == region), number) for region, number in every])

    def _row(self, region: Any, units: NDArray[np.int64], number: int) -> dict[str, Any]:
        values = self.scores[number][units]
        known = values[np.isfinite(values)]
        median, mean = (float(np.median(known)), float(known.mean())) if known.size else (float("nan"), float("nan"))
        chosen = float((self.chosen[:, units] == number).mean())
        return {
            "roi": region, "layer": self.layers[number], "n_units": len(units), "median": median, "mean": mean, "chance": 0.0,
            "chosen": chosen,
        }  # fmt: skip

    def __repr__(self) -> str:
        medians = [float(np.nanmedian(s)) if np.isfinite(s).any() else float("nan") for s in self.scores]
        shown = ", ".join(f"{name} {median:.3f}" for name, median in zip(self.layers, medians, strict=True))
        return f"<LayerResult of {len(self.layers)} layers, median r: {shown}\n  chosen on inner folds: {self.best!r}>"


def encode_layers(
    features: Responses,
    brain: Any,
    *,
    column: str = "layer",
    nuisance: Any = None,
    delays_s: Sequence[float] | None = DELAYS_S,
    ceiling: Any = "auto",
    n_permutations: int = 0,
    permutation: str = "circular",
    correction: str = "bh",
    target_batch: int | None = None,
    random_state: int = 0,
    **options: Any,
) -> LayerResult:
    """Encode each layer of a model, and choose one for each target.

    Every layer is fitted and scored on the same folds. In each fold and for each target the layer with the best R2 on the inner
    folds, which lie inside the training rows, is chosen, and its held-out score counts.

    Parameters
    ----------
    features : Responses
        Units of all layers.
    brain : Responses or array_like of shape (n_samples, n_targets)
        As in `encode`.
    column : str
        Column of the units of `features` that names the layer.
    nuisance : Responses, array_like, or a list or mapping of those, optional
        Stands beside every layer; alone it is the baseline.
    delays_s : (float, float) or None
        First and last delay in s.
    ceiling : str, array_like per target or None
        Noise ceiling.
    n_permutations : int
        Permutations behind the p values of the chosen layers; 0 for none.
    permutation : {"circular", "block"}
        What is permuted.
    correction : {"bh", "by", "max"}
        Correction over targets.
    target_batch : int, optional
        Targets at a time.
    random_state : int
        Seed.
    **options
        ``groups, TR, repeats, model, n_iter, alphas, cv, inner_cv, gap, backend`` and ``device`` of `encode`.

    Returns
    -------
    LayerResult
        Scores of all layers, and the result of the chosen ones.

    Raises
    ------
    DataError
        As in `encode`, or if the units have no such column.
    """
    layers = _split(features, column)
    fits = {name: options.pop(name) for name in ModelSettings._fields if name in options}
    settings = ModelSettings(**fits, random_state=random_state).check()
    inference = Inference(n_permutations, permutation, correction, random_state).check(options.get("repeats", "average"))
    problem = prepare(layers, brain, nuisance=nuisance, delays_s=delays_s, **options)
    extra = [problem.designs[name] for name in problem.nuisance]
    models = {name: [problem.designs[name], *extra] for name in layers}
    assembly = Assembly(problem, settings, inference, ceiling, n_spaces=1 + len(extra))
    parts = []
    with_baseline = models | ({"nuisance only": extra} if extra else {})
    for batch in batches(with_baseline, problem.aligned.targets, problem.outer, settings, target_batch):
        chosen, scores = _choose(batch, list(layers), problem.outer)
        assembly.add(batch.columns, batch.y, scores, batch.models.get("nuisance only"))
        parts.append((chosen, np.stack([mean_over_folds(batch.models[name].r) for name in layers])))
    return _layer_result(assembly, list(layers), parts)


def _split(features: Responses, column: str) -> dict[str, Responses]:
    """Units of each layer, in order of appearance."""
    check_columns(features.units, [column], "units of the features")
    names = features.units[column].map(str)
    return {name: features.select(units=np.flatnonzero(names == name)) for name in dict.fromkeys(names)}


def _choose(batch: Batch, layers: list[str], outer: Outer) -> tuple[NDArray[np.int64], BatchScores]:
    """Layer per fold and target, and the scores of those as if they were one model."""
    models = [batch.models[name] for name in layers]
    chosen = np.stack([model.inner for model in models]).argmax(axis=0)
    r, r2, alpha, inner = (_pick([getattr(m, member) for m in models], chosen) for member in ("r", "R2", "alpha", "inner"))
    predicted = np.full(batch.y.shape, np.nan, np.float32)
    for number, split in enumerate(outer.splits):
        predicted[split.test] = _pick([m.predicted[split.test] for m in models], chosen[number][None])
    return chosen, models[0]._replace(r=r, R2=r2, alpha=alpha, inner=inner, predicted=predicted, product=None, gamma=None)


def _pick(values: Sequence[NDArray[Any]], chosen: NDArray[np.int64]) -> NDArray[Any]:
    """Of several arrays (n_rows, n_targets) the chosen one for each row and target."""
    stacked = np.stack(values)
    return np.asarray(np.take_along_axis(stacked, np.broadcast_to(chosen, stacked.shape[1:])[None], axis=0)[0])


def _layer_result(assembly: Assembly, layers: list[str], parts: list[tuple[NDArray[np.int64], _Floats]]) -> LayerResult:
    best = assembly.result()
    chosen, scores = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    note = f"for each fold and target one of {len(layers)} layers was chosen by its R2 on the inner folds"
    shape = best.score.shape
    best = replace(best, notes=[*best.notes, note])
    return LayerResult(best, layers, scores.reshape(-1, *shape), chosen.reshape(-1, *shape))
