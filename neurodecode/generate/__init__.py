"""Pictures from embeddings: the protocol of generators, a small diffusion model for a lab's own stimuli, schedulers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
