"""Readers: every format of the field in, one of the four objects out."""

import lazy_loader

from neurodecode.io.read import read as read  # bound now, so that importing the module of this name cannot hide the function

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
