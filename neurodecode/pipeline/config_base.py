"""What every block of settings shares: read only, unknown keys refused, labels as texts; and the block ``compute``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from neurodecode.errors import ConfigError


def _quoted(labels: Any) -> Any:
    """Labels are texts: YAML reads 01 as the number 1 and 010 as 8, so that a number may be another label."""
    if isinstance(labels, list) and any(not isinstance(label, str) for label in labels):
        raise ConfigError(f"labels are texts, got {labels}, and YAML reads 01 as a number: write ['01'] or [sub-01]")
    return labels


Positive = Annotated[float, Field(gt=0)]
Labels = Annotated[list[str] | None, BeforeValidator(_quoted)]


class Settings(BaseModel):
    """Base of every block of settings: read only, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Compute(Settings):
    """On what to compute, in every pipeline."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float64", "float32", "bf16"] = "auto"
    max_memory: str | None = Field(
        None, pattern=r"^\d+(\.\d+)? ?(MB|GB|TB)$", description="e.g. 4GB: fewer jobs at once, or an error"
    )
    seed: int = Field(0, ge=0)
