"""A simulated visual cortex that sees real handwritten digits, scanned and written as a BIDS data set after fMRIPrep."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.atomic import atomic_folder
from neurodecode.data.validate import check_positive, suggest
from neurodecode.errors import DataError
from neurodecode.simulate.bold import ar_noise, convolve_events, drift
from neurodecode.simulate.motion import confounds_table, head_motion, motion_leakage
from neurodecode.simulate.retinotopy import N_VERTICES, occipital_patch, population_response, receptive_fields, retinotopic_map
from neurodecode.simulate.truth import TRUTH, Truth, item_generator
from neurodecode.simulate.visual_cortex_bids import write_run, write_stimuli, write_top, write_unseen

REST = 12.0  # s without an image at the start of a run
TAIL = 16.0  # s after the last image, so that its response is seen
MARKER = f"sourcedata/truth/{TRUTH}"
N_DIGITS = 10
N_UNSTEADY = 2  # first volumes with too much signal
N_COMPONENTS = 6  # of physiological noise


@dataclass(frozen=True)
class Experiment:
    """What is shown and how it is scanned."""

    n_subjects: int = 1
    """Number of subjects, who see different images."""
    n_runs: int = 6
    """Number of runs of each subject."""
    n_per_run: int = 50
    """Images of a run; no image is shown twice to a subject."""
    tr: float = 2.0
    """Repetition time in s."""
    stimulus_duration: float = 2.0
    """How long an image is seen, in s."""
    interval: float = 5.0
    """Mean time from one image to the next, in s; each varies by up to half a second to both sides."""
    contrast: float = 4.0
    """Response to a white screen, in percent of the mean signal."""
    exponent: float = 0.7
    """Spatial summation of the receptive fields: 1 is linear, less compresses."""
    noise: float = 0.5
    """Standard deviation of each kind of noise (autoregressive, drift, motion, physiological), in percent of the mean signal."""
    n_vertices: int = 400
    """Vertices of each hemisphere that see."""

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("n_subjects", "n_runs", "n_per_run", "n_vertices")}
        wrong = {name: value for name, value in counts.items() if not isinstance(value, int) or value < 1}
        if wrong:
            raise DataError(f"numbers of subjects, runs, images and vertices must be whole and 1 or more, got {wrong}")
        for name in ("tr", "stimulus_duration", "interval", "contrast", "exponent"):
            check_positive(name, getattr(self, name))
        if self.noise < 0 or self.interval < self.stimulus_duration + 1:
            raise DataError(
                f"noise must be 0 or more, and interval leave 1 s after an image, got noise={self.noise!r}, "
                f"interval={self.interval!r} s, stimulus_duration={self.stimulus_duration!r} s"
            )


class Digits(NamedTuple):
    """Real handwritten digits."""

    images: NDArray[np.float64]
    """Ink from 0 to 1, shape (n_images, 8, 8)."""
    labels: NDArray[np.int64]
    """The digit, shape (n_images,)."""


class Run(NamedTuple):
    """One simulated run."""

    events: pd.DataFrame
    """Events in the columns of BIDS."""
    confounds: pd.DataFrame
    """Confounds in the columns of fMRIPrep."""
    bold: NDArray[np.float32]
    """Signal of both hemispheres, left first, shape (2 * 10242, n_times), in arbitrary units."""


def write_visual_cortex(folder: str | Path, *, random_state: int = 0, **experiment: Any) -> Truth:
    """Simulate a visual cortex that sees handwritten digits and write it as a BIDS data set after fMRIPrep.

    Vertices around the occipital pole of fsaverage5 have Gaussian receptive fields on the image; their responses are delayed by
    the haemodynamic response. On top come autoregressive noise, drift, what head motion leaves, physiological noise and two
    volumes before the steady state; all other vertices hold only those. ``read_bids(folder, derivatives="fmriprep",
    space="fsaverage5", run=1)`` opens a run. The truth is returned, and written to ``sourcedata/truth``; the digits that nobody
    was shown are written to ``sourcedata/unseen``, for a generator to learn.

    Parameters
    ----------
    folder : str or Path
        Appears whole or not at all; only a data set that this function wrote is replaced.
    random_state : int
        Seed. The same seed gives the same bytes.
    **experiment
        Fields of `Experiment`: ``n_subjects``, ``n_runs``, ``n_per_run``, ``tr``, ``stimulus_duration``, ``interval``,
        ``contrast``, ``exponent``, ``noise``, ``n_vertices``.

    Returns
    -------
    Truth
        Tables ``trials`` and ``vertices``; arrays ``images`` (n_trials, 8, 8) of ink from 0 to 1, ``receptive_fields``
        (n_subjects, n_vertices, 8, 8) and ``amplitudes`` (n_trials, n_vertices) in percent of the mean signal.

    Raises
    ------
    DataError
        If a number is out of range, or there are not enough digits.
    OutputExistsError
        If `folder` exists and was not written by this function.
    DiskSpaceError
        If it cannot be written.
    """
    for name in experiment:
        if name not in Experiment.__dataclass_fields__:
            raise DataError(f"there is no argument {name!r}: {suggest(name, Experiment.__dataclass_fields__)}")
    design, digits = Experiment(**experiment), load_digits()
    subjects = [f"{i + 1:02d}" for i in range(design.n_subjects)]
    trials = pd.concat([draw_trials(digits, design, random_state, subject) for subject in subjects], ignore_index=True)
    truth = _truth(trials, digits, design, random_state, subjects)
    with atomic_folder(folder, marker=MARKER) as root:
        write_top(root, subjects, design.tr)
        write_stimuli(root / "stimuli", trials, truth["images"])
        for subject, run in product(subjects, range(1, design.n_runs + 1)):
            shown = trials[(trials["subject"] == subject) & (trials["run"] == run)]
            made = simulate_run(truth, shown, design, random_state)
            write_run(root, subject, run, made.events, made.confounds, made.bold, design.tr)
        write_unseen(root / "sourcedata" / "unseen", trials, digits.images)
        truth.save(root / "sourcedata" / "truth")
    return truth


def load_digits() -> Digits:
    """The handwritten digits that come with scikit-learn: 1,797 images of 8 x 8 pixels, with ink from 0 to 1."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    return Digits(bunch.images / 16.0, bunch.target.astype(np.int64))


