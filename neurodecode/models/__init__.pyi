from . import meeg_conv as meeg_conv
from .mel_tower import MelTower as MelTower
from .projector import BrainProjector as BrainProjector
