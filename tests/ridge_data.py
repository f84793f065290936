"""Problems for the tests of ridge, their answers by brute force, and what a fit takes of memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from neurodecode.data.splits import Split

ALPHAS = np.logspace(-1, 6, 8)


def problem(
    n: int = 120, p: int = 15, n_targets: int = 7, dtype: type = np.float64, offset: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, and targets of all degrees of noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) @ (np.eye(p) + 0.3 * rng.standard_normal((p, p)) / np.sqrt(p))
    y = x @ rng.standard_normal((p, n_targets)) / np.sqrt(p) + np.geomspace(0.1, 10, n_targets) * rng.standard_normal(
        (n, n_targets)
    )
    return (x + offset).astype(dtype), (y + 3 * offset).astype(dtype)


def brute_weights(x: np.ndarray, y: np.ndarray, alpha: float, intercept: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Weights and offsets by the normal equations."""
    x, y = x.astype(float), y.astype(float)
    mx, my = (x.mean(axis=0), y.mean(axis=0)) if intercept else (np.zeros(x.shape[1]), np.zeros(y.shape[1:]))
    coef = np.linalg.solve((x - mx).T @ (x - mx) + alpha * np.eye(x.shape[1]), (x - mx).T @ (y - my))
    return coef, my - mx @ coef


def brute_surface(x: np.ndarray, y: np.ndarray, folds: Sequence[Split], alphas: np.ndarray, intercept: bool = True) -> np.ndarray:
    """Mean over folds of held-out R2, (n_alphas, n_targets), one fit at a time."""
    x, y = x.astype(float), y.astype(float)
    table = np.zeros((len(folds), len(alphas), y.shape[1]))
    for i, fold in enumerate(folds):
        held = y[fold.test]
        total = np.sum((held - held.mean(axis=0)) ** 2, axis=0)
        for j, alpha in enumerate(alphas):
            coef, offset = brute_weights(x[fold.train], y[fold.train], alpha, intercept)
            table[i, j] = 1 - np.sum((held - x[fold.test] @ coef - offset) ** 2, axis=0) / total
    return table.mean(axis=0)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Distance as a share of the size of what is expected."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def anonymous_memory() -> int:
    """Bytes of this process that no file stands behind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@contextmanager
def peak_growth() -> Iterator[list[int]]:
    """Gives a list whose only entry is, after the block, the largest growth of anonymous memory during it."""
    start, done, found = anonymous_memory(), threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.01):
            found[0] = max(found[0], anonymous_memory() - start)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def sparse_map(path: Path, n: int, n_targets: int, columns: dict[int, np.ndarray]) -> np.ndarray:
    """A memory map of zeros that takes no room on disk but for a few columns, opened for reading."""
    written = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, n_targets))
    for column, values in columns.items():
        written[:, column] = values
    written.flush()
    del written
    return np.lib.format.open_memmap(path, mode="r")
