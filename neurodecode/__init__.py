"""From a brain recording to a decoded stimulus, a cleaned signal, a tested hypothesis, or a comparison with a model."""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
