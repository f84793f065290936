"""Pictures of a planted world for the tests of generators: two blobs whose places vary."""

from __future__ import annotations

from functools import cache

import numpy as np

from neurodecode.generate import TinyDiffusion

SIDE = 8


def blobs(n: int, seed: int = 0, *, enlarged: int = 1, colour: bool = False) -> np.ndarray:
    """Pictures uint8 (n, SIDE * enlarged, SIDE * enlarged, 3), grey unless in colour."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    places = rng.uniform(1, SIDE - 2, (n, 2, 1, 1))
    ink = np.exp(-((y - places[:, 0]) ** 2 + (x - places[:, 1]) ** 2) / 2)
    tint = rng.uniform(0.3, 1, (n, 1, 1, 3)) if colour else np.ones((n, 1, 1, 3))
    pictures = np.rint(255 * ink[..., None] * tint).astype(np.uint8)
    return pictures.repeat(enlarged, axis=1).repeat(enlarged, axis=2)


@cache
def trained(steps: int = 300) -> TinyDiffusion:
    """A generator of blobs, trained once."""
    return TinyDiffusion(steps=steps, channels=(16, 32), n_components=20).fit(blobs(400, enlarged=2))


def untrained(**parameters: object) -> TinyDiffusion:
    """A generator that took two steps, for everything but quality."""
    given = {"steps": 2, "channels": (8,), "n_components": 4, "temperature": 1.0, **parameters}
    return TinyDiffusion(**given).fit(blobs(12))
