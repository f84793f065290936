from .block_model import WeightedSBM as WeightedSBM
from .block_model import weighted_sbm as weighted_sbm
