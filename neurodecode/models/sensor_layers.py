"""Layers of networks on M/EEG: any sensors in, the same channels out; one matrix per subject; dilated convolutions over time.

Sensors, subjects and the convolution between them are linear, so each gives its matrices, and a network may multiply those before
it touches the signal.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.models.tensors import of_subject, rows

Aggregation = Literal["mean", "affine", "attention"]
_NOWHERE = -1e6  # stands for an unknown position where positions are compared: NaN does not equal itself


class FourierPositions(nn.Module):
    r"""Embed points of the plane by waves of all directions.

    .. math:: \cos \phi_{kl},\ \sin \phi_{kl}, \qquad \phi_{kl} = 2\pi\,\frac{k (x + m) + l (y + m)}{1 + 2m}

    Parameters
    ----------
    n_frequencies : int
        k and l run from 0 to this - 1.
    margin : float
        m: the embedding repeats only outside the unit square widened by it.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """

    def __init__(self, n_frequencies: int = 32, margin: float = 0.2) -> None:
        super().__init__()
        check_positive("n_frequencies", n_frequencies)
        self.n_frequencies, self.margin, self.n_outputs = n_frequencies, margin, 2 * n_frequencies**2

    def forward(self, *, positions: Tensor) -> Tensor:
        """Embed positions.

        Parameters
        ----------
        positions : Tensor of shape (..., 2)
            Layout, about 0 to 1.

        Returns
        -------
        Tensor of shape (..., 2 * n_frequencies ** 2)
            Cosines, then sines; l runs fastest.
        """
        steps = torch.arange(self.n_frequencies, device=positions.device, dtype=positions.dtype)
        phase = (2 * pi / (1 + 2 * self.margin)) * (positions + self.margin)[..., None] * steps
        along_x, along_y = torch.polar(torch.ones_like(phase), phase).unbind(-2)  # e^(i(a + b)) = e^(ia) e^(ib)
        waves = (along_x[..., :, None] * along_y[..., None, :]).flatten(-2)
        return torch.cat([waves.real, waves.imag], dim=-1)


class SpatialAttention(nn.Module):
    r"""Mix any sensors into a fixed number of channels, by where the sensors are.

    .. math:: x'_o = \sum_c a_{oc} x_c, \qquad a_{oc} = \mathrm{softmax}_c \langle z_o, e(p_c) \rangle

    Sensors of unknown position (NaN) have weight 0, and so may be what fills up a smaller array; their signal must be finite. In
    training, all sensors within a radius of a random point of the unit square have weight 0: one point per call for the whole
    batch, and none for a montage that would lose all its sensors.

    Weights depend on positions alone. They are computed once per distinct montage of a batch, the inner products once per
    distinct position, and without gradients in evaluation they are kept until positions or parameters differ.

    Parameters
    ----------
    n_outputs : int
        Channels that come out.
    n_frequencies : int
        As in `FourierPositions`.
    margin : float
        As in `FourierPositions`.
    dropout_radius : float
        In units of the layout; 0 drops none.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """

    def __init__(
        self, n_outputs: int = 270, *, n_frequencies: int = 32, margin: float = 0.2, dropout_radius: float = 0.2
    ) -> None:
        super().__init__()
        check_positive("n_outputs", n_outputs)
        self.embed = FourierPositions(n_frequencies, margin)
        self.heads = nn.Parameter(torch.randn(n_outputs, self.embed.n_outputs) / sqrt(self.embed.n_outputs))
        self.dropout_radius = dropout_radius
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, *, signal: Tensor, positions: Tensor) -> Tensor:
        """Mix sensors.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.
        positions : Tensor of shape (n_samples, n_channels, 2)
            Layout in [0, 1], NaN where it is not known.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs, n_times)
            Mixtures.
        """
        weights, montage = self.weights(positions=positions)
        return torch.bmm(rows(weights, montage), signal)

    def weights(self, *, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Give the weights of each distinct montage.

        Parameters
        ----------
        positions : Tensor of shape (n_samples, n_channels, 2)
            Layout in [0, 1], NaN where it is not known.

        Returns
        -------
        weights : Tensor of shape (n_montages, n_outputs, n_channels)
            Each row sums to 1.
        montage : Tensor of shape (n_samples,), int64
            Montage of each sample.

        Raises
        ------
        DataError
            If a sample has no sensor of known position.
        """
        known = positions.isfinite().all(-1, keepdim=True)
        flat = torch.where(known, positions.to(_exact(positions)), _NOWHERE).flatten(1)
        montages, montage = torch.unique(flat, dim=0, return_inverse=True)
        return self._weights_once(montages.unflatten(1, (-1, 2))), montage

    def _weights_once(self, montages: Tensor) -> Tensor:
        """Compute, or take what was kept for the same positions and parameters."""
        if self.training or torch.is_grad_enabled():
            return self._softmax(montages)
        if self._kept is None or not (_same(self._kept[0], montages) and _same(self._kept[1], self.heads)):
            self._kept = (montages, self.heads.detach().clone(), self._softmax(montages))
        return self._kept[2]

    def _softmax(self, montages: Tensor) -> Tensor:
        places, place = _distinct(montages.flatten(0, 1))
        with torch.autocast(places.device.type, enabled=False):
            kind = _exact(self.heads)
            scores = self.embed(positions=places.to(kind)) @ self.heads.T.to(kind)
            scores = rows(scores, place.view(montages.shape[:2]))
            weights = scores.masked_fill(self._banned(montages)[..., None], float("-inf")).softmax(1)
            return weights.mT.to(self.heads.dtype)

    def _banned(self, montages: Tensor) -> Tensor:
        """Sensors of weight 0, (n_montages, n_channels)."""
        unknown = (montages == _NOWHERE).any(-1)
        if unknown.all(1).any():
            raise DataError(
                f"positions: {int(unknown.all(1).sum())} of {len(montages)} montages have no sensor of known position, of "
                f"{unknown.shape[1]} sensors; give the layout of at least one sensor"
            )
        if not (self.training and self.dropout_radius > 0):
            return unknown
        centre = torch.rand(2, device=montages.device, dtype=montages.dtype)
        banned = unknown | ((montages - centre).norm(dim=-1) <= self.dropout_radius)
        return torch.where(banned.all(1, keepdim=True), unknown, banned)


