"""What the pipeline of dynamic connectomes can be told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from neurodecode.errors import ConfigError
from neurodecode.pipeline.config_base import Compute, Positive, Settings


class TracesInput(Settings):
    """Where traces come from: an array of a file, a data set of worms, or a simulation written into the folder."""

    file: str | None = Field(None, description=".npz file in the data folder")
    array: str | None = Field(None, description="its array of shape (n_samples, n_times, n_names)")
    sfreq: Positive | None = Field(None, description="Hz, of the array")
    n_names: int | None = Field(None, ge=4, description="keep this many names, those whose time courses the samples share most")
    dataset: Literal["yemini2021", "celegans_neural"] | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="what load() of the data set asks for besides")
    align: str | None = Field(None, description="trial_type of the event whose first onset is time 0")
    window: tuple[float, float] | None = Field(None, description="s around it")
    simulate: dict[str, Any] | None = Field(None, description="arguments of simulate.planted_traces")

    @model_validator(mode="after")
    def _one_origin(self) -> TracesInput:
        given = [name for name in ("file", "dataset", "simulate") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError(f"traces come from one of file, dataset and simulate, got {given or 'none of them'}")
        if self.file is not None and (self.array is None or self.sfreq is None):
            raise ConfigError(f"file: array and sfreq have to be named, too, got {self.array!r} and {self.sfreq!r}")
        return self


class Factorise(Settings):
    """As in `neurodecode.analysis.connectome.DynamicConnectome`."""

    rank: int | Literal["auto"] = "auto"
    ranks: list[int] = Field([1, 2, 3, 4, 5, 6, 7, 8], min_length=1)
    affinity: Literal["geomean", "product", "min", "gauss"] = "geomean"
    derivative: Literal["savgol", "gaussian", "none"] = "savgol"
    smoothing_s: Positive | None = None
    path: Literal["auto", "dense", "implicit"] = "auto"
    communities: Literal["sbm", "leiden"] | None = "sbm"
    n_restarts: int = Field(5, ge=2)
    n_splits: int = Field(5, ge=1)
    null: bool = True


class Connectome(Settings):
    """Components of dynamic connectomes, their communities, and what of it comes back."""

    pipeline: Literal["connectome"]
    title: str = "Dynamic connectome"
    description: str = ""
    compute: Compute = Compute()
    input: TracesInput
    analysis: Factorise = Factorise()
