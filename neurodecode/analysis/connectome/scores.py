"""Scores of factorisations and of communities, from `neurodecode.metrics`."""

from neurodecode.metrics.clustering import adjusted_rand_index, factor_match_score, normalized_mutual_information

__all__ = ["adjusted_rand_index", "factor_match_score", "normalized_mutual_information"]
