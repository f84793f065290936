"""Small worlds for the tests of M/EEG decoders: two subjects, sensors in a plane, stimuli that responses hold linearly."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from neurodecode.data import Responses

N_CHANNELS, SFREQ = 8, 20.0
SPLITS = {"train": 40, "validation": 10, "test": 12}
QUICK = {"epochs": 2, "batch_size": 16, "lr": 1e-2, "device": "cpu"}


class World(NamedTuple):
    """Responses and targets."""

    responses: Responses
    """With split, subject, stimulus, block, concept."""
    targets: Responses
    """One row per stimulus."""

    def split(self, name: str) -> Responses:
        """Responses of one split."""
        return self.responses.select(split=name)

    def candidates(self, name: str = "test") -> Responses:
        """Targets of one split."""
        return self.targets.select(split=name)


def units(n: int = N_CHANNELS, seed: int = 3) -> pd.DataFrame:
    """Channels with a layout."""
    places = np.random.default_rng(seed).uniform(0, 1, (n, 2))
    return pd.DataFrame({"name": [f"M{i}" for i in range(n)], "layout_x": places[:, 0], "layout_y": places[:, 1]})


def stimuli(splits: dict[str, int]) -> pd.DataFrame:
    """Names, splits, blocks of two, words of which each stands twice, concepts of two images."""
    split = np.repeat(list(splits), list(splits.values()))
    number = np.arange(len(split))
    return pd.DataFrame(
        {
            "stimulus": [f"s{i:03d}" for i in number],
            "split": split,
            "block": [f"b{i // 2}" for i in number],
            "word": [f"w{i // 2}" for i in number],
            "concept": [f"c{i // 2}" for i in number],
        }
    )


def _responses(signal: np.ndarray, table: pd.DataFrame, noise: float, repeats: int, rng: Any, times: np.ndarray) -> Responses:
    """Trials of two subjects."""
    parts, tables = [], []
    for subject in ("01", "02"):
        mixing = np.eye(N_CHANNELS)[rng.permutation(N_CHANNELS)][:, : signal.shape[1]]
        for repeat in range(repeats):
            clean = mixing @ signal
            parts.append(clean + noise * rng.standard_normal(clean.shape))
            tables.append(table.assign(subject=subject, repeat=repeat, run=str(repeat), onset=np.arange(len(table)) * 5.0))
    return Responses(np.concatenate(parts), pd.concat(tables, ignore_index=True), units(), times)


def speech(noise: float = 0.5, repeats: int = 1, seed: int = 0, lag: int = 3, splits: dict[str, int] = SPLITS) -> World:
    """Three features over 24 times; responses follow them by `lag` samples."""
    rng = np.random.default_rng(seed)
    table, n = stimuli(splits), 24
    features = rng.standard_normal((len(table), 3, n))
    signal = np.roll(features, lag, axis=2)
    times = np.arange(n) / SFREQ
    names = pd.DataFrame({"name": ["f0", "f1", "f2"]})
    return World(_responses(signal, table, noise, repeats, rng, times), Responses(features, table, names, times))


def images(noise: float = 0.5, repeats: int = 1, seed: int = 0, splits: dict[str, int] = SPLITS, width: int = 5) -> World:
    """Embeddings that stand in the responses from 0.1 s to 0.3 s."""
    rng = np.random.default_rng(seed)
    table = stimuli(splits)
    embeddings = 2.0 + rng.standard_normal((len(table), width))
    times = np.arange(-4, 12) / SFREQ
    course = ((times >= 0.1) & (times < 0.3)).astype(float)
    signal = (embeddings - 2.0)[:, :, None] * course
    names = pd.DataFrame({"name": [f"e{i}" for i in range(width)]})
    return World(_responses(signal, table, noise, repeats, rng, times), Responses(embeddings, table, names))


@cache
def named(seed: int, kind: str) -> World:
    """A training split whose stimuli bear the kind and the seed in their names, so that worlds do not share any."""
    made = (speech if kind == "speech" else images)(seed=seed, splits={"train": 24})

    def renamed(part: Responses) -> Responses:
        table = part.samples.drop(columns=["split", "block"])
        return part.replace(samples=table.assign(stimulus=f"{kind}-{seed}-" + table["stimulus"]))

    return World(renamed(made.responses), renamed(made.targets))


def targets_of(responses: Responses) -> Responses:
    """The targets of the world that responses come from."""
    kind, seed, _ = responses.samples["stimulus"].iloc[0].split("-")
    return named(int(seed), kind).targets


class Own(nn.Module):
    """A network of the user's own for speech: a convolution per subject."""

    def __init__(self, n_channels: int, n_times: int, n_features: int, n_subjects: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList([nn.Conv1d(n_channels, n_features, 1) for _ in range(n_subjects)])

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Features (n, n_features, n_times)."""
        every = torch.stack([each(signal) for each in self.maps])
        return every[subject, torch.arange(len(signal))]


class Outputs(nn.Module):
    """A network as braindecode makes them: one matrix."""

    def __init__(self, n_chans: int, n_times: int, n_outputs: int) -> None:
        super().__init__()
        self.flat = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, n_outputs)."""
        return self.flat(x.flatten(1))


# --- processes that are killed ---------------------------------------------------------------------------------------

KILLED = {**QUICK, "epochs": 6, "log_every": 1, "checkpoint_every": 3, "ema": 0.9, "schedule": "one_cycle", "lr": 3e-3}


def fit_speech_and_save(folder: Path, resume: bool, kill: int | None) -> None:
    """Train a decoder of speech and keep it; die once this step is logged, before anything else is stored."""
    from training_runs import die

    from neurodecode.decode import SpeechDecoder
    from neurodecode.train.log import MetricLog

    torch.set_num_threads(1)
    write = MetricLog.write

    def dying(self: MetricLog, record: dict[str, Any]) -> None:
        write(self, record)
        if record["step"] == kill:
            die()

    MetricLog.write = dying  # type: ignore[method-assign]
    world = speech()
    sizes = {"attention_channels": 8, "channels": 8, "n_blocks": 1, "fourier": 3}
    decoder = SpeechDecoder("conv", network_options=sizes, baseline=False, trainer=KILLED)
    held_in = world.responses.select(split=["train", "validation"])
    decoder.fit(held_in, world.targets, folder=folder / "run", resume=resume).save(folder / "decoder")
