"""What the pipelines that find speech and images in M/EEG can be told."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from neurodecode.errors import ConfigError
from neurodecode.pipeline.config_base import Compute, Labels, Positive, Settings


class WindowsInput(Settings):
    """Where windows come from: a public data set, a folder of prepared ones (no data set), or a simulation of such a folder."""

    dataset: str | None = None
    subjects: Labels = Field(None, description="of the data set; all by default")
    simulate: dict[str, Any] | None = Field(None, description="arguments of simulate_speech or simulate_images")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.simulate is not None and self.dataset is not None:
            raise ConfigError(
                f"windows are simulated or come from {self.dataset}, not both: set one of dataset and simulate to null"
            )
        return self


class SpeechInput(WindowsInput):
    """Speech of a public data set."""

    dataset: Literal["meg_masc", "mous", "brennan2019", "broderick2018"] | None = None
    options: dict[str, Any] = Field({}, description="further arguments of the loader, e.g. the folder of the audio")
    band: tuple[Positive | None, Positive | None] | None = Field(None, description="pass band in Hz before resampling")
    sfreq: Positive = 120.0
    similarity: float | None = Field(None, description="texts at least so similar share a split, as in split_blocks")


class ImagesInput(WindowsInput):
    """Images of a public data set."""

    dataset: Literal["things_meg", "things_eeg2"] | None = None
    data: Literal["raw", "preprocessed"] = "raw"
    preset: Literal["paper", "benchmark"] = Field("paper", description="filters and windows of raw data, as in image_windows")
    split: dict[str, Any] = Field({}, description="arguments of things_meg_split or things_eeg2_split")
    images: str | None = Field(None, description="folder of the images")


class SpeechFeatures(Settings):
    """What is found: features of the speech of a public data set."""

    kind: Literal["wav2vec", "mel"] = "wav2vec"
    preset: Literal["code", "paper", "benchmark"] = Field("code", description="layers of wav2vec 2.0, see SPEECH_PRESETS")
    model: str | None = Field(None, description="folder of another network, or its id on the hub")
    n_mels: int = Field(120, ge=1)
    stored_as: Literal["float32", "float16"] = "float32"
    download: bool = False


class ImageFeatures(Settings):
    """What is found: embeddings of the images of a public data set."""

    targets: str | None = Field(None, description="folder of embeddings by neurodecode.save, in place of a model")
    model: str | None = Field(None, description="folder of a vision model, or its id on the hub")
    layers: int = Field(-1, description="not for the projected embedding")
    pooling: Literal["mean", "cls", "projected"] = "projected"
    download: bool = False


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
    train: dict[str, Any] | None = Field(None, description="settings of a TinyDiffusion that is trained on the training images")
    size: int | None = Field(None, ge=1, description="side in pixels to which the middle of each image is averaged")
    n_samples: int = Field(1, ge=1)
    steps: int = Field(20, ge=1)


class MEEGSpeech(Settings):
    """Find the speech that was heard from M/EEG."""

    pipeline: Literal["meeg_speech"]
    title: str = "Speech from M/EEG"
    description: str = ""
    compute: Compute = Compute()
    input: SpeechInput = SpeechInput()
    features: SpeechFeatures = SpeechFeatures()
    decoder: SpeechNetwork = SpeechNetwork()
    retrieval: Found = Found(k=[1, 10])


class MEEGImages(Settings):
    """Find the image that was seen from M/EEG, and make a picture of it."""

    pipeline: Literal["meeg_images"]
    title: str = "Images from M/EEG"
    description: str = ""
    compute: Compute = Compute()
    input: ImagesInput = ImagesInput()
    features: ImageFeatures = ImageFeatures()
    decoder: ImageNetwork = ImageNetwork()
    retrieval: Found = Found(k=[1, 5], aggregation="instance")
    zero_shot: bool = Field(True, description="refuse test images whose concept occurs in training")
    course: Course | None = None
    pictures: Pictures | None = None


Retrieving = MEEGSpeech | MEEGImages
