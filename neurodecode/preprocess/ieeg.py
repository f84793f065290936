"""Preprocessing of intracranial EEG: referencing, line noise, high gamma, spikes and flat contacts.

Every function takes a `Recording` and leaves it untouched. Contacts have the kinds ecog, seeg or dbs.
"""

from neurodecode.preprocess.ieeg_marks import mark_flat, mark_spikes
from neurodecode.preprocess.ieeg_power import band_power, band_power_ratio, high_gamma, remove_line_noise
from neurodecode.preprocess.ieeg_reference import bipolar, common_average, laplacian, shafts

__all__ = [
    "band_power",
    "band_power_ratio",
    "bipolar",
    "common_average",
    "high_gamma",
    "laplacian",
    "mark_flat",
    "mark_spikes",
    "remove_line_noise",
    "shafts",
]
