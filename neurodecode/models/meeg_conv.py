"""Networks of speech and of images from M/EEG: one encoder for any sensors and any number of subjects, and its heads.

`speech` and `image` make the networks of the papers; both take sizes, for smaller ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodecode.data.validate import check_option, check_positive
from neurodecode.models.sensor_layers import (
    Aggregation,
    DilatedGLUStack,
    SpatialAttention,
    SubjectLayer,
    TemporalAggregation,
)
from neurodecode.models.storage import Stored
from neurodecode.models.tensors import check_windows, rows


class Heads(NamedTuple):
    """Two predictions of one embedding."""

    clip: Tensor
    """For retrieval, (n_samples, n_features): trained by contrast, so its length means nothing."""
    mse: Tensor
    """For generation, (n_samples, n_features): trained by the squared error, on the scale of the targets."""


def speech(n_subjects: int = 27, n_features: int = 1024, **sizes: Any) -> SpeechNetwork:
    """Make the network of speech: 7,596,754 + 72,900 x subjects parameters.

    Parameters
    ----------
    n_subjects : int
        Subjects that it learns a matrix for.
    n_features : int
        Features of speech that it predicts: 1024 of wav2vec 2.0, 120 of a mel spectrogram, 768 of `MelTower`.
    **sizes
        As in `SpeechNetwork`; by default those of the paper.

    Returns
    -------
    SpeechNetwork
        With random weights.
    """
    return SpeechNetwork(n_subjects, n_features, **sizes)


def image(n_subjects: int = 4, n_features: int = 768, **sizes: Any) -> ImageNetwork:
    """Make the network of images: 6,424,472 parameters; 7,998,104 with two heads.

    Parameters
    ----------
    n_subjects : int
        Subjects that it learns a matrix for.
    n_features : int
        Dimensions of the embedding that it predicts.
    **sizes
        As in `ImageNetwork`; by default those of the paper.

    Returns
    -------
    ImageNetwork
        With random weights.
    """
    return ImageNetwork(n_subjects, n_features, **sizes)


class SpeechNetwork(Stored, nn.Module):
    """Predict features of speech over time from M/EEG.

    Attention over sensors, a 1x1 convolution and a matrix per subject (all linear, hence one product per subject and montage),
    dilated convolutions with gates, and a head of two 1x1 convolutions with a GELU between.

    Parameters
    ----------
    n_subjects : int
        Subjects that it learns a matrix for.
    n_features : int
        Features of speech.
    attention_channels : int
        Channels that sensors are mixed into.
    channels : int
        Channels of the convolutions; the head is twice as wide.
    n_blocks : int
        Blocks of three convolutions.
    fourier : int
        Frequencies per axis of the layout; sensors are embedded in 2 x this ^ 2 dimensions.
    margin : float
        Of the embedding, see `FourierPositions`.
    dropout_radius : float
        Of the spatial dropout, in units of the layout.
    subject_layer : bool
        Whether subjects have matrices of their own.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """

    def __init__(
        self,
        n_subjects: int = 27,
        n_features: int = 1024,
        *,
        attention_channels: int = 270,
        channels: int = 320,
        n_blocks: int = 5,
        fourier: int = 32,
        margin: float = 0.2,
        dropout_radius: float = 0.2,
        subject_layer: bool = True,
    ) -> None:
        super().__init__()
        check_positive("n_features", n_features)
        self.config = {
            "n_subjects": n_subjects,
            "n_features": n_features,
            "attention_channels": attention_channels,
            "channels": channels,
            "n_blocks": n_blocks,
            "fourier": fourier,
            "margin": margin,
            "dropout_radius": dropout_radius,
            "subject_layer": subject_layer,
        }
        attention = SpatialAttention(attention_channels, n_frequencies=fourier, margin=margin, dropout_radius=dropout_radius)
        self.sensors = SensorMixing(attention, n_subjects if subject_layer else None)
        self.stack = DilatedGLUStack(attention_channels, channels, n_blocks)
        self.head = nn.Sequential(nn.Conv1d(channels, 2 * channels, 1), nn.GELU(), nn.Conv1d(2 * channels, n_features, 1))

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Predict features.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows, scaled and clamped.
        positions : Tensor of shape (n_samples, n_channels, 2)
            Layout of the sensors in [0, 1], NaN where it is not known.
        subject : Tensor of shape (n_samples,), int64
            Number of the subject; -1 for an unseen one, who is given the mean of all matrices.

        Returns
        -------
        Tensor of shape (n_samples, n_features, n_times)
            Features at the rate of the signal.
        """
        mixed = self.sensors(signal=signal, positions=positions, subject=subject)
        features: Tensor = self.head(self.stack(signal=mixed))
        return features


