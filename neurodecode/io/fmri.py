"""Readers of fMRI files: volumes (NIfTI), surfaces (GIFTI), both together (CIFTI), masks and segmentations."""

from neurodecode.io.surface import read_cifti, read_gifti
from neurodecode.io.volume import Mask, Segmentation, read_dseg, read_mask, read_nifti

__all__ = ["Mask", "Segmentation", "read_cifti", "read_dseg", "read_gifti", "read_mask", "read_nifti"]
