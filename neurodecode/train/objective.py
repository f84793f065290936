"""A network and its loss as one module, so that whatever wraps it sees every parameter used within one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from neurodecode.errors import DataError

Loss = Callable[[nn.Module, Any, float], Any]


class Objective(nn.Module):
    """A network with the loss that it is trained on.

    Parameters
    ----------
    model : Module
        The network.
    loss : callable
        ``loss(model, batch, progress)``; where it is a Module, its parameters are trained too.
    """

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, *, batch: Any, progress: float) -> dict[str, Tensor]:
        """Compute the loss of a batch.

        Parameters
        ----------
        batch : mapping of Tensor, or what the data set gives
            Samples.
        progress : float
            Part of the training that is done, 0 to 1.

        Returns
        -------
        dict of Tensor of shape ()
            ``loss`` and whatever else the loss tells, each a mean over samples.

        Raises
        ------
        DataError
            If the loss gives something else.
        """
        given = self.loss(self.model, batch, progress)
        values = dict(given) if isinstance(given, Mapping) else {"loss": given}
        wrong = {name: getattr(value, "shape", value) for name, value in values.items() if getattr(value, "shape", None) != ()}
        if "loss" not in values or wrong:
            raise DataError(
                f"the loss must give a number or numbers by name with 'loss' among them, got {wrong or sorted(values)}"
            )
        return {name: value.float() for name, value in values.items()}


class LogitScale(nn.Module):
    """A learnable factor of the logits, as CLIP has it: its logarithm is learned, from 1/0.07 and never above 100."""

    def __init__(self, initial: float = 1 / 0.07, most: float = 100.0) -> None:
        super().__init__()
        import math

        import torch

        self.most = most
        self.log_scale = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self) -> Tensor:
        """Give the factor, a Tensor of shape ()."""
        return self.log_scale.exp().clamp(max=self.most)
