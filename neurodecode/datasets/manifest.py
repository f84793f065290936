"""What is known about a public data set before its first byte is fetched: a manifest, checked and frozen."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from neurodecode.errors import DataError, FormatError

_MOST_BYTES = 64_000_000  # of a manifest: a hundred thousand files
_DEEPEST = 20
_REMEDY = "Correct the manifest; docs/datasets.md lists its fields"


def check_path(path: str) -> str:
    """Return a relative path with forward slashes that stays below its root, or raise `DataError`."""
    parts = PurePosixPath(path).parts
    odd = "\\" in path or ":" in path or any(ord(c) < 32 or ord(c) == 127 for c in path)
    if not parts or odd or path.startswith("/") or ".." in parts or path != "/".join(parts):
        raise DataError(
            f"the path {path!r} must be relative, with forward slashes and without '..', '.', ':' or control characters"
        )
    return path


def check_url(url: str) -> str:
    """Return an address that begins with https:// and names a host, or raise `DataError`."""
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.password is None
    except ValueError:
        good = False
    if not good or any(c.isspace() or ord(c) < 32 for c in url):
        raise DataError(f"the address {url!r} must begin with https:// and name a host, without user name or password")
    return url


def _fixed_version(version: str) -> str:
    if version.strip().lower() in ("", "latest", "main", "master", "head"):
        raise DataError(f"version {version!r} may change: name a fixed one")
    return version


def same_name(path: str) -> str:
    """A path as file systems see it that know neither case nor Unicode forms: equal ones would overwrite each other."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())


Text = Annotated[str, Field(min_length=1)]
RelativePath = Annotated[str, AfterValidator(check_path)]
Address = Annotated[str, AfterValidator(check_url)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(gt=0, strict=True)]


class Part(BaseModel):
    """Base of every part of a manifest: read only, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class File(Part):
    """One file, where it is and what it must be."""

    path: RelativePath = Field(description="below the root of the data set")
    url: tuple[Address, ...] = Field(min_length=1, description="tried in this order")
    bytes: Size = Field(description="size of the file")
    sha256: Sha256 = Field(description="hash in hexadecimal digits")
    role: Text | None = Field(None, description="what the reader needs it for: betas, mask, events, stimuli, ...")
    subject: Text | None = Field(None, description="label without 'sub-'; none where every subject needs it")


class Source(Part):
    """A version of a data set of an archive, which lists its files itself."""

    kind: Literal["openneuro"] = Field(description="the archive")
    dataset: str = Field(pattern=r"^ds\d{6}$", description="accession number")
    tag: str = Field(pattern=r"^\d+\.\d+\.\d+$", description="version")


class Manual(Part):
    """How a person fetches a data set that a program may not or cannot fetch."""

    page: Address = Field(description="where to begin")
    steps: tuple[Text, ...] = Field(min_length=1, description="what to do, in this order")
    layout: tuple[RelativePath, ...] = Field(min_length=1, description="patterns of the files below the root, then")


class Expect(Part):
    """What a recording must be once it is read; checked on every load."""

    shape: dict[str, tuple[Count | None, ...]] = Field({}, description="by role, or else modality; null for any length")
    sfreq: float | None = Field(None, gt=0, allow_inf_nan=False, description="Hz; 1 / TR for fMRI")
    n_events: dict[str, Size] = Field({}, description="of each trial_type in a run")
    channel_kinds: dict[str, Size] = Field({}, description="channels of each kind")
    n_samples_per_subject: Count | None = Field(None, description="rows of the responses of a subject")


class Split(Part):
    """Ids that a split holds, in a file of its own."""

    ids_file: RelativePath = Field(description="table of ids, beside the manifest")
    sha256: Sha256 = Field(description="hash of that table")


class KnownIssue(Part):
    """Something that is wrong with the data or with what is known about them."""

    files: Text = Field(description="pattern of the files, e.g. sub-5/func/*")
    text: Text = Field(description="what is wrong")
    handling: Text = Field(description="what the package or the user does about it")
    waives: tuple[Literal["shape", "sfreq", "n_events", "channel_kinds", "n_samples_per_subject"], ...] = Field(
        (), description="what of expect is not checked for these files"
    )


