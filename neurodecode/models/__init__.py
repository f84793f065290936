"""Networks: modules only, keyword-only ``forward`` with shapes, saved as ``config.json`` and ``model.safetensors``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
