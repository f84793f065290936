"""A network of M/EEG for one montage and one subject: everything that is linear is multiplied beforehand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.hashing import sha256_file
from neurodecode.data.validate import check_option
from neurodecode.errors import CorruptFileError, DataError, FormatError

if TYPE_CHECKING:
    from torch import Tensor, nn

NETWORKS = ("SpeechNetwork", "ImageNetwork")
_KIND, _VERSION, _AGAIN = "neurodecode FoldedNetwork", 1, "Save the folded network again"


class FoldedNetwork:
    r"""A trained `SpeechNetwork` or `ImageNetwork` that decodes windows of one montage and one subject.

    Equal to the network in evaluation, but for rounding. The attention over sensors, the 1x1 convolution and the matrix of the
    subject are one matrix, :math:`M_s W A`, and one offset; BatchNorm becomes part of the convolution before it; after the last
    GELU of `ImageNetwork` all is linear, so that the sum over time goes first and the wide map and the head are one matrix.
    Convolutions are matrix products on memory that is laid out once.

    Parameters
    ----------
    network : SpeechNetwork or ImageNetwork
        Trained; it is copied.
    positions : array_like of shape (n_channels, 2)
        Layout of the sensors in [0, 1], NaN where it is not known.
    subject : int
        Number of the subject in the network; -1 for the mean of all.
    head : int
        Head of an `ImageNetwork` with two: 0 for retrieval, 1 for generation.

    Raises
    ------
    DataError
        If the network is of another kind, has no such head, or positions have another shape.
    """

    def __init__(self, network: nn.Module, positions: ArrayLike, subject: int = 0, *, head: int = 0) -> None:
        import torch

        self.network, self.subject, self.head = network, int(subject), int(head)
        self.positions = np.asarray(positions, np.float64)
        if type(network).__name__ not in NETWORKS:
            raise DataError(f"only {' or an '.join(NETWORKS)} can be folded, got {type(network).__name__}")
        if self.positions.ndim != 2 or self.positions.shape[1] != 2:
            raise DataError(f"positions must be (n_channels, 2), got {self.positions.shape}")
        with torch.no_grad():
            exact = copy.deepcopy(network).cpu().eval().double()
            self._matrix, self._offset = (part.float() for part in _front(exact, self.positions, self.subject))
            self._convolutions = [_Convolution(*parts) for parts in _stack(exact.stack)]
            self._tail = _speech_tail(exact) if hasattr(exact, "head") else _image_tail(exact, self.head)

    def predict(self, windows: ArrayLike) -> NDArray[np.float32]:
        """Predict the features of windows.

        Parameters
        ----------
        windows : array_like of shape (n_windows, n_channels, n_times)
            Scaled and clamped as in training, taken as float32.

        Returns
        -------
        array of shape (n_windows, n_features) or, of speech, (n_windows, n_features, n_times)
            As the network gives them.

        Raises
        ------
        DataError
            If there is another number of channels.
        """
        import torch

        given = np.asarray(windows, np.float32)
        if given.ndim != 3 or given.shape[1] != len(self.positions):
            raise DataError(f"windows must be (n_windows, {len(self.positions)}, n_times), got {given.shape}")
        with torch.inference_mode():
            return np.stack([self._one(torch.from_numpy(window)).numpy() for window in given])

    def _one(self, window: Tensor) -> Tensor:
        """Features of one window (n_channels, n_times)."""
        import torch

        hidden = torch.addmm(self._offset, self._matrix, window)
        for convolution in self._convolutions:
            hidden = convolution(hidden)
        found: Tensor = self._tail(hidden)
        return found

    def save(self, folder: str | Path) -> Path:
        """Write the network, the positions and the number of the subject.

        Parameters
        ----------
        folder : str or Path
            Appears whole or not at all; an older one is replaced.

        Returns
        -------
        Path
            The folder.
        """
        with atomic_folder(folder, "config.json") as partial:
            self.network.save(partial / "network")  # type: ignore[operator]
            np.save(partial / "positions.npy", self.positions, allow_pickle=False)
            config = {
                "kind": _KIND,
                "version": _VERSION,
                "network": type(self.network).__name__,
                "subject": self.subject,
                "head": self.head,
                "sha256": sha256_file(partial / "positions.npy"),
            }
            (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8", newline="\n")
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> FoldedNetwork:
        """Read what `save` wrote; nothing in the files is executed.

        Parameters
        ----------
        folder : str or Path
            The folder.

        Returns
        -------
        FoldedNetwork
            Folded again.

        Raises
        ------
        FormatError
            If the folder holds something else.
        CorruptFileError
            If a file is missing or damaged.
        """
        from neurodecode.models import meeg_conv

        path = Path(folder) / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            kind = getattr(meeg_conv, check_option("network", config["network"], NETWORKS))
            subject, head, expected = int(config["subject"]), int(config["head"]), config["sha256"]
        except OSError as error:
            raise FormatError(path, f"it cannot be read ({error})", "Give the folder that FoldedNetwork.save wrote") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CorruptFileError(path, f"it is not the description of a folded network ({error!r:.120})", _AGAIN) from error
        positions = Path(folder) / "positions.npy"
        if not positions.is_file() or sha256_file(positions) != expected:
            raise CorruptFileError(positions, "it is missing or differs from its sha256 in config.json", _AGAIN)
        return cls(kind.load(Path(folder) / "network"), np.load(positions, allow_pickle=False), subject, head=head)


class _Convolution:
    """A convolution of width 3 as one matrix product, with what follows it: GELU and the way around it, or a gate."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int, gated: bool) -> None:
        self._weight = weight.permute(0, 2, 1).flatten(1).float().contiguous()  # (n_outputs, 3 * n_inputs)
        self._bias, self._dilation, self._gated = bias.float()[:, None], dilation, gated
        self._columns: Any = None

    def __call__(self, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional

        n_inputs, n_times = x.shape
        if self._columns is None or self._columns.shape[2] != n_times:
            self._columns = x.new_zeros(3, n_inputs, n_times)  # where a shifted copy does not reach, zeros stay
        shift = self._dilation
        self._columns[0, :, shift:] = x[:, :-shift]
        self._columns[1] = x
        self._columns[2, :, :-shift] = x[:, shift:]
        out = torch.addmm(self._bias, self._weight, self._columns.flatten(0, 1))
        if self._gated:
            return functional.glu(out, 0)
        out = functional.gelu(out)
        return out.add_(x) if out.shape == x.shape else out


def _front(network: Any, positions: NDArray[np.float64], subject: int) -> tuple[Tensor, Tensor]:
    """Matrix (n_outputs, n_channels) and offset (n_outputs, 1) of everything before the first convolution over time."""
    import torch

    n_channels = len(positions)
    probe = torch.eye(n_channels, n_channels + 1, dtype=torch.float64)[None]  # one sensor after the other, and then none
    where, who = torch.from_numpy(positions)[None], torch.tensor([subject])
    seen: Tensor = network.sensors(signal=probe, positions=where, subject=who)[0]
    return seen[:, :-1] - seen[:, -1:], seen[:, -1:]


def _stack(stack: Any) -> list[tuple[Tensor, Tensor, int, bool]]:
    """Weight, bias, dilation of each convolution, BatchNorm folded in, and whether a gate follows it."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    found = []
    for layer in stack.layers:
        if hasattr(layer, "norm"):
            conv = fuse_conv_bn_eval(layer.conv, layer.norm)
            found.append((conv.weight.detach(), conv.bias.detach(), conv.dilation[0], False))
        elif hasattr(layer, "weight"):
            found.append((layer.weight.detach(), layer.bias.detach(), 1, True))
    return found


def _speech_tail(network: Any) -> Any:
    """Two 1x1 convolutions with a GELU between them: (channels, n_times) to (n_features, n_times)."""
    import torch
    from torch.nn import functional

    (first, first_bias), (last, last_bias) = (_pointwise(network.head[i]) for i in (0, 2))
    return lambda hidden: torch.addmm(last_bias, last, functional.gelu(torch.addmm(first_bias, first, hidden)))


def _image_tail(network: Any, head: int) -> Any:
    """A 1x1 convolution, GELU, the sum over time, and one matrix for all that follows: (channels, n_times) to (n_features,)."""
    import torch
    from torch.nn import functional

    if not 0 <= head < len(network.heads):
        raise DataError(f"head {head} is not among the {len(network.heads)} of this network")
    weight, bias = _pointwise(network.hidden[0])
    last, wide = network.heads[head], network.widen
    if network.pool.kind == "attention":
        single = copy.deepcopy(torch.nn.ModuleList([wide, network.pool, last])).float()

        def attended(hidden: Tensor) -> Tensor:
            raised = functional.gelu(torch.addmm(bias, weight, hidden))
            found: Tensor = single[2](single[1](signal=single[0](raised.T).T[None]))[0]
            return found

        return attended
    n_times = network.config["n_times"]
    over_time, shift = network.pool.line(wide.weight.new_zeros(n_times))
    matrix = (last.weight @ wide.weight).float()
    offset = (last.weight @ (wide.bias * over_time.sum() + shift) + last.bias).float()
    sum_weights = over_time.float()

    def summed(hidden: Tensor) -> Tensor:
        if hidden.shape[1] != n_times:
            raise DataError(f"windows have {hidden.shape[1]} samples, the network was made for {n_times}")
        return torch.addmv(offset, matrix, functional.gelu(torch.addmm(bias, weight, hidden)) @ sum_weights)

    return summed


def _pointwise(conv: Any) -> tuple[Tensor, Tensor]:
    """Matrix (n_outputs, n_inputs) and offset (n_outputs, 1) of a 1x1 convolution."""
    return conv.weight.detach()[:, :, 0].float().contiguous(), conv.bias.detach().float()[:, None]
