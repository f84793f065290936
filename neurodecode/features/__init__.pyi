from .align import to_tr as to_tr
