"""Versions of what computed a result."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib import metadata

from neurodecode import __version__

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "nibabel", "nilearn", "mne", "mne-bids", "pynwb", "torch")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Version of neurodecode, Python and the packages that compute; absent packages are left out."""
    found = {"neurodecode": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
