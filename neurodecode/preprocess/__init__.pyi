from . import causal as causal
from . import fmri as fmri
from . import ieeg as ieeg
from . import meeg as meeg
