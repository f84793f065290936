"""What a training can be told: a frozen model that refuses unknown keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Part = Annotated[float, Field(ge=0, lt=1)]
FREE = ("checkpoint_every", "log_every", "device", "tensorboard", "workers")  # a resumed run may change these


class Settings(BaseModel):
    """Base of every block of settings: read only, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainerConfig(Settings):
    """Settings of `Trainer`."""

    epochs: int = Field(20, ge=1, description="passes over the training samples")
    batch_size: int = Field(64, ge=1, description="samples per batch over all processes: the candidates of a contrastive loss")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are added up for one step")
    batches_per_epoch: int | None = Field(None, ge=1, description="most batches per epoch")
    drop_last: bool = Field(True, description="leave out what does not fill a batch")
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: Positive = 1e-3
    betas: tuple[Part, Part] = Field((0.9, 0.999), description="of Adam; the first is the momentum of sgd")
    weight_decay: float = Field(0.0, ge=0, description="of matrices, not of biases and gains")
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    warmup: Part = Field(0.0, description="part of the training")
    clip: Positive | None = Field(None, description="greatest norm of the gradient")
    ema: Part | None = Field(None, description="decay of the moving average of weights, which is then validated and kept")
    patience: int | None = Field(None, ge=1, description="epochs without better validation before the training ends")
    monitor: str = Field("loss", description="validated value that is compared")
    mode: Literal["min", "max"] = "min"
    precision: Literal["float32", "bf16"] = "float32"
    device: Literal["auto", "cpu"] = "auto"
    deterministic: bool = Field(False, description="only algorithms that give the same bits again")
    seed: int = Field(0, ge=0)
    log_every: int = Field(10, ge=1, description="steps between two lines of metrics.jsonl")
    checkpoint_every: int | None = Field(None, ge=1, description="steps between two checkpoints, beside those of epochs")
    tensorboard: bool = False
    workers: int = Field(0, ge=0, description="processes that load samples of a torch Dataset")
