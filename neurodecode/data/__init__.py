"""The four objects that cross module borders, their store on disk, and splits."""

from neurodecode.data.intervals import Intervals
from neurodecode.data.lazy import LazySignal
from neurodecode.data.recording import Recording
from neurodecode.data.responses import Responses, concatenate
from neurodecode.data.spikes import SpikeTrains
from neurodecode.data.stimuli import Stimuli
from neurodecode.data.store import load, save

__all__ = ["Intervals", "LazySignal", "Recording", "Responses", "SpikeTrains", "Stimuli", "concatenate", "load", "save"]
