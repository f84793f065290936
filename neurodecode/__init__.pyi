from . import compare as compare
from . import data as data
from . import datasets as datasets
from . import decode as decode
from . import errors as errors
from . import features as features
from . import generate as generate
from . import io as io
from . import linear as linear
from . import metrics as metrics
from . import models as models
from . import pipeline as pipeline
from . import preprocess as preprocess
from . import report as report
from . import simulate as simulate
from . import train as train
from .data import Intervals as Intervals
from .data import Recording as Recording
from .data import Responses as Responses
from .data import SpikeTrains as SpikeTrains
from .data import Stimuli as Stimuli
from .data import load as load
from .data import save as save
from .io import read as read
from .io import read_bids as read_bids
from .io import read_bids_all as read_bids_all

__version__: str
