"""Data quality on the page: every table is shown, and those with known columns are drawn.

Known columns: ``mean_fd, max_fd`` (mm, one row per run), ``tsnr_median, tsnr_5, tsnr_95`` (one row per run), ``name, unit, std``
(one row per channel and recording), ``name, line_noise_ratio``, ``trial_type, n`` (events), and ``contact, high_gamma``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from neurodecode.report import figures
from neurodecode.report.contents import RunContents
from neurodecode.report.parts import Picture, Section, Table
from neurodecode.report.words import number, plural, scaled


def quality_section(contents: RunContents) -> Section:
    """Tables and figures of data quality.

    Parameters
    ----------
    contents : RunContents
        The run.

    Returns
    -------
    Section
        Pictures of all tables with known columns and of the spectra; all tables.
    """
    pictures = [picture for table in contents.quality.values() for picture in _table_pictures(table)]
    pictures += list(_spectra_pictures(contents))
    tables = [Table(title, _compact(table)) for title, table in contents.quality.items()]
    return Section("Data quality", list(contents.recordings_summary), pictures=_numbered(pictures), tables=tables)


def _table_pictures(table: pd.DataFrame) -> Iterator[Picture]:
    for columns, draw in _DRAWN:
        if set(columns) <= set(table.columns) and len(table) and table[columns[-1]].notna().any():
            yield from draw(table)


def _motion(table: pd.DataFrame) -> Iterator[Picture]:
    mean, largest = number(table["mean_fd"].mean()), number(table["max_fd"].max())
    alt = f"Framewise displacement of {plural(len(table), 'run')}: on average {mean} mm, at most {largest} mm."
    yield Picture(
        "motion", figures.motion(table), alt, "Head motion from volume to volume. Runs far above the others deserve a look."
    )


def _tsnr(table: pd.DataFrame) -> Iterator[Picture]:
    alt = f"Temporal signal-to-noise ratio of {plural(len(table), 'run')}, median {number(table['tsnr_median'].median())}."
    yield Picture(
        "tsnr",
        figures.tsnr(table),
        alt,
        "Mean over standard deviation of each voxel: median, and the range from the 5th to the 95th percentile.",
    )


def _deviation(table: pd.DataFrame) -> Iterator[Picture]:
    for unit in dict.fromkeys(table["unit"].astype(str)):
        part = table[table["unit"].astype(str) == unit]
        factor, label = scaled(part)
        bad = part["bad"].to_numpy(bool) if "bad" in part else None
        figure = figures.channel_values(
            list(part["name"].astype(str)), part["std"].to_numpy(float) * factor, f"Standard deviation\n{label}", bad, log=True
        )
        marked = int(bad.sum()) if bad is not None else 0
        alt = f"Standard deviation of {plural(part['name'].nunique(), 'channel')}, {marked} marked bad."
        yield Picture(
            "deviation",
            figure,
            alt,
            "One dot per channel and recording. A flat channel lies far below the others, a noisy one far above.",
        )


def _line_noise(table: pd.DataFrame) -> Iterator[Picture]:
    median = table.groupby("name", sort=False)["line_noise_ratio"].median()
    names, values = [str(name) for name in median.index], median.to_numpy(float)
    label = "Power at the mains frequency\nover its neighbours"
    figure = figures.contact_bars(names, values, label, reference_name="no line noise", what="Channel")
    largest = f"largest {number(median.max())} at {median.idxmax()}"
    alt = f"Line noise of {plural(len(median), 'channel')}: median {number(median.median())}, {largest}."
    yield Picture("line-noise", figure, alt, f"{alt} Before any notch; 1 means no line noise.")


def _events(table: pd.DataFrame) -> Iterator[Picture]:
    kinds = table.groupby("trial_type")["n"].sum()
    listed = ", ".join(f"{kind} {int(n)}" for kind, n in kinds.items())
    yield Picture(
        "events", figures.event_counts(table), f"Number of events: {listed}.", "Events in the files, before any was left out."
    )


def _high_gamma(table: pd.DataFrame) -> Iterator[Picture]:
    if np.ptp(table["high_gamma"].to_numpy(float)) < 1e-6:
        yield Picture("high-gamma", None, "", "High gamma is not drawn: in units of its own mean it is equal at all contacts.")
        return
    figure = figures.channel_values(
        list(table["contact"].astype(str)), table["high_gamma"].to_numpy(float), "High-gamma amplitude\n(relative to its mean)"
    )
    alt = f"High-gamma amplitude of {plural(table['contact'].nunique(), 'contact')}."
    yield Picture("high-gamma", figure, alt, "Mean high-gamma amplitude of each contact.")


def _spectra_pictures(contents: RunContents) -> Iterator[Picture]:
    if contents.spectra is None:
        return
    freqs, power, names = contents.spectra
    if not np.any(np.asarray(power) > 0):
        yield Picture("spectra", None, "", "No spectra are drawn: the power is zero or unknown everywhere.")
        return
    alt = f"Power spectra of {plural(len(names), 'channel')} from {number(freqs[0])} to {number(freqs[-1])} Hz."
    yield Picture(
        "spectra",
        figures.spectra(freqs, power, names),
        alt,
        "Before any filter. A narrow peak at 50 or 60 Hz is line noise, a broad one near 10 Hz is alpha.",
    )


def _compact(table: pd.DataFrame) -> pd.DataFrame:
    """Events as one row per recording, so that the counts can be read at a glance."""
    if not {"trial_type", "n"} <= set(table.columns):
        return table
    keys = [c for c in table.columns if c not in ("trial_type", "n")]
    if not keys:
        return table
    wide = table.pivot_table(index=keys, columns="trial_type", values="n", aggfunc="sum", fill_value=0, sort=False)
    return wide.rename_axis(columns=None).reset_index(allow_duplicates=True)


def _numbered(pictures: list[Picture]) -> list[Picture]:
    """File names that do not collide where two tables have the same columns."""
    seen: dict[str, int] = {}
    named = []
    for picture in pictures:
        seen[picture.name] = seen.get(picture.name, 0) + 1
        n = seen[picture.name]
        named.append(picture if n == 1 else picture._replace(name=f"{picture.name}-{n}"))
    return named


_DRAWN: list[tuple[tuple[str, ...], Callable[[pd.DataFrame], Iterator[Picture]]]] = [
    (("max_fd", "mean_fd"), _motion),
    (("tsnr_5", "tsnr_95", "tsnr_median"), _tsnr),
    (("name", "unit", "std"), _deviation),
    (("name", "line_noise_ratio"), _line_noise),
    (("trial_type", "n"), _events),
    (("contact", "high_gamma"), _high_gamma),
]
