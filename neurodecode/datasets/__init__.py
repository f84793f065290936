"""Public data sets: what is known about them, verified download, and one loader each."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
