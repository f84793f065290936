"""Contrastive losses with what they learn, over the samples of all processes: made of the functions in `losses`."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from neurodecode.data.validate import check_option
from neurodecode.train.gather import gather_batch, gather_indices
from neurodecode.train.losses import bimixco, clip_loss, mix_samples, mse_clip, same_stimulus, siglip_loss, soft_clip
from neurodecode.train.objective import LogitScale
from neurodecode.train.schedules import mixco_then_soft_clip

Kind = Literal["clip", "siglip", "soft_clip", "mixco_then_soft_clip", "mse_clip"]
KINDS: tuple[Kind, ...] = ("clip", "siglip", "soft_clip", "mixco_then_soft_clip", "mse_clip")
_SOFT = 0.005  # temperature of soft labels where none is given


class ContrastiveLoss(nn.Module):
    """Contrastive loss of a network that maps responses to embeddings.

    Parameters
    ----------
    kind : {"clip", "siglip", "soft_clip", "mixco_then_soft_clip", "mse_clip"}
        The function, or the schedule of two of them.
    temperature : float, optional
        Fixed temperature; by default it is learned, beginning at 0.07 (siglip: scale 10, bias -10), except where labels are soft.
    mask_duplicates : bool
        Whether rows of one stimulus are no negatives of each other.
    """

    def __init__(self, kind: Kind = "clip", temperature: float | None = None, mask_duplicates: bool = True) -> None:
        super().__init__()
        import torch

        self.kind, self.temperature = check_option("kind", kind, KINDS), temperature
        self.mask_duplicates = mask_duplicates
        learns = temperature is None and kind in ("clip", "siglip", "mse_clip")
        self.scale = LogitScale(10.0 if kind == "siglip" else 1 / 0.07) if learns else None
        self.bias = nn.Parameter(torch.tensor(-10.0)) if kind == "siglip" else None

    def forward(self, model: nn.Module, batch: dict[str, Tensor], progress: float) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        model : Module
            Called with ``responses``.
        batch : dict of Tensor
            ``responses`` of shape (n, n_inputs), ``targets`` (n, n_outputs), and ``stimulus`` (n,), int.
        progress : float
            Part of the training that is done.

        Returns
        -------
        Tensor of shape ()
            Mean over samples.
        """
        targets = gather_batch(batch["targets"])
        if self.kind == "mixco_then_soft_clip" and model.training and mixco_then_soft_clip(progress).loss == "bimixco":
            return _mixed(model, batch["responses"], targets, mixco_then_soft_clip(progress).temperature)
        predicted = gather_batch(model(responses=batch["responses"]))
        if self.kind == "soft_clip":
            return soft_clip(predicted, targets, temperature=self.temperature or _SOFT)
        if self.kind == "mixco_then_soft_clip":  # one measure for every validation
            now = mixco_then_soft_clip(progress).temperature if model.training else _SOFT
            return soft_clip(predicted, targets, temperature=self.temperature or now)
        mask = same_stimulus(gather_batch(batch["stimulus"])) if self.mask_duplicates else None
        if self.kind == "siglip":
            scale = self.scale() if self.scale is not None else 1 / self.temperature  # type: ignore[operator]
            return siglip_loss(predicted, targets, scale=scale, bias=self.bias, positive_mask=mask, duplicate_cosine=None)  # type: ignore[arg-type]
        options: dict[str, Any] = {"temperature": self._temperature(), "positive_mask": mask}
        return (clip_loss if self.kind == "clip" else mse_clip)(predicted, targets, **options)

    def _temperature(self) -> Any:
        return self.temperature if self.scale is None else 1 / self.scale()


def _mixed(model: nn.Module, responses: Tensor, targets: Tensor, temperature: float) -> Tensor:
    mixed = mix_samples(responses)
    predicted = gather_batch(model(responses=mixed.inputs))
    partner, weight = gather_indices(mixed.partner), gather_batch(mixed.weight)
    return bimixco(predicted, targets, partner, weight, temperature=temperature)
