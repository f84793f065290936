"""Training the network of speech beside the same layers written plainly: ``python benchmarks/meeg_train.py``.

One step is forward, loss, backward and optimiser, at the size of the paper (208 sensors, 343 samples, 27 subjects, 1024
features). The two have one set of weights and one batch, give the same loss (asserted) and take turns; between them a matrix
product measures what the machine can do. Every subject lacks two sensors of its own, so that each has its own montage. On one
thread of a CPU the clock is processor time. On a GPU: ``python benchmarks/meeg_train.py --device cuda --precision bf16
--batch 128``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import pi
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from neurodecode.models import meeg_conv
from neurodecode.train import clip_loss

SUBJECTS, SENSORS, TIMES, FEATURES, CHANNELS, MIXED = 27, 208, 343, 1024, 320, 270
NAMES = ("neurodecode", "plain torch.nn")
Batch = dict[str, Tensor]


class PlainBlock(nn.Module):
    """Two residual dilated convolutions and a gated one."""

    def __init__(self, n_inputs: int, first: int, second: int) -> None:
        super().__init__()
        self.one = nn.Conv1d(n_inputs, CHANNELS, 3, padding=first, dilation=first)
        self.norm_one = nn.BatchNorm1d(CHANNELS)
        self.two = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=second, dilation=second)
        self.norm_two = nn.BatchNorm1d(CHANNELS)
        self.gate = nn.Conv1d(CHANNELS, 2 * CHANNELS, 3, padding=1)
        self.gelu, self.glu = nn.GELU(), nn.GLU(1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        y = self.gelu(self.norm_one(self.one(x)))
        y = x + y if x.shape == y.shape else y
        return self.glu(self.gate(y + self.gelu(self.norm_two(self.two(y)))))


class Plain(nn.Module):
    """The network as its description reads: attention for each sample, then a convolution, then the subjects' matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.Parameter(torch.empty(MIXED, 2048))
        self.mix = nn.Conv1d(MIXED, MIXED, 1)
        self.subjects = nn.Parameter(torch.empty(SUBJECTS, MIXED, MIXED))
        pairs = [(2 ** (2 * k % 5), 2 ** ((2 * k + 1) % 5)) for k in range(5)]
        self.blocks = nn.Sequential(*[PlainBlock(CHANNELS if k else MIXED, *pair) for k, pair in enumerate(pairs)])
        self.head = nn.Sequential(nn.Conv1d(CHANNELS, 2 * CHANNELS, 1), nn.GELU(), nn.Conv1d(2 * CHANNELS, FEATURES, 1))

    def forward(self, *, signal: Tensor, positions: Tensor, subject: Tensor) -> Tensor:
        """Predict features, (n_samples, FEATURES, n_times)."""
        weights = self.attention(positions)
        mixed = self.mix(torch.einsum("boc,bct->bot", weights, signal))
        return self.head(self.blocks(torch.einsum("bpo,bot->bpt", self.subjects[subject], mixed)))

    def attention(self, positions: Tensor) -> Tensor:
        """Weights of each sample, (n_samples, MIXED, n_sensors)."""
        unknown = positions.isnan().any(-1)
        steps = torch.arange(32, device=positions.device)
        x, y = ((positions.nan_to_num(0.0) + 0.2) * (2 * pi / 1.4)).unbind(-1)
        phase = (x[..., None, None] * steps[:, None] + y[..., None, None] * steps).flatten(-2)
        embedded = torch.cat([phase.cos(), phase.sin()], dim=-1)
        scores = torch.einsum("od,bcd->boc", self.heads, embedded)
        centre = torch.rand(2, device=positions.device)
        banned = unknown | ((positions - centre).norm(dim=-1) <= 0.2)
        return scores.masked_fill(banned[:, None], float("-inf")).softmax(2)


