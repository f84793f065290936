"""Low-level properties of stimuli: what any comparison with a brain has to explain away first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data import Responses, Stimuli
from neurodecode.data.responses import concatenate
from neurodecode.data.validate import check_columns
from neurodecode.errors import DataError


def nuisance_band(stimuli: Stimuli | pd.DataFrame, **options: Any) -> Responses:
    """Low-level features of whatever was shown, heard or read.

    Parameters
    ----------
    stimuli : Stimuli or DataFrame
        Images, sounds, films or texts; or the words of a transcript, with their onsets.
    **options
        Passed on: to `word_features` for words, to `image_features`, `sound_features`, `video_features` or `text_features`
        for stimuli of that kind.

    Returns
    -------
    Responses
        One row per image, text or word, and at a regular rate for sounds and films; units named after what they measure. Bring
        those with onsets to the scans by `at_events` (where the onsets count from the begin of the stimulus) and `to_tr`.

    Raises
    ------
    DataError
        If it is neither `Stimuli` nor a table with a column ``word``, or an option does not apply.

    Examples
    --------
    >>> import pandas as pd
    >>> heard = pd.DataFrame({"onset": [0.0, 0.5], "offset": [0.4, 0.9], "word": ["Good", "morning"]})
    >>> nuisance_band(heard).units["name"].tolist()
    ['word_rate', 'word_length', 'position_in_story', 'pause']
    """
    from neurodecode.features.low_level_sound import sound_features
    from neurodecode.features.low_level_vision import image_features, video_features
    from neurodecode.features.low_level_words import text_features, word_features

    if isinstance(stimuli, Stimuli):
        by_kind: dict[str, Callable[..., Responses]] = {
            "image": image_features,
            "audio": sound_features,
            "video": video_features,
            "text": text_features,
        }
        return by_kind[stimuli.kind](stimuli, **options)
    if isinstance(stimuli, pd.DataFrame) and "word" in stimuli:
        return word_features(stimuli, **options)
    got = f"columns {list(stimuli.columns)[:10]}" if isinstance(stimuli, pd.DataFrame) else type(stimuli).__name__
    raise DataError(f"nuisance_band needs Stimuli, or a table of words with a column 'word', got {got}")


def at_events(features: Responses, events: pd.DataFrame, by: str = "stimulus") -> Responses:
    """Put the features of each stimulus where it was presented.

    Parameters
    ----------
    features : Responses
        Rows of stimuli; ``onset`` (and ``offset``) count from the begin of the stimulus, and are 0 where there are none.
    events : DataFrame
        Presentations: ``onset`` in s on the clock of its run, the column `by`, and what else each row is to carry (run, ...).
        Rows without a stimulus are left out. A ``duration`` above 0 cuts off what comes later.
    by : str
        Column that names the stimulus in both.

    Returns
    -------
    Responses
        The rows of a stimulus once per presentation, with the columns of both; ``onset`` is on the clock of the run.

    Raises
    ------
    DataError
        If a column is missing, or a stimulus has no features.
    """
    check_columns(events, ["onset", by], "events")
    check_columns(features.samples, [by], "samples")
    shown = events[events[by].notna()].reset_index(drop=True)
    of_stimulus = features.samples.groupby(features.samples[by].astype(str), sort=False).indices
    parts = [_presented(features.samples, of_stimulus, event, str(event[by])) for _, event in shown.iterrows()]
    if not parts:
        raise DataError(f"column {by!r} names no stimulus in any of {len(events)} events")
    rows = np.concatenate([part for part, _ in parts])
    table = pd.concat([table for _, table in parts], ignore_index=True)
    return features.with_step("features.at_events", {"by": by}, data=np.asarray(features.data)[rows], samples=table)


def _presented(
    samples: pd.DataFrame, of_stimulus: Mapping[Any, Any], event: pd.Series, name: str
) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Rows of one presentation, and their table."""
    if name not in of_stimulus:
        raise DataError(f"stimulus {name!r} was presented and has no features; features are of {list(of_stimulus)[:10]}")
    rows = np.asarray(of_stimulus[name])
    begins = samples["onset"].to_numpy(float)[rows] if "onset" in samples else np.zeros(len(rows))
    lasts = float(event.get("duration", 0) or 0)
    inside = begins < lasts if lasts > 0 else np.ones(len(rows), bool)
    rows, begins = rows[inside], begins[inside]
    table = samples.iloc[rows].reset_index(drop=True)
    carried = {c: event[c] for c in event.index if c not in ("onset", "duration", "offset")}
    if "onset" not in samples and lasts > 0:
        carried["duration"] = lasts
    moved = {"onset": float(event["onset"]) + begins}
    if "offset" in table:
        moved["offset"] = float(event["onset"]) + table["offset"].to_numpy(float)
    return rows, table.assign(**carried, **moved)


def labelled(
    data: NDArray[Any], samples: Any, names: Sequence[str], units: Sequence[str], parameters: Mapping[str, Any], *, held: bool
) -> Responses:
    """Features as responses whose units say what they measure.

    Parameters
    ----------
    data : array of shape (n_samples, n_features)
        Values.
    samples : DataFrame or mapping
        One row per sample.
    names, units : sequence of str
        Name and unit of measurement of each feature.
    parameters : mapping
        ``step`` and what it was computed with.
    held : bool
        Whether values last until the next one (frames), or count as masses (words); `to_tr` goes by it.

    Returns
    -------
    Responses
        With ``meta["held"]`` and the step.
    """
    table = pd.DataFrame({"name": list(names), "unit": list(units), "kind": "low_level"})
    return Responses(data, samples, table, meta={"held": held, "steps": [dict(parameters)]})


def per_stimulus(stimuli: Stimuli, features: Callable[[Any, str], Responses]) -> Responses:
    """Join the features of each stimulus, with a bar where there are many.

    Parameters
    ----------
    stimuli : Stimuli
        Each is read when its turn comes.
    features : callable
        ``features(item, name)`` gives `Responses` of one stimulus.

    Returns
    -------
    Responses
        All rows, with the columns of the stimuli's table that say more than their id.
    """
    from tqdm.auto import tqdm

    if not len(stimuli):
        raise DataError(f"there are no stimuli to take features of: {stimuli!r}")
    names = tqdm(stimuli.ids, desc="low-level features", disable=len(stimuli) < 50)
    joined = concatenate([features(stimuli[name], name) for name in names])
    return joined.replace(meta={**joined.meta, "steps": joined.meta["steps"][:1]})
