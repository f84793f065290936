"""Faces and houses of a four-channel headband through the deep encoder, each run held out in turn, beside ridge on the same runs.

A few hundred epochs of four consumer electrodes are no place for a network to shine; nothing is claimed, both figures are told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurodecode.data import Responses, concatenate
from neurodecode.decode import MEEGImageDecoder
from neurodecode.io import read_bids_all
from neurodecode.io.sensor_layout import sensor_layout
from neurodecode.metrics import roc_auc
from neurodecode.preprocess import meeg

SIZES = {"attention_channels": 8, "channels": 16, "n_blocks": 2, "fourier": 4, "width": 32, "dropout_radius": 0.0}
TRAINER = {"lr": 1e-3, "batch_size": 64, "epochs": 20, "patience": 5, "ema": 0.95, "device": "cpu"}


def epochs_of(root: Path) -> Responses:
    """Epochs of all runs at 64 Hz, scaled by the robust spread of each channel and run, each with a name and its class."""
    runs = []
    for recording in read_bids_all(root, datatype="eeg"):
        epochs = meeg.epochs(meeg.filter(recording, 1.0, 30.0), -0.1, 0.8, (None, 0.0), reject_peak_to_peak=100e-6)
        data = np.asarray(epochs.data)[:, :, ::4]
        low, high = np.quantile(data, [0.25, 0.75], axis=(0, 2), keepdims=True)
        runs.append(epochs.replace(data=np.clip(data / (high - low), -20, 20), times=epochs.times[::4]))
    joined = concatenate(runs)
    places = sensor_layout(joined.units["name"].tolist())
    units = joined.units.assign(layout_x=places[:, 0], layout_y=places[:, 1])
    return joined.replace(units=units, samples=joined.samples.assign(stimulus=[f"trial{i}" for i in range(len(joined))]))


def classes_of(responses: Responses) -> Responses:
    """Two candidates: the class of each trial as a vector."""
    face = (responses.samples["trial_type"] == "face").to_numpy()
    return Responses(np.stack([face, ~face], axis=1), responses.samples[["stimulus"]], pd.DataFrame({"name": ["face", "house"]}))


def leave_one_run_out(responses: Responses) -> pd.DataFrame:
    """Area under the curve of network and ridge on each run; another run chooses the weights."""
    targets, rows = classes_of(responses), []
    names = responses.samples["run"].unique().tolist()
    for number, name in enumerate(names):
        chosen = names[number - 1]
        train, test = (responses.select(run=[n for n in names if n not in (name, chosen)]), responses.select(run=name))
        face = (test.samples["trial_type"] == "face").to_numpy()
        row = {"run": name}
        for network in ("conv", "ridge"):
            options = {"network_options": SIZES, "trainer": TRAINER, "baseline": False} if network == "conv" else {}
            decoder = MEEGImageDecoder(network, **options).fit(train, targets, validation=responses.select(run=chosen))
            told = decoder.retrieve(test, targets, k=2).merge(targets_named(targets), on="stimulus")
            row[network] = roc_auc(face, told[told["face"]].sort_values("sample")["probability"].to_numpy())
        rows.append(row)
    return pd.DataFrame(rows)


def targets_named(targets: Responses) -> pd.DataFrame:
    """Which stimuli are faces."""
    return pd.DataFrame({"stimulus": targets.samples["stimulus"], "face": np.asarray(targets.data)[:, 0] > 0.5})


@pytest.mark.slow
def test_faces_and_houses_of_held_out_runs(real: Callable[..., Path]) -> None:
    found = leave_one_run_out(epochs_of(real("muse_n170")))
    logging.getLogger("figures").info("\n%s\n%s", found.to_string(), found[["conv", "ridge"]].mean().to_string())
    assert len(found) == 4
    assert found["ridge"].mean() > 0.55
    assert found["conv"].between(0.4, 1.0).all()
