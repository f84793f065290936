"""What the pipelines that find speech and images in M/EEG can be told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from neurodecode.pipeline.config_base import Compute, Labels, Positive, Settings


class WindowsInput(Settings):
    """Where windows come from: a folder of prepared ones, or a simulation written into the folder."""

    simulate: dict[str, Any] | None = Field(None, description="arguments of simulate_speech or simulate_images")
    subjects: Labels = None


class Found(Settings):
    """How held-out stimuli are looked up."""

    k: list[int] = Field([1, 5, 10], min_length=1)
    aggregation: Literal["single", "instance", "subject"] = "single"
    n_seeds: int = Field(1, ge=1, description="networks with seeds from compute.seed upwards; the first is the headline")
    n_bootstrap: int = Field(1000, ge=0)


class SpeechNetwork(Settings):
    """As in `neurodecode.decode.SpeechDecoder`."""

    network: Literal["conv", "ridge"] = "conv"
    loss: Literal["clip", "mse", "l1"] = "clip"
    target: Literal["fixed", "mel_tower"] = "fixed"
    lag: float = Field(0.15, ge=0)
    n_negatives: int | None = Field(None, ge=1)
    positive_mask: bool = True
    network_options: dict[str, Any] | None = None
    tower_options: dict[str, Any] | None = None
    baseline: bool = True
    trainer: dict[str, Any] | None = Field(None, description="settings of the trainer that differ from those of the paper")


class ImageNetwork(Settings):
    """As in `neurodecode.decode.MEEGImageDecoder`."""

    network: Literal["conv", "nice", "atm", "projection", "ridge"] = "conv"
    weight: float = Field(0.75, ge=0, le=1, description="of the contrast against the squared error")
    temperature: Positive | None = None
    positive_mask: bool = True
    network_options: dict[str, Any] | None = None
    baseline: bool = True
    trainer: dict[str, Any] | None = Field(None, description="settings of the trainer that differ from those of the paper")


class Course(Settings):
    """Retrieval over windows of time, by the ridge of each subject."""

    mode: Literal["sliding", "growing"] = "sliding"
    width: Positive = 0.1
    stride: Positive = 0.05
    k: int = Field(5, ge=1)


class Pictures(Settings):
    """Pictures of what is predicted, beside those of shuffled responses."""

    folder: str | None = Field(None, description="folder of a generator; by default the simulated pictures' own")
    n_samples: int = Field(1, ge=1)
    steps: int = Field(20, ge=1)


class MEEGSpeech(Settings):
    """Find the speech that was heard from M/EEG."""

    pipeline: Literal["meeg_speech"]
    title: str = "Speech from M/EEG"
    description: str = ""
    compute: Compute = Compute()
    input: WindowsInput = WindowsInput()
    decoder: SpeechNetwork = SpeechNetwork()
    retrieval: Found = Found(k=[1, 10])


class MEEGImages(Settings):
    """Find the image that was seen from M/EEG, and make a picture of it."""

    pipeline: Literal["meeg_images"]
    title: str = "Images from M/EEG"
    description: str = ""
    compute: Compute = Compute()
    input: WindowsInput = WindowsInput()
    decoder: ImageNetwork = ImageNetwork()
    retrieval: Found = Found(k=[1, 5], aggregation="instance")
    zero_shot: bool = Field(True, description="refuse test images whose concept occurs in training")
    course: Course | None = None
    pictures: Pictures | None = None


Retrieving = MEEGSpeech | MEEGImages
