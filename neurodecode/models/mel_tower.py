"""Deep Mel: a network on the spectrogram of speech, trained together with the network of the brain by contrast."""

from __future__ import annotations

from torch import Tensor, nn

from neurodecode.data.validate import check_positive
from neurodecode.models.sensor_layers import DilatedGLUStack
from neurodecode.models.storage import Stored


class MelTower(Stored, nn.Module):
    """Learn what of speech the brain tells, from features over time.

    Ten dilated convolutions in five blocks with gates, then two 1x1 convolutions with a GELU between. The paper gives width,
    depth and the dimension of the output; the head is that of its brain network. ``n_blocks=0`` leaves the head alone, which sees
    one time and has few weights: better where there are a few hundred segments.

    Parameters
    ----------
    n_inputs : int
        Features of speech, e.g. 120 bands of a mel spectrogram.
    n_outputs : int
        Features that come out.
    channels : int
        Channels of the convolutions; the head is twice as wide.
    n_blocks : int
        Blocks of two dilated convolutions and a gate; 0 for none.

    References
    ----------
    Défossez et al., Nature Machine Intelligence 5:1097 (2023).
    """

    def __init__(self, n_inputs: int = 120, n_outputs: int = 768, *, channels: int = 320, n_blocks: int = 5) -> None:
        super().__init__()
        check_positive("n_outputs", n_outputs)
        self.config = {"n_inputs": n_inputs, "n_outputs": n_outputs, "channels": channels, "n_blocks": n_blocks}
        self.n_outputs = n_outputs
        self.stack = DilatedGLUStack(n_inputs, channels, n_blocks) if n_blocks else None
        width = channels if n_blocks else n_inputs
        self.head = nn.Sequential(nn.Conv1d(width, 2 * channels, 1), nn.GELU(), nn.Conv1d(2 * channels, n_outputs, 1))

    def forward(self, *, features: Tensor) -> Tensor:
        """Embed speech.

        Parameters
        ----------
        features : Tensor of shape (n_samples, n_inputs, n_times)
            Features of speech over time, e.g. a logarithmic mel spectrogram.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs, n_times)
            What the predictions from the brain are compared with.
        """
        embedded: Tensor = self.head(features if self.stack is None else self.stack(signal=features))
        return embedded
