"""From a raw recording to a clean one, and to responses: one module per modality."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