class ImageNetwork(Stored, nn.Module):
    """Predict the embedding of an image from M/EEG.

    The encoder of `SpeechNetwork` with fewer blocks, two 1x1 convolutions with a GELU between, aggregation over time, and one
    linear head or two.

    Parameters
    ----------
    n_subjects : int
        Subjects that it learns a matrix for.
    n_features : int
        Dimensions of the embedding.
    n_times : int
        Length of the windows, on which ``aggregation="affine"`` depends.
    n_heads : {1, 2}
        One, or one for the contrast and one for the squared error.
    aggregation : {"affine", "mean", "attention"}
        As in `TemporalAggregation`.
    width : int
        Channels before the heads.
    attention_channels : int
        Channels that sensors are mixed into.
    channels : int
        Channels of the convolutions.
    n_blocks : int
        Blocks of three convolutions.
    fourier : int
        Frequencies per axis of the layout; sensors are embedded in 2 x this ^ 2 dimensions.
    margin : float
        Of the embedding, see `FourierPositions`.
    dropout_radius : float
        Of the spatial dropout, in units of the layout.
    subject_layer : bool
        Whether subjects have matrices of their own.

    References
    ----------
    Benchetrit et al., ICLR (2024).
    """

    def __init__(
        self,
        n_subjects: int = 4,
        n_features: int = 768,
        *,
        n_times: int = 181,
        n_heads: int = 1,
        aggregation: Aggregation = "affine",
        width: int = 2048,
        attention_channels: int = 270,
        channels: int = 320,
        n_blocks: int = 2,
        fourier: int = 32,
        margin: float = 0.2,
        dropout_radius: float = 0.2,
        subject_layer: bool = True,
    ) -> None:
        super().__init__()
        check_positive("n_features", n_features)
        self.config = {
            "n_subjects": n_subjects,
            "n_features": n_features,
            "n_times": n_times,
            "n_heads": check_option("n_heads", n_heads, (1, 2)),
            "aggregation": aggregation,
            "width": width,
            "attention_channels": attention_channels,
            "channels": channels,
            "n_blocks": n_blocks,
            "fourier": fourier,
            "margin": margin,
            "dropout_radius": dropout_radius,
            "subject_layer": subject_layer,
        }
        attention = SpatialAttention(attention_channels, n_frequencies=fourier, margin=margin, dropout_radius=dropout_radius)
        self.sensors = SensorMixing(attention, n_subjects if subject_layer else None)
        self.stack = DilatedGLUStack(attention_channels, channels, n_blocks)
        self.hidden = nn.Sequential(nn.Conv1d(channels, 2 * channels, 1), nn.GELU())
        self.widen = nn.Linear(2 * channels, width)
        self.pool = TemporalAggregation(aggregation, n_times=n_times, n_channels=width)
        self.heads = nn.ModuleList([nn.Linear(width, n_features) for _ in range(n_heads)])

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor | Heads:
        """Predict embeddings.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows, scaled and clamped.
        positions : Tensor of shape (n_samples, n_channels, 2)
            Layout of the sensors in [0, 1], NaN where it is not known.
        subject : Tensor of shape (n_samples,), int64
            Number of the subject; -1 for an unseen one, who is given the mean of all matrices.

        Returns
        -------
        Tensor of shape (n_samples, n_features), or Heads of two such tensors
            The second where the network has two heads.
        """
        encoded = self.encode(signal=signal, positions=positions, subject=subject)
        predicted = [head(encoded) for head in self.heads]
        return predicted[0] if len(predicted) == 1 else Heads(*predicted)

    def encode(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Give what the heads take.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            As in `forward`.
        positions : Tensor of shape (n_samples, n_channels, 2)
            As in `forward`.
        subject : Tensor of shape (n_samples,), int64
            As in `forward`.

        Returns
        -------
        Tensor of shape (n_samples, width)
            Aggregated over time.
        """
        hidden = self.hidden(self.stack(signal=self.sensors(signal=signal, positions=positions, subject=subject)))
        if self.pool.kind == "attention":
            pooled: Tensor = self.pool(signal=self.widen(hidden.mT).mT)
            return pooled
        weights, offset = self.pool.line(hidden)  # both maps are linear: the sum over time goes first, and the wide map acts once
        return functional.linear(hidden @ weights, self.widen.weight) + self.widen.bias * weights.sum() + offset


class SensorMixing(nn.Module):
    """Attention over sensors, a 1x1 convolution and a matrix per subject, as one matrix per subject and montage.

    Parameters
    ----------
    attention : SpatialAttention
        Gives the channels.
    n_subjects : int, optional
        Subjects with matrices of their own; by default they have none.
    """

    def __init__(self, attention: SpatialAttention, n_subjects: int | None = None) -> None:
        super().__init__()
        n_channels = len(attention.heads)
        self.attention = attention
        self.mix = nn.Linear(n_channels, n_channels)
        self.subjects = None if n_subjects is None else SubjectLayer(n_subjects, n_channels)

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        r"""Mix sensors: :math:`M_s (W A x + b)`, where :math:`M_s W A` is multiplied first.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.
        positions : Tensor of shape (n_samples, n_channels, 2)
            Layout of the sensors.
        subject : Tensor of shape (n_samples,), int64
            Number of the subject.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs, n_times)
            As many channels as the attention gives.
        """
        check_windows(signal, positions, subject)
        weights, montage = self.attention.weights(positions=positions)
        pairs, pair = torch.unique(torch.stack([montage, subject]), dim=1, return_inverse=True)
        with torch.autocast(signal.device.type, enabled=False):
            matrices, offsets = self._products(rows(self.mix.weight @ weights, pairs[0]), pairs[1])
        return torch.baddbmm(rows(offsets, pair)[..., None].to(signal.dtype), rows(matrices, pair), signal)

    def _products(self, mixed: Tensor, subject: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix and offset of each subject and montage."""
        if self.subjects is None:
            return mixed, self.mix.bias.expand(len(mixed), -1)
        own = self.subjects.matrices(subject=subject)
        return own @ mixed, own @ self.mix.bias
