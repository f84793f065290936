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
    """Settings of `Trainer`.

    Parameters
    ----------
    epochs : int
        Passes over the training samples.
    batch_size : int
        Samples per batch over all processes: the candidates of a contrastive loss.
    accumulate : int
        Batches whose gradients are added up for one step.
    batches_per_epoch : int, optional
        Most batches per epoch.
    drop_last : bool
        Leave out what does not fill a batch.
    optimizer : {"adamw", "adam", "sgd"}
        Kind of optimizer.
    lr : float
        Highest learning rate.
    betas : tuple of float
        Of Adam; the first is the momentum of sgd.
    weight_decay : float
        Of matrices, not of biases and gains.
    schedule : {"constant", "cosine", "one_cycle"}
        Course of the learning rate, as in `neurodecode.train.schedules.rate_factor`.
    warmup : float
        Part of the training in which the rate rises.
    clip : float, optional
        Greatest norm of the gradient.
    ema : float, optional
        Decay of the moving average of weights, which is then what is validated and kept.
    patience : int, optional
        Epochs without better validation after which the training ends.
    monitor : str
        Validated value that is compared.
    mode : {"min", "max"}
        Whether less or more of it is better.
    precision : {"float32", "bf16"}
        Of the forward pass; weights and losses are always float32.
    device : {"auto", "cpu"}
        Where to compute.
    deterministic : bool
        Only algorithms that give the same bits again.
    seed : int
        Of the order of samples and of all noise; the weights are drawn before the trainer sees them.
    log_every : int
        Steps between two lines of ``metrics.jsonl``; the last of each epoch always has one.
    checkpoint_every : int, optional
        Steps between two checkpoints, by default those of an epoch; the best and the last are always stored.
    tensorboard : bool
        Also write for TensorBoard.
    workers : int
        Processes that load samples of a torch Dataset.
    """

    epochs: int = Field(20, ge=1)
    batch_size: int = Field(64, ge=1)
    accumulate: int = Field(1, ge=1)
    batches_per_epoch: int | None = Field(None, ge=1)
    drop_last: bool = True
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: Positive = 1e-3
    betas: tuple[Part, Part] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    warmup: Part = 0.0
    clip: Positive | None = None
    ema: Part | None = None
    patience: int | None = Field(None, ge=1)
    monitor: str = "loss"
    mode: Literal["min", "max"] = "min"
    precision: Literal["float32", "bf16"] = "float32"
    device: Literal["auto", "cpu"] = "auto"
    deterministic: bool = False
    seed: int = Field(0, ge=0)
    log_every: int = Field(10, ge=1)
    checkpoint_every: int | None = Field(None, ge=1)
    tensorboard: bool = False
    workers: int = Field(0, ge=0)
