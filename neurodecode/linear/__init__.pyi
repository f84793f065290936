from .banded import BandedRidgeCV as BandedRidgeCV
from .delays import Delayer as Delayer
from .folds import resolve_folds as resolve_folds
from .ridge import RidgeCV as RidgeCV
from .trf import TRF as TRF
