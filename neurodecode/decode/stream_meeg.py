"""Windows of one subject through a fitted decoder of speech or of images, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import suggest
from neurodecode.decode.stream_network import NETWORKS, FoldedNetwork
from neurodecode.decode.stream_predict import Output
from neurodecode.errors import DataError


class MEEGWindows:
    """What a `SpeechDecoder` or a `MEEGImageDecoder` says about a window, as its retrieval reads it.

    The networks of the papers are folded for the montage and the subject; others are called as the decoder calls them.

    Parameters
    ----------
    decoder : SpeechDecoder or MEEGImageDecoder
        Fitted; of several targets the first counts.
    channels : sequence of str
        Rows of a window.
    times : array of shape (n_times,)
        Times of a window in s.
    subject : str, optional
        Whose windows these are; by default the only one that was fitted.

    Raises
    ------
    DataError
        If the subject is not known, or channels or times are not those that the decoder was fitted on.
    """

    def __init__(self, decoder: Any, channels: Sequence[str], times: NDArray[np.float64], subject: str | None = None) -> None:
        self._decoder, self._fitted = decoder, decoder._member()
        samples = pd.DataFrame({"stimulus": ["unknown"], "subject": [_subject(decoder, subject)]})
        data = np.ones((1, len(channels), len(times)), np.float32)
        self._template = Responses(data, samples, pd.DataFrame({"name": list(channels)}), times)
        windows, cut = decoder._windows(self._template), self._fitted.cut
        self._times = slice(cut.start, cut.start + cut.n_times)
        self._folded = None
        brain = getattr(self._fitted.network, "brain", self._fitted.network)
        if type(brain).__name__ in NETWORKS:
            number = int(decoder._numbers(windows, self._fitted)[0])
            head = int(getattr(decoder, "weight", 1) == 0)  # where there is no contrast, retrieval reads the other head
            self._folded = FoldedNetwork(brain, windows.positions[0], number, head=head)

    def __call__(self, window: NDArray[np.float32]) -> Output:
        """Give the prediction of a window of shape (n_channels, n_times)."""
        if self._folded is None:
            windows = self._decoder._windows(self._template.replace(data=window[None]))
            found = self._decoder._predict(windows, self._fitted, self._decoder._pick)
        else:
            limit = np.inf if self._decoder.clamp is None else self._decoder.clamp
            found = self._folded.predict(np.clip(window[:, self._times], -limit, limit)[None])
        return Output(None, float("nan"), found[0].astype(np.float64).ravel())

    def candidates(self, candidates: Responses) -> Responses:
        """Bring candidates to where predictions are compared with them.

        Parameters
        ----------
        candidates : Responses
            Targets (n_candidates, n_features[, n_times]), as the decoder takes them.

        Returns
        -------
        Responses
            Scaled as in training and, where a tower was learned, embedded; (n_candidates, n_outputs).
        """
        import torch

        fitted = self._fitted
        targets, _ = self._decoder._candidates(candidates, fitted)
        values = np.asarray(targets.data)
        scaled = fitted.scaling.apply(values[:, :, : fitted.cut.n_times] if values.ndim == 3 else values)
        if fitted.network is not None:
            scaled = np.asarray(self._decoder._embed(fitted.network, torch.from_numpy(scaled)))
        flat = scaled.reshape(len(scaled), -1)
        return Responses(flat, candidates.samples, pd.DataFrame(index=range(flat.shape[1])))


def is_meeg_decoder(decoder: Any) -> bool:
    """Whether this is a decoder of speech or images, asked without loading torch."""
    return any(base.__name__ == "MEEGDecoder" for base in type(decoder).__mro__)


def _subject(decoder: Any, subject: str | None) -> str:
    """The subject asked for, if the decoder can decode it."""
    known = [str(name) for name in decoder.subjects_]
    if subject is None and len(known) != 1:
        raise DataError(f"the decoder was fitted on {len(known)} subjects: say whose windows these are, one of {known[:8]}")
    name = known[0] if subject is None else str(subject)
    if name not in known and decoder.unseen_subject == "raise":
        raise DataError(f"subject {name!r} was not fitted: {suggest(name, known)} Or fit with unseen_subject='mean'")
    return name
