"""What each feature space explains alone, what they share, and how it adds up to what all of them explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.errors import DataError

_Floats = NDArray[np.float64]
Subset = tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class VariancePartition:
    """Variance explained by feature spaces on held-out data, divided among them, per target.

    All terms come from the same outer folds. A target is a unit, or a unit at a time (times varying fastest).

    Parameters
    ----------
    spaces : list of str
        Names of the feature spaces.
    method : str
        ``"inclusion_exclusion"``, ``"shapley"`` or ``"product_measure"``: which division `parts` is.
    joint : array of shape (n_targets,)
        R2 of all spaces together, mean over the outer folds.
    r2 : dict of tuple of int to array of shape (n_targets,)
        R2 of the spaces with these numbers, fitted together; by ``"product_measure"`` of all of them only.
    product : array of shape (n_spaces, n_targets)
        Product measure of each space in the fit of all of them.
    fold_joint : array of shape (n_folds, n_targets)
        R2 of all spaces per outer fold.
    fold_names : list of str
        What each fold held out.
    split : str
        What was held out, in words.
    chance : float
        R2 without any information; on held-out data a little below.
    best : float
        R2 of a perfect prediction.
    units : DataFrame
        Units of the responses.
    times : array of shape (n_times,) or None
        Times of the responses in s.
    settings : dict
        How the spaces were fitted.
    notes : list of str
        What the reader must know.

    Raises
    ------
    DataError
        If `r2` lacks spaces that the method needs.
    """

    spaces: list[str]
    method: str
    joint: _Floats
    r2: dict[Subset, _Floats]
    product: _Floats
    fold_joint: _Floats
    fold_names: list[str]
    split: str
    chance: float = 0.0
    best: float = 1.0
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    times: _Floats | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        missing = [s for s in self._needed() if s not in self.r2]
        if missing:
            raise DataError(f"{self.method} of {self.spaces} needs the R2 of every combination, that of {missing[0]} is missing")

    def _needed(self) -> list[Subset]:
        return [tuple(range(len(self.spaces)))] if self.method == "product_measure" else subsets(len(self.spaces))

    @property
    def regions(self) -> dict[Subset, _Floats]:
        """Variance that exactly these spaces share, and no other holds: the regions of the Venn diagram, (n_targets,) each.

        They add up to `joint`. A region of two or more spaces is negative where they suppress each other, that is, where they
        explain more together than the sum of what they explain alone; it is reported as it is.
        """
        return venn_regions(self.r2, len(self.spaces))

    @property
    def unique(self) -> _Floats:
        """What only this space explains, R2 of all minus R2 of all others, (n_spaces, n_targets)."""
        return np.stack([self.regions[(i,)] for i in range(len(self.spaces))])

    @property
    def shared(self) -> dict[str, _Floats]:
        """Regions of two spaces or more by name, e.g. ``"A & B"``, (n_targets,) each."""
        return {self._name(region): values for region, values in self.regions.items() if len(region) > 1}

    @property
    def single(self) -> _Floats:
        """R2 of each space fitted alone, (n_spaces, n_targets)."""
        return np.stack([self.r2[(i,)] for i in range(len(self.spaces))])

    @property
    def shapley(self) -> _Floats:
        """What a space adds, mean over all orders in which the spaces may come, (n_spaces, n_targets); adds up to `joint`."""
        return shapley_values(self.regions, len(self.spaces))

    @property
    def parts(self) -> dict[str, _Floats]:
        """The division that `method` names, by space or region, (n_targets,) each; the parts add up to `joint`."""
        if self.method == "inclusion_exclusion":
            return {self._name(region): values for region, values in self.regions.items()}
        values = self.shapley if self.method == "shapley" else self.product
        return dict(zip(self.spaces, values, strict=True))

    def _name(self, subset: Subset) -> str:
        return " & ".join(self.spaces[i] for i in subset)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per target.

        Returns
        -------
        DataFrame
            Columns of the units (and ``time`` in s), ``joint``, ``product SPACE``, and, unless only the product measure was asked
            for, ``r2 SPACES``, ``unique SPACE``, ``shared SPACES`` and ``shapley SPACE``.
        """
        table = self._targets().assign(joint=self.joint)
        columns: dict[str, _Floats] = {f"product {n}": v for n, v in zip(self.spaces, self.product, strict=True)}
        if self.method != "product_measure":
            columns |= {f"r2 {' + '.join(self.spaces[i] for i in s)}": v for s, v in self.r2.items()}
            columns |= {f"unique {n}": v for n, v in zip(self.spaces, self.unique, strict=True)}
            columns |= {f"shared {n}": v for n, v in self.shared.items()}
            columns |= {f"shapley {n}": v for n, v in zip(self.spaces, self.shapley, strict=True)}
        return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)

    def _targets(self) -> pd.DataFrame:
        """Unit, and time, of each target."""
        if self.times is None:
            return self.units.reset_index(drop=True)
        repeated = self.units.loc[self.units.index.repeat(len(self.times))].reset_index(drop=True)
        return repeated.assign(time=np.tile(self.times, len(self.units)))

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {np.nanmedian(values):.3f}" for name, values in self.parts.items())
        return (
            f"<VariancePartition of {len(self.joint)} targets by {self.method}: median R2 {np.nanmedian(self.joint):.3f} "
            f"(chance {self.chance:g}); {shares}\n  {self.split}>"
        )


