"""Eye and heart artifacts in M/EEG: independent components and regression, fitted on training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.convert import to_mne
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import (
    DATA_KINDS,
    MEG_KINDS,
    check_valid,
    joined,
    names_of,
    need_rows,
    pick_rows,
    put_rows,
    rows_of_names,
    valid_signal,
)


@dataclass(frozen=True, eq=False)
class ICADecomposition:
    """Independent components of M/EEG: sources = unmixing @ (signal - mean).

    Parameters
    ----------
    names : list of str
        Channels it was fitted on.
    mixing : array of shape (n_channels, n_components)
        Topography of each component, in the unit of the channel.
    unmixing : array of shape (n_components, n_channels)
        Spatial filter of each component.
    mean : array of shape (n_channels,)
        Mean of each channel over the training data.
    method : str
        Algorithm.
    """

    names: list[str]
    mixing: NDArray[np.float64]
    unmixing: NDArray[np.float64]
    mean: NDArray[np.float64]
    method: str

    @property
    def n_components(self) -> int:
        """Number of components."""
        return int(self.mixing.shape[1])


def fit_ica(
    train: Recording | Sequence[Recording],
    n_components: int | float | None = None,
    *,
    method: Literal["fastica", "infomax", "picard"] = "fastica",
    decimate: int | None = None,
    random_state: int = 0,
) -> ICADecomposition:
    """Fit independent components on the valid stretches of training recordings, as `mne.preprocessing.ICA` does.

    Parameters
    ----------
    train : Recording or sequence of Recording
        Training runs; high-pass filter them at 1 Hz first (slow drifts spoil the decomposition). The good EEG and MEG channels
        are used. The result may be applied to the same runs filtered otherwise.
    n_components : int or float, optional
        Number of components, or the fraction of variance they explain; by default as many as the rank of the data.
    method : {"fastica", "infomax", "picard"}
        Algorithm; picard needs the package python-picard.
    decimate : int, optional
        Use every so many samples.
    random_state : int
        Seed.

    Returns
    -------
    ICADecomposition
        Arrays only.

    Raises
    ------
    DataError
        If there are no good channels, or one of them holds NaN.
    """
    check_option("method", method, ("fastica", "infomax", "picard"))
    mne = require("mne", "independent components", "meeg")
    runs = joined(train, "fit_ica")
    rows = need_rows(runs, ("eeg", *MEG_KINDS), "fit_ica")
    check_valid(runs, rows, "fit_ica")
    ica = mne.preprocessing.ICA(n_components, method=method, random_state=random_state, verbose="error")
    ica.fit(plain_raw(runs.pick(rows)), decim=decimate, verbose="error")
    scale, axes = ica.pre_whitener_[:, 0], ica.pca_components_[: ica.n_components_]
    return ICADecomposition(
        names_of(runs, rows),
        scale[:, None] * (axes.T @ ica.mixing_matrix_),
        ica.unmixing_matrix_ @ axes / scale,
        scale * (0 if ica.pca_mean_ is None else ica.pca_mean_),
        method,
    )


def apply_ica(recording: Recording, ica: ICADecomposition, exclude: Sequence[int]) -> Recording:
    """Take components out of a recording; what the decomposition does not describe stays.

    Parameters
    ----------
    recording : Recording
        With the channels of the decomposition.
    ica : ICADecomposition
        From `fit_ica`.
    exclude : sequence of int
        Components to take out, see `score_components`.

    Returns
    -------
    Recording
        Same clock, events and channels.

    Raises
    ------
    DataError
        If a component or channel does not exist, or a channel holds NaN in a valid stretch.
    """
    chosen = sorted({int(k) for k in exclude})
    if any(not 0 <= k < ica.n_components for k in chosen):
        raise DataError(f"exclude must hold numbers from 0 to {ica.n_components - 1}, got {list(exclude)}")
    rows = rows_of_names(recording, ica.names, "apply_ica")
    signal = read_signal(recording.data)[rows].astype(np.float64)
    signal -= ica.mixing[:, chosen] @ (ica.unmixing[chosen] @ (signal - ica.mean[:, None]))
    return recording.with_step(
        "meeg.apply_ica", {"exclude": chosen, "method": ica.method}, data=put_rows(recording, rows, signal)
    )


def ica_sources(recording: Recording, ica: ICADecomposition) -> NDArray[np.float64]:
    """Time courses of the components, shape (n_components, n_times).

    Parameters
    ----------
    recording : Recording
        With the channels of the decomposition.
    ica : ICADecomposition
        From `fit_ica`.

    Returns
    -------
    ndarray
        In standard deviations of the training data.

    Raises
    ------
    DataError
        If a channel is missing or holds NaN in a valid stretch.
    """
    rows = rows_of_names(recording, ica.names, "ica_sources")
    return ica.unmixing @ (read_signal(recording.data)[rows].astype(np.float64) - ica.mean[:, None])


def score_components(
    train: Recording | Sequence[Recording], ica: ICADecomposition, picks: str | Sequence[str] = ("eog", "ecg")
) -> pd.DataFrame:
    """Correlate components with artifact channels, to choose which to take out.

    Parameters
    ----------
    train : Recording or sequence of Recording
        Training runs.
    ica : ICADecomposition
        From `fit_ica`.
    picks : str or sequence of str
        Kinds or names of artifact channels; a frontal EEG channel can stand in for an EOG channel.

    Returns
    -------
    DataFrame
        ``component``, ``channel`` and ``correlation`` over the valid samples, largest absolute value first. Which value makes an
        artifact depends on the recording: look at the time courses (`ica_sources`) before taking a component out.

    Raises
    ------
    DataError
        If there is no artifact channel, or a channel holds NaN in a valid stretch.
    """
    runs = joined(train, "score_components")
    wanted = [picks] if isinstance(picks, str) else list(picks)
    present = [p for p in wanted if p in set(runs.channels["kind"]) | set(runs.names)]
    rows = pick_rows(runs, present or wanted, "score_components")
    sources = ica_sources(runs, ica)
    channels = valid_signal(runs, rows, "score_components")
    correlation = _correlation(sources, channels)
    table = pd.DataFrame(
        {
            "component": np.repeat(np.arange(ica.n_components), len(rows)),
            "channel": names_of(runs, rows) * ica.n_components,
            "correlation": correlation.ravel(),
        }
    )
    return table.sort_values("correlation", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def regress_out(
    recording: Recording, kinds: str | Sequence[str] = ("eog", "ecg"), *, train: Recording | Sequence[Recording]
) -> Recording:
    r"""Take what artifact channels predict linearly out of the data channels.

    .. math:: x_c(t) - \sum_a \beta_{ca} (a(t) - \bar a), \qquad
        \beta = \mathrm{cov}(x, a)\,\mathrm{cov}(a, a)^{-1} \text{ on the training data}

    Parameters
    ----------
    recording : Recording
        To be cleaned; EEG must have its final reference.
    kinds : str or sequence of str
        Kinds (or names) of artifact channels; those that exist are used.
    train : Recording or sequence of Recording
        Training runs on which the weights and the means of the artifact channels are fitted.

    Returns
    -------
    Recording
        Same clock, events and channels; the artifact channels stay as they are.

    Raises
    ------
    DataError
        If there is no good artifact or data channel in the training data, or a channel holds NaN in a valid stretch.

    References
    ----------
    Gratton, Coles and Donchin (1983), A new method for off-line removal of ocular artifact, Electroencephalography and
    Clinical Neurophysiology 55. Croft and Barry (2000), Removal of ocular artifact from the EEG, Neurophysiologie Clinique 30.
    """
    runs = joined(train, "regress_out")
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    present = [k for k in wanted if k in set(runs.channels["kind"]) | set(runs.names)]
    sources = pick_rows(runs, present or wanted, "regress_out")
    targets = np.setdiff1d(need_rows(runs, DATA_KINDS, "regress_out"), sources)
    weights, mean = _regression(valid_signal(runs, targets, "regress_out"), valid_signal(runs, sources, "regress_out"))
    rows = rows_of_names(recording, names_of(runs, targets), "regress_out")
    artifacts = rows_of_names(recording, names_of(runs, sources), "regress_out")
    data = read_signal(recording.data)
    signal = data[rows] - weights @ (data[artifacts] - mean[:, None])
    parameters = {"artifact_channels": names_of(runs, sources), "n_training_samples": runs.n_times}
    return recording.with_step("meeg.regress_out", parameters, data=put_rows(recording, rows, signal))


def plain_raw(recording: Recording) -> Any:
    """An MNE Raw of the recording without its projectors, which belong to what the data were before."""
    raw = to_mne(recording.replace(events=None))
    raw.del_proj()
    return raw


def _regression(signal: NDArray[np.float64], artifacts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (n_channels, n_artifacts) of a linear regression with intercept, and the means of the artifact channels."""
    mean = artifacts.mean(axis=1)
    centred = artifacts - mean[:, None]
    size = np.sqrt((centred**2).sum(axis=1))
    size = np.where(size > 0, size, 1)  # a flat artifact channel predicts nothing
    unit = centred / size[:, None]
    weights = (signal - signal.mean(axis=1, keepdims=True)) @ unit.T @ np.linalg.pinv(unit @ unit.T) / size
    return weights, mean


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of each row of `a` with each row of `b`; 0 for a constant row."""
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum(axis=1))[:, None] * np.sqrt((b**2).sum(axis=1))
    return (a @ b.T) / np.where(size > 0, size, np.inf)
