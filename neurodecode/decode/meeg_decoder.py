"""What decoders of speech and of images have in common: fitting, looking up, scoring, a new subject, saving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.parameters import Parameters
from neurodecode.data.validate import check_columns, check_option
from neurodecode.decode.meeg_fit import Cut, Fitted, PairDataset, predict_all, subject_numbers, train_network
from neurodecode.decode.meeg_inputs import (
    LAYOUT,
    Scaling,
    Targets,
    Windows,
    as_parts,
    as_targets,
    as_windows,
    check_apart,
    fit_scaling,
    split_by_column,
)
from neurodecode.decode.meeg_lookup import APART, NO_SELECTION, Lookup
from neurodecode.decode.meeg_montage import check_channels, frozen_montage, with_frozen_layout
from neurodecode.decode.meeg_ridge import fit_subject_ridge
from neurodecode.decode.meeg_score import deduplicate
from neurodecode.errors import DataError


class MEEGDecoder(Lookup, Parameters):
    """Base of `SpeechDecoder` and `MEEGImageDecoder`: it knows windows, targets and candidates, they know networks and losses."""

    network: Any
    clamp: float | None
    unseen_subject: str
    baseline: bool
    trainer: Mapping[str, Any] | None
    random_state: int

    members_: dict[str, Fitted]
    subjects_: list[str]
    montage_: dict[str, list[list[float]]]
    times_: NDArray[np.float64]
    seen_: dict[str, dict[str, set[str]]]
    selected_on_: str

    _ndim: ClassVar[int]
    _per_feature: ClassVar[bool]
    _defaults: ClassVar[dict[str, Any]]
    _speech: ClassVar[bool]

    # --- what the two kinds know -----------------------------------------------------------------------------------

    def _reads_layout(self, parts: Sequence[Responses], fitted: bool = True) -> bool:
        """Whether positions are read: the network needs them, or is one of the user's own and there are some."""
        if not (self._speech and callable(self.network)):
            return bool(self.network == "conv")
        if fitted:
            return any(self.montage_.values())
        return all(set(LAYOUT) <= set(part.units) for part in parts)

    def _cut(self, windows: Windows, targets: Targets) -> Cut:
        raise NotImplementedError

    def _build(self, fitted: Fitted) -> Any:
        raise NotImplementedError

    def _loss(self) -> Any:
        raise NotImplementedError

    def _finish(self, fitted: Fitted, held_in: PairDataset, held_out: PairDataset | None) -> None:
        """Find out more about predictions once the network is trained."""

    # --- fit -------------------------------------------------------------------------------------------------------

    def _fit(
        self, responses: Any, targets: Mapping[str, Responses], validation: Any, folder: str | Path | None, resume: bool
    ) -> Self:
        train, held = split_by_column(responses, validation)
        windows = self._training_windows(train)
        other = None if held is None else self._training_windows(held)
        if other is not None:
            check_apart(windows.samples, other.samples, "the validation samples", APART)
            check_channels(frozen_montage(windows), other, self._reads_layout(as_parts(train), fitted=False))
        subjects = sorted(set(windows.subjects))
        members = {}
        for name, table in targets.items():
            own = None if folder is None else Path(folder) / name if len(targets) > 1 else Path(folder)
            members[name] = self._fit_one(windows, other, as_targets(table, self._ndim), subjects, own, resume)
        self.members_, self.subjects_ = members, subjects
        self.montage_, self.times_ = frozen_montage(windows), windows.times
        self.seen_ = {"train": _values(windows), "validation": {} if other is None else _values(other)}
        self.selected_on_ = NO_SELECTION if other is None or self.network == "ridge" else "validation"
        return self

    def _training_windows(self, responses: Any) -> Windows:
        windows = as_windows(responses, layout=self._reads_layout(as_parts(responses), fitted=False), clamp=self.clamp)
        check_columns(windows.samples, ["stimulus"], "samples of the responses")
        return windows

    def _fit_one(
        self,
        windows: Windows,
        other: Windows | None,
        targets: Targets,
        subjects: list[str],
        folder: Path | None,
        resume: bool,
    ) -> Fitted:
        """Scale targets, fit the ridge, train the network."""
        cut = self._cut(windows, targets)
        scaling = self._scaling(targets, targets.rows(windows.samples["stimulus"]))
        shape = targets.data.shape[1:2] if self._ndim == 2 else (targets.data.shape[1], cut.n_times)
        sizes = {"n_channels": windows.n_channels, "n_times": cut.n_times, "n_subjects": len(subjects)}
        fitted = Fitted(None, scaling, tuple(int(n) for n in shape), cut, sizes)
        if self.baseline or self.network == "ridge":
            lags = self._ridge_lags() if self._speech else None
            fitted.baseline = fit_subject_ridge(windows, targets, scaling, lags=lags, n_times=cut.n_times)
        same = deduplicate(targets).column
        sides = [self._dataset("train", windows, targets, fitted, subjects, same)]
        sides += [] if other is None else [self._dataset("validation", other, targets, fitted, subjects, same)]
        if self.network != "ridge":
            self._train(fitted, sides, folder, resume)
        self._finish(fitted, sides[0], sides[1] if other is not None else None)
        return fitted

    def _scaling(self, targets: Targets, rows: NDArray[np.int64]) -> Scaling:
        return fit_scaling(targets.data, rows, self._per_feature)

    def _ridge_lags(self) -> tuple[float, float] | None:
        return None

    def _dataset(
        self, split: str, windows: Windows, targets: Targets, fitted: Fitted, subjects: list[str], same: NDArray[np.int64]
    ) -> PairDataset:
        numbers = subject_numbers(windows, subjects)
        return PairDataset(split, windows, numbers, targets, fitted.scaling, fitted.cut, same)

    def _train(self, fitted: Fitted, sides: list[PairDataset], folder: Path | None, resume: bool) -> None:
        from neurodecode.train.random_state import seeded

        with seeded(self.random_state):
            network, loss = self._build(fitted), self._loss()
        given = dict(self.trainer or {})
        settings = {**self._defaults, "seed": self.random_state, **given}
        options: dict[str, Any] = {"folder": folder, "resume": resume, "given": frozenset(given)}
        fitted.training = train_network(network, loss, sides[0], sides[1] if sides[1:] else None, settings, **options)
        fitted.network = network
        fitted.extras = {**fitted.extras, **self._learned(loss)}

    def _learned(self, loss: Any) -> dict[str, Any]:
        """What the loss has learned that is needed later."""
        return {}

    # --- predict ---------------------------------------------------------------------------------------------------

    def _member(self, target: str | None = None) -> Fitted:
        if not hasattr(self, "members_"):
            raise DataError(
                f"this {type(self).__name__}(network={self.network!r:.60}) is not fitted yet: call fit first, or load one"
            )
        name = next(iter(self.members_)) if target is None else check_option("target", target, list(self.members_))
        return self.members_[name]

    def _windows(self, responses: Any) -> Windows:
        """Windows that fit what the decoder was fitted on."""
        self._member()
        parts = as_parts(responses)
        layout = self._reads_layout(parts)
        windows = as_windows(
            [with_frozen_layout(p, self.montage_) if layout else p for p in parts], layout=layout, clamp=self.clamp
        )
        if len(windows.times) != len(self.times_) or not np.allclose(windows.times, self.times_, rtol=0, atol=1e-6):
            span = f"{self.times_[0]:g} to {self.times_[-1]:g} s"
            raise DataError(
                f"windows have {len(windows.times)} times, the decoder was fitted on {len(self.times_)}, {span}: cut those"
            )
        check_channels(self.montage_, windows, layout)
        return windows

    def _numbers(self, windows: Windows, fitted: Fitted) -> NDArray[np.int64]:
        """Number of each sample's subject, -1 for one who is not known where that is allowed."""
        from neurodecode.decode.meeg_subjects import subject_layer

        assert fitted.network is not None
        own = self._speech and callable(self.network)  # of such a network nothing is known: its subjects count
        if not own and self.network != "atm" and subject_layer(fitted.network) is None:
            return np.zeros(len(windows), np.int64)
        return subject_numbers(windows, self.subjects_, self.unseen_subject)

    def _predict(self, windows: Windows, fitted: Fitted, pick: Any) -> NDArray[np.float32]:
        """Predictions of all samples, as the network gives them; those of the ridge where there is no network."""
        if fitted.network is None:
            return np.concatenate([values for _, values in self._ridge_predictions(windows, fitted)])
        return predict_all(fitted.network, windows, self._numbers(windows, fitted), fitted.cut, pick, int(np.prod(fitted.shape)))

    def _ridge_predictions(self, windows: Windows, fitted: Fitted) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        assert fitted.baseline is not None
        for block in windows.blocks():
            yield block, fitted.baseline.predict(windows, block, fitted.cut.n_times)

    # --- a new subject ---------------------------------------------------------------------------------------------

    def fit_subject(
        self, responses: Responses, targets: Responses, *, trainer: Mapping[str, Any] | None = None, target: str | None = None
    ) -> Self:
        """Learn the matrix of one new subject from a few samples; everything else stays as it is.

        The matrix begins as the mean of those of the other subjects. Other subjects are decoded as before, bit by bit.

        Parameters
        ----------
        responses : Responses
            Windows of one subject, who is not among those fitted.
        targets : Responses
            Targets of their stimuli.
        trainer : mapping, optional
            Settings of the training, by default 30 epochs of Adam at the decoder's own rate.
        target : str, optional
            Which target, where the decoder was fitted on several; by default all that `targets` fits.

        Returns
        -------
        Self
            This decoder, with one more subject.

        Raises
        ------
        DataError
            If there is more than one subject, the subject is known, or the network has no matrices of subjects.
        SplitLeakError
            If samples are marked as test.
        """
        from neurodecode.decode.meeg_subjects import learn_subject

        fitted = self._member(target)
        train, _ = split_by_column(responses, None)
        windows = self._windows(train)
        names = sorted(set(windows.subjects))
        if len(names) != 1 or names[0] in self.subjects_:
            raise DataError(f"expected samples of one new subject, got {names}; known are {self.subjects_[:8]}")
        if len(self.members_) > 1:
            raise DataError(f"the decoder predicts {list(self.members_)}: fit a decoder of one target to learn a new subject")
        table = as_targets(targets, self._ndim)
        numbers = np.full(len(windows), len(self.subjects_), np.int64)
        data = PairDataset("train", windows, numbers, table, fitted.scaling, fitted.cut, deduplicate(table).column)
        settings = {**self._defaults, "seed": self.random_state, **(self.trainer or {}), "epochs": 30, **(trainer or {})}
        if fitted.network is None:
            raise DataError(f"network={self.network!r} has no matrices of subjects: fit it on the new subject, too")
        fitted.network = learn_subject(fitted.network, self._loss(), data, settings)
        self.subjects_ = [*self.subjects_, names[0]]
        fitted.sizes = {**fitted.sizes, "n_subjects": len(self.subjects_)}
        for column, values in _values(windows).items():
            self.seen_["train"].setdefault(column, set()).update(values)
        return self

    # --- files -----------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write the fitted decoder: settings and maps as JSON, weights as safetensors, numbers as npz.

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
        from neurodecode.decode.meeg_storage import save_meeg_decoder

        self._member()
        return save_meeg_decoder(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, network: Any = None) -> Self:
        """Read a decoder written by `save`; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            Its folder.
        network : callable, optional
            What makes the network, where it was fitted with one of your own: code is not stored.

        Returns
        -------
        Self
            Fitted.

        Raises
        ------
        CorruptFileError
            If a file is missing, cut short or altered.
        FormatError
            If the folder holds something else, or a newer version.
        """
        from neurodecode.decode.meeg_storage import load_meeg_decoder

        loaded: Self = load_meeg_decoder(cls, Path(folder), network)
        return loaded


def _values(windows: Windows) -> dict[str, set[str]]:
    """Stimuli, blocks and concepts that occur."""
    columns = [c for c in ("stimulus", "block", "concept") if c in windows.samples]
    return {column: set(windows.samples[column].dropna().astype(str)) for column in columns}
