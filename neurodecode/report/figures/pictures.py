"""Images that were shown above what was made of the responses to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodecode.report.figures.style import BLUE, INK, MUTED, RED, draw_chance, legend_above, new_figure, styled
from neurodecode.report.words import metric_label, score_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS = ("Shown", "Reconstructed")
_WIDTH, _LEFT, _TOP, _BOTTOM = 8.8, 1.15, 0.34, 0.3  # in
_GAP = 0.3  # between groups, in images


@styled
def reconstructions(result: Any, most: int = 4) -> Figure:
    """Draw the best, the middle and the worst reconstructions below the images that were shown.

    Parameters
    ----------
    result : ReconstructionResult
        With images and reconstructions.
    most : int
        Images of each of the three groups; few images are all shown in one group.

    Returns
    -------
    Figure
        Pairs in the order of their score, which stands below each.
    """
    groups = chosen_images(result.image_scores, most)
    widths = [part for rows in groups.values() for part in ([1.0] * len(rows) + [_GAP])][:-1]
    one = min((_WIDTH - _LEFT) / sum(widths) * 0.95, 1.2)  # in, an image
    height = _TOP + 2.06 * one * result.images.shape[1] / result.images.shape[2] + _BOTTOM
    figure = new_figure(_WIDTH, height, layout=None)
    margins = {"left": _LEFT / _WIDTH, "right": (_LEFT + one * sum(widths) / 0.95) / _WIDTH}
    margins |= {"top": 1 - _TOP / height, "bottom": _BOTTOM / height}
    grid = figure.add_gridspec(2, len(widths), width_ratios=widths, wspace=0.06, hspace=0.06, **margins)
    column = 0
    for name, rows in groups.items():
        for place, row in enumerate(rows):
            axes = [figure.add_subplot(grid[i, column]) for i in range(2)]
            _draw_pair(axes, result, int(row), _ROWS if column == 0 else ("", ""))
            if place == 0:
                axes[0].set_title(name, loc="left")
            column += 1
        column += 1
    return figure


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


def _draw_pair(axes: list[Axes], result: Any, row: int, names: tuple[str, ...]) -> None:
    """One image above its reconstruction, with the score below."""
    for ax, images, name in zip(axes, (result.images, result.reconstructions), names, strict=True):
        ax.imshow(images[row], interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        if name:
            ax.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6)
    axes[1].set_xlabel(f"{result.image_scores[row]:.2f}", fontsize=9, color=INK, labelpad=3)


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
