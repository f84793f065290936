"""Pictures from predicted embeddings through any generator, beside those of shuffled responses and of the ridge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.hashing import jsonable
from neurodecode.data.validate import check_columns, check_option
from neurodecode.decode.meeg_fit import Fitted
from neurodecode.decode.meeg_inputs import Scaling, Windows
from neurodecode.errors import DataError, SplitLeakError
from neurodecode.generate.protocol import Generator, generate_samples, mean_of_samples
from neurodecode.metrics.reconstruction import image_report

if TYPE_CHECKING:
    from neurodecode.decode.meeg_images import MEEGImageDecoder

_Images = NDArray[np.uint8]
Extractor = Callable[[Any], Any]
AGGREGATIONS = ("single", "instance", "subject")
PRIOR = "prior only"


@dataclass(frozen=True, eq=False, repr=False)
class GenerationTable:
    """Pictures that were made of responses, and what they are worth.

    Parameters
    ----------
    scores : DataFrame
        ``decoder, aggregation, metric, score, ci_low, ci_high, chance, best, prior_only, gain, gain_low, gain_high, n_images``:
        `gain` is the mean over images of score minus that of the prior alone, with its bootstrap interval.
    stimuli : list of str
        Images in the order of the pictures.
    images : array of shape (n_images, height, width, 3)
        What was seen.
    pictures : dict of tuple to array of shape (n_images, height, width, 3)
        By decoder (``"network"``, ``"ridge"``, ``"prior only"``) and aggregation.
    rescale : str or None
        How predictions were brought to the scale of embeddings.
    settings : dict
        Arguments as they were used.
    notes : list of str
        What the reader must know.
    """

    scores: pd.DataFrame
    stimuli: list[str]
    images: _Images
    pictures: dict[tuple[str, str], _Images]
    rescale: str | None
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dataframe(self) -> pd.DataFrame:
        """Give the table of scores, one row per decoder, aggregation and metric."""
        return self.scores.copy()

    def to_dict(self) -> dict[str, Any]:
        """Table, settings and notes as JSON values, without pictures."""
        rows = self.scores.to_dict("records")
        return dict(jsonable({"scores": rows, "rescale": self.rescale, "settings": self.settings, "notes": self.notes}))

    def __repr__(self) -> str:
        lines = [f"GenerationTable: {len(self.images)} images, rescaled {self.rescale or 'not at all'}"]
        wide = self.scores.pivot_table(index=["aggregation", "decoder"], columns="metric", values="score", sort=False)
        for (aggregation, decoder), row in wide.iterrows():  # type: ignore[misc]
            lines.append(f"  {aggregation}, {decoder}: {', '.join(f'{name} {value:.3f}' for name, value in row.items())}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


class _Told(NamedTuple):
    """What a generator is told of the images, and what that rests on."""

    conditions: dict[str, NDArray[np.float32]]
    decoder: str
    aggregation: str


def generator_targets(generator: Generator, stimuli: Stimuli) -> dict[str, Responses]:
    """Embed images by a generator's own encoders: what a decoder of M/EEG is fitted on so that the two match.

    Parameters
    ----------
    generator : Generator
        Its encoders are used.
    stimuli : Stimuli
        Images of one size.

    Returns
    -------
    dict of str to Responses
        For each embedding that the generator needs, one row per image, flattened.
    """
    images = np.stack([stimuli[name] for name in stimuli.ids])
    table = pd.DataFrame({"stimulus": [str(name) for name in stimuli.ids]})
    found = {name: np.asarray(value, np.float32) for name, value in generator.encode_targets(images).items()}
    rows = {name: found[name].reshape(len(images), -1) for name in generator.needs}
    return {
        name: Responses(v, table, pd.DataFrame({"name": [f"{name}{i}" for i in range(v.shape[1])]})) for name, v in rows.items()
    }


def reconstruct_images(
    decoder: MEEGImageDecoder,
    generator: Generator,
    windows: Windows,
    stimuli: Stimuli,
    *,
    aggregations: Sequence[str] = AGGREGATIONS,
    rescale: str | None = "auto",
    n_samples: int = 1,
    steps: int = 20,
    guidance: float | None = None,
    extractors: Mapping[str, Extractor] | None = None,
    n_bootstrap: int = 1000,
    random_state: int = 0,
) -> GenerationTable:
    """Generate from the predictions of a fitted decoder, of its ridge, and from predictions that were shuffled over images.

    The prior alone gets predictions of the same kind, each for another image: what it reaches, a generator reaches that knows
    nothing of the image that was seen. Seeds are the same for all.

    Parameters
    ----------
    decoder : MEEGImageDecoder
        Fitted on what the generator needs.
    generator : Generator
        What makes pictures.
    windows : Windows
        Responses.
    stimuli : Stimuli
        The images that were seen.
    aggregations : sequence of str
        As in `MEEGImageDecoder.reconstruct`.
    rescale : str or None
        As in `MEEGImageDecoder.reconstruct`.
    n_samples : int
        Pictures of each prediction, of which the mean is taken.
    steps : int
        Steps of the sampler.
    guidance : float, optional
        By default the generator's own.
    extractors : mapping of str to callable, optional
        From images to features (n_images, ...) for two-way identification beside that on pixels.
    n_bootstrap : int
        Resamples of images behind the intervals.
    random_state : int
        Seed of samples, shuffling and resamples.

    Returns
    -------
    GenerationTable
        Pictures and scores.

    Raises
    ------
    DataError
        If an embedding is missing or images do not fit.
    SplitLeakError
        If the generator was trained on an image.
    """
    members = _members(decoder, generator)
    check_columns(windows.samples, ["stimulus"], "samples of the responses")
    names = windows.samples["stimulus"].astype(str).to_numpy()
    ids, code = np.unique(names, return_inverse=True)
    shown = np.stack([stimuli[str(name)] for name in ids])
    _refuse_known(generator, shown, ids)
    way, notes = _rescaling(generator, rescale), _notes(generator, members)
    kinds = [kind for kind in aggregations if check_option("aggregations", kind, AGGREGATIONS)]
    kinds = [kind for kind in kinds if kind != "subject" or len(set(windows.subjects)) > 1]
    wrong = _other_images(len(ids), random_state)
    told = []
    for source in ("network", "ridge"):
        if (source == "network" and decoder.network == "ridge") or any(m.baseline is None for m in members.values()) * (
            source == "ridge"
        ):
            continue
        made = {name: _predictions(decoder, windows, member, source) for name, member in members.items()}
        for kind in kinds:
            means = {name: _average(values, code.ravel(), windows.subjects, kind) for name, values in made.items()}
            own = _conditions(generator, members, means, source, way)
            told.append(_Told(own, source, kind))
            if source == ("ridge" if decoder.network == "ridge" else "network"):
                told.append(_Told({name: value[wrong] for name, value in own.items()}, PRIOR, kind))
    options = {"seed": random_state, "steps": steps, "guidance": guidance}
    pictures = {
        (t.decoder, t.aggregation): mean_of_samples(generate_samples(generator, t.conditions, n_samples, **options)) for t in told
    }
    scores = _score(shown, pictures, extractors or {}, n_bootstrap, random_state)
    settings = {"n_samples": n_samples, **options, "generator": f"{generator!r:.300}"}
    return GenerationTable(scores, ids.tolist(), shown, pictures, way, settings, notes)


def _members(decoder: MEEGImageDecoder, generator: Generator) -> dict[str, Fitted]:
    """What was fitted for each embedding that the generator needs."""
    fitted, spec = decoder.members_, generator.target_spec
    needs = list(generator.needs)
    if len(needs) == len(fitted) == 1:
        fitted = {needs[0]: next(iter(fitted.values()))}
    for name in needs:
        size = int(np.prod(spec[name]))
        if name not in fitted or fitted[name].shape != (size,):
            known = {key: value.shape for key, value in fitted.items()}
            raise DataError(
                f"the generator needs {name!r} of {size} values, the decoder was fitted on {known}: fit it on "
                "generator_targets(generator, stimuli)"
            )
        if fitted[name].spread is None:
            raise DataError(
                f"weight={decoder.weight} trained no head for the squared error, which generation reads: use less than 1"
            )
    return {name: fitted[name] for name in needs}


def _refuse_known(generator: Any, shown: _Images, ids: NDArray[Any]) -> None:
    """Refuse a generator that was trained on images to be tested, where it can tell."""
    seen = np.flatnonzero(generator.has_seen(shown)) if hasattr(generator, "has_seen") else []
    if len(seen):
        raise SplitLeakError(
            f"{type(generator).__name__} was trained on {len(seen)} of the {len(ids)} images that are tested here, e.g. "
            f"{str(ids[seen[0]])!r}: train it on others"
        )


def _takes_uncertainty(generator: Any) -> bool:
    return "uncertainty" in getattr(generator, "optional", ()) and len(generator.needs) == 1


def _rescaling(generator: Any, rescale: str | None) -> str | None:
    if rescale != "auto":
        return rescale
    return None if _takes_uncertainty(generator) else "train"


def _notes(generator: Any, members: Mapping[str, Fitted]) -> list[str]:
    held_out = all(member.extras.get("held_out") for member in members.values())
    notes = [] if held_out else ["spread and error of predictions were found on training samples: pass validation to fit"]
    return notes + (["predictions are told with their error for single trials"] if _takes_uncertainty(generator) else [])


def _other_images(n: int, seed: int) -> NDArray[np.int64]:
    """A shuffling in which no image keeps its own responses: a random cycle."""
    if n < 2:
        raise DataError(f"the control from shuffled responses needs at least two images, got {n}")
    order = np.random.default_rng((seed, 5)).permutation(n)
    wrong = np.empty(n, np.int64)
    wrong[order] = np.roll(order, 1)
    return wrong


def _predictions(decoder: MEEGImageDecoder, windows: Windows, fitted: Fitted, source: str) -> NDArray[np.float32]:
    """Standardised predictions of every trial."""
    if source == "ridge":
        return np.concatenate([values for _, values in decoder._ridge_predictions(windows, fitted)])
    return decoder._predict(windows, fitted, lambda heads: heads.mse)


def _average(values: NDArray[np.float32], code: NDArray[np.int64], subjects: NDArray[Any], kind: str) -> NDArray[np.float32]:
    """One prediction per image: that of its first trial, or a mean."""
    if kind == "single":
        return values[np.unique(code, return_index=True)[1]]
    weight = np.ones(len(values))
    if kind == "subject":  # each subject counts once per image
        _, cell, counts = np.unique([code, pd.factorize(subjects)[0]], axis=1, return_inverse=True, return_counts=True)
        weight = 1 / counts[cell.ravel()]
    sums = np.zeros((int(code.max()) + 1, values.shape[1]))
    np.add.at(sums, code, values * weight[:, None])
    return np.asarray(sums / np.bincount(code, weight)[:, None], np.float32)


def _conditions(
    generator: Any, members: Mapping[str, Fitted], means: Mapping[str, NDArray[np.float32]], source: str, way: str | None
) -> dict[str, NDArray[np.float32]]:
    """Embeddings on their own scale and in their own shape, with their uncertainty where it is taken."""
    told = {}
    for name, values in means.items():
        member, spec = members[name], tuple(generator.target_spec[name])
        told[name] = member.scaling.undo(_rescaled(values, member, source, way)).reshape(len(values), *spec)
    if _takes_uncertainty(generator):
        (member,) = members.values()
        assert member.spread is not None
        error = member.spread[source].uncertainty * member.scaling.scale
        told["uncertainty"] = np.tile(error.astype(np.float32), (len(next(iter(told.values()))), 1))
    return told


def _rescaled(values: NDArray[np.float32], member: Fitted, source: str, way: str | None) -> NDArray[np.float32]:
    """Predictions with mean 0 and deviation 1 by the statistics that were chosen: those of training embeddings once undone."""
    if way is None:
        return values
    assert member.spread is not None
    if way == "train":
        return member.spread[source].predicted.apply(values)
    scale = values.std(axis=0)
    return Scaling(values.mean(axis=0), np.where(scale > 0, scale, 1.0).astype(np.float32)).apply(values)


def _pixels(images: Any) -> NDArray[np.float32]:
    return np.asarray(images, np.float32).reshape(len(images), -1)


def _score(
    shown: _Images, pictures: Mapping[tuple[str, str], _Images], extractors: Mapping[str, Extractor], n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """Scores of all pictures, and what they gain over those of the prior alone."""
    features = {"two_way_pixels": _pixels, **extractors}
    options: dict[str, Any] = {"n_null": 0, "n_bootstrap": n_bootstrap, "random_state": seed}
    reports = {key: image_report(shown, made, features, **options) for key, made in pictures.items()}
    rows = []
    for (decoder, kind), report in reports.items():
        for row in report.to_dataframe().to_dict("records"):
            name = row["metric"]
            prior = reports[PRIOR, kind].scores[name]
            gain = report.scores[name] - prior
            low, high = _interval(gain, n_bootstrap, seed)
            kept = {key: row[key] for key in ("metric", "score", "ci_low", "ci_high", "chance", "best", "n_images")}
            told = {"prior_only": float(prior.mean()), "gain": float(gain.mean()), "gain_low": low, "gain_high": high}
            rows.append({"decoder": decoder, "aggregation": kind, **kept, **told})
    return pd.DataFrame(rows)


def _interval(values: NDArray[Any], n: int, seed: int) -> tuple[float, float]:
    """Bootstrap interval of a mean over images, 95 %."""
    if not n:
        return float("nan"), float("nan")
    taken = np.random.default_rng((seed, 6)).multinomial(len(values), np.full(len(values), 1 / len(values)), size=n)
    low, high = np.quantile(taken @ values / len(values), [0.025, 0.975])
    return float(low), float(high)