def subsets(n_spaces: int) -> list[Subset]:
    """All combinations of spaces, the smaller first.

    Parameters
    ----------
    n_spaces : int
        Number of spaces.

    Returns
    -------
    list of tuple of int
        ``2 ** n_spaces - 1`` combinations.
    """
    return [s for size in range(1, n_spaces + 1) for s in combinations(range(n_spaces), size)]


def venn_regions(r2: dict[Subset, _Floats], n_spaces: int) -> dict[Subset, _Floats]:
    """Variance that exactly these spaces share, by inclusion and exclusion.

    ``region(S) = sum over T within S of (-1)^(|S| - |T|) (R2(all) - R2(all without T))``: for two spaces
    ``unique(A) = R2(AB) - R2(B)`` and ``shared = R2(A) + R2(B) - R2(AB)``.

    Parameters
    ----------
    r2 : dict of tuple of int to array of shape (n_targets,)
        R2 of every combination of spaces.
    n_spaces : int
        Number of spaces.

    Returns
    -------
    dict of tuple of int to array of shape (n_targets,)
        Regions; those of which a space is part add up to its R2, all of them to the R2 of all spaces.
    """
    every = tuple(range(n_spaces))
    lost = {}
    for part in subsets(n_spaces):
        others = tuple(i for i in every if i not in part)
        lost[part] = r2[every] - (r2[others] if others else 0.0)
    return {region: _alternate(region, lost) for region in subsets(n_spaces)}


def _alternate(region: Subset, lost: dict[Subset, _Floats]) -> _Floats:
    inside = [part for part in lost if set(part) <= set(region)]
    return np.asarray(sum((-1.0) ** (len(region) - len(part)) * lost[part] for part in inside))


def shapley_values(regions: dict[Subset, _Floats], n_spaces: int) -> _Floats:
    """What each space adds, mean over all orders of the spaces: each region in equal parts to those that share it.

    Parameters
    ----------
    regions : dict of tuple of int to array of shape (n_targets,)
        Of `venn_regions`.
    n_spaces : int
        Number of spaces.

    Returns
    -------
    array of shape (n_spaces, n_targets)
        Shapley values, which add up to the R2 of all spaces.
    """
    held: Sequence[_Floats] = [
        np.asarray(sum(values / len(region) for region, values in regions.items() if i in region)) for i in range(n_spaces)
    ]
    return np.stack(held)
