"""Losses of M/EEG decoders: speech (one direction, targets of unit length) and images (contrast and squared error, two heads)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from neurodecode.data.validate import check_option
from neurodecode.train.gather import gather_batch
from neurodecode.train.losses import clip_loss, mse_clip, same_stimulus
from neurodecode.train.objective import LogitScale

SpeechKind = Literal["clip", "mse", "l1"]
SPEECH_KINDS: tuple[SpeechKind, ...] = ("clip", "mse", "l1")


class SpeechLoss(nn.Module):
    r"""Contrast of brain and speech over features and time, or the regression that it is compared with.

    .. math:: L = -\frac1B \sum_i \log \mathrm{softmax}_j(s_{ij})_i, \qquad s_{ij} = \langle z_i, y_j \rangle / \lVert y_j \rVert

    Only targets have unit length and there is no temperature, so the network sets it by the length of what it predicts.

    Parameters
    ----------
    kind : {"clip", "mse", "l1"}
        The contrast, or the mean squared or absolute error.
    n_negatives : int, optional
        Other samples of the batch that each sample is told from: those that follow it, beginning anew at the end. By default all.
        Samples of all processes are gathered first, so that their number does not change the loss.
    mask_duplicates : bool
        Whether samples of one stimulus are no negatives of each other; the published code counts them as such.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """

    def __init__(self, kind: SpeechKind = "clip", n_negatives: int | None = None, mask_duplicates: bool = True) -> None:
        super().__init__()
        self.kind = check_option("kind", kind, SPEECH_KINDS)
        self.n_negatives, self.mask_duplicates = n_negatives, mask_duplicates

    def forward(self, model: Any, batch: dict[str, Tensor], progress: float) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        model : Module
            Called with ``signal``, ``positions`` and ``subject``; its ``embed`` makes targets comparable.
        batch : dict of Tensor
            ``signal`` (n, n_channels, n_times), ``positions`` (n, n_channels, 2), ``subject`` (n,), ``stimulus`` (n,) and
            ``targets`` (n, n_features, n_times).
        progress : float
            Part of the training that is done.

        Returns
        -------
        Tensor of shape ()
            Mean over samples.
        """
        predicted = model(signal=batch["signal"], positions=batch["positions"], subject=batch["subject"])
        targets = model.embed(batch["targets"])
        if self.kind != "clip":
            error = predicted.float() - targets.float()
            regression: Tensor = error.square().mean() if self.kind == "mse" else error.abs().mean()
            return regression
        predicted, targets = gather_batch(predicted), gather_batch(targets)
        mask = same_stimulus(gather_batch(batch["stimulus"])) if self.mask_duplicates else None
        mask = left_out(len(predicted), self.n_negatives, mask, predicted.device)
        return clip_loss(predicted, targets, temperature=1.0, normalize="y", symmetric=False, positive_mask=mask)


class ImageLoss(nn.Module):
    r"""Contrast and squared error of two heads, :math:`L = \lambda L_{CLIP} + (1 - \lambda) L_{MSE}`.

    Parameters
    ----------
    weight : float
        :math:`\lambda`; 1 for retrieval alone, 0 for regression alone.
    temperature : float, optional
        Of the cosines; by default it is learned, beginning at 0.07.
    symmetric : bool
        Whether targets look for their predictions, too.
    mask_duplicates : bool
        Whether samples of one stimulus are no negatives of each other.

    References
    ----------
    Benchetrit, Banville, King, ICLR (2024).
    """

    def __init__(
        self, weight: float = 0.75, temperature: float | None = None, symmetric: bool = True, mask_duplicates: bool = True
    ) -> None:
        super().__init__()
        self.weight, self.temperature, self.symmetric, self.mask_duplicates = weight, temperature, symmetric, mask_duplicates
        self.scale = LogitScale() if temperature is None else None

    def forward(self, model: Any, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        """Compute the loss.

        Parameters
        ----------
        model : Module
            Called with ``signal``, ``positions`` and ``subject``, gives two predictions: ``clip`` and ``mse``.
        batch : dict of Tensor
            As in `SpeechLoss`, with ``targets`` of shape (n, n_features).
        progress : float
            Part of the training that is done.

        Returns
        -------
        dict of Tensor of shape ()
            ``loss``, and its parts ``clip`` and ``mse``.
        """
        heads = model(signal=batch["signal"], positions=batch["positions"], subject=batch["subject"])
        clip, mse, targets = gather_batch(heads.clip), gather_batch(heads.mse), gather_batch(batch["targets"])
        mask = same_stimulus(gather_batch(batch["stimulus"])) if self.mask_duplicates else None
        temperature = self.temperature if self.scale is None else 1 / self.scale()
        options: dict[str, Any] = {"temperature": temperature, "symmetric": self.symmetric, "positive_mask": mask}
        return {
            "loss": mse_clip(clip, targets, weight=self.weight, reconstructed=mse, **options),
            "clip": clip_loss(clip, targets, **options).detach(),
            "mse": (mse.float() - targets.float()).square().mean().detach(),
        }


def left_out(n: int, n_negatives: int | None, same: Tensor | None, device: torch.device | str = "cpu") -> Tensor | None:
    """Tell which pairs of a batch do not count: those of one stimulus, and those beyond the wanted number of negatives.

    Parameters
    ----------
    n : int
        Samples in the batch.
    n_negatives : int or None
        Negatives of each sample; None for all others.
    same : Tensor of shape (n, n), bool, or None
        Pairs of one stimulus.
    device : torch.device or str
        Where the answer is wanted.

    Returns
    -------
    Tensor of shape (n, n), bool, or None
        True for pairs to leave out; None where all count.
    """
    if n_negatives is None or n_negatives >= n - 1:
        return same
    row = torch.arange(n, device=device)
    ahead = (row[None, :] - row[:, None]) % n
    beyond = ahead > n_negatives
    return beyond if same is None else beyond | same
