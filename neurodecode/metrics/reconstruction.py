"""All scores of reconstructed images side by side, with chance, shuffled pairs, the mean image and intervals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.hashing import jsonable
from neurodecode.data.validate import check_option
from neurodecode.errors import DataError
from neurodecode.metrics._alike import Floats, as_pairs, as_rows, similarity
from neurodecode.metrics._intervals import bootstrap_interval
from neurodecode.metrics._resize import NSD_SIZE, resize
from neurodecode.metrics.identification import feature_distance, wins
from neurodecode.metrics.inference import permutation_p_value
from neurodecode.metrics.n_way import n_way_chance, n_way_top_k
from neurodecode.metrics.structural_similarity import luminance, ssim

Images = NDArray[Any]
Extractor = Callable[[Images], ArrayLike]
PROTOCOLS: dict[str, tuple[int | None, str]] = {
    "as_is": (None, "2d"),
    "nsd": (NSD_SIZE, "2d"),
    "nsd_columns": (NSD_SIZE, "columns"),
}
"""Shorter side in pixels for PixCorr and SSIM (None: as they come), and the form of SSIM."""


class _Score(NamedTuple):
    """One metric, for any pairing of images and reconstructions."""

    of: Callable[[NDArray[np.intp]], Floats]
    """From the image held to be right for each reconstruction to one score per reconstruction."""
    chance: float
    best: float


@dataclass(frozen=True, eq=False, repr=False)
class ImageReport:
    """How good reconstructed images are, metric by metric.

    Parameters
    ----------
    scores : dict of str to array of shape (n_images,)
        Score of each image by metric; the mean is what is published.
    chance, best : dict of str to float
        Value without any information about anything, and with all of it.
    null : dict of str to array of shape (n_null,)
        Mean scores of shuffled pairs: what reconstructions reach that are images of the right kind, but of none in particular.
    baseline : dict of str to float
        Score of the mean image in place of every reconstruction.
    ci : dict of str to tuple of float
        Bootstrap interval of the mean over images.
    level : float
        Coverage of the intervals.
    protocol : str
        How images were brought to one size, and the form of SSIM.
    settings : dict
        Arguments as they were used.
    notes : list of str
        What the reader must know.
    """

    scores: dict[str, Floats]
    chance: dict[str, float]
    best: dict[str, float]
    null: dict[str, Floats]
    baseline: dict[str, float]
    ci: dict[str, tuple[float, float]]
    level: float
    protocol: str
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(next(iter(self.scores.values())))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per metric.

        Returns
        -------
        DataFrame
            ``metric, score, ci_low, ci_high, chance, null, null_low, null_high, p, baseline, best, n_images``; `null` is the
            mean of the shuffled pairs, ``null_low`` to ``null_high`` hold 95 % of them, and `p` says how often they are as good.
        """
        return pd.DataFrame([self._row(name) for name in self.scores])

    def _row(self, name: str) -> dict[str, Any]:
        score, null = float(self.scores[name].mean()), self.null[name]
        sign = 1.0 if self.best[name] > self.chance[name] else -1.0
        low, high = np.quantile(null, [0.025, 0.975]) if len(null) else (np.nan, np.nan)
        return {
            "metric": name,
            "score": score,
            "ci_low": self.ci[name][0],
            "ci_high": self.ci[name][1],
            "chance": self.chance[name],
            "null": float(null.mean()) if len(null) else float("nan"),
            "null_low": float(low),
            "null_high": float(high),
            "p": permutation_p_value(sign * score, sign * null) if len(null) else float("nan"),
            "baseline": self.baseline[name],
            "best": self.best[name],
            "n_images": self.n_images,
        }

    def to_dict(self) -> dict[str, Any]:
        """Table, settings and notes as JSON values, without the score of each image."""
        rows = self.to_dataframe().to_dict("records")
        return dict(jsonable({"metrics": rows, "protocol": self.protocol, "settings": self.settings, "notes": self.notes}))

    def __repr__(self) -> str:
        lines = [f"ImageReport: {self.n_images} images, protocol {self.protocol!r}"]
        for _, row in self.to_dataframe().iterrows():
            lines.append(
                f"  {row['metric']}: {row['score']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}] (chance {row['chance']:.3g}, "
                f"shuffled pairs {row['null']:.3f}, mean image {row['baseline']:.3f}, best {row['best']:g})"
            )
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def image_report(
    true: ArrayLike,
    made: ArrayLike,
    extractors: Mapping[str, Extractor] | None = None,
    *,
    classifiers: Mapping[str, Extractor] | None = None,
    protocol: str = "as_is",
    distances: Collection[str] = ("efficientnet", "swav"),
    direction: str = "reconstruction",
    n: int = 50,
    k: int = 1,
    gt_top: int = 3,
    mean_image: ArrayLike | None = None,
    n_null: int = 1000,
    n_pairings: int = 8,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> ImageReport:
    """Score reconstructed images by pixels, structure, features and classes, each beside what no information would score.

    Every metric comes with its chance, the mean of shuffled pairs (the empirical null), the score of the mean image, its best
    value and an interval. Pairs are shuffled `n_pairings` times so that no image keeps its own reconstruction; each of the
    `n_null` means takes one of these wrong partners per image.

    Parameters
    ----------
    true, made : array_like of shape (n_images, height, width, n_colours)
        Images in one order, with one or three colours: uint8, or numbers from 0 to 1. At least two.
    extractors : mapping of str to callable, optional
        From images to features of shape (n_images, ...), by name; `layer_features` makes those of the literature. Scored by
        two-way identification, chance .5.
    classifiers : mapping of str to callable, optional
        From images to logits of shape (n_images, n_classes), by name. Scored by n-way top-k.
    protocol : str
        One of `PROTOCOLS`: ``"as_is"``; ``"nsd"``: PixCorr and SSIM at 425 pixels; ``"nsd_columns"``: the same with SSIM per
        column. Resized images are held in float32, 2 MB each at 425 pixels.
    distances : collection of str
        Extractors that are scored by correlation distance instead; lower is better.
    direction : str
        Of `two_way_identification`.
    n, k, gt_top : int
        Of `n_way_top_k`.
    mean_image : array_like of shape (height, width, n_colours), optional
        Mean of the training images. By default the mean of `true`, which no decoder can know: a baseline that is too good.
    n_null : int
        Means of shuffled pairs; 0 for none.
    n_pairings : int
        Shufflings that are scored.
    n_bootstrap : int
        Resamples of images behind the intervals; 0 for none.
    level : float
        Coverage of the intervals.
    random_state : int
        Seed of pairings, resamples and draws of classes.

    Returns
    -------
    ImageReport
        Metrics ``pixcorr`` and ``ssim`` and one per extractor and classifier. An image without contrast has PixCorr 0.

    Raises
    ------
    DataError
        If shapes differ, there are fewer than two images, a pixel or feature is NaN, or an option is unknown.
    """
    check_option("protocol", protocol, list(PROTOCOLS))
    check_option("direction", direction, ("reconstruction", "truth"))
    as_pairs(true, made, ("true images", "reconstructed images"), least=2)
    names = {"pixcorr", "ssim", *(extractors or {}), *(classifiers or {})}
    if len(names) != 2 + len(extractors or {}) + len(classifiers or {}) or n_null < 0 or n_pairings < 1:
        raise DataError(f"names must differ, n_null >= 0, n_pairings >= 1; got {sorted(names)}, {n_null} and {n_pairings}")
    options = _Options(protocol, frozenset(distances), direction, n, k, gt_top, random_state)
    shown, given = np.asarray(true), np.asarray(made)
    blank = _mean_image(shown, mean_image)[None]
    sources = _Sources(extractors or {}, classifiers or {})
    views = [_look(images, sources, options) for images in (shown, given, blank)]
    scores = _scores(views[0], views[1], options)
    own, rng = np.arange(len(shown)), np.random.default_rng(random_state)
    found = {name: score.of(own) for name, score in scores.items()}
    partners = _partners(len(shown), n_pairings, rng) if n_null else own[None, :0]
    baseline = _scores(views[0], views[2].repeated(len(shown)), options)
    return ImageReport(
        scores=found,
        chance={name: score.chance for name, score in scores.items()},
        best={name: score.best for name, score in scores.items()},
        null={name: _null(score, partners, n_null, rng) for name, score in scores.items()},
        baseline={name: float(score.of(own).mean()) for name, score in baseline.items()},
        ci={name: bootstrap_interval(s, np.ones(len(s)), n_bootstrap, rng, level) for name, s in found.items()},
        level=level,
        protocol=protocol,
        settings={**options._asdict(), "distances": sorted(distances), "n_null": n_null, "n_bootstrap": n_bootstrap},
        notes=_notes(mean_image is None, len(shown), shown.shape[1:3]),
    )


class _Options(NamedTuple):
    protocol: str
    distances: frozenset[str]
    direction: str
    n: int
    k: int
    gt_top: int
    random_state: int


class _Sources(NamedTuple):
    extractors: Mapping[str, Extractor]
    classifiers: Mapping[str, Extractor]


class _View(NamedTuple):
    """What the metrics see of images."""

    pixels: NDArray[np.float32]
    grey: NDArray[np.float32]
    features: dict[str, NDArray[Any]]
    logits: dict[str, NDArray[Any]]

    def repeated(self, n: int) -> _View:
        """One image n times over, without copies."""

        def spread(values: NDArray[Any]) -> NDArray[Any]:
            return np.broadcast_to(values, (n, *values.shape[1:]))

        features, logits = ({name: spread(v) for name, v in part.items()} for part in (self.features, self.logits))
        return _View(spread(self.pixels), spread(self.grey), features, logits)


def _look(images: Images, sources: _Sources, options: _Options) -> _View:
    """Resize images, and take features and logits of them."""
    size = PROTOCOLS[options.protocol][0]
    pixels, grey = [], []
    for image in images:
        unit = image[None] / np.float64(255) if image.dtype == np.uint8 else image[None].astype(np.float64)
        unit = unit if size is None else resize(unit, size)
        pixels.append(unit.astype(np.float32))
        grey.append(luminance(unit)[..., None].astype(np.float32))
    features, logits = (
        {name: _taken(extract, images, name) for name, extract in part.items()}
        for part in (sources.extractors, sources.classifiers)
    )
    return _View(np.concatenate(pixels), np.concatenate(grey), features, logits)


def _taken(extract: Extractor, images: Images, name: str) -> NDArray[Any]:
    rows = as_rows(extract(images), f"features {name!r}")
    if len(rows) != len(images):
        raise DataError(f"extractor {name!r} gave {len(rows)} rows for {len(images)} images, expected one each")
    return rows


def _scores(true: _View, made: _View, options: _Options) -> dict[str, _Score]:
    """Every metric, for any pairing."""
    form = PROTOCOLS[options.protocol][1]
    pixels = similarity(true.pixels.reshape(len(true.pixels), -1), made.pixels.reshape(len(made.pixels), -1))
    found = {
        "pixcorr": _Score(lambda order: pixels[order, np.arange(len(order))], 0.0, 1.0),
        "ssim": _Score(lambda order: ssim(true.grey[order], made.grey, form), 0.0, 1.0),
    }
    found |= {name: _feature_score(name, true.features[name], made.features[name], options) for name in true.features}
    return found | {name: _class_score(true.logits[name], made.logits[name], options) for name in true.logits}


def _feature_score(name: str, true: NDArray[Any], made: NDArray[Any], options: _Options) -> _Score:
    if name in options.distances:
        return _Score(lambda order: feature_distance(true[order], made), 1.0, 0.0)
    alike = similarity(true, made)
    return _Score(lambda order: wins(alike, order, options.direction), 0.5, 1.0)


def _class_score(true: NDArray[Any], made: NDArray[Any], options: _Options) -> _Score:
    n, k, top = options.n, options.k, options.gt_top
    return _Score(lambda order: n_way_top_k(true[order], made, n, k, top, options.random_state), n_way_chance(n, k, top), 1.0)


def _partners(n: int, wanted: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Pairings in which no image keeps its own reconstruction, and none has one wrong partner twice."""
    circle = rng.permutation(n)
    partners = np.empty((min(wanted, n - 1), n), np.intp)
    for row, shift in zip(partners, rng.permutation(np.arange(1, n)), strict=False):
        row[circle] = np.roll(circle, shift)
    return partners


def _null(score: _Score, partners: NDArray[np.intp], n: int, rng: np.random.Generator) -> Floats:
    """Mean scores with a random wrong partner per image."""
    if n == 0:
        return np.zeros(0)
    wrong = np.stack([score.of(order) for order in partners])
    images = np.arange(wrong.shape[1])
    return np.array([wrong[rng.integers(0, len(wrong), len(images)), images].mean() for _ in range(n)])


def _mean_image(true: Images, given: ArrayLike | None) -> Images:
    """The image that stands for no information, in the type of the images."""
    mean = true.mean(axis=0, dtype=np.float64) if given is None else np.asarray(given)
    if mean.shape != true.shape[1:]:
        raise DataError(f"mean_image must have the shape of one image, {true.shape[1:]}, got {mean.shape}")
    return np.asarray(np.rint(mean) if true.dtype == np.uint8 else mean).astype(true.dtype)


def _notes(from_test: bool, n: int, size: tuple[int, ...]) -> list[str]:
    notes = [f"images are {size[0]} x {size[1]} pixels; SSIM and features depend on it"]
    if from_test:
        notes.append("the mean image is that of the images that are scored: pass mean_image, the mean of the training images")
    if n < 10:
        notes.append(f"{n} images: shuffled pairs and intervals say little")
    return notes
