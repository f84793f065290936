"""Stimuli as responses: embeddings by networks, low-level properties, and their alignment with the scans."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
