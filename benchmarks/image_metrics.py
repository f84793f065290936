"""Speed and null figures of retrieval and image metrics: ``python benchmarks/image_metrics.py``; best of two, one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from neurodecode.metrics import n_way_chance, n_way_top_k, retrieval_report, ssim, two_way_identification


def best(call: Callable[[], Any], repeats: int = 2) -> float:
    """Shortest CPU time of a call in s."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def row(what: str, figure: str) -> None:
    """Print one line."""
    print(f"{what:<76} {figure}", flush=True)


def structure(rng: np.random.Generator) -> None:
    """Sixteen pairs at 425 pixels."""
    true, made = rng.random((2, 16, 256, 256, 3))
    for form in ("2d", "columns"):
        seconds = best(lambda form=form: ssim(true, made, form, size=425))
        row(f"ssim {form}, resized from 256 to 425 pixels, per image", f"{seconds / 16 * 1e3:.0f} ms")
    try:
        from skimage.metrics import structural_similarity
    except ImportError:
        return
    pair = rng.random((2, 425, 425))
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    row(
        "scikit-image 2d at 425 pixels, per image, without resizing",
        f"{best(lambda: structural_similarity(*pair, **wang)) * 1e3:.0f} ms",
    )


def identification(rng: np.random.Generator) -> None:
    """The published test set and the first AlexNet layer at a tenth of its width."""
    true = rng.standard_normal((982, 18_000), dtype=np.float32)
    row(
        "two_way_identification, 982 images x 18 000 features",
        f"{best(lambda: two_way_identification(true, true[::-1]), 1):.2f} s",
    )


def null(rng: np.random.Generator) -> None:
    """Random logits of 1000 classes: the mean over all draws, beside the closed form."""
    true, made = rng.standard_normal((2, 4000, 1000), dtype=np.float32)
    for n, top in ((2, 3), (50, 3), (2, 1), (50, 1)):
        found = n_way_top_k(true, made, n, 1, top)
        error = found.std() / np.sqrt(len(found))
        row(
            f"{n}-way top-1, {top} right classes, 4000 random images",
            f"{found.mean():.4f} +- {error:.4f} ({n_way_chance(n, 1, top):.4f})",
        )
    row("n_way_top_k, exact mean over draws, 4000 images x 1000 classes", f"{best(lambda: n_way_top_k(true, made), 1):.2f} s")


def retrieval(rng: np.random.Generator) -> None:
    """A test set of 1284 candidates, ten trials each."""
    targets = rng.standard_normal((1284, 1024), dtype=np.float32)
    ids = np.tile(np.arange(1284), 10)
    predicted = targets[ids] + 10 * rng.standard_normal((len(ids), 1024), dtype=np.float32)
    row(
        "retrieval_report, 12 840 trials among 1284 candidates x 1024",
        f"{best(lambda: retrieval_report(predicted, targets[ids], ids), 1):.2f} s",
    )


if __name__ == "__main__":
    with threadpool_limits(1):
        for part in (structure, identification, null, retrieval):
            part(np.random.default_rng(0))
