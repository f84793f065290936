"""From sections to HTML through the template; everything from data is escaped by it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Section
from neurodecode.report.references import Work
from neurodecode.report.words import number

MOST_ROWS = 300  # of a table on the page; report_data holds all


class Image(NamedTuple):
    """A figure as the page embeds it.

    Parameters
    ----------
    source : str
        Data URI, empty where nothing was drawn and the caption says why.
    alt, caption : str
        Words.
    width : int
        Natural width in CSS pixels.
    """

    source: str
    alt: str
    caption: str
    width: int


class Cells(NamedTuple):
    """A table as texts.

    Parameters
    ----------
    title : str
        Title.
    header : list of (str, bool)
        Column names, and whether the column holds numbers.
    rows : list of list of str
        Texts.
    left_out : int
        Rows that are not shown.
    """

    title: str
    header: list[tuple[str, bool]]
    rows: list[list[str]]
    left_out: int


def render(*, contents: RunContents, headline: Section | None, works: list[Work], **parts: Any) -> str:
    """Fill the template.

    Parameters
    ----------
    contents : RunContents
        The run.
    headline : Section or None
        The first result.
    works : list of Work
        What the methods cite.
    **parts
        ``overview, methods, quality, results, maps`` of the template.

    Returns
    -------
    str
        The page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("neurodecode.report", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = loader.get_source(environment, "report.css")[0]
    overview = parts.pop("overview")
    page = environment.get_template("report.html.j2").render(
        run=contents,
        style=style,
        headline=headline,
        works=works,
        overview=None if overview is None else cells("All results", overview),
        versions=cells("Versions", pd.DataFrame(contents.versions.items(), columns=["package", "version"])),
        hashes=cells("Input files", pd.DataFrame(_files(contents.hashes), columns=["file", "sha256"]), most=100_000),
        configuration=configuration_text(contents.configuration),
        notes=[str(note) for note in contents.notes],
        **parts,
    )
    return page.rstrip() + "\n"


def section(part: Section, images: list[Image]) -> dict[str, Any]:
    """A section with its images and its tables as texts, for the template."""
    tables = [cells(table.title, table.frame) for table in part.tables if len(table.frame)]
    return {**part.members(), "images": images, "tables": tables, "slug": slug(part.title)}


def cells(title: str, frame: pd.DataFrame, most: int = MOST_ROWS) -> Cells:
    """A table as texts: numbers with three significant digits, "n/a" where missing.

    Parameters
    ----------
    title : str
        Title.
    frame : DataFrame
        The table.
    most : int
        Rows shown.

    Returns
    -------
    Cells
        Texts.
    """
    shown = frame.head(most)
    header = [(str(name).replace("_", " "), _is_number(frame.iloc[:, i])) for i, name in enumerate(frame.columns)]
    columns = [_texts(shown.iloc[:, i]) for i in range(shown.shape[1])]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Cells(title, header, rows, len(frame) - len(shown))


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens only: safe in a file name and in a link."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "result"


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def configuration_text(configuration: Mapping[str, Any]) -> str:
    """The configuration as YAML; of absolute paths only the last part, which means the same on every machine."""
    import yaml

    return (
        yaml.safe_dump(_without_folders(configuration), sort_keys=False, allow_unicode=True, default_flow_style=None)
        if configuration
        else ""
    )


def _without_folders(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_folders(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_folders(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float)) else _last_part(str(value))


def _last_part(text: str) -> str:
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute():
            return f"…/{kind(text).name}"
    return text


def _files(hashes: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(_last_part(str(name)), digest) for name, digest in sorted(hashes.items())]


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _texts(column: pd.Series) -> list[str]:
    """Texts of a column; numbers of similar size get equally many decimals, so that they stand under each other."""
    if pd.api.types.is_float_dtype(column):
        values = column.to_numpy(float)
        size = np.abs(values[np.isfinite(values) & (values != 0)])
        if size.size and size.min() >= 1e-3 and size.max() < 10:
            known = values[np.isfinite(values)]
            decimals = next(d for d in (0, 1, 2, 3) if d == 3 or np.allclose(known, known.round(d), rtol=0, atol=5e-4))
            return [f"{v:.{decimals}f}" if np.isfinite(v) else "n/a" for v in values]
    return [_text(value) for value in column]


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return number(value)
    return "n/a" if pd.isna(value) else str(value)
