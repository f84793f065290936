"""What the page says and shows about dynamic connectomes."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Picture, Section, Table, Tile
from neurodecode.report.words import number, plural, score_text


def connectome_section(name: str, result: Any, contents: RunContents) -> Section:
    """The section of a `ConnectomeResult`: components over time, communities, and what of it comes back.

    Parameters
    ----------
    name : str
        Name of the result.
    result : ConnectomeResult
        What was found.
    contents : RunContents
        The run.

    Returns
    -------
    Section
        For the page.
    """
    some = result.n_stable > 0 and result.null_explained is not None
    verdict = (f"{result.n_stable} of {result.rank} components come back", "good" if some else "none")
    tables = [Table("Components", result.components)]
    tables += [Table("Overlap with stimuli", result.overlap)] if len(result.overlap) else []
    tables += [Table("Numbers of components", result.ranks)] if len(result.ranks) else []
    return Section(name, _sentences(result), verdict, _tiles(result), _pictures(result), tables, list(result.notes))


def _sentences(result: Any) -> list[str]:
    null = (
        "" if result.null_explained is None else f"; traces shifted in time neuron by neuron give {number(result.null_explained)}"
    )
    told = [
        f"{plural(result.rank, 'component')} explain {score_text(result.explained)} of the squared affinities of "
        f"{len(result.names)} names in {plural(len(result.samples), 'sample')}{null}.",
        f"{result.n_stable} of them come back between halves of the samples more than any component of shifted traces does.",
    ]
    if len(result.overlap):
        best = result.overlap.loc[result.overlap["p"].idxmin()]
        told.append(
            f"The closest to a stimulus is component {best['component']:g} with {best['stimulus']}, which was on for "
            f"{100 * best['chance']:.1f} % of the time and holds {100 * best['overlap']:.1f} % of the activity "
            f"(p = {number(best['p'])} over {best['n_shifts']:g} circular shifts, not corrected for "
            f"{plural(len(result.overlap), 'pair')})."
        )
    return told


def _tiles(result: Any) -> list[Tile]:
    null = "not analysed" if result.null_explained is None else f"shifted traces {number(result.null_explained)}"
    return [
        Tile("Explained", score_text(result.explained), null),
        Tile("Components", str(result.rank), f"{result.n_stable} stable"),
        Tile("Communities", str(int(np.median(result.components["n_communities"]))), "median over components"),
    ]


def _pictures(result: Any) -> list[Picture]:
    shown = [
        Picture(
            "courses",
            figures.component_courses(result),
            f"Activity of {plural(result.rank, 'component')} over time and samples.",
            "Grey: components that do not come back between halves of the samples. Bands: stimuli.",
        ),
        Picture(
            "communities",
            figures.community_matrices(result),
            "Graph of each component, in the order of communities.",
            "Darker: higher affinity of a pair. Lines: borders of communities, found by a weighted block model.",
            vector=False,
        ),
        Picture(
            "graph",
            figures.component_graph(result),
            "Strongest pairs of the first component.",
            "The strongest pairs of component 1; colours are communities, grey lines run between them.",
        ),
    ]
    if len(result.ranks):
        caption = "The dashed line is the number that was chosen: fewest within one standard error, as far as starts agree."
        shown.append(Picture("ranks", figures.rank_evidence(result), "Evidence for the number of components.", caption))
    return shown
