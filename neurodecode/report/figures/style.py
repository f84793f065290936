"""The look of all figures: one style, colours that colour-blind readers can tell apart, and bytes that never change."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from neurodecode.report.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which stays distinct under all common forms of colour blindness.
BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#C9B800"
PALETTE = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, YELLOW)
INK, MUTED, FAINT = "#1f2933", "#5f6b78", "#dfe4ea"
SEQUENTIAL, DIVERGING = "Blues", "RdBu_r"

STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in the name of a stimulus is a dollar sign
    "text.usetex": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "savefig.bbox": None,
    "svg.fonttype": "path",  # the page looks the same where a font is missing
    "svg.hashsalt": "neurodecode",
}

_P = ParamSpec("_P")
_R = TypeVar("_R")


def styled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a function under our style and give matplotlib its own settings back afterwards."""

    @functools.wraps(function)
    def inner(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        import matplotlib

        with matplotlib.rc_context(dict(STYLE)):
            return function(*args, **kwargs)

    return inner


def new_figure(width: float = 6.4, height: float = 3.2, layout: str | None = "constrained") -> Figure:
    """An empty figure of a size in inches that belongs to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def draw_chance(ax: Axes, chance: float, *, vertical: bool = False, label: str | None = None) -> None:
    """The dashed line at chance that every figure of a score has."""
    draw = ax.axvline if vertical else ax.axhline
    draw(chance, color=INK, linestyle=(0, (4, 3)), linewidth=1.1, label=label or f"chance {number(chance)}", zorder=1.5)


def legend_above(ax: Axes, columns: int = 3) -> None:
    """A legend above the axes, where it covers no data."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=1.6, columnspacing=1.2)


@styled
def to_svg(figure: Figure) -> bytes:
    """Save a figure as SVG; equal figures give equal bytes, without date or version.

    Parameters
    ----------
    figure : Figure
        A figure of this module; its layout is fixed from now on.

    Returns
    -------
    bytes
        The drawing, texts as paths.
    """
    return _save(figure, "svg", {"Date": None, "Creator": None})


@styled
def to_png(figure: Figure) -> bytes:
    """Save a figure as PNG; equal figures give equal bytes, without date or version.

    Parameters
    ----------
    figure : Figure
        A figure of this module; its layout is fixed from now on.

    Returns
    -------
    bytes
        The image at 160 dots per inch.
    """
    return _save(figure, "png", {"Software": None})


def _save(figure: Figure, kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script without a font shows boxes
        if figure.get_layout_engine() is not None:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # laid out once: a second pass would move things by a hair
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
