"""The page: contents in, ``report.html`` and the files beside it out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neurodecode.data.atomic import atomic_folder, write_text
from neurodecode.report import html
from neurodecode.report.contents import RunContents
from neurodecode.report.figures.style import to_png, to_svg
from neurodecode.report.maps import write_maps
from neurodecode.report.methods import methods_markdown, methods_paragraphs, works_of
from neurodecode.report.parts import Picture, Section
from neurodecode.report.quality import quality_section
from neurodecode.report.references import bibtex, with_names
from neurodecode.report.scores import score_table
from neurodecode.report.sections import evoked_section, overview, result_sections
from neurodecode.report.store import load_contents, save_contents

_LARGEST_SVG = 250_000  # bytes; a larger drawing is shown as PNG so that the page stays quick to open


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

    Raises
    ------
    DataError
        If the contents hold something that cannot be saved.
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

    Raises
    ------
    FormatError
        If there is no finished report in the folder.
    """
    return _render(load_contents(folder), Path(folder))


def _render(contents: RunContents, root: Path) -> Path:
    scores = score_table(contents)
    write_text(root / "scores.tsv", scores.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n"))
    write_text(root / "methods.md", methods_markdown(contents))
    write_text(root / "references.bib", bibtex(works_of(contents)))
    maps = write_maps(contents, root)
    quality, results = quality_section(contents), [*result_sections(contents), *evoked_section(contents)]
    images = _write_figures({"quality": quality, **_named(results)}, root / "figures")
    page = html.render(
        contents=contents,
        headline=results[0] if contents.results else None,
        overview=overview(scores) if len(contents.results) > 1 and len(scores) else None,
        methods=[(heading, [with_names(s) for s in sentences]) for heading, sentences in methods_paragraphs(contents)],
        works=works_of(contents),
        quality=html.section(quality, images["quality"]),
        results=[html.section(result, images[name]) for name, result in _named(results).items()],
        maps=maps,
    )
    write_text(root / "report.html", page)
    return root / "report.html"


def _named(sections: list[Section]) -> dict[str, Section]:
    """Sections by a name that can stand in a file name and in a link, each its own."""
    named: dict[str, Section] = {}
    for section in sections:
        stem = html.slug(section.title)
        number = next(i for i in range(1, len(sections) + 2) if (stem if i == 1 else f"{stem}-{i}") not in (*named, "quality"))
        named[stem if number == 1 else f"{stem}-{number}"] = section
    return named


def _write_figures(sections: dict[str, Section], folder: Path) -> dict[str, list[html.Image]]:
    """Write each figure as SVG and PNG and return what the page embeds."""
    images: dict[str, list[html.Image]] = {}
    captions: dict[str, dict[str, str]] = {}
    with atomic_folder(folder, "captions.json") as partial:
        for name, section in sections.items():
            images[name] = [_write_figure(f"{name}_{p.name}", p, partial) for p in section.pictures]
            drawn = [p for p in section.pictures if p.figure is not None]
            captions |= {f"{name}_{p.name}": {"alt": p.alt, "caption": p.caption} for p in drawn}
        text = json.dumps(captions, indent=1, ensure_ascii=False)
        (partial / "captions.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    return images


def _write_figure(name: str, picture: Picture, folder: Path) -> html.Image:
    figure: Any = picture.figure
    if figure is None:
        return html.Image("", picture.alt, picture.caption, 0)
    svg, png = to_svg(figure), to_png(figure)
    (folder / f"{name}.svg").write_bytes(svg)
    (folder / f"{name}.png").write_bytes(png)
    vector = picture.vector and len(svg) <= _LARGEST_SVG
    source = html.data_uri(svg, "image/svg+xml") if vector else html.data_uri(png, "image/png")
    return html.Image(source, picture.alt, picture.caption, round(100 * figure.get_figwidth()))
