"""Dynamic connectomes as an estimator: traces in; components, communities, stability and overlap with stimuli out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.analysis.connectome.affinity import AffinityTensor, affinity_tensor
from neurodecode.analysis.connectome.block_model import WeightedSBM, weighted_sbm
from neurodecode.analysis.connectome.ensemble import fit_ensemble
from neurodecode.analysis.connectome.factors import NTF
from neurodecode.analysis.connectome.halves import reproducibility
from neurodecode.analysis.connectome.pairs import fold_pairs
from neurodecode.analysis.connectome.rank import RankCurves, rank_curves
from neurodecode.analysis.connectome.result import ConnectomeResult
from neurodecode.analysis.connectome.stimulus import stimulus_courses, stimulus_overlap
from neurodecode.data import Recording
from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import jsonable, sha256_file
from neurodecode.data.parameters import Parameters
from neurodecode.data.validate import check_columns, check_option
from neurodecode.errors import CorruptFileError, DataError, FormatError

_KIND, _CONFIG, _ARRAYS = "neurodecode DynamicConnectome", "config.json", "factors.npz"


@dataclass(eq=False)
class DynamicConnectome(Parameters):
    """Find who acts with whom, when, and in which animals.

    Traces become affinities of pairs over time (`affinity_tensor`), which a non-negative factorisation splits into components
    (`ntf_hals`, several starts); each component is a weighted graph, whose communities a block model finds (`weighted_sbm`).
    Whether a component is real is judged by halves of the samples that share no data (`reproducibility`), beside the same on
    traces that were shifted in time neuron by neuron. After Dyballa et al. (2024), whose preprocessing and choice of rank are
    not public: the defaults here are ours.

    Parameters
    ----------
    rank : int or "auto"
        Components; by default chosen among `ranks` by held-out error and stability (`rank_curves`).
    ranks : sequence of int
        Numbers of components to choose from.
    affinity : str
        As `kind` in `affinity_tensor`.
    derivative : str
        As in `affinity_tensor`.
    smoothing_s : float, optional
        As in `affinity_tensor`, s.
    sample_mode : str
        ``"animal"``, ``"session"`` or ``"trial"``.
    path : str
        ``"auto"``, ``"dense"`` or ``"implicit"``, as in `affinity_tensor`.
    communities : str or None
        ``"sbm"``, ``"leiden"``, or None for no communities.
    n_restarts : int
        Starts of the factorisation.
    n_splits : int
        Halvings of the samples behind the reproducibility.
    null : bool
        Whether shifted traces are analysed, too.
    backend : str
        ``"numpy"`` or ``"torch"``.
    random_state : int
        Seed.

    Attributes
    ----------
    affinities_ : AffinityTensor
        What was factorised; not stored by `save`.
    ntf_ : NTF
        Weights and factors of time, sample and pair.
    result_ : ConnectomeResult
        Everything that a report shows.
    communities_ : list of WeightedSBM
        Of each component; not stored by `save`.
    rank_curves_ : RankCurves or None
        Evidence for the rank; None where it was given; not stored by `save`.

    Raises
    ------
    DataError
        If a parameter is out of range.

    References
    ----------
    Dyballa, Lang, Haslund-Gourley, Yemini & Zucker: Learning dynamic representations of the functional connectome in
    neurobiological networks, ICLR (2024), arXiv:2402.14102.
    """

    _: KW_ONLY
    rank: int | str = "auto"
    ranks: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8)
    affinity: str = "geomean"
    derivative: str = "savgol"
    smoothing_s: float | None = None
    sample_mode: str = "animal"
    path: str = "auto"
    communities: str | None = "sbm"
    n_restarts: int = 10
    n_splits: int = 5
    null: bool = True
    backend: str = "numpy"
    random_state: int = 0

    def __post_init__(self) -> None:
        check_option("communities", self.communities, ("sbm", "leiden", None))
        automatic = self.rank == "auto"
        if not automatic and (not isinstance(self.rank, (int, np.integer)) or self.rank < 1):
            raise DataError(f"rank must be 'auto' or a whole number from 1 up, got {self.rank!r}")
        if self.n_restarts < 2 or self.n_splits < 1 or (automatic and not len(self.ranks)):
            raise DataError(
                f"expected n_restarts >= 2, n_splits >= 1 and ranks to choose from, got {self.n_restarts!r}, "
                f"{self.n_splits!r} and {list(self.ranks)}"
            )

    def fit(
        self,
        traces: Recording | Sequence[Any],
        *,
        names: Sequence[Any] | None = None,
        sfreq: float | Sequence[float] | None = None,
        labels: Sequence[str] | None = None,
        events: pd.DataFrame | None = None,
        align: str | None = None,
        window: tuple[float, float] | None = None,
        executor: Executor | None = None,
    ) -> DynamicConnectome:
        """Analyse traces of several animals, sessions or trials under the same stimuli.

        Parameters
        ----------
        traces : Recording, sequence of Recording, or of array_like of shape (n_names, n_times)
            As in `affinity_tensor`; a single recording for its trials.
        names : sequence, optional
            Of the rows of arrays, as in `affinity_tensor`.
        sfreq : float or sequence of float, optional
            Hz, of arrays.
        labels : sequence of str, optional
            Names of the samples, for arrays.
        events : DataFrame, optional
            Stimuli with ``onset, duration`` (s) and ``trial_type``, on the clock of the traces; of recordings that start
            together those of the first one are taken, of trials those of the first trial.
        align : str, optional
            ``trial_type`` whose first onset is time 0 of a recording.
        window : tuple of float, optional
            Stretch of it in s.
        executor : concurrent.futures.Executor, optional
            Runs starts in parallel.

        Returns
        -------
        DynamicConnectome
            This object.

        Raises
        ------
        DataError
            If events lack a column, or traces do not fit each other or a parameter, see `affinity_tensor` and `ntf_hals`.
        """
        given = {"names": names, "sfreq": sfreq, "labels": labels, "align": align, "window": window}
        traces = [traces] if isinstance(traces, Recording) else traces
        shown = _events(traces, events, align, self.sample_mode)
        self.affinities_ = self._affinities(traces, given)
        self.ntf_, self.rank_curves_, stability = self._factorise(self.affinities_, executor)
        self.communities_ = self._communities(self.graphs_)
        again = self._reproduced(self.affinities_, self.ntf_)
        null = self._null(traces, given) if self.null else (None, np.full(len(self.ntf_.weights), np.nan))
        self.result_ = self._summary(stability, again, null, shown)
        return self

    @property
    def graphs_(self) -> NDArray[np.float64]:
        """Weighted graph of each component, (rank, n_names, n_names); NaN where a pair was never observed."""
        if not hasattr(self, "affinities_"):
            return self._found().graphs
        folded = fold_pairs(np.asarray(self.ntf_.factors[2], np.float64).T, len(self.affinities_.names))
        seen = fold_pairs(self.affinities_.mask.any(axis=0), len(self.affinities_.names), fill=True).astype(bool)
        return np.where(seen, folded, np.nan)

    def edges(self, time: float, sample: str | int) -> NDArray[np.float64]:
        r"""Connectome of one sample at one time, :math:`\sum_r \lambda_r f_{tr} f_{wr} A_r`.

        Parameters
        ----------
        time : float
            s, on the clock of the analysis.
        sample : str or int
            Name or number of the sample.

        Returns
        -------
        array of shape (n_names, n_names)
            Symmetric; NaN where a pair was never observed.

        Raises
        ------
        DataError
            If the time lies outside, or there is no such sample.
        """
        found = self._found()
        half = 0.5 * (found.times[1] - found.times[0])
        if not found.times[0] - half <= time <= found.times[-1] + half:
            raise DataError(f"time must lie within {found.times[0]:g} to {found.times[-1]:g} s, got {time!r}")
        if isinstance(sample, str) and sample not in found.samples:
            raise DataError(f"there is no sample {sample!r} among {found.samples[:10]}")
        w = found.samples.index(sample) if isinstance(sample, str) else int(sample)
        if not 0 <= w < len(found.samples):
            raise DataError(f"sample must be from 0 to {len(found.samples) - 1}, got {sample!r}")
        t = int(np.argmin(np.abs(found.times - time)))
        strength = self.ntf_.weights * found.time_factors[t] * found.sample_factors[w]
        return np.asarray(np.tensordot(strength, found.graphs, axes=1))

    def score(self) -> float:
        """Share of the squared affinities that the components explain, 1 at best; `result_` has that of shifted traces."""
        return self._found().explained

    def save(self, folder: str | Path) -> Path:
        """Write factors, tables and parameters; neither traces nor affinities.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older analysis of that name is replaced.

        Returns
        -------
        Path
            The folder, with ``config.json`` and ``factors.npz``.

        Raises
        ------
        DataError
            If nothing was fitted.
        """
        found = self._found()
        members = vars(found)
        arrays: dict[str, Any] = {name: value for name, value in members.items() if isinstance(value, np.ndarray)}
        tables = {name: value.to_dict("list") for name, value in members.items() if isinstance(value, pd.DataFrame)}
        plain = {name: value for name, value in members.items() if name not in arrays and name not in tables}
        with atomic_folder(folder, marker=_CONFIG) as partial:
            np.savez(partial / _ARRAYS, weights=self.ntf_.weights, pairs=self.ntf_.factors[2], **arrays)
            content = {"kind": _KIND, "version": 1, "parameters": self.get_params(), "plain": plain, "tables": tables}
            content |= {"error": self.ntf_.error, "sha256": {_ARRAYS: sha256_file(partial / _ARRAYS)}}
            text = json.dumps(jsonable(content), indent=1) + "\n"
            (partial / _CONFIG).write_text(text, encoding="utf-8", newline="\n")
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> DynamicConnectome:
        """Read an analysis that `save` wrote.

        Parameters
        ----------
        folder : str or Path
            Its folder.

        Returns
        -------
        DynamicConnectome
            With `ntf_` and `result_`.

        Raises
        ------
        FormatError
            If the folder holds something else.
        CorruptFileError
            If a file is missing or damaged.
        """
        path = Path(folder) / _CONFIG
        if not path.is_file():
            raise FormatError(path, "there is no such file", "Give the folder that DynamicConnectome.save wrote")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["kind"] != _KIND:
                raise FormatError(path, f"it is a {content['kind']}, expected a {_KIND}", "Give the folder of such an analysis")
            arrays = _arrays(Path(folder) / _ARRAYS, content["sha256"][_ARRAYS])
            given = content["parameters"]
            model = cls(**{**given, "ranks": tuple(given["ranks"])})
            weights, pairs = arrays.pop("weights"), arrays.pop("pairs")
            tables: dict[str, Any] = {name: _table(value) for name, value in content["tables"].items()}
            model.result_ = ConnectomeResult(**content["plain"], **arrays, **tables)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(path, f"it is no readable analysis ({error})", "Save the analysis again") from error
        factors = [model.result_.time_factors, model.result_.sample_factors, pairs]
        model.ntf_ = NTF(weights, factors, float(content["error"]))
        return model

    # --- steps -----------------------------------------------------------------------------------------------------

    def _affinities(self, traces: Sequence[Any], given: dict[str, Any]) -> AffinityTensor:
        names = {"kind": "affinity", "derivative": "derivative", "smoothing_s": "smoothing_s", "path": "path"}
        options: dict[str, Any] = {name: getattr(self, own) for name, own in names.items()}
        return affinity_tensor(traces, sample_mode=self.sample_mode, **options, **given)

    def _factorise(
        self, affinities: AffinityTensor, executor: Executor | None
    ) -> tuple[NTF, RankCurves | None, NDArray[np.float64]]:
        """Factorisation of the chosen rank, evidence for it, and agreement of starts per component."""
        options: dict[str, Any] = {"n_restarts": self.n_restarts, "executor": executor, "backend": self.backend}
        options["random_state"] = self.random_state
        curves = rank_curves(affinities, self.ranks, **options) if self.rank == "auto" else None
        ensemble = fit_ensemble(affinities, int(self.rank), **options) if curves is None else curves.ensemble
        rank = int(self.rank) if curves is None else curves.rank
        return ensemble.best(rank), curves, ensemble.component_similarity[ensemble.ranks.index(rank)]

    def _communities(self, graphs: NDArray[np.float64]) -> list[WeightedSBM]:
        if self.communities is None:
            return []
        method: Any = self.communities
        return [weighted_sbm(graph, random_state=self.random_state, method=method) for graph in graphs]

    def _reproduced(self, affinities: AffinityTensor, fit: NTF) -> NDArray[np.float64]:
        options: dict[str, Any] = {"n_splits": self.n_splits, "backend": self.backend, "random_state": self.random_state}
        return np.asarray(reproducibility(affinities, fit, **options).score)

    def _null(self, traces: Sequence[Any], given: dict[str, Any]) -> tuple[float, NDArray[np.float64]]:
        """Explained share and reproducibility, largest first, of traces that were shifted neuron by neuron."""
        shifted = [_shifted(part, self.random_state + k) for k, part in enumerate(traces)]
        affinities = self._affinities(shifted, given)
        rank = len(self.ntf_.weights)
        options: dict[str, Any] = {"backend": self.backend, "random_state": self.random_state}
        fit = fit_ensemble(affinities, rank, 2, **options).best(rank)
        return 1 - fit.error**2, np.sort(self._reproduced(affinities, fit))[::-1]

    def _summary(
        self,
        stability: NDArray[np.float64],
        again: NDArray[np.float64],
        null: tuple[float | None, NDArray[np.float64]],
        events: pd.DataFrame,
    ) -> ConnectomeResult:
        time, sample = (np.asarray(factor, np.float64) for factor in self.ntf_.factors[:2])
        times, n = self.affinities_.times, len(self.affinities_.names)
        labels = [found.labels for found in self.communities_] or [np.zeros(n, int)] * len(again)
        confidence = [found.confidence for found in self.communities_] or [np.ones(n)] * len(again)
        active = [times[course >= 0.5 * course.max()] for course in time.T]
        bar = float(np.nanmax(null[1])) if null[0] is not None else 0.0
        components = pd.DataFrame(
            {
                "component": np.arange(1, len(again) + 1),
                "weight": self.ntf_.weights,
                "stability": stability,
                "reproducibility": again,
                "null_reproducibility": bar if null[0] is not None else np.nan,
                "stable": again > bar,
                "n_communities": [len(np.unique(own)) for own in labels],
                "active_from": [float(on[0]) for on in active],
                "active_to": [float(on[-1]) for on in active],
            }
        )
        return ConnectomeResult(
            names=list(self.affinities_.names),
            samples=list(self.affinities_.samples),
            times=times,
            time_factors=time,
            sample_factors=sample,
            graphs=self.graphs_,
            labels=np.stack(labels).astype(np.int64),
            confidence=np.stack(confidence),
            components=components,
            explained=1 - self.ntf_.error**2,
            null_explained=null[0],
            ranks=_rank_table(self.rank_curves_),
            overlap=stimulus_overlap(time, stimulus_courses(events, times)),
            events=events,
            settings=dict(jsonable(self.get_params())),
            notes=[] if self.null else ["No shifted traces were analysed: components are called stable if halves agree at all."],
        )

    def _found(self) -> ConnectomeResult:
        if not hasattr(self, "result_"):
            raise DataError(f"this {type(self).__name__} is not fitted: call fit, or load a saved one")
        return self.result_


def _shifted(part: Any, seed: int) -> Any:
    from neurodecode.simulate.connectome import circular_shifts

    if isinstance(part, Recording):
        return part.replace(data=circular_shifts(np.asarray(part.data), random_state=seed))
    return circular_shifts(np.asarray(part), random_state=seed)


def _events(traces: Sequence[Any], events: pd.DataFrame | None, align: str | None, sample_mode: str) -> pd.DataFrame:
    """Stimuli on the clock of the analysis."""
    columns = ["onset", "duration", "trial_type"]
    if events is None and len(traces) and isinstance(traces[0], Recording) and "trial_type" in traces[0].events:
        own = traces[0].events[columns]
        marked = own if align is None else own[own["trial_type"].astype(str) == align]
        first = 0.0 if align is None and sample_mode != "trial" else marked["onset"].min()
        events = own.assign(onset=own["onset"] - first)
    if events is None:
        return pd.DataFrame({"onset": [], "duration": [], "trial_type": pd.Series(dtype=str)})
    check_columns(events, columns, "events")
    return events[columns].reset_index(drop=True)


def _rank_table(curves: RankCurves | None) -> pd.DataFrame:
    columns = ["rank", "test_error", "train_error", "stability", "chance", "core_consistency"]
    if curves is None:
        return pd.DataFrame(columns=columns, dtype=float)
    errors: list[ArrayLike] = [curves.test_error.mean(axis=1), curves.train_error.mean(axis=1)]
    return pd.DataFrame(dict(zip(columns, [curves.ranks, *errors, *curves[3:6]], strict=True)))


def _table(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """A stored table; numbers that are all missing are numbers again."""
    table = pd.DataFrame(columns)
    missing = [name for name in table if len(table) and table[name].isna().all()]
    return table.astype(dict.fromkeys(missing, float))


def _arrays(path: Path, digest: str) -> dict[str, Any]:
    if not path.is_file() or sha256_file(path) != digest:
        what = "differs from what was saved" if path.is_file() else "is missing"
        raise CorruptFileError(path, f"this file of a saved analysis {what}", "Save the analysis again")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
