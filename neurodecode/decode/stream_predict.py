"""One window in, one prediction out: the same call for every decoder, with nothing rebuilt between windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Responses
from neurodecode.data.validate import check_columns
from neurodecode.decode.linear import LinearDecoder
from neurodecode.errors import DataError
from neurodecode.linear import RidgeCV


class Output(NamedTuple):
    """What a decoder says about a window."""

    label: str | None
    """Class or candidate; None for values."""
    score: float
    """Probability of the class, similarity to the candidate, or the value where there is only one; else NaN."""
    values: NDArray[np.float64]
    """All outputs: probabilities of the classes, values, or the predicted embedding, shape (n_outputs,)."""


WindowFunction = Callable[[NDArray[np.float32]], Output]


def window_function(decoder: Any) -> WindowFunction:
    """Make of a decoder a function of one window of shape (n_channels, n_times).

    Parameters
    ----------
    decoder : object
        A fitted `LinearDecoder` or `RidgeCV`, a ``torch.nn.Module`` that takes ``signal=(1, n_channels, n_times)``, anything with
        ``predict`` for an array (1, n_channels, n_times), or a function of the window itself.

    Returns
    -------
    callable
        From window to `Output`.

    Raises
    ------
    DataError
        If it is none of these, or not fitted.
    """
    if isinstance(decoder, LinearDecoder):
        return _linear(decoder)
    if isinstance(decoder, RidgeCV):
        return lambda window: _values(decoder.predict(window.reshape(1, -1)))
    if _is_module(decoder):
        return _module(decoder)
    if hasattr(decoder, "predict"):
        return lambda window: _values(decoder.predict(window[None]))
    if callable(decoder):
        return lambda window: _values(decoder(window))
    raise DataError(f"a decoder has predict or can be called, got {type(decoder).__name__}: {decoder!r:.80}")


class Retrieval:
    """Names the candidate whose features are most alike a prediction (cosine).

    Parameters
    ----------
    candidates : Responses
        One row per candidate, with the column ``stimulus``.

    Raises
    ------
    DataError
        If there is no such column, or a candidate has no direction.
    """

    def __init__(self, candidates: Responses) -> None:
        check_columns(candidates.samples, ["stimulus"], "samples of the candidates")
        self._names = candidates.samples["stimulus"].astype(str).tolist()
        rows = candidates.matrix().astype(np.float32)
        length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        if not np.all(length > 0) or not np.isfinite(length).all():
            worst = self._names[int(np.argmin(np.where(np.isfinite(length), length, -1)))]
            raise DataError(f"features of candidate {worst!r} are all 0 or not finite: it can be compared with nothing")
        self._rows = rows / length[:, None].astype(np.float32)

    def __call__(self, output: Output) -> Output:
        """The output with the best candidate as its label and the cosine as its score."""
        if output.values.size != self._rows.shape[1]:
            raise DataError(f"the decoder predicts {output.values.size} features, candidates have {self._rows.shape[1]}")
        length = float(np.linalg.norm(output.values))
        scores = self._rows @ output.values.astype(np.float32)
        best = int(np.argmax(scores))
        return output._replace(label=self._names[best], score=float(scores[best]) / length if length else float("nan"))


def _linear(decoder: LinearDecoder) -> WindowFunction:
    """`LinearDecoder.decision_function` and its classes, with the weights laid out once."""
    from scipy.special import softmax

    if not hasattr(decoder, "coef_"):
        raise DataError(f"this LinearDecoder({decoder.task!r}) is not fitted: fit or load it first")
    used = np.flatnonzero(np.any(decoder.coef_ != 0, axis=tuple(i for i in range(decoder.coef_.ndim) if i != 1)))
    weights = np.ascontiguousarray(decoder.coef_[:, used].reshape(len(decoder.coef_), -1), dtype=np.float64)
    shape, classes, everything = decoder.coef_.shape[1:], decoder.classes_, len(used) == decoder.coef_.shape[1]

    def predict(window: NDArray[np.float32]) -> Output:
        if window.shape != shape:
            raise DataError(f"a window has shape {window.shape}, the decoder was fitted on {shape} (channels, times)")
        values = weights @ (window if everything else window[used]).ravel() + decoder.intercept_
        if classes is None:
            return _values(values)
        chances = softmax(np.concatenate([[0.0], values]) if len(values) == 1 else values)
        best = int(np.argmax(chances))
        return Output(str(classes[best]), float(chances[best]), chances)

    return predict


def _module(network: Any) -> WindowFunction:
    """A network in evaluation, without gradients."""
    import torch

    network.eval()

    def predict(window: NDArray[np.float32]) -> Output:
        with torch.inference_mode():
            found = network(signal=torch.from_numpy(window)[None])
        return _values((found[0] if isinstance(found, tuple) else found).numpy())

    return predict


def _values(found: Any) -> Output:
    """Numbers or a class as an output."""
    array = np.asarray(found)
    if array.dtype.kind not in "fiub":
        return Output(str(array.ravel()[0]), float("nan"), np.zeros(0))
    values = array.astype(np.float64).ravel()
    return Output(None, float(values[0]) if values.size == 1 else float("nan"), values)


def _is_module(decoder: Any) -> bool:
    """Whether this is a network, asked without loading torch."""
    return any(base.__module__.startswith("torch.nn") for base in type(decoder).__mro__)
