"""Preprocessing of EEG and MEG: filters, references, bad channels, artifacts, noise, epochs; windows of
speech and images for decoders.

Every function takes a `Recording` (or `Responses`) and leaves it untouched. Whatever is fitted takes the training data as an
argument of its own: one recording, or several runs.
"""

from neurodecode.preprocess.meeg_artifacts import (
    ICADecomposition,
    apply_ica,
    fit_ica,
    ica_sources,
    regress_out,
    score_components,
)
from neurodecode.preprocess.meeg_epochs import baseline, epochs
from neurodecode.preprocess.meeg_filter import Spectrum, filter, notch, psd, resample
from neurodecode.preprocess.meeg_images import IMAGE_PRESETS, ImageWindows, image_windows, whiten_sessions
from neurodecode.preprocess.meeg_layout import with_layout
from neurodecode.preprocess.meeg_noise import (
    NoiseCovariance,
    RobustScale,
    fit_robust_scale,
    noise_covariance,
    robust_scale,
    whiten,
)
from neurodecode.preprocess.meeg_projectors import SpaceProjection, apply_ssp, fit_ssp, maxwell_filter
from neurodecode.preprocess.meeg_quality import drop_bads, find_bad_channels, interpolate_bads, quality
from neurodecode.preprocess.meeg_reference import reference
from neurodecode.preprocess.meeg_speech import SpeechSegments, speech_segments
from neurodecode.preprocess.meeg_windows import scaled_windows

__all__ = [
    "ICADecomposition",
    "IMAGE_PRESETS",
    "ImageWindows",
    "NoiseCovariance",
    "RobustScale",
    "SpaceProjection",
    "SpeechSegments",
    "Spectrum",
    "apply_ica",
    "apply_ssp",
    "baseline",
    "drop_bads",
    "epochs",
    "filter",
    "find_bad_channels",
    "fit_ica",
    "fit_robust_scale",
    "fit_ssp",
    "ica_sources",
    "image_windows",
    "interpolate_bads",
    "maxwell_filter",
    "noise_covariance",
    "notch",
    "psd",
    "quality",
    "reference",
    "regress_out",
    "resample",
    "robust_scale",
    "scaled_windows",
    "score_components",
    "speech_segments",
    "whiten",
    "whiten_sessions",
    "with_layout",
]
