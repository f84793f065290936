"""Planted response functions are found: their peaks to the sample, their shapes, and what drove them."""

from __future__ import annotations

import numpy as np
import pytest
from trf_data import planted

from neurodecode.linear import TRF

CENTRES = (0.08, 0.15, 0.24)
RATE = 100.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_peak_within_a_sample_and_shape_at_high_snr(seed: int) -> None:
    stimuli, responses, truth = planted(CENTRES, RATE, 60.0, snr=10.0, seed=seed)
    model = TRF(0.0, 0.4, RATE).fit(stimuli, responses)
    for channel, centre in enumerate(CENTRES):
        found = model.coef_[0, :, channel]
        assert abs(model.times_[np.argmax(found)] - centre) <= 1 / RATE + 1e-9
        assert np.corrcoef(found, truth[:, channel])[0, 1] > 0.9


@pytest.mark.parametrize("penalty", ["ridge", "smooth"])
def test_the_envelope_is_reconstructed_on_new_trials(penalty: str) -> None:
    stimuli, responses, _ = planted(CENTRES, RATE, 60.0, snr=1.0)
    fresh = planted(CENTRES, RATE, 30.0, snr=1.0, seed=9)[:2]
    model = TRF(0.0, 0.4, RATE, "backward", penalty=penalty, metric="correlation").fit(stimuli, responses)
    assert model.score(*fresh)[0] > 0.9
    shuffled = model.score(fresh[0][1:] + fresh[0][:1], fresh[1])[0]
    assert abs(shuffled) < 0.3, "the reconstruction of another trial tells nothing"


def test_nothing_is_found_before_the_stimulus() -> None:
    stimuli, responses, _ = planted(CENTRES, RATE, 60.0, snr=10.0)
    model = TRF(-0.2, 0.4, RATE).fit(stimuli, responses)
    before = np.abs(model.coef_[0, model.times_ < -0.02]).max()
    assert before < 0.15 * np.abs(model.coef_).max()
