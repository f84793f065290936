"""The mel spectrogram of speech against the one of transformers with the same settings."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from neurodecode.features.mel import mel_power, mel_triangles


@pytest.mark.parametrize(("n_mels", "n_fft", "hop"), [(120, 512, 128), (40, 400, 160)])
def test_mel_power_equals_transformers(n_mels: int, n_fft: int, hop: int) -> None:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    sound = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # narrow bands that hold no frequency
        filters = mel_filter_bank(n_fft // 2 + 1, n_mels, 0.0, 8000.0, 16000, norm=None, mel_scale="htk")
    assert_allclose(mel_triangles(n_fft // 2 + 1, n_mels, 16000.0), filters, atol=1e-9)
    window = window_function(n_fft, "hann")
    theirs = spectrogram(sound, window, n_fft, hop, power=2.0, center=True, mel_filters=filters, mel_floor=0.0)
    ours = mel_power(sound, 16000.0, n_mels, n_fft, hop)
    assert_allclose(ours, theirs.T / np.square(window).sum(), rtol=1e-4, atol=1e-7)
