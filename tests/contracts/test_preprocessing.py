"""Preprocessing: input untouched, the step and its parameters in `meta`, the same from file as from memory, NaN refused by name.

A new ``f(recording, ...) -> Recording`` that a module of ``neurodecode.preprocess`` exports is tested at once on the recording of
its module; if it needs further arguments, or another recording, it needs a row in `CASES`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import bold_runs
import mne
import numpy as np
import pandas as pd
import pytest
from contracts.members import exported_by, lazily, needed, result_types, snapshot

from neurodecode.data import Recording
from neurodecode.data.convert import from_mne, with_montage
from neurodecode.errors import DataError
from neurodecode.preprocess import fmri, meeg


class Case(NamedTuple):
    """What a function is called with."""

    recording: Callable[[], Recording]
    """Makes the recording."""
    options: Callable[[Recording], dict[str, Any]] = lambda recording: {}
    """Further arguments."""


@cache
def eeg() -> Recording:
    """Forty seconds of 19 EEG channels and one EOG at 100 Hz, with blinks, one bad channel, positions and events."""
    names = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2", "T7", "T8", "P7", "P8"]
    rng = np.random.default_rng(0)
    blinks = np.zeros(4000)
    for onset in range(150, 4000, 400):
        blinks[onset : onset + 30] += 1e-4 * np.hanning(30)
    common = np.cumsum(rng.standard_normal(4000)) * 1e-7
    data = 1e-5 * rng.standard_normal((len(names), 4000)) + common + np.linspace(1, 0, len(names))[:, None] * blinks
    info = mne.create_info([*names, "EOG1"], 100.0, ["eeg"] * len(names) + ["eog"])
    raw = mne.io.RawArray(np.vstack([data, 2 * blinks + 1e-6 * rng.standard_normal(4000)]), info, verbose="error")
    raw.info["bads"] = [names[4]]
    raw.info["line_freq"] = 40.0
    events = {"onset": np.arange(2.0, 38.0, 2.0), "duration": 0.1, "trial_type": ["face", "house"] * 9}
    return with_montage(from_mne(raw), "standard_1020").replace(events=pd.DataFrame(events)).with_step("read", {})


@cache
def ieeg() -> Recording:
    """Ten seconds of two shafts of five contacts at 500 Hz with 50 Hz line noise; one contact is bad."""
    rng = np.random.default_rng(1)
    names = [f"{shaft}{i}" for shaft in ("A", "B'") for i in range(1, 6)]
    line = 1e-5 * np.sin(2 * np.pi * 50 * np.arange(5000) / 500)
    table = pd.DataFrame({"name": names, "kind": "seeg", "unit": "V", "bad": [i == 3 for i in range(10)]})
    events = {"onset": [2.0, 6.0], "duration": 1.0, "trial_type": ["a", "b"]}
    meta = {"subject": "01", "modality": "ieeg", "line_freq": 50.0, "steps": [{"step": "read"}]}
    return Recording(1e-5 * rng.standard_normal((10, 5000)) + line, 500.0, table, pd.DataFrame(events), meta=meta)


@cache
def bold() -> Recording:
    """A run of forty voxels that went through fMRIPrep."""
    events = bold_runs.event_table(np.arange(10.0, 380.0, 30.0), 3.0)
    return bold_runs.simulate(np.random.default_rng(2), events)[0].with_step("read", {})


@cache
def brain() -> Recording:
    """A whole head of coarse voxels in a template space, for maps onto the cortex."""
    shape, affine = (18, 22, 18), np.diag([10.0, 10.0, 10.0, 1.0])
    affine[:3, 3] = (-85, -120, -70)
    i, j, k = (axis.ravel() for axis in np.indices(shape))
    table = pd.DataFrame(
        {"name": [f"{a}_{b}_{c}" for a, b, c in zip(i, j, k, strict=True)], "kind": "bold", "i": i, "j": j, "k": k}
    )
    space = {"name": "MNI152NLin2009cAsym", "type": "volume", "shape": list(shape), "affine": affine.tolist()}
    data = np.random.default_rng(3).standard_normal((len(table), 6)) + 100
    return Recording(data, 0.5, table, meta={"subject": "01", "modality": "bold", "preprocessed": True, "space": space})


DEFAULTS = {"meeg": eeg, "ieeg": ieeg, "fmri": bold}
CASES: dict[str, Case] = {
    "preprocess.meeg.resample": Case(eeg, lambda r: {"sfreq": 50.0}),
    "preprocess.meeg.apply_ica": Case(eeg, lambda r: {"ica": meeg.fit_ica(r, 5), "exclude": [0]}),
    "preprocess.meeg.apply_ssp": Case(eeg, lambda r: {"projection": meeg.fit_ssp(r, "eog", channel="EOG1")}),
    "preprocess.meeg.regress_out": Case(eeg, lambda r: {"kinds": "eog", "train": r}),
    "preprocess.meeg.interpolate_bads": Case(eeg, lambda r: {"origin": (0.0, 0.0, 0.0)}),
    "preprocess.ieeg.band_power": Case(ieeg, lambda r: {"l_freq": 8.0, "h_freq": 30.0}),
    "preprocess.fmri.mask": Case(bold, lambda r: {"mask": np.arange(40).reshape(40, 1, 1) % 2 == 0}),
    "preprocess.fmri.parcellate": Case(bold, lambda r: {"labels": np.arange(40).reshape(40, 1, 1) // 10 + 1}),
    "preprocess.fmri.sample_surface": Case(brain),
}
ELSEWHERE = {
    "preprocess.meeg.maxwell_filter": "needs the coils of a whole MEG: tests/preprocess",
}


def members() -> dict[str, Any]:
    """Exported functions that turn a recording into a recording."""
    found = {}
    for name, value in exported_by("preprocess"):
        if inspect.isfunction(value):
            first = next(iter(inspect.signature(value).parameters), "")
            if first == "recording" and result_types(value) == {Recording}:
                found[name] = value
    return found


def case_of(name: str, function: Any) -> Case:
    """The row of `CASES`, or the recording of the module."""
    if name in CASES:
        return CASES[name]
    module = name.split(".")[1]
    assert not needed(function), f"{name} needs {needed(function)}: add a row to CASES in {Path(__file__).name}"
    assert module in DEFAULTS, f"add a recording for {module!r} to DEFAULTS in {Path(__file__).name}"
    return Case(DEFAULTS[module])


def check_preprocessing(name: str, function: Callable[..., Recording], case: Case) -> None:
    """The contract."""
    recording, options = case.recording(), case.options(case.recording())
    before = snapshot(recording), snapshot(options)
    result = function(recording, **options)
    assert isinstance(result, Recording)
    untouched = (snapshot(recording), snapshot(options)) == before  # a bool: pytest would compare the bytes one by one to explain
    assert untouched, "the input was changed"
    _check_step(name, function, recording, result, options)
    repeatable = snapshot(function(recording, **options)) == snapshot(result)
    assert repeatable, "a second call gives something else"
    from_file = function(lazily(recording), **options)
    np.testing.assert_allclose(np.asarray(from_file.data), np.asarray(result.data), rtol=1e-5, atol=1e-9)
    _check_missing_data(function, recording, options)


def _check_step(name: str, function: Any, recording: Recording, result: Recording, options: dict[str, Any]) -> None:
    old, new = recording.meta.get("steps", []), result.meta["steps"]
    assert new[: len(old)] == old, "earlier steps were lost"
    assert len(new) == len(old) + 1, f"one call is one step, got {new[len(old) :]}"
    known = {name, *members()}  # one function may be another under the name that its modality uses
    assert f"preprocess.{new[-1]['step']}" in known, f"the step must be called {name}, got {new[-1]['step']}"
    json.dumps(result.meta, allow_nan=False)
    numbers = {p for p in inspect.signature(function).parameters if isinstance(options.get(p), (int, float))}
    assert numbers <= new[-1].keys(), f"the step must record {numbers}, got {new[-1]}"
    kept = ("subject", "session", "run", "task", "modality", "sources")
    assert {k: result.meta.get(k) for k in kept} == {k: recording.meta.get(k) for k in kept}
    assert result.t0 == pytest.approx(recording.t0, abs=1 / recording.sfreq)
    assert result.duration == pytest.approx(recording.duration, abs=2 / min(result.sfreq, recording.sfreq))


def _check_missing_data(function: Any, recording: Recording, options: dict[str, Any]) -> None:
    """A NaN in a good channel is either carried or refused by the name of the channel, never spread to others."""
    data, row = np.array(recording.data), 1
    data[row, 3:5] = np.nan
    holed = recording.replace(data=data)
    try:
        result = function(holed, **options)
    except DataError as error:
        assert recording.names[row] in str(error), f"the message must name the channel: {error}"  # noqa: PT017
        return
    shared = [n for n in result.names if n in recording.names and n != recording.names[row]]
    assert np.isfinite(np.asarray(result.pick(shared).data)).all() if shared else True, "NaN spread to other channels"


def test_every_member_has_a_case() -> None:
    assert len(members()) >= 15
    assert set(CASES) | set(ELSEWHERE) <= set(members()), "a row has no function"
    for name, function in members().items():
        if name not in ELSEWHERE:
            case_of(name, function)


@pytest.mark.parametrize("name", sorted(set(members()) - set(ELSEWHERE)))
def test_preprocessing(name: str) -> None:
    function = members()[name]
    check_preprocessing(name, function, case_of(name, function))


class TestTheContractItself:
    """A function that breaks one promise is noticed."""

    @staticmethod
    def check(function: Callable[[Recording], Recording]) -> None:
        check_preprocessing("preprocess.fmri.planted", function, Case(bold))

    def test_a_good_one_passes(self) -> None:
        def planted(recording: Recording) -> Recording:
            return recording.with_step("fmri.planted", {}, data=np.asarray(recording.data) * 2)

        self.check(planted)

    def test_a_changed_input(self) -> None:
        def planted(recording: Recording) -> Recording:
            recording.meta["subject"] = "02"
            return recording.with_step("fmri.planted", {})

        with pytest.raises(AssertionError, match="the input was changed"):
            check_preprocessing("preprocess.fmri.planted", planted, Case(lambda fresh=bold: fresh().replace()))

    def test_no_step(self) -> None:
        with pytest.raises(AssertionError, match="one call is one step"):
            self.check(lambda recording: recording.replace())

    def test_another_name(self) -> None:
        with pytest.raises(AssertionError, match="must be called"):
            self.check(lambda recording: recording.with_step("planted", {}))

    def test_numbers_that_differ_each_time(self) -> None:
        def planted(recording: Recording) -> Recording:
            noise = np.random.default_rng().standard_normal(recording.data.shape)
            return recording.with_step("fmri.planted", {}, data=recording.data + noise)

        with pytest.raises(AssertionError, match="a second call"):
            self.check(planted)

    def test_a_hole_that_spreads(self) -> None:
        def planted(recording: Recording) -> Recording:
            data = np.asarray(recording.data)
            return recording.with_step("fmri.planted", {}, data=data - data.mean(axis=0))

        with pytest.raises(AssertionError, match="NaN spread"):
            self.check(planted)

    def test_a_message_without_the_channel(self) -> None:
        def planted(recording: Recording) -> Recording:
            data = np.asarray(recording.data)
            if np.isnan(data).any():
                raise DataError("there are NaN values somewhere")
            return recording.with_step("fmri.planted", {})

        with pytest.raises(AssertionError, match="must name the channel"):
            self.check(planted)

    def test_fmri_functions_are_members(self) -> None:
        assert members()["preprocess.fmri.clean"] is fmri.clean
