"""Weight sets that methods of the package need: what they are, under which terms, and where they lie on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neurodecode.data.validate import suggest
from neurodecode.errors import DataError, FormatError
from neurodecode.io.model_files import ModelFiles, find_model

Text = Annotated[str, Field(min_length=1)]
HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")]


class WeightSet(BaseModel):
    """One set of weights, fixed to a commit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="name of the file of the manifest")
    title: Text = Field(description="for people")
    id: HubId = Field(description="owner/name on the Hugging Face hub")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="commit")
    library: Literal["transformers", "diffusers"] = Field(description="what opens it")
    licence: Text = Field(description="SPDX, or in words")
    gated: bool = Field(description="whether the hub asks for an account that has accepted terms")
    about_bytes: int = Field(gt=0, description="size of the safetensors, as published")
    needed_by: tuple[Text, ...] = Field(min_length=1, description="which parts of the package use it")
    mirrors: tuple[HubId, ...] = Field((), description="other ids of the same network")
    note: str = Field("", description="what one should know before fetching it")


def manifest_folder() -> Path:
    """The folder of the manifests: in the wheel, or beside the source tree."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_model_manifests"
    return shipped if shipped.is_dir() else package.parent / "model_manifests"


def weight_sets() -> tuple[str, ...]:
    """Names of all weight sets, in alphabetical order."""
    return tuple(sorted(path.stem for path in manifest_folder().glob("*.yaml")))


def weight_set(name: str) -> WeightSet:
    """Read what is known about a weight set.

    Parameters
    ----------
    name : str
        One of `weight_sets`, or its id on the hub.

    Returns
    -------
    WeightSet
        Id, commit, terms, size, and who needs it.

    Raises
    ------
    DataError
        If there is no such set; the message names the closest.
    FormatError
        If its manifest is wrong.
    """
    found = _all_sets()
    chosen = [known for known in found if name in (known.name, known.id)]
    if not chosen:
        raise DataError(f"there is no weight set {name!r}: {suggest(name, [known.name for known in found])}")
    return chosen[0]


def as_pinned(model: str) -> tuple[str, str | None]:
    """The hub id and the commit of a model that is a known weight set, by name or id; any other model as it is.

    Parameters
    ----------
    model : str
        Name of a weight set, hub id or folder.

    Returns
    -------
    model : str
        Hub id or folder.
    revision : str or None
        Commit, of a known weight set.
    """
    return next(((known.id, known.revision) for known in _all_sets() if model in (known.name, known.id)), (model, None))


def _all_sets() -> list[WeightSet]:
    return [read_weight_set(manifest_folder() / f"{name}.yaml") for name in weight_sets()]


def read_weight_set(path: Path) -> WeightSet:
    """Read a manifest and check it.

    Parameters
    ----------
    path : Path
        A YAML file; its name is the name of the set.

    Returns
    -------
    WeightSet
        Frozen and complete.

    Raises
    ------
    FormatError
        If the file is not readable, or a value is wrong.
    """
    remedy = "Correct the manifest; the others in its folder show how it is written"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = WeightSet.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise FormatError(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}", remedy) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FormatError(path, f"it is not readable YAML ({' '.join(str(error).split())[:200]})", remedy) from error
    if found.name != path.stem:
        raise FormatError(path, f"its name is {found.name!r}, expected that of the file", remedy)
    return found


def local_weights(chosen: WeightSet) -> ModelFiles | None:
    """Where a weight set, or else a mirror of it, lies on this machine; nothing is fetched.

    Parameters
    ----------
    chosen : WeightSet
        The set.

    Returns
    -------
    ModelFiles or None
        Whole files, or None where there are none.

    Raises
    ------
    CorruptFileError
        If files are there and damaged.
    """
    for name, revision in ((chosen.id, chosen.revision), *((mirror, None) for mirror in chosen.mirrors)):
        try:
            return find_model(name, revision=revision)
        except FormatError:
            continue
    return None


def fetch_weights(chosen: WeightSet, *, mirror: str | None = None) -> ModelFiles:
    """Fetch a weight set, or what is missing of it, into the hub's cache on this machine; afterwards it is read offline.

    Parameters
    ----------
    chosen : WeightSet
        The set.
    mirror : str, optional
        Take this one of its mirrors instead, in its newest commit.

    Returns
    -------
    ModelFiles
        Whole files.

    Raises
    ------
    DataError
        If it is not one of the mirrors.
    FormatError
        If the hub cannot be reached, refuses, or has no safetensors.
    DiskSpaceError
        If it does not fit on the disk.
    """
    if mirror is None:
        return find_model(chosen.id, revision=chosen.revision, download=True)
    if mirror not in chosen.mirrors:
        raise DataError(f"{mirror!r} is no mirror of {chosen.name}, which has {list(chosen.mirrors) or 'none'}")
    return find_model(mirror, download=True)