class SubjectLayer(nn.Module):
    r"""Give each subject a matrix on channels, :math:`x' = M_s x`, without bias.

    Subject -1 is a stranger: the mean of all matrices.

    Parameters
    ----------
    n_subjects : int
        Subjects that the layer knows.
    n_channels : int
        Channels that go in and come out.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """

    def __init__(self, n_subjects: int, n_channels: int = 270) -> None:
        super().__init__()
        check_positive("n_subjects", n_subjects)
        check_positive("n_channels", n_channels)
        self.weight = nn.Parameter(torch.randn(n_subjects, n_channels, n_channels) / sqrt(n_channels))

    def forward(self, *, signal: Tensor, subject: Tensor) -> Tensor:
        """Apply the matrix of each sample's subject.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.
        subject : Tensor of shape (n_samples,), int64
            Number of the subject, -1 for the mean of all.

        Returns
        -------
        Tensor of shape (n_samples, n_channels, n_times)
            Of the same scale, on average.
        """
        return torch.bmm(self.matrices(subject=subject), signal)

    def matrices(self, *, subject: Tensor) -> Tensor:
        """Look matrices up.

        Parameters
        ----------
        subject : Tensor of shape (n,), int64
            Number of the subject, -1 for the mean of all.

        Returns
        -------
        Tensor of shape (n, n_channels, n_channels)
            From columns to rows.

        Raises
        ------
        DataError
            If the layer does not know a subject.
        """
        return of_subject(self.weight, subject)


