"""Dynamic functional connectomes: which pairs of neurons co-vary, when, and in which animals."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
