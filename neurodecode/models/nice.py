"""NICE: convolution over time, then over channels, and a residual projector."""

from __future__ import annotations

from torch import Tensor, nn

from neurodecode.data.validate import check_positive
from neurodecode.errors import DataError
from neurodecode.models.storage import Stored
from neurodecode.models.tensors import check_shape

N_FILTERS, KERNEL, POOL, STRIDE = 40, 25, 51, 5


class TemporalSpatial(nn.Module):
    """Filter over time, smooth and thin out, filter over all channels: (n_samples, n_channels, n_times) to one vector.

    Parameters
    ----------
    n_channels : int
        Channels of the windows.
    n_times : int
        Samples of the windows, at least 75.
    n_filters : int
        Filters of each convolution.
    dropout : float
        Part that is dropped in training, 0 to below 1.

    References
    ----------
    Song et al., ICLR (2024); the two convolutions: Schirrmeister et al., Human Brain Mapping 38:5391 (2017).
    """

    def __init__(self, n_channels: int, n_times: int, n_filters: int = N_FILTERS, dropout: float = 0.5) -> None:
        super().__init__()
        check_positive("n_channels", n_channels)
        check_positive("n_filters", n_filters)
        if n_times < KERNEL + POOL - 1:
            raise DataError(f"n_times={n_times} is too short: {KERNEL + POOL - 1} samples are needed; give longer windows")
        self.shape = (n_channels, n_times)
        self.n_outputs = n_filters * ((n_times - KERNEL + 1 - POOL) // STRIDE + 1)
        self.layers = nn.Sequential(
            nn.Conv2d(1, n_filters, (1, KERNEL)),
            nn.AvgPool2d((1, POOL), (1, STRIDE)),
            nn.BatchNorm2d(n_filters),
            nn.ELU(),
            nn.Conv2d(n_filters, n_filters, (n_channels, 1)),
            nn.BatchNorm2d(n_filters),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Conv2d(n_filters, n_filters, 1),
        )

    def forward(self, *, signal: Tensor) -> Tensor:
        """Filter windows.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs)
            Filters, the slower axis, and times.

        Raises
        ------
        DataError
            If windows have another shape than the network was made for.
        """
        check_shape(signal, *self.shape)
        filtered: Tensor = self.layers(signal[:, None]).flatten(1)
        return filtered


class Projector(nn.Sequential):
    """A linear map, a residual one behind a GELU, and LayerNorm: from filters to an embedding.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Of the map.
    dropout : float
        Part that is dropped in training, 0 to below 1.
    """

    def __init__(self, n_inputs: int, n_outputs: int, dropout: float = 0.5) -> None:
        residual = _Residual(nn.GELU(), nn.Linear(n_outputs, n_outputs), nn.Dropout(dropout))
        super().__init__(nn.Linear(n_inputs, n_outputs), residual, nn.LayerNorm(n_outputs))


class _Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, values: Tensor) -> Tensor:
        changed: Tensor = self.layers(values)
        return values + changed


def initialise(network: nn.Module) -> None:
    """Draw weights as NICE does: normal with a standard deviation of 0.02, about 1 for the scales of BatchNorm.

    Parameters
    ----------
    network : Module
        Changed in place.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


class NICE(Stored, nn.Module):
    """Predict the embedding of an image from EEG of a fixed montage.

    Convolution over time (40 filters of 25 samples), mean over 51 samples every 5, BatchNorm, ELU, convolution over all channels,
    BatchNorm, ELU, dropout, a 1x1 convolution; then a projector. Positions and subjects are taken and not used.

    Parameters
    ----------
    n_features : int
        Dimensions of the embedding.
    n_channels : int
        Channels of the montage, in a fixed order.
    n_times : int
        Samples of the windows; 250 in the paper, 1 s at 250 Hz.
    n_filters : int
        Filters of each convolution.
    dropout : float
        Part that is dropped in training, 0 to below 1.

    References
    ----------
    Song et al., ICLR (2024).
    """

    def __init__(
        self, n_features: int = 768, n_channels: int = 63, n_times: int = 250, *, n_filters: int = N_FILTERS, dropout: float = 0.5
    ) -> None:
        super().__init__()
        check_positive("n_features", n_features)
        self.config = {
            "n_features": n_features,
            "n_channels": n_channels,
            "n_times": n_times,
            "n_filters": n_filters,
            "dropout": dropout,
        }
        self.filters = TemporalSpatial(n_channels, n_times, n_filters, dropout)
        self.projector = Projector(self.filters.n_outputs, n_features, dropout)
        initialise(self)

    def forward(self, *, signal: Tensor, positions: Tensor | None = None, subject: Tensor | None = None) -> Tensor:
        """Predict embeddings.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.
        positions : Tensor of shape (n_samples, n_channels, 2), optional
            Not used.
        subject : Tensor of shape (n_samples,), optional
            Not used.

        Returns
        -------
        Tensor of shape (n_samples, n_features)
            Embeddings, normalised as LayerNorm does.
        """
        embedded: Tensor = self.projector(self.filters(signal=signal))
        return embedded
