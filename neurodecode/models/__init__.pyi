from . import meeg_conv as meeg_conv
from .atm import ATM as ATM
from .mel_tower import MelTower as MelTower
from .nice import NICE as NICE
from .projector import BrainProjector as BrainProjector
