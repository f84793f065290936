from . import connectome as connectome
from . import gain_control as gain_control
