from .projector import BrainProjector as BrainProjector
