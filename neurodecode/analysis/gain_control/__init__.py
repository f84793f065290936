"""Gains that adapt to what is seen: optimal gains, what they do to tuning, fits to data, and gains that whiten."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
