"""Batches of targets put together: scores over folds, ceilings, p values, and the result that holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.compare.crossval import BatchScores
from neurodecode.compare.fold_fit import ModelSettings
from neurodecode.compare.fold_scores import mean_over_folds
from neurodecode.compare.prepare import Problem
from neurodecode.compare.reliability import estimate_ceiling, plan_ceiling
from neurodecode.compare.result import ComparisonResult
from neurodecode.compare.significance import Inference, corrected, permuted, scheme
from neurodecode.metrics.ceilings import FLOOR, normalise_r, normalise_r2

_Array = NDArray[Any]
_Matrix = NDArray[np.float32]


class Assembly:
    """Collects batches of targets and makes the result of them.

    Parameters
    ----------
    problem : Problem
        What is fitted.
    settings : ModelSettings
        How penalties are found.
    inference : Inference
        How surprising a score is.
    ceiling : str, array_like per target or None
        As in `neurodecode.compare.encode`.
    keep_predictions : bool
        Whether the result holds them.
    n_spaces : int, optional
        Feature spaces of the model, by default all there are.
    """

    def __init__(
        self,
        problem: Problem,
        settings: ModelSettings,
        inference: Inference,
        ceiling: Any = "auto",
        keep_predictions: bool = False,
        n_spaces: int | None = None,
    ) -> None:
        self.problem, self.settings, self.inference = problem, settings, inference
        self.keep_predictions = keep_predictions
        self.model = "banded" if settings.is_banded(n_spaces or len(problem.designs)) else "ridge"
        self.ceiling = plan_ceiling(ceiling, problem)
        self.scheme = scheme(problem, inference) if inference.n_permutations else None
        self._null_max: _Array | None = None
        self._parts: dict[str, list[_Array]] = {}

    def add(self, columns: slice, y: _Matrix, full: BatchScores, nuisance: BatchScores | None = None) -> None:
        """Take the scores of the next targets.

        Parameters
        ----------
        columns : slice
            Which targets.
        y : array of shape (n_rows, n_targets)
            Their responses.
        full : BatchScores
            Of all features.
        nuisance : BatchScores, optional
            Of the nuisance features alone.
        """
        parts: dict[str, _Array] = {"r": full.r, "R2": full.R2, "R2_mean": full.R2_mean, "alpha": full.alpha}
        if nuisance is not None:
            parts |= {"r_nuisance": nuisance.r, "R2_nuisance": nuisance.R2}
        if full.product is not None and full.gamma is not None:
            parts |= {"product": full.product, "gamma": full.gamma}
        if self.ceiling.method is not None:
            rho = estimate_ceiling(self.ceiling.method, self.problem, columns, self.inference.random_state)
            parts["rho"] = rho[None]
        if self.scheme is not None:
            parts |= self._tested(y, full.predicted)
        parts |= {"predictions": self._in_units(full)} if self.keep_predictions else {}
        if full.weights is not None:
            parts["weights"] = full.weights
        for name, values in parts.items():
            self._parts.setdefault(name, []).append(values)

    def result(self) -> ComparisonResult:
        """Put all batches together.

        Returns
        -------
        ComparisonResult
            Of all features.
        """
        parts = {name: np.concatenate(values, axis=1) for name, values in self._parts.items()}
        r = mean_over_folds(parts["r"])
        rho = parts["rho"][0] if "rho" in parts else self.ceiling.rho
        baseline, name, scores = self._baseline(parts, r)
        maps: dict[str, Any] = {"score": r, "baseline": baseline, "ceiling": rho, "fold_scores": parts["r"]}
        maps |= {key: parts.get(key) for key in ("alpha", "predictions", "weights")}
        if rho is not None:
            maps["normalised"] = normalise_r(r, rho, FLOOR)
            scores["r2_normalised"] = normalise_r2(np.square(r), rho, FLOOR)
        if "p" in parts and self._null_max is not None:
            p = np.where(np.isfinite(r), parts["p"][0], np.nan)
            maps |= {"p": p, "q": corrected(p, parts["tested"][0], self._null_max, self.inference.correction)}
        shaped: dict[str, Any] = {key: None if values is None else self._shaped(values) for key, values in maps.items()}
        shaped["scores"] = {key: self._shaped(values) for key, values in scores.items()}
        return ComparisonResult(metric="r", chance=0.0, best=1.0, baseline_name=name, **self._told(), **shaped)

    def _in_units(self, full: BatchScores) -> _Matrix:
        """Predictions in the units of the responses."""
        fold = self.problem.outer.fold
        return np.asarray(full.predicted * full.scale[fold] + full.mean[fold], np.float32)  # rows never tested are NaN

    def _tested(self, y: _Matrix, predicted: _Matrix) -> dict[str, _Array]:
        """Scores and p values of a batch; the largest scores of its permutations are kept."""
        assert self.scheme is not None
        found = permuted(y, predicted, self.scheme)
        self._null_max = found.null_max if self._null_max is None else np.fmax(self._null_max, found.null_max)
        return {"p": found.p[None], "tested": found.score[None]}

    def _baseline(self, parts: dict[str, _Array], r: _Array) -> tuple[_Array, str, dict[str, _Array]]:
        """Score of the baseline, its name, and the maps beside the score."""
        r2 = mean_over_folds(parts["R2"])
        scores = {"r": r, "R2": r2, "R2_baseline": mean_over_folds(parts["R2_mean"])}
        names = list(self.problem.designs)
        for measure in ("product", "gamma"):
            scores |= {f"{measure}:{names[i]}": values for i, values in enumerate(parts.get(measure, ()))}
        if "r_nuisance" not in parts:
            return np.where(np.isfinite(r), 0.0, np.nan), "training mean (a constant prediction)", scores
        alone = mean_over_folds(parts["R2_nuisance"])
        name = f"nuisance features alone ({', '.join(self.problem.nuisance)})"
        return mean_over_folds(parts["r_nuisance"]), name, scores | {"R2_baseline": alone, "gain": r2 - alone}

    def _shaped(self, values: _Array) -> _Array:
        """Targets laid out as units, times where there are times."""
        times = self.problem.brain.times
        return values if times is None else values.reshape(*values.shape[:-1], self.problem.brain.n_units, len(times))

    def _told(self) -> dict[str, Any]:
        """Members that are no maps."""
        problem, inference, brain = self.problem, self.inference, self.problem.brain
        asked = self.scheme is not None
        why = self.scheme.note if self.scheme is not None else "no permutations were made: n_permutations=1000 gives p values"
        return {
            "fold_names": [split.name for split in problem.outer.splits],
            "split": problem.outer.sentence,
            "ceiling_name": self.ceiling.name,
            "ceiling_floor": FLOOR,
            "correction": inference.correction if asked else None,
            "n_permutations": 0 if self._null_max is None else len(self._null_max),
            "units": brain.units,
            "times": brain.times,
            "space": brain.meta.get("space"),
            "seeds": {"random_state": int(inference.random_state)},
            "settings": self._settings(),
            "notes": [*problem.notes, *self.ceiling.notes, why],
        }

    def _settings(self) -> dict[str, Any]:
        problem, settings = self.problem, self.settings
        return {
            "model": self.model,
            "spaces": {name: int(design.shape[1]) for name, design in problem.designs.items()},
            "nuisance": problem.nuisance,
            "delays_s": problem.delays_s,
            "TR": problem.TR,
            "gap": problem.outer.gap,
            "n_rows": problem.aligned.targets.n_rows,
            "alphas": None if settings.alphas is None else np.asarray(settings.alphas, float).tolist(),
            "backend": settings.backend,
            "permutation": None if self.scheme is None else self.scheme.settings,
        }
