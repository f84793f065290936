"""Tuning of the cat: both ends of the circle are one, sessions, ensembles, damaged and foreign files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodecode.datasets import benucci2013
from neurodecode.errors import CorruptFileError, DataError, FormatError
from neurodecode.simulate.gain_control import simulate_adaptation, write_benucci


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_benucci(tmp_path, simulate_adaptation())
    return tmp_path


def test_curves_come_back_as_they_were(root: Path) -> None:
    planted = simulate_adaptation()
    responses, stimuli = benucci2013.load(root, "2", normalise=False)
    control = responses.select(ensemble="control")
    np.testing.assert_allclose(control.data, planted.control[1], rtol=1e-6)
    np.testing.assert_allclose(responses.select(ensemble="adapted").data, planted.adapted[1], rtol=1e-6)
    np.testing.assert_allclose(control.samples["orientation"], planted.stimuli)
    np.testing.assert_allclose(responses.units["preferred"], planted.preferred)
    assert len(stimuli) == 20


def test_curves_are_normalised_by_the_unadapted_ones(root: Path) -> None:
    control, adapted = (benucci2013.load(root)[0].select(session="1", ensemble=kind).data for kind in ("control", "adapted"))
    np.testing.assert_allclose(control.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(control.max(axis=0), 1, rtol=1e-6)
    assert adapted.max(axis=0).min() < 0.95


def test_ensembles_are_those_of_the_sessions(root: Path) -> None:
    samples = benucci2013.load(root)[0].samples
    adapted = samples[samples["ensemble"] == "adapted"].pivot_table(index="session", columns="orientation", values="probability")
    np.testing.assert_allclose(adapted.sum(axis=1), 1)
    np.testing.assert_allclose(adapted.loc["1", [0.0, -9.0, 9.0]], [0.25, 0.125, 0.125])
    np.testing.assert_allclose(adapted.loc["2", 0.0], 0.175)
    flat = samples.loc[samples["ensemble"] == "control", "probability"]
    np.testing.assert_allclose(flat, 1 / 20)


def test_what_is_not_there(root: Path) -> None:
    with pytest.raises(DataError, match="no session '12'"):
        benucci2013.load(root, "12")


def test_other_files(root: Path) -> None:
    from scipy.io import savemat

    savemat(root / benucci2013.FILE, {"other": 1.0})
    with pytest.raises(FormatError, match="no variable 'resps'"):
        benucci2013.load(root)
    cells = np.empty((1, 1), object)
    cells[0, 0] = np.zeros((13, 21))
    savemat(root / benucci2013.FILE, {"resps": cells})
    with pytest.raises(FormatError, match=r"units, stimuli, 2"):
        benucci2013.load(root)


def test_a_cut_file(root: Path) -> None:
    path = root / benucci2013.FILE
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CorruptFileError, match=r"BenucciTuningData\.mat"):
        benucci2013.load(root)
