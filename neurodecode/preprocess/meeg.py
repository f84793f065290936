"""Preprocessing of EEG and MEG: filters, references, bad channels, artifacts, noise, epochs."""

from neurodecode.preprocess.meeg_epochs import baseline, epochs
from neurodecode.preprocess.meeg_filter import Spectrum, filter, notch, psd, resample
from neurodecode.preprocess.meeg_quality import drop_bads, find_bad_channels, interpolate_bads, quality

__all__ = [
    "Spectrum",
    "baseline",
    "drop_bads",
    "epochs",
    "filter",
    "find_bad_channels",
    "interpolate_bads",
    "notch",
    "psd",
    "quality",
    "resample",
]
