"""ATM: attention between channels as tokens, then the convolutions of NICE."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodecode.data.validate import check_positive
from neurodecode.models.nice import N_FILTERS, Projector, TemporalSpatial, initialise
from neurodecode.models.storage import Stored
from neurodecode.models.tensors import check_shape, of_subject


class ATM(Stored, nn.Module):
    """Predict the embedding of an image from EEG of a fixed montage, in the style of ATM-S.

    Each channel is one token, its window mapped to `width` dimensions, plus a learned vector of the channel; one more token
    stands for the subject. A transformer mixes tokens. The convolutions of `NICE` run over those of the channels, along `width`
    as if it were time, and a projector follows. Heads have ``width // n_heads`` dimensions (62 for 4 heads of 250). Where the
    paper leaves the place of a channel to fixed waves, ours learns it.

    Parameters
    ----------
    n_features : int
        Dimensions of the embedding.
    n_channels : int
        Channels of the montage, in a fixed order.
    n_times : int
        Samples of the windows; 250 in the paper, 1 s at 250 Hz.
    n_subjects : int
        Subjects that it learns a token for.
    width : int
        Of tokens, at least 75.
    n_heads, n_layers : int
        Of the transformer.
    feedforward : int
        Width of its hidden layers.
    dropout : float
        Part that the transformer drops in training; convolutions and projector drop half.
    n_filters : int
        Filters of each convolution.

    References
    ----------
    Li et al., NeurIPS (2024).
    """

    def __init__(
        self,
        n_features: int = 1024,
        n_channels: int = 63,
        n_times: int = 250,
        n_subjects: int = 10,
        *,
        width: int = 250,
        n_heads: int = 4,
        n_layers: int = 1,
        feedforward: int = 256,
        dropout: float = 0.25,
        n_filters: int = N_FILTERS,
    ) -> None:
        super().__init__()
        check_positive("n_features", n_features)
        check_positive("n_subjects", n_subjects)
        self.config = {
            "n_features": n_features,
            "n_channels": n_channels,
            "n_times": n_times,
            "n_subjects": n_subjects,
            "width": width,
            "n_heads": n_heads,
            "n_layers": n_layers,
            "feedforward": feedforward,
            "dropout": dropout,
            "n_filters": n_filters,
        }
        self.embed = nn.Linear(n_times, width)
        self.channels = nn.Parameter(0.02 * torch.randn(n_channels, width))
        self.subjects = nn.Parameter(torch.randn(n_subjects, width))
        self.encoder = nn.Sequential(
            *[_Layer(width, n_heads, feedforward, dropout) for _ in range(n_layers)], nn.LayerNorm(width)
        )
        self.filters = TemporalSpatial(n_channels, width, n_filters)
        self.projector = Projector(self.filters.n_outputs, n_features)
        initialise(self.filters)
        initialise(self.projector)

    def forward(self, *, signal: Tensor, positions: Tensor | None = None, subject: Tensor | None = None) -> Tensor:
        """Predict embeddings.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.
        positions : Tensor of shape (n_samples, n_channels, 2), optional
            Not used.
        subject : Tensor of shape (n_samples,), int64, optional
            Number of the subject; -1, or none at all, for the mean of all tokens.

        Returns
        -------
        Tensor of shape (n_samples, n_features)
            Embeddings, normalised as LayerNorm does.

        Raises
        ------
        DataError
            If windows have another shape, or a subject is unknown.
        """
        check_shape(signal, len(self.channels), self.embed.in_features)
        whose = torch.full((len(signal),), -1, device=signal.device) if subject is None else subject
        tokens = torch.cat([self.embed(signal) + self.channels, of_subject(self.subjects, whose)[:, None]], dim=1)
        embedded: Tensor = self.projector(self.filters(signal=self.encoder(tokens)[:, :-1]))
        return embedded


class _Layer(nn.Module):
    """Attention between tokens and a perceptron on each, both residual with LayerNorm behind."""

    def __init__(self, width: int, n_heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, n_inner = n_heads, n_heads * (width // n_heads)
        self.queries_keys_values, self.out = nn.Linear(width, 3 * n_inner), nn.Linear(n_inner, width)
        hidden = (nn.Linear(width, feedforward), nn.GELU(), nn.Dropout(dropout), nn.Linear(feedforward, width))
        self.perceptron, self.dropout = nn.Sequential(*hidden), nn.Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, tokens: Tensor) -> Tensor:
        queries, keys, values = self.queries_keys_values(tokens).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        dropped = self.dropout.p if self.training else 0.0
        attended = functional.scaled_dot_product_attention(queries, keys, values, dropout_p=dropped).transpose(1, 2).flatten(2)
        tokens = self.norms[0](tokens + self.dropout(self.out(attended)))
        mixed: Tensor = self.norms[1](tokens + self.dropout(self.perceptron(tokens)))
        return mixed
