"""Which speech was heard: windows of M/EEG to the speech they go with, by contrast or by regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import as_number, check_option, check_positive
from neurodecode.decode.meeg_decoder import MEEGDecoder
from neurodecode.decode.meeg_fit import Cut, Fitted
from neurodecode.decode.meeg_inputs import Targets, Windows
from neurodecode.errors import DataError

_NETWORKS = ("conv", "ridge")


@dataclass(eq=False)
class SpeechDecoder(MEEGDecoder):
    r"""Find the speech that a window of M/EEG goes with, among all candidates.

    A convolutional network with attention over sensor positions and a matrix per subject maps a window X to features of speech
    Z = f(X); trained by contrast, each window must be nearer to its own speech than to that of the other windows of the batch,

    .. math:: L = -\frac1B \sum_i \log \mathrm{softmax}_j(\langle Z_i, Y_j \rangle / \lVert Y_j \rVert)_i .

    The probability of a candidate is the softmax of the same scores over all candidates; that of a word is the sum over the
    candidates with this word. Targets are standardised by one mean and deviation of the training stimuli.

    Parameters
    ----------
    network : str or callable
        ``"conv"`` (`neurodecode.models.meeg_conv.speech`), ``"ridge"`` (lagged backward ridge of each subject alone, no
        network), or what makes a Module of your own: called with ``n_channels, n_times, n_features, n_subjects``, its forward
        with keywords ``signal, positions, subject`` gives (n, n_features, n_times).
    loss : str
        ``"clip"`` for the contrast; ``"mse"`` or ``"l1"`` for the regression that it is compared with.
    target : str
        ``"fixed"``: features as they are (wav2vec 2.0, mel). ``"mel_tower"``: a convolutional tower on them is trained jointly
        (Deep Mel), which alone can read responses that carry the strength of a feature and not its sign.
    lag : float
        Time in s by which responses follow speech: the window of responses begins as much later. Windows whose times begin
        after those of the targets, as `preprocess.meeg.speech_segments` cuts them, lose only what is left of it.
    n_negatives : int, optional
        Negatives of each sample; by default all others of the batch.
    positive_mask : bool
        Whether samples of one target are no negatives of each other. The published code counts them as negatives.
    network_options, tower_options : mapping, optional
        Sizes of the network and of the tower (as in `neurodecode.models.MelTower`); by default those of the paper. A few hundred
        segments are fitted better by a tower of two 1x1 convolutions, ``{"n_blocks": 0}``.
    unseen_subject : str
        ``"raise"``, or ``"mean"``: the mean of the matrices of all subjects stands for one who was not fitted.
    baseline : bool
        Whether the lagged ridge of each subject is fitted, too, to stand beside every score.
    baseline_lags : tuple of float
        First and last lag of the ridge in s.
    clamp : float, optional
        Values are cut off here on both sides. Without, single outliers have been seen to ruin the training.
    trainer : mapping, optional
        Settings of `neurodecode.train.TrainerConfig` that differ from those of the paper (Adam 3e-4, 256 samples per batch, at
        most 1200 batches per epoch and 200 epochs, patience 10 on the validation loss).
    random_state : int
        Seed of weights, order and noise.

    Attributes
    ----------
    members_ : dict of str to Fitted
        Under ``"speech"``: network, scaling, ridge, course of the training.
    subjects_ : list of str
        Subjects in the order of their matrices; stored with the weights.
    montage_ : dict
        Channels with their positions in the layout.
    times_ : array of shape (n_times,)
        Times of the windows in s.
    seen_ : dict
        Stimuli, blocks and concepts of training and validation, which `score` refuses.
    selected_on_ : str
        Split on which the weights were chosen.

    Raises
    ------
    DataError
        If a parameter is out of range.

    References
    ----------
    Défossez, Caucheteux, Rapin, Kabeli, King, Decoding speech perception from non-invasive brain recordings, Nature Machine
    Intelligence 5:1097 (2023).

    Examples
    --------
    >>> decoder = SpeechDecoder().fit(train, targets, validation=validation)  # doctest: +SKIP
    >>> decoder.score(test, candidates, k=10)  # doctest: +SKIP
    """

    network: Any = "conv"
    _: KW_ONLY
    loss: str = "clip"
    target: str = "fixed"
    lag: float = 0.15
    n_negatives: int | None = None
    positive_mask: bool = True
    network_options: Mapping[str, Any] | None = None
    tower_options: Mapping[str, Any] | None = None
    unseen_subject: str = "raise"
    baseline: bool = True
    baseline_lags: tuple[float, float] = (0.0, 0.3)
    clamp: float | None = 20.0
    trainer: Mapping[str, Any] | None = None
    random_state: int = 0

    _ndim: ClassVar[int] = 3
    _per_feature: ClassVar[bool] = False
    _speech: ClassVar[bool] = True
    _defaults: ClassVar[dict[str, Any]] = {
        "optimizer": "adam",
        "lr": 3e-4,
        "batch_size": 256,
        "epochs": 200,
        "batches_per_epoch": 1200,
        "patience": 10,
    }

    def __post_init__(self) -> None:
        if not callable(self.network):
            check_option("network", self.network, _NETWORKS)
        check_option("loss", self.loss, ("clip", "mse", "l1"))
        check_option("target", self.target, ("fixed", "mel_tower"))
        check_option("unseen_subject", self.unseen_subject, ("raise", "mean"))
        if self.target == "mel_tower" and (self.loss != "clip" or self.network == "ridge"):
            raise DataError(
                f"target='mel_tower' is learned by contrast: it needs loss='clip' and a network, got loss={self.loss!r} and "
                f"network={self.network!r:.40}; a regression would let both sides go to 0"
            )
        if as_number(self.lag) < 0 or self.random_state < 0 or (self.n_negatives is not None and self.n_negatives < 1):
            raise DataError(
                f"expected lag >= 0 s, n_negatives >= 1 and random_state >= 0, got {self.lag!r}, {self.n_negatives!r} and "
                f"{self.random_state!r}"
            )
        if self.clamp is not None:
            check_positive("clamp", self.clamp)

    def fit(
        self,
        responses: Any,
        targets: Responses,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> SpeechDecoder:
        """Learn from windows and the speech that they go with.

        Parameters
        ----------
        responses : Responses or sequence of Responses
            Training windows, scaled and clamped, with the columns ``stimulus`` and ``subject``; several sensor arrays in a
            sequence. Where a column ``split`` marks training and validation samples, these are taken.
        targets : Responses
            Features of speech (n_stimuli, n_features, n_times) of at least these stimuli, at the rate of the responses: over
            the whole window, or without its last `lag`.
        validation : Responses or sequence of Responses, optional
            Windows of other stimuli on which the weights are chosen.
        folder : str or Path, optional
            Folder of the training, with its curve and checkpoints.
        resume : bool
            Go on from the newest checkpoint in `folder`.

        Returns
        -------
        SpeechDecoder
            This object.

        Raises
        ------
        DataError
            If responses and targets do not fit each other, values are not finite or were not scaled.
        SplitLeakError
            If a stimulus or a block of speech stands on both sides, or test samples are among these.
        """
        return self._fit(responses, {"speech": targets}, validation, folder, resume)

    def predict(self, responses: Any) -> NDArray[np.float32]:
        """Predict features of speech.

        Parameters
        ----------
        responses : Responses or sequence of Responses
            Windows.

        Returns
        -------
        array of shape (n_samples, n_features, n_times)
            After a contrast only the direction of a prediction means something; after a regression these are the features.

        Raises
        ------
        DataError
            If the decoder is not fitted, or responses do not fit it.
        """
        fitted = self._member()
        found = self._predict(self._windows(responses), fitted, self._pick)
        return fitted.scaling.undo(found) if self.loss != "clip" or fitted.network is None else found

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _ridge_lags(self) -> tuple[float, float]:
        return self.baseline_lags

    def _cut(self, windows: Windows, targets: Targets) -> Cut:
        """Windows begin after the lag, unless they were cut so; targets end as much before their end."""
        n, given = len(windows.times), targets.data.shape[2]
        begun = 0.0 if targets.times is None else max(0.0, float(windows.times[0] - targets.times[0]))
        start = max(0, round((self.lag - begun) * windows.sfreq))
        if given not in (n, n - start) or start >= n:
            raise DataError(
                f"targets have {given} times; windows of {n} at {windows.sfreq:g} Hz and a lag of {self.lag:g} s need {n} or "
                f"{n - start}"
            )
        return Cut(start, n - start)

    def _build(self, fitted: Fitted) -> Any:
        from neurodecode.decode.meeg_networks import SpeechPair, build_speech, build_tower

        if self.target == "fixed":
            return SpeechPair(build_speech(self.network, self.network_options, n_features=fitted.shape[0], **fitted.sizes))
        tower, width = build_tower(self.tower_options, fitted.shape[0])
        return SpeechPair(build_speech(self.network, self.network_options, n_features=width, **fitted.sizes), tower)

    def _loss(self) -> Any:
        from neurodecode.train.meeg_losses import SpeechLoss

        return SpeechLoss(self.loss, self.n_negatives, self.positive_mask)  # type: ignore[arg-type]

    def _embed(self, network: Any, targets: Any) -> Any:
        import torch

        with torch.no_grad():
            return network.embed(targets.to(next(network.parameters()).device))
