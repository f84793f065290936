"""Preprocessing of EEG and MEG: filters, references, bad channels, artifacts, noise, epochs."""

from neurodecode.preprocess.meeg_epochs import baseline, epochs
from neurodecode.preprocess.meeg_filter import filter

__all__ = ["baseline", "epochs", "filter"]
