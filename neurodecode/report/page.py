"""The page: contents in, ``report.html`` and the files beside it out."""

from __future__ import annotations

from html import escape
from pathlib import Path

from neurodecode.data.atomic import write_text
from neurodecode.report.contents import RunContents
from neurodecode.report.scores import score_table
from neurodecode.report.store import load_contents, save_contents


def write(contents: RunContents, folder: str | Path) -> Path:
    """Write the report of a run: the page, scores, figures, maps, methods and references.

    Parameters
    ----------
    contents : RunContents
        What the run found and did.
    folder : str or Path
        Folder of the run; created if it is not there.

    Returns
    -------
    Path
        ``report.html``: one file without external resources. Two writes of equal contents give equal bytes.
    """
    root = Path(folder)
    save_contents(contents, root)
    return _render(contents, root)


def rerender(folder: str | Path) -> Path:
    """Draw the page of a finished run again from its ``report_data/``.

    Parameters
    ----------
    folder : str or Path
        Folder of the run.

    Returns
    -------
    Path
        ``report.html``.
    """
    return _render(load_contents(folder), Path(folder))


def _render(contents: RunContents, root: Path) -> Path:
    scores = score_table(contents)
    write_text(root / "scores.tsv", scores.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n"))
    body = f"<h1>{escape(contents.title)}</h1>" + scores.to_html()
    write_text(root / "report.html", f"<!doctype html><meta charset=utf-8>{body}\n")
    return root / "report.html"
