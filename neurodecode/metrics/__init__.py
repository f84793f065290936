"""Scores and their inference: pure functions on arrays, each with its chance level and best value."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
