"""Measure embeddings by networks of the usual size with random weights: ``python benchmarks/features.py [--device cuda]``.

Each row compares the embedding of all layers with a bare pass of the same network over the same batches, and says how long a
second call takes, which opens the cache. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from neurodecode.data import Stimuli
from neurodecode.features import embed_images, embed_words, load_model


def seconds(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall time and time of the processor of one call."""
    wall, busy = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - busy


def write_vit(folder: Path) -> Path:
    """ViT-S/16 with random weights."""
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    ViTModel(ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536)).save_pretrained(folder)
    ViTImageProcessorPil().save_pretrained(folder)
    return folder


def write_gpt2(folder: Path) -> Path:
    """GPT-2 small with random weights, and a vocabulary of bytes."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    GPT2Model(GPT2Config()).save_pretrained(folder)
    alphabet = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


def images(scratch: Path, device: str, n: int = 64) -> str:
    """All 13 layers of ViT-S/16, mean over patches."""
    model = load_model(write_vit(scratch / "vit"), device=device)
    rng = np.random.default_rng(0)
    stimuli = Stimuli([str(i) for i in range(n)], list(rng.integers(0, 255, (n, 256, 256, 3), dtype=np.uint8)), "image")
    pixels = [model.image_processor(images=list(stimuli)[k : k + 32], return_tensors="pt")["pixel_values"] for k in (0, 32)]

    def bare() -> None:
        with torch.no_grad():
            [model.net(p.to(model.device)).last_hidden_state.cpu() for p in pixels]

    return row(f"{n} images, ViT-S/16", bare, lambda: embed_images(stimuli, model, cache=scratch / "cache"), n, "images")


def words(scratch: Path, device: str, n: int = 400) -> str:
    """All 13 layers of GPT-2 small in windows of 512 tokens with at least 256 before each word."""
    model = load_model(write_gpt2(scratch / "gpt2"), device=device)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"word": ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(n)]})
    n_windows = 1 + -(-(5 * n - 1 - 512) // 256)

    def bare() -> None:
        with torch.no_grad():
            [model.net(torch.full((1, 512), 7, device=model.device)).last_hidden_state.cpu() for _ in range(n_windows)]

    def embed() -> None:
        embed_words(table, model, window=512, context=256, batch_size=1, cache=scratch / "cache")

    return row(f"{n} words of 5 tokens, GPT-2 small", bare, embed, n, "words")


def row(what: str, bare: Callable[[], Any], embed: Callable[[], Any], n: int, unit: str) -> str:
    """One line of the table: the first bare pass reads the weights and is not counted."""
    bare()
    (_, plain), (wall, busy), (again, _) = seconds(bare), seconds(embed), seconds(embed)
    speed = f"{n / wall:.1f} {unit}/s, {busy / plain:.2f} x the CPU time of a bare pass"
    return f"| {what} | {speed} | {wall:.2f} s | {1e3 * again:.1f} ms |"


def main() -> None:
    """Print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    device = parser.parse_args().device
    print("| what | speed | first call | second call |\n|---|---|---|---|")
    for measure in (images, words):
        with tempfile.TemporaryDirectory() as scratch:
            print(measure(Path(scratch), device), flush=True)


if __name__ == "__main__":
    main()
