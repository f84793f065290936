"""The files of a version of a data set of OpenNeuro, as its own interface lists them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from neurodecode.data.validate import as_number
from neurodecode.datasets.download import Policy, Remote, check_address
from neurodecode.datasets.manifest import Source, check_names, check_path
from neurodecode.errors import DataError, FormatError

ENDPOINT = "https://openneuro.org/crn/graphql"
_QUERY = """
query files($dataset: ID!, $tag: String!, $tree: String) {
  snapshot(datasetId: $dataset, tag: $tag) { files(tree: $tree) { id filename size directory urls } }
}
"""
_MOST_FILES = 200_000
_DEEPEST = 20  # folders inside each other
_REMEDY = "Try again later; if it stays so, the interface of the archive has changed: report it"


def list_files(
    source: Source, subjects: list[str] | None = None, *, endpoint: str = ENDPOINT, policy: Policy | None = None
) -> list[Remote]:
    """List the files of a version.

    Parameters
    ----------
    source : Source
        Data set and tag.
    subjects : list of str, optional
        Labels without ``sub-``; folders of other subjects are not looked into.
    endpoint : str
        Address of the interface.
    policy : Policy, optional
        Retries, waits and time-outs.

    Returns
    -------
    list of Remote
        Path, addresses and size of each file, without hashes: the archive has none.

    Raises
    ------
    FormatError
        If the archive does not answer, or in another form than expected.
    """
    chosen, asked = policy or Policy(), dict(dataset=source.dataset, tag=source.tag)
    check_address(endpoint, chosen.local_http)
    files = list(_walk(asked, None, "", subjects, endpoint, chosen))
    try:
        check_names([file.path for file in files])
    except DataError as error:
        raise FormatError(endpoint, f"{source.dataset} {source.tag}: {error}", _REMEDY) from error
    if not files:
        raise FormatError(endpoint, f"{source.dataset} {source.tag} lists no files", _REMEDY)
    return sorted(files)


def _walk(
    asked: dict[str, str], tree: str | None, folder: str, subjects: list[str] | None, endpoint: str, policy: Policy
) -> Iterator[Remote]:
    """The files below a folder; the archive lists one folder at a time."""
    if folder.count("/") > _DEEPEST:
        raise FormatError(endpoint, f"the folder {folder!r} lies more than {_DEEPEST} folders deep", _REMEDY)
    entries = _entries(_answer({**asked, "tree": tree}, endpoint, policy), endpoint)
    for entry in entries:
        path = _path_of(entry, folder, endpoint)
        if not entry.get("directory"):
            yield _remote(entry, path, endpoint, policy)
        elif wanted(path, subjects):
            yield from _walk(asked, str(entry.get("id")), path, subjects, endpoint, policy)


def wanted(path: str, subjects: list[str] | None) -> bool:
    """Whether a path belongs to all subjects or to one of those asked for; derivatives are sorted by subject as well."""
    own = [part[4:] for part in path.split("/") if part.startswith("sub-") and "_" not in part]
    return subjects is None or not own or own[0] in subjects


def _path_of(entry: dict[str, Any], folder: str, endpoint: str) -> str:
    """Path below the root; names inside a folder are given with it or without it."""
    name = str(entry.get("filename"))
    path = name if not folder or name.startswith(f"{folder}/") else f"{folder}/{name}"
    try:
        return check_path(path)
    except DataError as error:
        raise FormatError(endpoint, str(error), _REMEDY) from error


def _remote(entry: dict[str, Any], path: str, endpoint: str, policy: Policy) -> Remote:
    urls, size = entry.get("urls"), as_number(entry.get("size"))
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls) or not 0 <= size < 2**60:
        raise FormatError(endpoint, f"{path} has urls {urls!r:.80} and size {entry.get('size')!r:.40}", _REMEDY)
    for url in urls:
        check_address(url, policy.local_http)
    return Remote(path, tuple(urls), int(size))


def _entries(answer: Any, endpoint: str) -> list[dict[str, Any]]:
    try:
        entries = answer["data"]["snapshot"]["files"]
    except (KeyError, TypeError) as error:
        said = answer.get("errors") if isinstance(answer, dict) else answer
        raise FormatError(endpoint, f"the archive does not list such files ({said!r:.200})", "Check data set and tag") from error
    if not isinstance(entries, list) or len(entries) > _MOST_FILES or not all(isinstance(e, dict) for e in entries):
        raise FormatError(endpoint, f"expected a list of files, got {type(entries).__name__}", _REMEDY)
    return entries


def _answer(variables: dict[str, Any], endpoint: str, policy: Policy) -> Any:
    """Ask, and ask again after a failure of the connection or the server."""
    import requests

    for attempt in range(policy.retries + 1):
        try:
            body: Any = {"query": _QUERY, "variables": variables}
            response = requests.post(endpoint, json=body, timeout=policy.timeout, allow_redirects=False)
            if response.status_code == 200:
                return response.json()
            fault = f"the archive answered {response.status_code}"
        except requests.exceptions.RequestException as error:
            fault = f"the archive does not answer ({type(error).__name__})"
        if attempt < policy.retries:
            time.sleep(min(60.0, policy.backoff * 2**attempt))
    raise FormatError(endpoint, f"{fault}, {policy.retries + 1} times", "Check the connection, and try again later")