def draw_trials(digits: Digits, design: Experiment, random_state: int, subject: str) -> pd.DataFrame:
    """Choose what a subject sees and when: every digit about equally often in each run, no image twice.

    Parameters
    ----------
    digits : Digits
        What there is to choose from.
    design : Experiment
        Numbers and times.
    random_state : int
        Seed of the simulation.
    subject : str
        Label of the subject.

    Returns
    -------
    DataFrame
        One row per trial: ``subject, run, onset`` (s), ``duration`` (s), ``trial_type`` (the digit as text), ``stimulus``,
        ``stim_file`` and ``image`` (row of `digits`).

    Raises
    ------
    DataError
        If there are not enough images of a digit.
    """
    rng = item_generator(random_state, f"sub-{subject} trials")
    piles = [list(rng.permutation(np.flatnonzero(digits.labels == digit))) for digit in range(N_DIGITS)]
    parts = []
    for run in range(1, design.n_runs + 1):
        shown = rng.permutation((np.arange(design.n_per_run) + rng.integers(N_DIGITS)) % N_DIGITS)
        if any(np.sum(shown == digit) > len(pile) for digit, pile in enumerate(piles)):
            raise DataError(
                f"{design.n_runs} runs of {design.n_per_run} images are more than the {len(digits.labels)} digits give"
            )
        jitter = rng.uniform(-0.5, 0.5, design.n_per_run)
        onset = np.round(REST + design.interval * np.arange(design.n_per_run) + jitter, 3)
        image = [int(piles[digit].pop()) for digit in shown]
        parts.append(pd.DataFrame({"run": run, "onset": onset, "trial_type": shown.astype(str), "image": image}))
    trials = pd.concat(parts, ignore_index=True)
    names = [f"digit{digit}_{image:04d}" for digit, image in zip(trials["trial_type"], trials["image"], strict=True)]
    trials = trials.assign(duration=design.stimulus_duration, stimulus=names, stim_file=[f"{name}.png" for name in names])
    return trials.assign(subject=subject)[_TRIAL_COLUMNS]