class Machine(NamedTuple):
    """Where and how numbers are computed."""

    device: str
    precision: str
    threads: int

    def autocast(self) -> AbstractContextManager:
        """Of the forward pass."""
        return torch.autocast(self.device.partition(":")[0], torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def seconds(self, call: Callable[[], object]) -> float:
        """How long a call takes: processor time on one thread, which other programs disturb least, else wall time."""
        on_gpu = self.device != "cpu"
        clock = time.process_time if not on_gpu and self.threads == 1 else time.perf_counter
        if on_gpu:
            torch.cuda.synchronize()
        start = clock()
        call()
        if on_gpu:
            torch.cuda.synchronize()
        return clock() - start

    def peak(self) -> float:
        """Floating-point operations per second of a large matrix product."""
        n = 8192 if self.device != "cpu" else 2048
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float32
        left, right = (torch.randn(n, n, device=self.device, dtype=kind) for _ in range(2))
        return 2 * n**3 / min(self.seconds(lambda: left @ right) for _ in range(3))


def make(name: str, machine: Machine) -> nn.Module:
    """A network with the weights that both have."""
    torch.manual_seed(0)
    ours = meeg_conv.speech(SUBJECTS, FEATURES)
    if name == NAMES[0]:
        return ours.to(machine.device)
    plain = Plain()
    heads, weight, bias, subjects, *others = ours.parameters()
    with torch.no_grad():
        for mine, theirs in zip(plain.parameters(), (heads, subjects, weight, bias, *others), strict=True):
            mine.copy_(theirs.view_as(mine))
    return plain.to(machine.device)


def batch(n: int, machine: Machine) -> Batch:
    """Random windows and targets of random subjects, each with its own montage."""
    generator = torch.Generator().manual_seed(0)
    montages = torch.rand(SENSORS, 2, generator=generator).repeat(SUBJECTS, 1, 1)
    for montage in montages:
        montage[torch.randperm(SENSORS, generator=generator)[:2]] = torch.nan
    subject = torch.randint(SUBJECTS, (n,), generator=generator)
    made = {
        "signal": torch.randn(n, SENSORS, TIMES, generator=generator),
        "positions": montages[subject],
        "subject": subject,
        "targets": torch.randn(n, FEATURES, TIMES, generator=generator),
    }
    return {name: values.to(machine.device) for name, values in made.items()}


class Training:
    """One network with its optimiser, step after step."""

    def __init__(self, name: str, machine: Machine) -> None:
        self.machine, self.network = machine, make(name, machine)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=3e-4)

    def step(self, data: Batch) -> float:
        """Forward, loss, backward, optimiser; gives the loss."""
        torch.manual_seed(1)  # one point of the spatial dropout for both
        with self.machine.autocast():
            inputs = {name: values for name, values in data.items() if name != "targets"}
            predicted = self.network(**inputs)
        loss = clip_loss(predicted, data["targets"], normalize="y", temperature=1.0, symmetric=False)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.detach())


