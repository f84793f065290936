"""Figures of the report as functions that return matplotlib figures; no window, no global state."""

from neurodecode.report.figures.comparisons import layer_curve, layer_regions, region_scores, score_course, target_scores
from neurodecode.report.figures.connectome import community_matrices, component_courses, component_graph, rank_evidence
from neurodecode.report.figures.live import latency
from neurodecode.report.figures.pictures import image_scores, reconstructions
from neurodecode.report.figures.quality import channel_values, contact_bars, event_counts, motion, spectra, tsnr
from neurodecode.report.figures.retrieval import generated_pictures, retrieval_accuracy, retrieval_course, subject_retrieval
from neurodecode.report.figures.scores import (
    confusion,
    fold_scores,
    permutation_null,
    roi_scores,
    score_summary,
    true_against_predicted,
)
from neurodecode.report.figures.similarity import rdm_scores, stimulus_free, variance_parts
from neurodecode.report.figures.space import glass_brain, slices, topomap
from neurodecode.report.figures.style import to_png, to_svg
from neurodecode.report.figures.times import evoked, generalization, pattern_course, time_course
from neurodecode.report.figures.training import loss_curves, seed_scores

__all__ = [
    "channel_values",
    "community_matrices",
    "component_courses",
    "component_graph",
    "confusion",
    "contact_bars",
    "event_counts",
    "evoked",
    "fold_scores",
    "generalization",
    "generated_pictures",
    "glass_brain",
    "image_scores",
    "latency",
    "layer_curve",
    "layer_regions",
    "loss_curves",
    "motion",
    "pattern_course",
    "permutation_null",
    "rank_evidence",
    "rdm_scores",
    "reconstructions",
    "region_scores",
    "retrieval_accuracy",
    "retrieval_course",
    "roi_scores",
    "score_course",
    "score_summary",
    "seed_scores",
    "slices",
    "spectra",
    "stimulus_free",
    "subject_retrieval",
    "target_scores",
    "time_course",
    "to_png",
    "to_svg",
    "topomap",
    "true_against_predicted",
    "tsnr",
    "variance_parts",
]
