"""What comparisons take from the layers below, under the names that lab scripts use."""

from neurodecode.features.align import to_tr
from neurodecode.linear import BandedRidgeCV, Delayer, RidgeCV
from neurodecode.metrics.corrections import false_discovery_rate
from neurodecode.metrics.matching import soft_match
from neurodecode.metrics.similarity import cca, cka, procrustes

__all__ = ["BandedRidgeCV", "Delayer", "RidgeCV", "cca", "cka", "false_discovery_rate", "procrustes", "soft_match", "to_tr"]
