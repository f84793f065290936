"""Preprocessing of EEG and MEG: filters, references, bad channels, artifacts, noise, epochs.

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

__all__ = [
    "ICADecomposition",
    "NoiseCovariance",
    "RobustScale",
    "SpaceProjection",
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
    "score_components",
    "whiten",
]
