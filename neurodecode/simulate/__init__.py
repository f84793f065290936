"""Seeded generators whose truth is known: a recording comes out together with what was put into it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
