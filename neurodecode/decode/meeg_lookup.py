"""Looking predictions up among candidates: names with probabilities, and accuracy beside ridge, chance and ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_columns, check_option, check_positive
from neurodecode.decode.meeg_fit import Fitted, in_batches
from neurodecode.decode.meeg_inputs import Targets, Windows, as_targets, refuse_shared
from neurodecode.decode.meeg_score import Gallery, StimulusRetrieval, accuracy_by_subject, deduplicate, score_candidates
from neurodecode.errors import DataError
from neurodecode.metrics import retrieval_from_scores
from neurodecode.metrics.retrieval_scores import word_probabilities

APART = {
    "stimulus": "hold out whole stimuli, with all their repeats and subjects",
    "block": "hold out whole blocks: windows of one block may overlap",
}
NO_SELECTION = "none (last weights)"


class Lookup:
    """What `MEEGDecoder` does with candidates."""

    network: Any
    random_state: int
    members_: dict[str, Fitted]
    montage_: dict[str, list[list[float]]]
    seen_: dict[str, dict[str, set[str]]]
    selected_on_: str

    _ndim: ClassVar[int]
    _speech: ClassVar[bool]

    def _member(self, target: str | None = None) -> Fitted:
        raise NotImplementedError

    def _windows(self, responses: Any) -> Windows:
        raise NotImplementedError

    def _numbers(self, windows: Windows, fitted: Fitted) -> NDArray[np.int64]:
        raise NotImplementedError

    def _ridge_predictions(self, windows: Windows, fitted: Fitted) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        raise NotImplementedError

    def _pick(self, given: Any) -> Any:
        """What retrieval reads of what the network gives."""
        return given

    def _embed(self, network: Any, targets: Any) -> Any:
        """Targets as predictions are compared with them."""
        return targets

    def _lengths(self, windows: Windows, fitted: Fitted) -> NDArray[np.float64]:
        """What scores are divided by before they become probabilities."""
        return np.ones(len(windows))

    def _temperature(self, fitted: Fitted) -> float:
        """Of the probabilities of candidates."""
        return 1.0

    def _scores(self, windows: Windows, fitted: Fitted, targets: Targets, gallery: Gallery, ridge: bool) -> NDArray[np.float32]:
        """Scores (n_samples, n_candidates) by the network or by the ridge."""
        import torch

        network = None if ridge else fitted.network

        def read(rows: NDArray[np.int64]) -> Any:
            values = np.asarray(targets.data[rows])
            values = values[:, :, : fitted.cut.n_times] if values.ndim == 3 else values
            scaled = torch.from_numpy(fitted.scaling.apply(values))
            return scaled if network is None else self._embed(network, scaled)

        if network is None:
            linear = ((index, torch.from_numpy(values)) for index, values in self._ridge_predictions(windows, fitted))
            return score_candidates(linear, len(windows), gallery, read, targets.data.shape[1:])
        numbers = self._numbers(windows, fitted)
        made = in_batches(network, windows, numbers, fitted.cut, self._pick, int(np.prod(fitted.shape)))
        return score_candidates(made, len(windows), gallery, read, targets.data.shape[1:])

    def _candidates(self, candidates: Responses, fitted: Fitted) -> tuple[Targets, Gallery]:
        targets = as_targets(candidates, self._ndim)
        given, wanted = tuple(targets.data.shape[1:]), fitted.shape
        if given[0] != wanted[0] or (len(wanted) > 1 and given[1] < wanted[1]):
            raise DataError(f"candidates have shape {given}, the decoder was fitted on {wanted}: give the same features")
        return targets, deduplicate(targets)

    def retrieve(
        self, responses: Any, candidates: Responses, k: int = 10, *, by: str = "stimulus", target: str | None = None
    ) -> pd.DataFrame:
        """Name what was most likely presented.

        Parameters
        ----------
        responses : Responses or sequence of Responses
            Windows.
        candidates : Responses
            Targets of the candidates, one row each.
        k : int
            Candidates that are named for each window.
        by : str
            ``"stimulus"``, or a column of the candidates' samples, e.g. ``"word"``: probabilities of equal values are summed.
        target : str, optional
            Which target, where the decoder was fitted on several; by default the first.

        Returns
        -------
        DataFrame
            ``sample, rank`` (from 1), the column `by`, and ``probability``, the softmax over all candidates; `k` rows per
            window.

        Raises
        ------
        DataError
            If the decoder is not fitted, or responses or candidates do not fit it.
        """
        fitted = self._member(target)
        windows = self._windows(responses)
        targets, gallery = self._candidates(candidates, fitted)
        scores = self._scores(windows, fitted, targets, gallery, ridge=fitted.network is None)
        lengths = self._lengths(windows, fitted)[:, None]
        names, code = np.unique(_names(candidates, gallery, by), return_inverse=True)
        probability = word_probabilities(scores / lengths, code.ravel(), self._temperature(fitted))
        best = np.argsort(-probability, axis=1, kind="stable")[:, : int(check_positive("k", k))]
        n, kept = best.shape
        return pd.DataFrame(
            {
                "sample": np.repeat(np.arange(n), kept),
                "rank": np.tile(np.arange(1, kept + 1), n),
                by: names[best.ravel()],
                "probability": np.take_along_axis(probability, best, axis=1).ravel(),
            }
        )

    def score(
        self,
        responses: Any,
        candidates: Responses,
        k: int | Sequence[int] = (1, 5, 10),
        *,
        aggregation: str = "single",
        zero_shot: bool = False,
        selection_split: str | None = None,
        oracle_selection: bool = False,
        oracle: ArrayLike | None = None,
        target: str | None = None,
        n_bootstrap: int = 1000,
    ) -> StimulusRetrieval:
        """Look held-out windows up among candidates, beside the ridge of each subject on the same windows.

        Parameters
        ----------
        responses : Responses or sequence of Responses
            Windows of stimuli that took no part in training or selection.
        candidates : Responses
            Targets of the candidates, one row per stimulus; those that were presented are among them. Equal targets count once.
            A column ``word`` gives the accuracy of words, a column ``concept`` the overlap of concepts with training.
        k : int or sequence of int
            Places that count.
        aggregation : str
            Headline: ``"single"`` trials, ``"instance"`` (mean over repeats) or ``"subject"`` (within subjects first). All of
            them are reported.
        zero_shot : bool
            Refuse candidates whose concept occurs in training.
        selection_split : str, optional
            Split on which other choices were made, by default the one on which `fit` chose the weights. ``"test"`` is refused.
        oracle_selection : bool
            Accept test data that took part in the selection, and mark the report.
        oracle : array_like of shape (n_samples, n_candidates), optional
            Log-likelihood of each row of `candidates`, where it is known: the ceiling.
        target : str, optional
            Which target, where the decoder was fitted on several; by default the first.
        n_bootstrap : int
            Resamples of stimuli behind the intervals; 0 for none.

        Returns
        -------
        StimulusRetrieval
            Accuracy with chance, ridge, ceiling, intervals, words, split.

        Raises
        ------
        DataError
            If the decoder is not fitted, or responses or candidates do not fit it.
        SplitLeakError
            If a stimulus was seen in training, was used to choose the weights, or a concept was seen (``zero_shot``).
        """
        fitted = self._member(target)
        windows = self._windows(responses)
        check_columns(windows.samples, ["stimulus"], "samples of the responses")
        self._refuse_seen(windows, oracle_selection)
        targets, gallery = self._candidates(candidates, fitted)
        right = gallery.column[targets.rows(windows.samples["stimulus"])]
        overlap = self._overlap(candidates, gallery, zero_shot)
        options: dict[str, Any] = {
            "words": _words(candidates, gallery),
            "category_overlap": overlap,
            "split_unit": "stimulus",
            "selection_split": selection_split or self.selected_on_,
            "oracle_selection": oracle_selection,
            "n_bootstrap": n_bootstrap,
            "random_state": self.random_state,
        }
        scores = self._scores(windows, fitted, targets, gallery, ridge=fitted.network is None)
        kinds = ["single", "instance", *(["subject"] if len(set(windows.subjects)) > 1 else [])]
        check_option("aggregation", aggregation, kinds)

        def reports(values: NDArray[Any]) -> dict[str, Any]:
            made = {
                kind: retrieval_from_scores(values, right, k, aggregation=kind, subjects=windows.subjects.astype(str), **options)
                for kind in kinds
            }
            return made

        found = reports(scores)
        linear, notes = self._baseline_scores(windows, fitted, targets, gallery)
        ks = list(found["single"].chance)
        linear_name = "ridge, lagged, per subject" if self._speech else "ridge, whole window, per subject"
        n_same = len(targets.ids) - len(gallery.ids)
        notes += [f"{n_same} candidates have the target of another one and count once with it"] if n_same else []
        return StimulusRetrieval(
            reports=found,
            aggregation=aggregation,
            decoder=linear_name if fitted.network is None else f"network {getattr(self.network, '__name__', self.network)}",
            baseline=None if linear is None else reports(linear),
            baseline_name=linear_name,
            oracle=None if oracle is None else _oracle(oracle, gallery, right, ks),
            by_subject=accuracy_by_subject(scores, right, windows.subjects.astype(str), ks),
            notes=notes,
        )

    def _baseline_scores(
        self, windows: Windows, fitted: Fitted, targets: Targets, gallery: Gallery
    ) -> tuple[NDArray[np.float32] | None, list[str]]:
        """Scores by the ridge where it applies to these channels, and why not where it does not."""
        if fitted.network is None:
            return None, []
        if fitted.baseline is None:
            return None, ["no linear baseline: baseline=False"]
        if any(names != list(self.montage_) for names in windows.names):
            return None, ["no linear baseline: it needs the channels that it was fitted on"]
        return self._scores(windows, fitted, targets, gallery, ridge=True), []

    def _refuse_seen(self, windows: Windows, oracle_selection: bool) -> None:
        """Refuse test samples whose stimuli were trained or chosen on."""
        for side in ("train",) if oracle_selection else ("train", "validation"):
            for column, remedy in APART.items():
                if column in windows.samples and column in self.seen_[side]:
                    refuse_shared(self.seen_[side][column], windows.samples[column], f"these samples ({side})", remedy)

    def _overlap(self, candidates: Responses, gallery: Gallery, zero_shot: bool) -> float | None:
        """Share of the candidates whose concept occurs in training."""
        seen = self.seen_["train"].get("concept")
        if seen is None or "concept" not in candidates.samples:
            if zero_shot:
                raise DataError(f"zero_shot={zero_shot} needs a column 'concept' in the training samples and in the candidates")
            return None
        concepts = candidates.samples["concept"].astype(str).iloc[gallery.rows]
        if zero_shot:
            refuse_shared(seen, concepts, "the candidates", "zero-shot retrieval needs concepts that were never trained on")
        return float(concepts.isin(seen).mean())


def _names(candidates: Responses, gallery: Gallery, by: str) -> NDArray[Any]:
    """What each candidate is called in a column."""
    if by == "stimulus":
        return np.asarray(gallery.ids)
    check_columns(candidates.samples, [by], "samples of the candidates")
    return candidates.samples[by].astype(str).to_numpy()[gallery.rows]


def _words(candidates: Responses, gallery: Gallery) -> NDArray[Any] | None:
    return _names(candidates, gallery, "word") if "word" in candidates.samples else None


def _oracle(oracle: ArrayLike, gallery: Gallery, right: NDArray[np.int64], ks: Sequence[int]) -> dict[int, float]:
    """Accuracy of the likelihood."""
    given = np.asarray(oracle)
    if given.shape != (len(right), len(gallery.column)):
        raise DataError(f"oracle must be (n_samples, n_candidates) = {(len(right), len(gallery.column))}, got {given.shape}")
    report = retrieval_from_scores(given[:, gallery.rows], right, ks, selection_split=NO_SELECTION, n_bootstrap=0)
    return report.top_k["brain_to_stimulus"]
