"""Maxwell filter and interpolation of MEG sensors on a real CTF recording, equal to MNE with its own objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from neurodecode.data import Recording
from neurodecode.data.convert import from_mne
from neurodecode.errors import DataError
from neurodecode.preprocess import meeg

ORIGIN = (0.0, 0.0, 0.04)


@pytest.fixture(scope="module")
def raw(real: Callable[..., Path]) -> Any:
    whole = mne.io.read_raw_fif(real("formats", "fif", "meg_ctf_raw.fif"), preload=True, verbose="error")
    kinds = np.array(whole.get_channel_types())
    return whole.pick(np.sort(np.r_[np.flatnonzero(kinds == "mag")[::2], np.flatnonzero(kinds == "ref_meg")]))  # fewer, for speed


def marked(raw: Any, bad: list[str]) -> tuple[Any, Recording]:
    copy = raw.copy()
    copy.info["bads"] = bad
    return copy, from_mne(copy)


def test_maxwell_filter_equals_that_of_mne(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = partial(mne.preprocessing.maxwell_filter, int_order=4, ext_order=2, regularize=None)
    monkeypatch.setattr(mne.preprocessing, "maxwell_filter", fast)
    bad = [raw.ch_names[40]]
    theirs, recording = marked(raw, bad)
    expected = mne.preprocessing.maxwell_filter(theirs, origin=ORIGIN, verbose="error").get_data()
    ours = meeg.maxwell_filter(recording, origin=ORIGIN)
    mag = (recording.channels["kind"] == "mag").to_numpy()
    np.testing.assert_allclose(ours.data[mag], expected[mag], rtol=1e-3, atol=1e-4 * np.abs(expected[mag]).max())
    assert np.abs(ours.data[mag] - recording.data[mag]).max() > 0.01 * np.abs(recording.data[mag]).max()
    assert not ours.channels["bad"].any()
    assert ours.meta["steps"][-1]["reconstructed"] == bad


def test_the_options_of_tsss_reach_mne(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def record(given: Any, **options: Any) -> Any:
        seen.update(options, names=given.ch_names)
        return given

    monkeypatch.setattr(mne.preprocessing, "maxwell_filter", record)
    ours = meeg.maxwell_filter(from_mne(raw), origin=ORIGIN, st_duration=10.0)
    assert (seen["st_duration"], seen["origin"], seen["coord_frame"]) == (10.0, ORIGIN, "head")
    assert seen["names"] == raw.ch_names
    assert ours.meta["steps"][-1] == {
        "step": "meeg.maxwell_filter",
        "st_duration": 10.0,
        "origin": list(ORIGIN),
        "reconstructed": [],
    }


def test_bad_sensors_are_interpolated_as_mne_does(raw: Any) -> None:
    bad = [raw.ch_names[k] for k in (41, 89)]
    theirs, recording = marked(raw.copy().pick(raw.ch_names[29::4]), bad)
    expected = theirs.interpolate_bads(origin=ORIGIN, verbose="error").get_data()
    ours = meeg.interpolate_bads(recording, origin=ORIGIN)
    rows = [recording.names.index(name) for name in bad]
    np.testing.assert_allclose(ours.data[rows], expected[rows], rtol=1e-3, atol=1e-4 * np.abs(expected[rows]).max())
    assert not ours.channels["bad"].any()


def test_what_mne_refuses_is_passed_on(raw: Any) -> None:
    with pytest.raises(DataError, match=r"the Maxwell filter refuses these 166 channels \(origin auto\).*digitization"):
        meeg.maxwell_filter(from_mne(raw))
