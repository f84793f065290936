"""Speed and memory of the small generator: ``python benchmarks/generate.py``; on a GPU ``--device cuda --size 32``.

``--demo FOLDER SEED`` measures, on a finished demo, ridge against one sample and the mean of 8.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.data import concatenate, load
from neurodecode.decode import GeneratorReconstructor, RidgeReconstructor, reconstruct
from neurodecode.generate import TinyDiffusion
from neurodecode.io import read_stimuli
from neurodecode.metrics.image import ssim
from neurodecode.simulate.visual_cortex import load_digits
from neurodecode.simulate.visual_cortex_bids import as_picture


def pictures(n: int, size: int) -> np.ndarray:
    """Smooth pictures in colour, uint8 (n, size, size, 3)."""
    rng = np.random.default_rng(0)
    waves = np.cos(np.arange(size)[:, None] * np.arange(4) * np.pi / size)
    mixed = np.einsum("nabc,ya,xb->nyxc", rng.standard_normal((n, 4, 4, 3)), waves, waves)
    return np.clip(128 + 30 * mixed, 0, 255).astype(np.uint8)


def speed(size: int, device: str, steps: int) -> str:
    """Steps of training and pictures per second, and memory, as a row of the table."""
    import torch

    shown = pictures(256, size)
    TinyDiffusion(steps=3, device=device).fit(shown)  # kernels are chosen once
    start = time.perf_counter()
    model = TinyDiffusion(steps=steps, device=device).fit(shown)
    training = time.perf_counter() - start
    told = model.encode_targets(shown)
    start = time.perf_counter()
    model.generate(told)
    sampling = time.perf_counter() - start
    on_gpu = device.startswith("cuda")
    memory = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = sum(p.numel() for p in model.network_.parameters())
    what = f"{size} x {size}, {weights / 1e6:.2f} M weights, batches of {model.batch_size}, {device}"
    return (
        f"| {what} | {steps / training:.1f} steps/s | "
        f"{len(shown) / sampling:.1f} pictures/s (20 steps, guided) | {memory / 2**20:.0f} MiB |"
    )


def demo(folder: Path, seed: int) -> list[str]:
    """Ridge, one sample and the mean of 8 on a finished demo; the generator learns the digits that were not shown."""
    from sklearn.svm import SVC

    responses = concatenate([load(p) for p in sorted(folder.glob("results/sub-01/func/*/responses"))])
    stimuli = read_stimuli(folder / "data", responses.samples, ids="stimulus", files="stim_file")
    digits, shown = load_digits(), {int(str(name).split("_")[1]) for name in stimuli.ids}
    rest = np.setdiff1d(np.arange(len(digits.images)), list(shown))
    pool = np.stack([as_picture(image) for image in digits.images[rest]])
    model = TinyDiffusion(random_state=seed).fit(pool)
    classifier = SVC(C=10).fit(small(pool), digits.labels[rest])
    makers = {"ridge": RidgeReconstructor(n_features=500)}
    makers |= {
        "one sample" if n == 1 else f"mean of {n}": GeneratorReconstructor(model, n_samples=n, n_features=500) for n in (1, 8)
    }
    found = {name: reconstruct(responses, stimuli, reconstructor=maker, n_permutations=0) for name, maker in makers.items()}
    return [row(name, result, classifier) for name, result in found.items()]


def small(images: np.ndarray) -> np.ndarray:
    """Means over blocks of 4 x 4 pixels, 0 to 1, as rows."""
    return images.reshape(len(images), 8, 4, 8, 4, 3).mean(axis=(2, 4, 5)).reshape(len(images), -1) / 255


def row(name: str, result: Any, classifier: Any) -> str:
    """One line of the table."""
    labels = [int(re.match(r"digit(\d)", stimulus)[1]) for stimulus in result.stimuli]  # type: ignore[index]
    named = np.mean(classifier.predict(small(result.reconstructions)) == labels)
    blind = np.mean(classifier.predict(np.repeat(small(result.images).mean(axis=0)[None], len(labels), axis=0)) == labels)
    likeness = float(np.mean(ssim(result.images, result.reconstructions)))
    return (
        f"| {name} | PixCorr {result.score:.3f} (mean image {result.baseline:.3f}) | SSIM {likeness:.3f} | identification "
        f"{result.identification:.3f} | digit named {named:.3f} (mean image {blind:.3f}) |"
    )


def main() -> None:
    """Print rows of a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--demo", nargs=2, metavar=("FOLDER", "SEED"))
    given = parser.parse_args()
    if given.demo:
        print("\n".join(demo(Path(given.demo[0]), int(given.demo[1]))))
        return
    if given.device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            sys.exit(
                f"{given.device} was asked for, and torch {torch.__version__} finds no CUDA device here: nothing was measured"
            )
    print("| what | training | sampling | memory |\n|---|---|---|---|")
    print(speed(given.size, given.device, given.steps))


if __name__ == "__main__":
    main()