def simulate_run(truth: Truth, shown: pd.DataFrame, design: Experiment, random_state: int) -> Run:
    """Scan one run.

    Parameters
    ----------
    truth : Truth
        Vertices and amplitudes.
    shown : DataFrame
        Rows of ``truth["trials"]`` of this run, with their index.
    design : Experiment
        Times and strengths.
    random_state : int
        Seed of the simulation.

    Returns
    -------
    Run
        Events, confounds and signal; the first volume is acquired around half a repetition time.
    """
    subject, run = shown["subject"].iloc[0], shown["run"].iloc[0]
    rng = item_generator(random_state, f"sub-{subject} run-{run}")
    n_times = int(np.ceil((shown["onset"].max() + design.stimulus_duration + TAIL) / design.tr))
    times = (np.arange(n_times) + 0.5) * design.tr
    motion = head_motion(n_times, rng)
    components = ar_noise((N_COMPONENTS, n_times), 0.6, rng)
    percent = background(motion, components, design, rng)
    amplitudes = truth["amplitudes"][shown.index.to_numpy()]
    seeing = _channels(truth["vertices"])
    percent[seeing] += convolve_events(shown["onset"], shown["duration"], amplitudes, times)
    mean = item_generator(random_state, f"sub-{subject} mean signal").uniform(800.0, 1200.0, (2 * N_VERTICES, 1))
    bold = mean * (1.0 + percent / 100.0)
    bold[:, :N_UNSTEADY] *= 1.0 + 0.2 * np.exp(-np.arange(N_UNSTEADY))
    stored = np.round(bold)  # scanners store whole numbers, which also make small files
    return Run(shown[_EVENT_COLUMNS], confounds_table(motion, components, N_UNSTEADY), stored.astype(np.float32))


def background(
    motion: pd.DataFrame, components: NDArray[np.float64], design: Experiment, rng: np.random.Generator
) -> NDArray[np.float64]:
    """What every vertex of the cortex shows without any stimulus.

    Parameters
    ----------
    motion : DataFrame of shape (n_times, 6)
        Movement of the head.
    components : array of shape (n_components, n_times)
        Physiological noise of variance 1, which all vertices share with different weights.
    design : Experiment
        Strength of the noise and repetition time.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    NDArray[np.float64]
        Shape (2 * 10242, n_times), in percent of the mean signal.
    """
    n_channels, n_times = 2 * N_VERTICES, components.shape[1]
    signal = ar_noise((n_channels, n_times), [0.35, 0.1], rng)
    signal += drift(n_times, design.tr, rng, shape=(n_channels,))
    signal += motion_leakage(motion, n_channels, rng)[0]
    signal += rng.standard_normal((n_channels, len(components))) @ components / np.sqrt(len(components))
    return design.noise * signal


_EVENT_COLUMNS = ["onset", "duration", "trial_type", "stimulus", "stim_file"]
_TRIAL_COLUMNS = ["subject", "run", *_EVENT_COLUMNS, "image"]


def _truth(trials: pd.DataFrame, digits: Digits, design: Experiment, random_state: int, subjects: list[str]) -> Truth:
    """Receptive fields of each subject, and the amplitude of every vertex in every trial."""
    patch, images = occipital_patch(design.n_vertices), digits.images[trials["image"].to_numpy()]
    maps = [retinotopic_map(patch, item_generator(random_state, f"sub-{subject} fields")) for subject in subjects]
    fields = np.stack([receptive_fields(vertices) for vertices in maps])
    amplitudes = np.zeros((len(trials), len(patch)))
    for subject, own in zip(subjects, fields, strict=True):
        rows = (trials["subject"] == subject).to_numpy()
        amplitudes[rows] = design.contrast * population_response(own, images[rows], design.exponent)
    arrays = {"images": images, "receptive_fields": fields, "amplitudes": amplitudes}
    vertices = pd.concat([table.assign(subject=subject) for subject, table in zip(subjects, maps, strict=True)])
    tables = {"trials": trials, "vertices": vertices.reset_index(drop=True)}
    return Truth("visual_cortex", random_state, asdict(design), arrays, tables)


def _channels(vertices: pd.DataFrame) -> NDArray[np.int64]:
    """Rows of the signal of the vertices that see, which are the same in all subjects."""
    first = vertices[vertices["subject"] == vertices["subject"].iloc[0]]
    right = (first["hemisphere"] == "R").to_numpy()
    return np.asarray(first["vertex"].to_numpy() + N_VERTICES * right)