def status(name: str) -> int:
    """A figure of this process, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def measure_memory(name: str, n: int, machine: Machine) -> None:
    """Print what two steps take at their peak beyond batch, weights and libraries, and moments of the optimiser with it."""
    training, data = Training(name, machine), batch(n, machine)
    if machine.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        training.step(data), training.step(data)
        print(torch.cuda.max_memory_allocated() - before)
        return
    Training(name, machine).step({key: values[:2] for key, values in data.items()})  # loads libraries
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    training.step(data), training.step(data)
    print(status("VmHWM") - before)


def memory(name: str, given: argparse.Namespace) -> int:
    """Peak of one network in a process of its own."""
    options = ("device", "precision", "threads", "batch")
    command = [sys.executable, __file__, "--memory-of", name, *[f"--{key}={getattr(given, key)}" for key in options]]
    exact = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back to the system at once, and is not counted
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=exact).stdout.split()[-1])


def compare(n: int, runs: int, machine: Machine) -> None:
    """Let both do steps in turn and print samples per second, and which share of the machine's arithmetic they use."""
    data = batch(n, machine)
    both = {name: Training(name, machine) for name in NAMES}
    flops, losses = {}, {}
    for name, training in both.items():
        with FlopCounterMode(display=False) as counter:
            losses[name] = training.step(data)
        flops[name] = counter.get_total_flops()
    print("loss " + ", ".join(f"{name} {value:.6f}" for name, value in losses.items()))
    assert np.isclose(*losses.values(), rtol=1e-4 if machine.precision == "fp32" else 2e-2)
    peaks, taken = [], {name: [] for name in NAMES}
    for run in range(runs):
        peaks.append(machine.peak())
        for name in NAMES if run % 2 else reversed(NAMES):
            taken[name].append(machine.seconds(lambda training=both[name]: training.step(data)))
    peak = max(peaks)
    print(f"a matrix product reaches {peak / 1e9:.1f} GFLOP/s (median {np.median(peaks) / 1e9:.1f})")
    for name in NAMES:
        seconds = float(np.median(taken[name]))
        share = flops[name] / seconds / peak
        print(
            f"{name:<15} {n / seconds:8.2f} samples/s, {flops[name] / n / 1e9:.2f} GFLOP per sample, {share:.0%} of that product"
        )
    ratio = np.array(taken[NAMES[1]]) / np.array(taken[NAMES[0]])
    print(f"median ratio {np.median(ratio):.3f} of {runs} pairs, {ratio.min():.3f} to {ratio.max():.3f}")


def nearest() -> float:
    """Operations per sample, forward, of braindecode's BrainModule, from its documentation (1.8.1, default sizes, same windows).

    A 1x1 projection to 320 channels, 10 convolutions of width 3, 5 gated ones to 640 channels, and a mean over time; it has no
    attention over sensors and no head over time. Its licence is not commercial, so it isn't run here.
    """
    per_time = SENSORS * 320 + 10 * 3 * 320 * 320 + 5 * 3 * 320 * 640
    return 2.0 * per_time * TIMES


def forward_flops(machine: Machine) -> float:
    """Operations per sample of our forward pass."""
    data = batch(4, machine)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        make(NAMES[0], machine)(**{name: values for name, values in data.items() if name != "targets"})
    return counter.get_total_flops() / 4


def one_window(machine: Machine) -> None:
    """Print what one window of the network of images costs, as in live decoding: 306 sensors, 181 samples, one montage."""
    network = meeg_conv.image().eval().to(machine.device)
    window = {"signal": torch.randn(1, 306, 181), "positions": torch.rand(1, 306, 2), "subject": torch.tensor([2])}
    window = {name: values.to(machine.device) for name, values in window.items()}
    flops = []
    with torch.inference_mode():
        for _ in range(2):
            with FlopCounterMode(display=False) as counter:
                network(**window)
            flops.append(counter.get_total_flops() / 1e9)
        seconds = [machine.seconds(lambda: network(**window)) for _ in range(100)]
    median, slow = np.percentile(seconds, [50, 99]) * 1e3
    print(f"one window for images: {flops[1]:.2f} GFLOP ({flops[0]:.2f} the first time), {median:.1f} ms, p99 {slow:.1f} ms")


def main() -> None:
    """Print speed, share of the arithmetic limit, and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--memory-of", choices=NAMES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error(
            f"torch {torch.__version__} finds no GPU here: run this where torch.cuda.is_available(), or give --device cpu"
        )
    torch.set_num_threads(given.threads)
    machine = Machine(given.device, given.precision, given.threads)
    if given.memory_of:
        measure_memory(given.memory_of, given.batch, machine)
        return
    print(f"forward: {forward_flops(machine) / 1e9:.2f} GFLOP per sample; braindecode's BrainModule {nearest() / 1e9:.2f}")
    one_window(machine)
    compare(given.batch, given.runs, machine)
    for name in NAMES:
        print(f"{name:<15} {memory(name, given) / 2**20:.0f} MiB beyond weights and batch at the peak", flush=True)


if __name__ == "__main__":
    main()
