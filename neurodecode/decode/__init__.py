"""What was seen, heard or done, read from responses: linear decoders with honest validation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
