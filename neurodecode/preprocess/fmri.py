"""Preprocessing of fMRI: confounds, cleaning, masks and parcels, block averages, single-trial betas, repeats."""

from neurodecode.preprocess.fmri_blocks import block_average
from neurodecode.preprocess.fmri_clean import clean

__all__ = ["block_average", "clean"]
