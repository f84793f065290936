"""Signal-space methods for M/EEG: projectors (SSP) fitted on training data, and the Maxwell filter (SSS, tSSS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurodecode.data import Recording
from neurodecode.data.convert import from_mne, to_mne
from neurodecode.data.lazy import read_signal
from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError
from neurodecode.preprocess._channels import MEG_KINDS, check_valid, joined, need_rows, put_rows, rows_of_names
from neurodecode.preprocess.meeg_artifacts import plain_raw


@dataclass(frozen=True, eq=False)
class SpaceProjection:
    """Directions in sensor space that are taken out of a signal.

    Parameters
    ----------
    names : list of str
        Channels.
    vectors : array of shape (n_vectors, n_channels)
        Orthonormal directions.
    artifact : str
        What they describe: "eog" or "ecg".
    n_events : int
        Artifact events they were estimated from.
    """

    names: list[str]
    vectors: NDArray[np.float64]
    artifact: str
    n_events: int


def fit_ssp(
    train: Recording | Sequence[Recording],
    artifact: Literal["eog", "ecg"] = "eog",
    *,
    n_vectors: int = 1,
    channel: str | None = None,
) -> SpaceProjection:
    """Estimate projectors of eye or heart artifacts, as `mne.preprocessing.compute_proj_eog` / ``_ecg`` do.

    Blinks or beats are found in the artifact channel, the data around them averaged, and the leading directions of the average
    taken per channel type (mag, grad, eeg).

    Parameters
    ----------
    train : Recording or sequence of Recording
        Training runs.
    artifact : {"eog", "ecg"}
        What to look for.
    n_vectors : int
        Directions per channel type.
    channel : str, optional
        Channel to find the events in; by default the channels of that kind.

    Returns
    -------
    SpaceProjection
        Arrays only.

    Raises
    ------
    DataError
        If there is no artifact channel or no event is found in it, or a channel holds NaN.

    References
    ----------
    Uusitalo and Ilmoniemi (1997), Signal-space projection method for separating MEG or EEG into components, Medical and
    Biological Engineering and Computing 35.
    """
    check_option("artifact", artifact, ("eog", "ecg"))
    mne = require("mne", "signal-space projection", "meeg")
    runs = joined(train, "fit_ssp")
    check_valid(runs, need_rows(runs, ("eeg", *MEG_KINDS), "fit_ssp"), "fit_ssp")
    if channel is None:
        check_valid(runs, need_rows(runs, [artifact], "fit_ssp"), "fit_ssp")
    compute = getattr(mne.preprocessing, f"compute_proj_{artifact}")
    per_kind = {"n_grad": n_vectors, "n_mag": n_vectors, "n_eeg": n_vectors}
    projs, events = compute(plain_raw(runs), **per_kind, ch_name=channel, no_proj=True, verbose="error")
    if not projs:
        raise DataError(
            f"fit_ssp found {len(events)} {artifact} events and no projector in {runs.duration:.0f} s: is {channel or artifact} "
            "the right channel? Use regress_out or fit_ica instead"
        )
    names, vectors = _orthonormal([p["data"] for p in projs])
    return SpaceProjection(names, vectors, artifact, len(events))


def apply_ssp(recording: Recording, projection: SpaceProjection) -> Recording:
    """Project artifact directions out of a recording: x - V' V x.

    Parameters
    ----------
    recording : Recording
        With the channels of the projection.
    projection : SpaceProjection
        From `fit_ssp`.

    Returns
    -------
    Recording
        Same clock, events and channels.

    Raises
    ------
    DataError
        If a channel is missing or holds NaN in a valid stretch.
    """
    rows = rows_of_names(recording, projection.names, "apply_ssp")
    signal = read_signal(recording.data)[rows].astype(np.float64)
    signal -= projection.vectors.T @ (projection.vectors @ signal)
    parameters = {"artifact": projection.artifact, "n_vectors": len(projection.vectors), "n_events": projection.n_events}
    return recording.with_step("meeg.apply_ssp", parameters, data=put_rows(recording, rows, signal))


def maxwell_filter(
    recording: Recording,
    *,
    st_duration: float | None = None,
    origin: str | Sequence[float] = "auto",
    calibration: Any = None,
    cross_talk: Any = None,
    head_positions: NDArray[np.float64] | None = None,
) -> Recording:
    """Suppress magnetic interference from outside the head (SSS, tSSS), as `mne.preprocessing.maxwell_filter` does.

    Parameters
    ----------
    recording : Recording
        MEG with the sensor description in ``meta["mne_info"]`` and bad channels marked (Maxwell filtering spreads them to all
        others). Do this first, before any other filter.
    st_duration : float, optional
        Window of the temporal extension (tSSS) in s, e.g. 10; None for SSS alone.
    origin : "auto" or (float, float, float)
        Centre of the expansion in m.
    calibration, cross_talk : optional
        Fine calibration and cross-talk compensation, as MNE takes them.
    head_positions : array of shape (n_positions, 10), optional
        Head movement as MNE takes it.

    Returns
    -------
    Recording
        Bad MEG channels are reconstructed and good again.

    Raises
    ------
    DataError
        If the sensors are not known, or MNE refuses them; its reason is in the message.

    References
    ----------
    Taulu and Simola (2006), Spatiotemporal signal space separation method for rejecting nearby interference in MEG
    measurements, Physics in Medicine and Biology 51.
    """
    mne = require("mne", "Maxwell filtering", "meeg")
    need_rows(recording, MEG_KINDS, "maxwell_filter")
    if not recording.meta.get("mne_info"):
        raise DataError(
            f"maxwell_filter needs the coils of the {recording.n_channels} channels in meta['mne_info']: read with io.read"
        )
    raw = to_mne(recording.replace(events=None, valid=None))
    options = {"calibration": calibration, "cross_talk": cross_talk, "head_pos": head_positions}
    frame = "head" if raw.info["dev_head_t"] is not None else "meg"
    try:
        filtered = mne.preprocessing.maxwell_filter(
            raw, origin=origin, st_duration=st_duration, coord_frame=frame, verbose="error", **options
        )
    except (ValueError, RuntimeError) as error:
        raise DataError(f"the Maxwell filter refuses these {recording.n_channels} channels (origin {origin}): {error}") from error
    after = from_mne(filtered)
    parameters = {"st_duration": st_duration, "origin": origin if isinstance(origin, str) else list(origin)}
    parameters |= {"reconstructed": recording.channels.loc[recording.channels["bad"] & _is_meg(recording), "name"].tolist()}
    channels = recording.channels.assign(bad=recording.channels["bad"] & ~_is_meg(recording))
    return recording.with_step("meeg.maxwell_filter", parameters, data=after.data, channels=channels)


def _is_meg(recording: Recording) -> Any:
    return recording.channels["kind"].isin(MEG_KINDS)


def _orthonormal(projectors: list[dict[str, Any]]) -> tuple[list[str], NDArray[np.float64]]:
    """Names of all channels of some MNE projectors, and an orthonormal basis of their directions."""
    names = list(dict.fromkeys(name for p in projectors for name in p["col_names"]))
    place = {name: i for i, name in enumerate(names)}
    stacked = np.zeros((sum(len(p["data"]) for p in projectors), len(names)))
    row = 0
    for projector in projectors:
        columns = [place[name] for name in projector["col_names"]]
        stacked[row : row + len(projector["data"]), columns] = projector["data"]
        row += len(projector["data"])
    basis, _ = np.linalg.qr(stacked.T)
    return names, basis.T
