"""Preprocessing of fMRI: confounds, cleaning, masks and parcels, block averages, single-trial betas, repeats."""

from neurodecode.preprocess.fmri_atlas import mask, parcellate, sample_surface
from neurodecode.preprocess.fmri_blocks import BLOCK_FROM, block_average, join_blocks, responses
from neurodecode.preprocess.fmri_clean import clean
from neurodecode.preprocess.fmri_confounds import (
    drop_non_steady_state,
    framewise_displacement,
    n_non_steady_state,
    select_confounds,
)
from neurodecode.preprocess.fmri_design import hrf_lag
from neurodecode.preprocess.fmri_fir import fir
from neurodecode.preprocess.fmri_glm import betas
from neurodecode.preprocess.fmri_quality import quality, tsnr
from neurodecode.preprocess.fmri_repeats import NoiseCeiling, average_repeats, ncsnr, standardise_runs

__all__ = [
    "BLOCK_FROM",
    "NoiseCeiling",
    "average_repeats",
    "betas",
    "block_average",
    "clean",
    "drop_non_steady_state",
    "fir",
    "framewise_displacement",
    "hrf_lag",
    "join_blocks",
    "mask",
    "n_non_steady_state",
    "ncsnr",
    "parcellate",
    "quality",
    "responses",
    "sample_surface",
    "select_confounds",
    "standardise_runs",
    "tsnr",
]
