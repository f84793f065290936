"""Converters to and from the objects of MNE, nibabel and xarray; each package is imported when its converter is called."""

from neurodecode.data.convert_mne import from_mne, to_mne, with_montage
from neurodecode.data.convert_nifti import from_nifti, to_gifti, to_nifti
from neurodecode.data.convert_xarray import from_xarray, to_xarray

__all__ = ["from_mne", "from_nifti", "from_xarray", "to_gifti", "to_mne", "to_nifti", "to_xarray", "with_montage"]
