"""From a name or a YAML file and ``key=value`` overrides to a checked configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from neurodecode.data.validate import suggest
from neurodecode.errors import ConfigError
from neurodecode.pipeline.config import MODELS, Config


def pipeline_folder() -> Path:
    """The folder of the pipelines that come with the package: in the wheel, or beside the source tree."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_pipelines"
    return shipped if shipped.is_dir() else package.parent / "pipelines"


def named_pipelines() -> dict[str, Path]:
    """Name and file of every pipeline that comes with the package."""
    return {path.stem: path for path in sorted(pipeline_folder().glob("*.yaml"))}


def load_config(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Read a pipeline and check it.

    Parameters
    ----------
    name_or_path : str or Path
        A name listed by `named_pipelines`, or a YAML file.
    overrides : iterable of str
        ``key=value`` with dots between levels and the value in YAML, e.g. ``decode.n_permutations=999``.

    Returns
    -------
    FMRIDecoding, MEEGDecoding or IEEGQuality
        Frozen, complete with defaults.

    Raises
    ------
    ConfigError
        In one line: the key or value that is wrong, what was expected, and the closest name.
    """
    path = _find(name_or_path)
    values = read_yaml(path)
    for override in overrides:
        _set(values, override)
    kind = values.get("pipeline")
    if not isinstance(kind, str) or kind not in MODELS:
        raise ConfigError(f"{path.name}: pipeline: {kind!r} is unknown: {suggest(str(kind), MODELS)}")
    try:
        config: Config = MODELS[kind](**values)
    except ValidationError as error:
        raise ConfigError(f"{path.name}: {explain(error, MODELS[kind])}") from error
    return config


def simulated_data(config: Config, out: Path) -> Path:
    """Where a pipeline on simulated data keeps them when no folder is given.

    Parameters
    ----------
    config : Config
        Configuration.
    out : Path
        Output folder.

    Returns
    -------
    Path
        ``simulated`` below the output.

    Raises
    ------
    ConfigError
        If the pipeline works on recordings.
    """
    if getattr(config.input, "simulate", None) is None:
        raise ConfigError(f"the pipeline {config.pipeline} works on recordings: name their folder with --data, got none")
    return out / "simulated"


def _find(name_or_path: str | Path) -> Path:
    known = named_pipelines()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"there is no pipeline {str(name_or_path)!r}: {suggest(str(name_or_path), known)}")
    if not path.is_file():
        raise ConfigError(f"{path} does not exist; `neurodecode pipelines` lists the ones that come with the package")
    return path


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping of settings from a YAML file, or raise `ConfigError` naming it."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise ConfigError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, got {type(values).__name__}")
    return values


def _set(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override!r} must have the form key=value, e.g. decode.n_permutations=999")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"--set {override!r}: the value is not YAML ({' '.join(str(error).split())})") from error
    *levels, last = key.split(".")
    inner = values
    for level in levels:
        inner[level] = dict(inner[level]) if isinstance(inner.get(level), Mapping) else {}
        inner = inner[level]
    inner[last] = value


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Say in one line what is wrong with settings, with the closest name for an unknown key."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}: {suggest(str(first['loc'][-1]), _keys(model, first['loc'][:-1]))}"
    return f"{key}: {first['msg']}, got {first['input']!r}"


def _keys(model: type[BaseModel], where: tuple[Any, ...]) -> list[str]:
    """Names of the settings at a place in the configuration."""
    for part in where:
        annotation = model.model_fields[str(part)].annotation
        options = getattr(annotation, "__args__", (annotation,))
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(model.model_fields)
