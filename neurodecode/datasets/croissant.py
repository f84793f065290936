"""A manifest as Croissant, the JSON-LD vocabulary that data set search engines read."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from neurodecode.datasets.lock import Locked
from neurodecode.datasets.manifest import Manifest

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "sha256": "sc:sha256",
}
_ARCHIVE = "archive"


def to_croissant(manifest: Manifest, lock: Mapping[str, Locked] | None = None) -> dict[str, Any]:
    """Describe a data set in Croissant 1.0.

    Parameters
    ----------
    manifest : Manifest
        The data set.
    lock : mapping, optional
        `Locked` by path, for the files of a source.

    Returns
    -------
    dict
        JSON-LD: terms and citation, and the files with their hashes. Of a source, or of a page where a person fetches them, the
        archive and the files that the lock knows; the archive is hashed by nobody, and its entry says so.
    """
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.id,
        "description": manifest.title,
        "version": manifest.version,
        "license": manifest.licence,
        "citeAs": manifest.citation,
        "url": home_page(manifest),
        "distribution": _files(manifest) if manifest.files else _archive(manifest, lock or {}),
    }
    return described if manifest.doi is None else {**described, "sameAs": f"https://doi.org/{manifest.doi}"}


def home_page(manifest: Manifest) -> str:
    """Where a person reads about the data set: its page in the archive, its doi, or the address of its first file."""
    if manifest.manual is not None:
        return manifest.manual.page
    if manifest.source is not None:
        return f"https://openneuro.org/datasets/{manifest.source.dataset}/versions/{manifest.source.tag}"
    return f"https://doi.org/{manifest.doi}" if manifest.doi else manifest.files[0].url[0]


def _files(manifest: Manifest) -> list[dict[str, Any]]:
    return [{**_object(file.path, file.bytes, file.sha256), "contentUrl": file.url[0]} for file in manifest.files]


def _archive(manifest: Manifest, lock: Mapping[str, Locked]) -> list[dict[str, Any]]:
    """The repository or page of the archive, its files as a set, and each file that is locked."""
    source = manifest.source
    git = None if source is None else f"https://github.com/OpenNeuroDatasets/{source.dataset}.git"
    repository = {
        "@type": "cr:FileObject",
        "@id": _ARCHIVE,
        "name": _ARCHIVE,
        "contentUrl": git or home_page(manifest),
        "encodingFormat": "git+https" if git else "text/html",
        "sha256": "https://github.com/mlcommons/croissant/issues/80",  # what Croissant asks for where nobody hashed the whole
    }
    every = {"@type": "cr:FileSet", "@id": "files", "name": "files", "containedIn": {"@id": _ARCHIVE}, "includes": "**"}
    known = [{**_object(path, *locked), "contentUrl": path, "containedIn": {"@id": _ARCHIVE}} for path, locked in lock.items()]
    return [repository, {**every, "encodingFormat": "application/octet-stream"}, *known]


def _object(path: str, n_bytes: int, sha256: str) -> dict[str, Any]:
    kind = "application/gzip" if path.endswith(".gz") else mimetypes.guess_type(path)[0] or "application/octet-stream"
    named = {"@type": "cr:FileObject", "@id": path, "name": path, "encodingFormat": kind}
    return {**named, "contentSize": f"{n_bytes} B", "sha256": sha256}