class Manifest(Part):
    """A public data set: terms, files and what they must hold."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="name of the file of the manifest")
    title: Text = Field(description="for people")
    version: Annotated[Text, AfterValidator(_fixed_version)] = Field(description="fixed, never 'latest'")
    licence: Text = Field(description="SPDX, or text and link")
    access: Literal["open", "registration", "dua"] = Field(description="who may fetch it; dua is a data use agreement")
    citation: Text = Field(description="what to cite")
    doi: str | None = Field(None, pattern=r"^10\.\S+$", description="without https://doi.org/")
    modality: Literal["fmri", "meg", "eeg", "ieeg", "calcium", "spikes", "image", "text"] = Field(description="of the recordings")
    species: Text = Field(description="human, mouse, ...")
    n_subjects: Count = Field(description="people or animals")
    size_bytes: Size | None = Field(None, description="of all files; may be left out where the source tells it")
    files: tuple[File, ...] = Field((), description="every file, or else a source")
    source: Source | None = Field(None, description="where the files are listed, or else files")
    manual: Manual | None = Field(None, description="or else how a person fetches the files")
    expect: Expect = Field(Expect(), description="checked on every load")
    splits: dict[str, Split] = Field({}, description="fixed ids by name, e.g. test")
    known_issues: tuple[KnownIssue, ...] = Field((), description="shown by info")

    @model_validator(mode="after")
    def _one_origin(self) -> Manifest:
        given = [name for name in ("files", "source", "manual") if getattr(self, name)]
        if len(given) != 1:
            said = " and ".join(given) or "none"
            raise DataError(f"a manifest has either files or a source or manual steps, {self.id} has {said}")
        if self.source is not None and self.source.tag != self.version:
            raise DataError(f"version {self.version!r} must be the tag of the source, {self.source.tag!r}")
        check_names([file.path for file in self.files])
        total = sum(file.bytes for file in self.files)
        if self.files and self.size_bytes != total:
            raise DataError(f"size_bytes is {self.size_bytes}, the files have {total} bytes together")
        return self


def check_names(paths: Sequence[str]) -> None:
    """Raise `DataError` where two paths are one file on some file system, or one is a folder of another."""
    seen: dict[str, str] = {}
    for path in paths:
        key = same_name(path)
        if key in seen:
            raise DataError(f"the paths {seen[key]!r} and {path!r} are the same file on some file systems")
        seen[key] = path
    for path in paths:
        folder = next((str(p) for p in PurePosixPath(path).parents if same_name(str(p)) in seen), None)
        if folder is not None:
            raise DataError(f"{folder!r} is a file, and {path!r} lies inside it")


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest and check it.

    Parameters
    ----------
    path : str or Path
        A YAML file; its name is the id.

    Returns
    -------
    Manifest
        Frozen and complete.

    Raises
    ------
    FormatError
        In one line: the key or value that is wrong, and what was expected.
    """
    file = Path(path)
    manifest = parse_manifest(_text_of(file), file)
    if manifest.id != file.name.removesuffix(".yaml"):
        raise FormatError(file, f"its id is {manifest.id!r}, expected the name of the file", _REMEDY)
    return manifest


def parse_manifest(text: str, name: str | Path = "manifest") -> Manifest:
    """Check the text of a manifest.

    Parameters
    ----------
    text : str
        YAML.
    name : str or Path
        What it is called in messages.

    Returns
    -------
    Manifest
        Frozen and complete.

    Raises
    ------
    FormatError
        In one line: the key or value that is wrong, and what was expected.
    """
    values = _values_of(text, name)
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise FormatError(name, _explain(error), _REMEDY) from error


def _text_of(file: Path) -> str:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise FormatError(file, f"it has {file.stat().st_size} bytes, expected at most {_MOST_BYTES}", _REMEDY)
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(file, f"it cannot be read ({' '.join(str(error).split())})", "Check the path") from error


def _values_of(text: str, name: str | Path) -> dict[Any, Any]:
    """YAML as a mapping."""
    try:
        _check_events(text)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError, RecursionError) as error:
        raise FormatError(name, f"it is not YAML ({' '.join(str(error).split())[:200]})", _REMEDY) from error
    if not isinstance(values, dict):
        raise FormatError(name, f"expected a mapping, got {type(values).__name__}", _REMEDY)
    return values


def _check_events(text: str) -> None:
    """Refuse aliases, a few of which unfold to gigabytes, and brackets in brackets, whose cost grows with their square."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise DataError(f"the alias *{event.anchor}: write the values out")
        if depth > _DEEPEST:
            raise DataError(f"more than {_DEEPEST} levels inside each other")


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    got = "" if message.startswith(("the path", "the address")) or not place else f", got {_shown(first['input'])}"
    return " ".join(f"{place + ': ' if place else ''}{message}{got}".split())


def _shown(value: Any) -> str:
    try:
        return repr(value)[:80]
    except (ValueError, RecursionError):  # Python writes no number of more than 4300 digits
        return f"a {type(value).__name__} too long to show"
