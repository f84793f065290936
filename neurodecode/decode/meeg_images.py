"""Which image was seen, and what it looked like: windows of M/EEG to embeddings, one head to find and one to generate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.validate import check_option, check_positive
from neurodecode.decode.meeg_decoder import MEEGDecoder
from neurodecode.decode.meeg_fit import Cut, Fitted, PairDataset, predict_all, spread_of
from neurodecode.decode.meeg_generation import GenerationTable, reconstruct_images
from neurodecode.decode.meeg_inputs import Scaling, Targets, Windows
from neurodecode.errors import DataError
from neurodecode.generate.protocol import Generator

NETWORKS = ("conv", "nice", "atm", "projection", "ridge")
_MOST = 2000  # training samples that tell how predictions are spread, where there are no validation samples


@dataclass(eq=False)
class MEEGImageDecoder(MEEGDecoder):
    r"""Find the image that was seen among all candidates, and make a picture of what is predicted of it.

    A network maps a window to an embedding through two heads, one for a contrast with cosines and one for the squared error,

    .. math:: L = \lambda L_{CLIP} + (1 - \lambda) L_{MSE} .

    Retrieval reads the first, generation the second. Embeddings are standardised feature by feature with mean and deviation of
    the training images (``standardise``), which takes out what all images share.

    Parameters
    ----------
    network : str or callable
        ``"conv"`` (`neurodecode.models.meeg_conv.image`), ``"nice"``, ``"atm"``, ``"projection"`` (a linear map of the whole
        window and residual blocks), ``"ridge"`` (no network: the ridge of each subject alone), or what makes a Module of your
        own: called with ``n_chans, n_times, n_outputs`` as the networks of braindecode are, its forward takes (n, n_chans,
        n_times).
    weight : float
        :math:`\lambda`: 1 for retrieval alone, 0 for the squared error alone.
    temperature : float, optional
        Of the cosines; by default it is learned, beginning at 0.07.
    symmetric : bool
        Whether images look for their predictions in the contrast, too.
    positive_mask : bool
        Whether samples of one target are no negatives of each other.
    standardise : bool
        Whether embeddings are standardised; without, contrast, squared error and ridge see them as they are.
    network_options : mapping, optional
        Sizes of the network, by default those of its paper.
    unseen_subject : str
        ``"raise"``, or ``"mean"``: the mean of the matrices of all subjects stands for one who was not fitted.
    baseline : bool
        Whether the ridge of each subject is fitted, too, to stand beside every score.
    clamp : float, optional
        Values are cut off here on both sides.
    trainer : mapping, optional
        Settings of `neurodecode.train.TrainerConfig` that differ from those of the paper (Adam 3e-4, 128 samples per batch, at
        most 100 epochs, patience 10 on the validation loss).
    random_state : int
        Seed of weights, order and noise.

    Attributes
    ----------
    members_ : dict of str to Fitted
        By name of the target: network, scaling, ridge, course of the training.
    subjects_ : list of str
        Subjects in the order of their matrices; stored with the weights.
    montage_ : dict
        Channels with their positions in the layout.
    times_ : array of shape (n_times,)
        Times of the windows in s.
    seen_ : dict
        Stimuli and concepts of training and validation, which `score` refuses.
    selected_on_ : str
        Split on which the weights were chosen.

    Raises
    ------
    DataError
        If a parameter is out of range.

    References
    ----------
    Benchetrit, Banville, King, Brain decoding: toward real-time reconstruction of visual perception, ICLR (2024). Song et al.,
    ICLR (2024), for NICE. Li et al., NeurIPS (2024), for ATM.

    Examples
    --------
    >>> decoder = MEEGImageDecoder("conv").fit(train, embeddings, validation=validation)  # doctest: +SKIP
    >>> decoder.score(test, candidates, k=5, aggregation="instance")  # doctest: +SKIP
    """

    network: Any = "conv"
    _: KW_ONLY
    weight: float = 0.75
    temperature: float | None = None
    symmetric: bool = True
    positive_mask: bool = True
    standardise: bool = True
    network_options: Mapping[str, Any] | None = None
    unseen_subject: str = "raise"
    baseline: bool = True
    clamp: float | None = 20.0
    trainer: Mapping[str, Any] | None = None
    random_state: int = 0

    _ndim: ClassVar[int] = 2
    _per_feature: ClassVar[bool] = True
    _speech: ClassVar[bool] = False
    _defaults: ClassVar[dict[str, Any]] = {"optimizer": "adam", "lr": 3e-4, "batch_size": 128, "epochs": 100, "patience": 10}

    def __post_init__(self) -> None:
        if not callable(self.network):
            check_option("network", self.network, NETWORKS)
        check_option("unseen_subject", self.unseen_subject, ("raise", "mean"))
        if not 0 <= self.weight <= 1 or self.random_state < 0:
            raise DataError(f"expected weight from 0 to 1 and random_state >= 0, got {self.weight!r} and {self.random_state!r}")
        for name in ("temperature", "clamp"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))

    def fit(
        self,
        responses: Any,
        targets: Responses | Mapping[str, Responses],
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        resume: bool = False,
    ) -> MEEGImageDecoder:
        """Learn from windows and the embeddings of the images that were seen.

        Parameters
        ----------
        responses : Responses or sequence of Responses
            Training windows, scaled and clamped, with the columns ``stimulus`` and ``subject``. Where a column ``split`` marks
            training and validation samples, these are taken.
        targets : Responses or mapping of str to Responses
            Embeddings (n_stimuli, n_features) of at least these stimuli; several by name, each with a network of its own, e.g.
            what `neurodecode.decode.generator_targets` gives for a generator. The first is the one that `score` is about.
        validation : Responses or sequence of Responses, optional
            Windows of other stimuli on which the weights are chosen.
        folder : str or Path, optional
            Folder of the training, with its curve and checkpoints; one folder by name of each of several targets.
        resume : bool
            Go on from the newest checkpoint in `folder`.

        Returns
        -------
        MEEGImageDecoder
            This object.

        Raises
        ------
        DataError
            If responses and targets do not fit each other, values are not finite or were not scaled.
        SplitLeakError
            If an image stands on both sides, or test samples are among these.
        """
        named = dict(targets) if isinstance(targets, Mapping) else {"images": targets}
        if not named or not all(str(name).isidentifier() for name in named):
            raise DataError(f"targets need names that are identifiers, got {list(named)}")
        return self._fit(responses, named, validation, folder, resume)

    def predict(self, responses: Any, *, target: str | None = None, head: str = "mse") -> NDArray[np.float32]:
        """Predict the embedding of the image that was seen.

        Parameters
        ----------
        responses : Responses or sequence of Responses
            Windows.
        target : str, optional
            Which target, where the decoder was fitted on several; by default the first.
        head : str
            ``"mse"``: on the scale of the targets. ``"clip"``: what retrieval reads, standardised, its length means nothing.

        Returns
        -------
        array of shape (n_samples, n_features)
            Predictions.

        Raises
        ------
        DataError
            If the decoder is not fitted, or responses do not fit it.
        """
        fitted = self._member(target)
        if check_option("head", head, ("mse", "clip")) == "mse" and self.weight == 1 and self.network != "ridge":
            raise DataError(
                f"weight={self.weight} trained no head for the squared error: ask for head='clip', or use less than 1"
            )
        found = self._predict(self._windows(responses), fitted, self._pick if head == "clip" else _mse)
        return found if head == "clip" else fitted.scaling.undo(found)

    def reconstruct(
        self,
        generator: Generator,
        responses: Any,
        stimuli: Stimuli,
        *,
        aggregations: Sequence[str] = ("single", "instance", "subject"),
        rescale: str | None = "auto",
        **options: Any,
    ) -> GenerationTable:
        """Make pictures of what is predicted, beside those of shuffled responses and of the ridge.

        Parameters
        ----------
        generator : Generator
            What makes pictures; this decoder was fitted on every embedding that it needs, by name (`generator_targets`), or on
            the only one.
        responses : Responses or sequence of Responses
            Windows of images that took no part in training.
        stimuli : Stimuli
            The images that were seen.
        aggregations : sequence of str
            ``"single"`` (the first trial of each image), ``"instance"`` (the mean prediction of all trials), ``"subject"``
            (within subjects first; left out for one subject).
        rescale : str or None
            ``"train"``: predictions are brought to mean and deviation of the training embeddings, with the mean and deviation
            of predictions for held-in samples (validation, else training), so that a picture does not depend on the others.
            ``"transductive"``: with those of all test predictions, as published. None: as predicted. ``"auto"``: None for a
            generator that is told how uncertain predictions are, else ``"train"``.
        **options
            As in `neurodecode.decode.meeg_generation.reconstruct_images`: ``steps, guidance, n_samples, extractors``.

        Returns
        -------
        GenerationTable
            Pictures and scores.

        Raises
        ------
        DataError
            If an embedding is missing or has another shape, or images do not fit.
        SplitLeakError
            If an image was trained on, by this decoder or by the generator.
        """
        check_option("rescale", rescale, ("auto", "train", "transductive", None))
        windows = self._windows(responses)
        self._refuse_seen(windows, oracle_selection=False)
        return reconstruct_images(
            self,
            generator,
            windows,
            stimuli,
            aggregations=aggregations,
            rescale=rescale,
            random_state=self.random_state,
            **options,
        )

    # --- what the base asks for ------------------------------------------------------------------------------------

    def _cut(self, windows: Windows, targets: Targets) -> Cut:
        return Cut(0, len(windows.times))

    def _scaling(self, targets: Targets, rows: NDArray[np.int64]) -> Scaling:
        if self.standardise:
            return super()._scaling(targets, rows)
        return Scaling(np.zeros((), np.float32), np.ones((), np.float32))

    def _build(self, fitted: Fitted) -> Any:
        from neurodecode.decode.meeg_networks import build_image

        return build_image(self.network, self.network_options, n_features=fitted.shape[0], **fitted.sizes)

    def _loss(self) -> Any:
        from neurodecode.train.meeg_losses import ImageLoss

        return ImageLoss(self.weight, self.temperature, self.symmetric, self.positive_mask)

    def _learned(self, loss: Any) -> dict[str, Any]:
        return {"temperature": float(self.temperature if loss.scale is None else 1 / loss.scale().detach())}

    def _temperature(self, fitted: Fitted) -> float:
        learned: float = fitted.extras.get("temperature", self.temperature or 1.0)
        return learned

    def _pick(self, given: Any) -> Any:
        """The head of the contrast, unless there is no contrast."""
        return given.mse if self.weight == 0 else given.clip

    def _lengths(self, windows: Windows, fitted: Fitted) -> NDArray[np.float64]:
        length = np.linalg.norm(self._predict(windows, fitted, self._pick).astype(np.float64), axis=1)
        return np.where(length > 0, length, 1.0)

    def _finish(self, fitted: Fitted, held_in: PairDataset, held_out: PairDataset | None) -> None:
        """Spread and error of predictions, on samples that were not trained on where there are such."""
        data = held_in if held_out is None else held_out
        index = np.arange(0, len(data), 1 if held_out is not None else -(-len(data) // _MOST))
        windows, rows = data.windows.take(index), data.arrays["row"][index]
        true = fitted.scaling.apply(np.asarray(data.targets.data[rows]))
        made = {}
        if fitted.network is not None and self.weight < 1:
            made["network"] = predict_all(fitted.network, windows, data.arrays["subject"][index], fitted.cut, _mse, true.shape[1])
        if fitted.baseline is not None:
            made["ridge"] = np.concatenate([values for _, values in self._ridge_predictions(windows, fitted)])
        if "network" in made or self.network == "ridge":
            fitted.spread = {name: spread_of(values, true) for name, values in made.items()}
        fitted.extras = {**fitted.extras, "held_out": held_out is not None}


def _mse(heads: Any) -> Any:
    return heads.mse
