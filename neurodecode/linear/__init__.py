"""The one ridge core that decoders, comparisons and baselines call: penalties per target, chosen on folds that cannot leak."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
