"""What a comparison found: a score per target with chance, ceiling, baseline, p value and split; no figures and no analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.hashing import jsonable
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
MAPS = ("score", "normalised", "ceiling", "baseline", "p", "q")  # members with one value per target, beside those of `scores`


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult:
    """How well a model predicts each target of a brain on held-out data.

    A target is a unit (voxel, vertex, sensor, neuron) or, where the responses have a time axis, a unit at a time. "Per target"
    below means an array of shape (n_units,) or (n_units, n_times).

    Parameters
    ----------
    score : array per target
        The mean of `fold_scores` over the folds in which it is defined; NaN where there is none.
    metric : str
        What `score` is: ``"r"`` (Pearson) or ``"R2"``.
    fold_scores : array of shape (n_folds, ...)
        Score per fold and target.
    fold_names : list of str
        What each fold held out.
    chance, best : float
        Value of the metric without any information, and with all of it (the best that can be reached is given by `ceiling`).
    baseline : array per target
        Score of the baseline on the same folds: of the nuisance features alone, or of predicting the training mean.
    baseline_name : str
        Which baseline that is.
    split : str
        One sentence: what was held out, how many folds, which gap.
    ceiling : array per target or None
        Reliability rho of the responses that were scored, in variance units: the largest R2, and the square of the largest r.
    ceiling_name : str or None
        How it was estimated.
    normalised : array per target or None
        ``r / sqrt(rho)`` or ``R2 / rho``, not clipped; NaN where rho lies below `ceiling_floor`.
    ceiling_floor : float
        Ceiling below which a target is not normalised.
    p : array per target or None
        Permutation p value of `score`; None without permutations.
    q : array per target or None
        The same, corrected over all targets.
    correction : str or None
        Which correction `q` is.
    n_permutations : int
        Permutations behind `p`.
    alpha : array of shape (n_folds, ...) or None
        Penalty chosen per fold and target on the training part.
    scores : dict of str to array per target
        Further maps: ``r``, ``R2``, ``r2_normalised``, ``R2_baseline``, ``gain`` (R2 of all features minus R2 of the nuisance
        features: the unique variance of the features), ``product:SPACE`` (product measure) and ``gamma:SPACE`` of each space.
    units : DataFrame
        One row per unit.
    times : array of shape (n_times,) or None
        Times of the targets in s.
    space : dict or None
        ``meta["space"]`` of the responses: with `units` it takes maps back to their volume or surface.
    seeds : dict of str to int
        Seeds by what was drawn with them.
    settings : dict
        Arguments as they were used.
    notes : list of str
        What the reader must know.
    predictions : array of shape (n_samples, ...) or None
        Held-out predictions in units of the responses, NaN in rows that no fold tested; kept on request.
    weights : array of shape (n_features, ...) or None
        Weights of the standardised features, mean over folds, delays varying slowest within a space; kept on request.

    Raises
    ------
    DataError
        If arrays do not have one value per target.
    """

    score: _Floats
    metric: str
    fold_scores: _Floats
    fold_names: list[str]
    chance: float
    best: float
    baseline: _Floats
    baseline_name: str
    split: str
    ceiling: _Floats | None = None
    ceiling_name: str | None = None
    normalised: _Floats | None = None
    ceiling_floor: float = 0.05
    p: _Floats | None = None
    q: _Floats | None = None
    correction: str | None = None
    n_permutations: int = 0
    alpha: _Floats | None = None
    scores: dict[str, _Floats] = field(default_factory=dict)
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    times: _Floats | None = None
    space: dict[str, Any] | None = None
    seeds: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    predictions: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.units),) if self.times is None else (len(self.units), len(self.times))
        per_target = {name: getattr(self, name) for name in MAPS} | self.scores
        later = {name: getattr(self, name) for name in ("fold_scores", "alpha", "predictions", "weights")}
        for name, values in (per_target | later).items():
            got = None if values is None else np.shape(values)[name in later :]
            if got is not None and got != shape:
                raise DataError(f"{name} must have one value per target, of shape {shape}, got {np.shape(values)}")

    @property
    def n_targets(self) -> int:
        """Number of targets: units, times their times."""
        return int(np.size(self.score))

    @property
    def coverage(self) -> float | None:
        """Fraction of targets whose ceiling is high enough to be normalised; None without a ceiling."""
        return None if self.normalised is None else float(np.mean(np.isfinite(self.normalised)))

    @property
    def map_names(self) -> list[str]:
        """Names of what there is one value of per target."""
        return [name for name in MAPS if getattr(self, name) is not None] + list(self.scores)

    def map(self, which: str = "score") -> _Floats:
        """Values per target by name.

        Parameters
        ----------
        which : str
            One of `map_names`.

        Returns
        -------
        array per target
            The values.

        Raises
        ------
        DataError
            If there is no such map in this result.
        """
        name = check_option("which", which, self.map_names)
        return np.asarray(self.scores[name] if name in self.scores else getattr(self, name), np.float64)

    def summary(self) -> dict[str, Any]:
        """Everything but values per target, as JSON values; medians stand for the maps.

        Returns
        -------
        dict
            ``median`` (by map), ``coverage``, ``fraction_significant`` (q < 0.05), and all other members.
        """
        names = (
            "metric chance best baseline_name ceiling_name ceiling_floor correction n_permutations split fold_names n_targets "
            "coverage seeds settings notes"
        )
        medians = {name: _median(self.map(name)) for name in self.map_names}
        significant = None if self.q is None else float(np.mean(self.q < 0.05))
        values = {name: getattr(self, name) for name in names.split()}
        return dict(jsonable({"median": medians, "fraction_significant": significant, **values}))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per target, tidy.

        Returns
        -------
        DataFrame
            The columns of `units`, ``time`` (s) where there are times, ``metric``, ``chance``, the maps, and ``alpha``
            (geometric mean over folds).
        """
        n_times = 1 if self.times is None else len(self.times)
        rows = np.repeat(np.arange(len(self.units)), n_times)
        table = self.units.iloc[rows].reset_index(drop=True)
        if self.times is not None:
            table["time"] = np.tile(self.times, len(self.units))
        maps = {name: self.map(name).ravel() for name in self.map_names}
        if self.alpha is not None:
            maps["alpha"] = np.exp(np.mean(np.log(self.alpha), axis=0)).ravel()
        shown = pd.DataFrame({"metric": self.metric, "chance": self.chance, **maps}, index=table.index)
        return pd.concat([table[[c for c in table if c not in shown]], shown], axis=1)

    def to_nifti(self, which: str = "score", *, fill: float = 0.0) -> Any:
        """A map in its volume; see `neurodecode.compare.maps.to_nifti`.

        Parameters
        ----------
        which : str
            One of `map_names`.
        fill : float
            Value of the voxels that have no unit.

        Returns
        -------
        nibabel.Nifti1Image
            Shape (x, y, z), or (x, y, z, n_times).
        """
        from neurodecode.compare.maps import to_nifti

        return to_nifti(self, which, fill=fill)

    def to_gifti(self, which: str = "score", *, fill: float = 0.0) -> dict[str, Any]:
        """A map on its surfaces; see `neurodecode.compare.maps.to_gifti`.

        Parameters
        ----------
        which : str
            One of `map_names`.
        fill : float
            Value of the vertices that have no unit.

        Returns
        -------
        dict of str to nibabel.gifti.GiftiImage
            One image per hemisphere.
        """
        from neurodecode.compare.maps import to_gifti

        return to_gifti(self, which, fill=fill)

    def roi_summary(self, column: str = "region", which: str = "score", **options: Any) -> pd.DataFrame:
        """One row per region; see `neurodecode.compare.roi.roi_summary`.

        Parameters
        ----------
        column : str
            Column of `units` that names the region.
        which : str
            One of `map_names`.
        **options
            ``n_bootstrap``, ``level`` and ``random_state``.

        Returns
        -------
        DataFrame
            Median, mean, interval, number of units, ceiling, coverage and fraction of significant targets.
        """
        from neurodecode.compare.roi import roi_summary

        return roi_summary(self, column, which, **options)

    def save(self, folder: str | Path) -> Path:
        """Write the result as a folder that appears whole or not at all.

        Parameters
        ----------
        folder : str or Path
            Final name; an older result of that name is replaced.

        Returns
        -------
        Path
            The folder: one ``.npy`` per member, ``units.tsv`` and, last, ``meta.json``.
        """
        from neurodecode.compare.storage import save_result

        return save_result(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> ComparisonResult:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : str or Path
            A folder written by `save`.

        Returns
        -------
        ComparisonResult
            Equal in every number to what was saved.
        """
        from neurodecode.compare.storage import load_result

        return load_result(folder)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, np.shape(self.score)))
        found = f"{self.metric} {_text(self.score)}"
        parts = [f"chance {self.chance:g}", f"baseline {_text(self.baseline)}: {self.baseline_name}", *self._repr_more()]
        return f"<ComparisonResult of {shape} targets: median {found} ({'; '.join(parts)})\n  {self.split}>"

    def _repr_more(self) -> list[str]:
        """Ceiling and significance in words."""
        words = ["no ceiling"]
        if self.ceiling is not None:
            words = [f"ceiling rho {_text(self.ceiling)}"]
        if self.normalised is not None:
            words += [f"normalised {_text(self.normalised)} in {100 * (self.coverage or 0):.0f} % of targets"]
        if self.q is not None:
            words += [f"q < 0.05 in {100 * np.mean(self.q < 0.05):.0f} %, {self.n_permutations} permutations"]
        return words


def _median(values: Any) -> float:
    """Median of the finite values; NaN where there is none."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _text(values: Any) -> str:
    return f"{_median(values):.3f}"
