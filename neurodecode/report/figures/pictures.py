"""Images that were shown above what was made of the responses to them."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.report.figures.style import BLUE, INK, MUTED, RED, draw_chance, legend_above, new_figure, styled
from neurodecode.report.words import metric_label, score_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

_SCORE_LINE = 0.24  # in, below each row of reconstructions
_WIDTH, _LEFT, _TOP, _BOTTOM = 8.8, 1.15, 0.34, 0.3  # in
_GAP = 0.3  # between groups, in images


@styled
def reconstructions(result: Any, beside: Mapping[str, Any] | None = None, most: int = 4) -> Figure:
    """Draw the best, the middle and the worst reconstructions below the images that were shown.

    Parameters
    ----------
    result : ReconstructionResult
        With images and reconstructions.
    beside : mapping of str to ReconstructionResult, optional
        Reconstructions of the same images by other methods, a row for each below the first; `result` itself has the first name.
    most : int
        Images of each of the three groups; few images are all shown in one group.

    Returns
    -------
    Figure
        Columns in the order of the score of `result`; each reconstruction has its score below.
    """
    rows = dict(beside) if beside else {"Reconstructed": result}
    groups = chosen_images(result.image_scores, most)
    figure, grid = canvas(groups, len(rows), result.images.shape[1] / result.images.shape[2], scored=len(rows) > 1)
    column = 0
    for group, images in groups.items():
        for place, image in enumerate(images):
            axes = [figure.add_subplot(grid[i, column]) for i in range(1 + len(rows))]
            draw_column(
                axes, {"Shown": result.images, **{n: r.reconstructions for n, r in rows.items()}}, int(image), column == 0
            )
            for ax, made in zip(axes[1:], rows.values(), strict=True):
                ax.set_xlabel(f"{made.image_scores[image]:.2f}", fontsize=9, color=INK, labelpad=3)
            if place == 0:
                axes[0].set_title(group, loc="left")
            column += 1
        column += 1
    return figure


def canvas(groups: Mapping[str, NDArray[np.int64]], n_rows: int, aspect: float, scored: bool) -> tuple[Figure, GridSpec]:
    """Make an empty figure with a cell for each image, and a gap between groups.

    Parameters
    ----------
    groups : mapping of str to array of shape (n_images,)
        Numbers of the images of each group.
    n_rows : int
        Rows below that of the images.
    aspect : float
        Height over width of an image.
    scored : bool
        Whether a number stands below each row.

    Returns
    -------
    figure : Figure
        Empty.
    grid : GridSpec
        ``n_rows + 1`` rows; a column per image, and one between groups.
    """
    widths = [part for images in groups.values() for part in ([1.0] * len(images) + [_GAP])][:-1]
    one = min((_WIDTH - _LEFT) / sum(widths) * 0.95, 1.2)  # in, an image
    space = max(0.06, _SCORE_LINE / (one * aspect)) if scored else 0.06
    height = _TOP + (n_rows + 1 + space * n_rows) * one * aspect + _BOTTOM
    figure = new_figure(_WIDTH, height, layout=None)
    margins = {"left": _LEFT / _WIDTH, "right": (_LEFT + one * sum(widths) / 0.95) / _WIDTH}
    margins |= {"top": 1 - _TOP / height, "bottom": _BOTTOM / height}
    return figure, figure.add_gridspec(n_rows + 1, len(widths), width_ratios=widths, wspace=0.06, hspace=space, **margins)


def chosen_images(scores: NDArray[np.float64], most: int) -> dict[str, NDArray[np.int64]]:
    """Rows of the best, middle and worst images by name of the group, each in falling order of score.

    Parameters
    ----------
    scores : array of shape (n_images,)
        Score of each image.
    most : int
        Images of a group.

    Returns
    -------
    dict of str to array
        All in one group where there are not enough for three.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    if len(order) < 3 * most:
        return {"All images, best first": order}
    middle = (len(order) - most) // 2
    return {"Best": order[:most], "Around the median": order[middle : middle + most], "Worst": order[-most:]}


def draw_column(axes: list[Axes], rows: Mapping[str, NDArray[np.uint8]], image: int, named: bool) -> None:
    """Draw one image of each row below each other.

    Parameters
    ----------
    axes : list of Axes
        One per row.
    rows : mapping of str to array of shape (n_images, height, width, 3)
        Pictures by the name of the row.
    image : int
        Which image.
    named : bool
        Whether the names stand on the left.
    """
    for ax, (name, pictures) in zip(axes, rows.items(), strict=True):
        ax.imshow(pictures[image], interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        if named:
            ax.set_ylabel(fill(name[:1].upper() + name[1:], 13), rotation=0, ha="right", va="center", labelpad=6)


@styled
def image_scores(result: Any) -> Figure:
    """Draw how the scores of the images are spread, with their mean, chance and the baseline.

    Parameters
    ----------
    result : ReconstructionResult
        With scores per image.

    Returns
    -------
    Figure
        A histogram; the baseline has its own.
    """
    figure = new_figure(6.4, 3.3)
    ax = figure.subplots()
    both = np.concatenate([result.image_scores, result.baseline_scores])
    edges = np.linspace(min(both.min(), result.chance), max(both.max(), result.chance) + 1e-9, 31)
    ax.hist(result.baseline_scores, bins=edges.tolist(), color=MUTED, alpha=0.45, label=result.baseline_name)
    ax.hist(result.image_scores, bins=edges.tolist(), color=BLUE, alpha=0.55, label="reconstructions")
    ax.axvline(result.score, color=BLUE, label=f"mean {score_text(result.score)}")
    ax.axvline(
        result.baseline, color=RED, linestyle=(0, (1, 1.5)), linewidth=1.4, label=f"baseline {score_text(result.baseline)}"
    )
    draw_chance(ax, result.chance, vertical=True)
    ax.set_xlabel(f"{metric_label(result.metric)} of an image")
    ax.set_ylabel("Number of images")
    ax.locator_params(axis="y", integer=True)
    legend_above(ax)
    return figure
