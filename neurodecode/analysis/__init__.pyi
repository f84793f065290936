from . import connectome as connectome
