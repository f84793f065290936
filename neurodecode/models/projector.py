"""From responses to embeddings: a linear map, or a residual perceptron on a hidden layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurodecode.data.validate import check_positive
from neurodecode.models.storage import Stored


class BrainProjector(Stored, nn.Module):
    """Map responses of one subject to an embedding.

    Without a hidden layer this is the linear map that MindEye2 (Scotti et al., ICML 2024) calls the ridge layer of a subject;
    with one, residual blocks follow it. Responses are standardised by means and scales that belong to the weights.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Units (times response samples), and dimensions of the embedding.
    hidden : int, optional
        Width of the hidden layer; None for a linear map.
    n_blocks : int
        Residual blocks (LayerNorm, Linear, GELU, Dropout) on the hidden layer.
    dropout : float
        Part of the hidden values that is dropped in training, 0 to below 1.
    """

    input_mean: Tensor
    input_scale: Tensor

    def __init__(
        self, n_inputs: int, n_outputs: int, hidden: int | None = None, n_blocks: int = 1, dropout: float = 0.15
    ) -> None:
        super().__init__()
        check_positive("n_inputs", n_inputs)
        check_positive("n_outputs", n_outputs)
        self.config = {
            "n_inputs": n_inputs,
            "n_outputs": n_outputs,
            "hidden": hidden,
            "n_blocks": n_blocks,
            "dropout": dropout,
        }
        self.register_buffer("input_mean", torch.zeros(n_inputs))
        self.register_buffer("input_scale", torch.ones(n_inputs))
        self.subject = nn.Linear(n_inputs, n_outputs if hidden is None else hidden)
        self.blocks = nn.ModuleList([_block(hidden, dropout) for _ in range(n_blocks)] if hidden is not None else [])
        self.head = nn.Identity() if hidden is None else nn.Linear(hidden, n_outputs)

    def forward(self, *, responses: Tensor) -> Tensor:
        """Map responses.

        Parameters
        ----------
        responses : Tensor of shape (n_samples, n_inputs)
            Responses in the units that the means and scales are in.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs)
            Embeddings.
        """
        values = self.subject((responses - self.input_mean) / self.input_scale)
        for block in self.blocks:
            values = values + block(values)
        embeddings: Tensor = self.head(values)
        return embeddings

    def standardise(self, mean: Tensor, scale: Tensor) -> None:
        """Set what responses are centred by and divided by.

        Parameters
        ----------
        mean, scale : Tensor of shape (n_inputs,)
            Of the training samples; a scale of 0 (a constant unit) becomes 1.
        """
        self.input_mean.copy_(mean)
        self.input_scale.copy_(torch.where(scale > 0, scale, torch.ones_like(scale)))


def _block(hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout))