class DilatedGLUStack(nn.Module):
    """Blocks of two dilated convolutions over time and a gated one, as long as before.

    Block k: a convolution of width 3 and dilation ``2 ** (2k % period)``, BatchNorm, GELU, then the same with
    ``2 ** ((2k + 1) % period)``, each added to what went into it where it has as many channels; then a convolution of width 3 to
    twice the channels, of which one half gates the other (GLU).

    Parameters
    ----------
    n_inputs : int
        Channels that go in.
    channels : int
        Channels that come out.
    n_blocks : int
        Blocks. Five with a period of 5 see 135 samples.
    period : int
        Dilations begin again at 1 after so many convolutions.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023); gates: Dauphin et al., ICML (2017).
    """

    def __init__(self, n_inputs: int, channels: int = 320, n_blocks: int = 5, *, period: int = 5) -> None:
        super().__init__()
        for name, value in {"n_inputs": n_inputs, "channels": channels, "n_blocks": n_blocks, "period": period}.items():
            check_positive(name, value)
        self.dilations = [2 ** (j % period) for j in range(2 * n_blocks)]
        layers: list[nn.Module] = []
        for j, dilation in enumerate(self.dilations):
            layers.append(_Dilated(n_inputs if j == 0 else channels, channels, dilation))
            if j % 2:
                layers += [nn.Conv1d(channels, 2 * channels, 3, padding=1), nn.GLU(1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, *, signal: Tensor) -> Tensor:
        """Convolve over time.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_inputs, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_samples, channels, n_times)
            Zeros are assumed before and after the windows.
        """
        convolved: Tensor = self.layers(signal)
        return convolved


class _Dilated(nn.Module):
    def __init__(self, n_inputs: int, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_inputs, channels, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, signal: Tensor) -> Tensor:
        changed = functional.gelu(self.norm(self.conv(signal)))
        return changed.add_(signal) if signal.shape[1] == changed.shape[1] else changed  # GELU keeps its input alone


class TemporalAggregation(nn.Module):
    r"""Bring a window to one vector.

    ``"mean"``: the mean over time. ``"affine"``: :math:`\sum_t a_t h_t + b`, learned, the same for all channels. ``"attention"``:
    :math:`\sum_t w_t h_t` with :math:`w = \mathrm{softmax}_t\, v^T \tanh(W h_t + c)`.

    Parameters
    ----------
    kind : {"affine", "mean", "attention"}
        Which of them.
    n_times : int
        Length of the windows, which ``"affine"`` depends on.
    n_channels : int
        Channels of the windows, which ``"attention"`` depends on.
    n_hidden : int
        Width of W.

    References
    ----------
    Benchetrit et al., ICLR (2024); attention: Bahdanau et al., ICLR (2015).
    """

    def __init__(self, kind: Aggregation = "affine", *, n_times: int = 181, n_channels: int = 2048, n_hidden: int = 256) -> None:
        super().__init__()
        self.kind = check_option("aggregation", kind, ("affine", "mean", "attention"))
        self.time = nn.Linear(n_times, 1) if kind == "affine" else None
        layers = (nn.Linear(n_channels, n_hidden), nn.Tanh(), nn.Linear(n_hidden, 1, bias=False))
        self.score = nn.Sequential(*layers) if kind == "attention" else None

    def forward(self, *, signal: Tensor) -> Tensor:
        """Sum over time.

        Parameters
        ----------
        signal : Tensor of shape (n_samples, n_channels, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_samples, n_channels)
            One vector for each window.

        Raises
        ------
        DataError
            If windows have another length than an affine map over time was made for.
        """
        if self.score is not None:
            attended: Tensor = (signal @ self.score(signal.mT).softmax(1))[..., 0]
            return attended
        weights, offset = self.line(signal)
        return signal @ weights + offset

    def line(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Give weights and offset where neither depends on the values.

        Parameters
        ----------
        signal : Tensor of shape (..., n_times)
            Windows, for their length and kind of number.

        Returns
        -------
        weights : Tensor of shape (n_times,)
            Of each sample of time.
        offset : Tensor of shape ()
            What is added.

        Raises
        ------
        DataError
            If windows have another length, or aggregation is by attention.
        """
        n_times = signal.shape[-1]
        if self.time is None:
            check_option("aggregation", self.kind, ("affine", "mean"))
            return signal.new_full((n_times,), 1 / n_times), signal.new_zeros(())
        if n_times != self.time.in_features:
            raise DataError(
                f"windows have {n_times} samples of time, this network was made for {self.time.in_features}; cut windows to that "
                "length, or make it with n_times, or with aggregation='mean'"
            )
        return self.time.weight[0], self.time.bias[0]


def _distinct(points: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct points and which of them each one is: three sorts of numbers, where one of rows goes row by row."""
    (x, of_x), (y, of_y) = (torch.unique(along, return_inverse=True) for along in points.unbind(-1))
    cells, cell = torch.unique(of_x * len(y) + of_y, return_inverse=True)
    return torch.stack([x[cells // len(y)], y[cells % len(y)]], dim=-1), cell


def _exact(values: Tensor) -> torch.dtype:
    """At least float32: a phase of 31 periods has no digits left in half precision."""
    return torch.promote_types(values.dtype, torch.float32)


def _same(kept: Tensor, now: Tensor) -> bool:
    return kept.device == now.device and kept.dtype == now.dtype and torch.equal(kept, now)
