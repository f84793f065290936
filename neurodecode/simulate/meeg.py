"""M/EEG of people who hear speech or see images: what is in it is known, and so is the best that can be decoded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neurodecode.data.responses import Responses
from neurodecode.data.validate import as_number, check_positive
from neurodecode.errors import DataError
from neurodecode.simulate.meeg_oracle import candidate_ids, expected_responses, nuisance, oracle_scores, oracle_top_k
from neurodecode.simulate.meeg_sources import image_latents, response_functions, source_activity, speech_features
from neurodecode.simulate.meeg_trials import draw_spikes, drifting, present, stimulus_table
from neurodecode.simulate.meeg_world import Heads, Sources, build_heads, draw_noise, draw_sources, reference_source
from neurodecode.simulate.truth import Truth, item_generator

__all__ = [
    "SimulatedMEEG",
    "candidate_ids",
    "expected_responses",
    "oracle_scores",
    "oracle_top_k",
    "simulate_images",
    "simulate_speech",
]

_LATENCY = (0.06, 0.24)  # s, between which the responses of the sources peak
_GAP = 0.5  # s between two windows
_AT_ONCE = 2**25  # bytes of responses that are made at once


class SimulatedMEEG(NamedTuple):
    """Responses to stimuli, what was shown, and what was put into the responses."""

    responses: Responses
    """Shape (n_trials, n_sensors, n_times), in units of the noise (variance 1, mean over sensors); samples hold ``trial,
    stimulus, subject, session, run, repeat, onset`` (s), ``split, block`` and ``word`` or ``concept``; units hold ``name, kind,
    x, y, z`` (m) and ``layout_x, layout_y`` (0 to 1)."""
    targets: Responses
    """One row per stimulus: features of speech (n_stimuli, n_features, n_times), or latents of images (n_stimuli, n_features)."""
    truth: Truth
    """``mixing`` (n_subjects, n_sensors, n_sources), ``weights`` (n_sources, n_features), ``rectified`` (n_sources,), ``kernels``
    (n_sources, n_lags), ``noise_covariance`` (n_subjects, n_sensors, n_sensors), ``noise_power`` (frequencies,), ``usable`` and
    ``missing`` (n_subjects, n_sensors), ``features`` (the targets); tables ``stimuli`` and ``subjects``; where asked for,
    ``reference`` (n_subjects, n_sensors, n_times) and ``signs`` (n_trials,), ``drift`` (n_trials, n_sensors, 2), ``spike_index``
    and ``spike_value``."""


def simulate_speech(
    *,
    n_subjects: int = 4,
    n_sensors: int = 24,
    n_features: int = 8,
    n_sources: int = 8,
    n_train: int = 400,
    n_validation: int = 60,
    n_test: int = 100,
    sfreq: float = 20.0,
    duration: float = 3.0,
    snr: float = 0.02,
    rectified: float = 0.5,
    delay: float = 0.0,
    lead_field: str = "sphere",
    montage: str = "biosemi64",
    kind: str = "eeg",
    block_size: int = 5,
    n_repeats: int = 1,
    n_sessions: int = 1,
    spikes: float = 0.0,
    drift: float = 0.0,
    flat: int = 0,
    missing: int = 0,
    random_state: int = 0,
) -> SimulatedMEEG:
    r"""Simulate M/EEG of people who hear segments of speech.

    Each segment has features Y(t) of its own. A source follows :math:`m_k \cdot Y`, or :math:`|m_k \cdot Y|`, which no linear
    decoder can see, through a Gaussian response function that peaks at 60 to 240 ms (plus `delay`). Subjects have the same
    sources at other places and in other directions. The noise has a power of 1/f, and over sensors the covariance of 60
    dipoles of the background and 10 % white noise.

    Parameters
    ----------
    n_subjects : int
        Subjects, all of whom hear all segments.
    n_sensors, n_features, n_sources : int
        Sensors, features of speech, and sources in the brain.
    n_train, n_validation, n_test : int
        Segments of each split.
    sfreq : float
        Samples per second, Hz.
    duration : float
        Length of a segment and of the response to it, s.
    snr : float
        Variance of the signal over stimuli by that of the noise, mean over sensors and times.
    rectified : float
        Share of rectified sources; with 1 the brain tells no feature from its negative, and decoders of fixed features fail.
    delay : float
        Added to the latencies, s.
    lead_field : str
        ``"sphere"``: a spherical head under a montage, computed by MNE; ``"disc"``: dipolar patterns on a disc.
    montage : str
        A montage of MNE; sensors are taken from it as far apart as possible.
    kind : str
        ``"eeg"``, or ``"mag"`` for radial magnetometers over the places of the montage.
    block_size : int
        Segments that follow each other (a block) and lie in one split.
    n_repeats : int
        Presentations of test segments in a session.
    n_sessions : int
        Sessions; each repeats all segments.
    spikes : float
        Share of samples with a spike of 100 standard deviations.
    drift : float
        Standard deviation of an offset and a slope that change from block to block.
    flat, missing : int
        Channels of each subject that are zero, and that the subject lacks (NaN), drawn for each.
    random_state : int
        Seed.

    Returns
    -------
    SimulatedMEEG
        Responses, targets and truth.

    Raises
    ------
    DataError
        If an argument is out of its range.

    References
    ----------
    Défossez et al. (2023), Nature Machine Intelligence 5:1097, whose setting this imitates.

    Examples
    --------
    >>> responses, targets, truth = simulate_speech(snr=0.02)  # doctest: +SKIP
    """
    given = dict(locals())
    sizes = _sizes(train=n_train, validation=n_validation, test=n_test)
    heads = Heads(n_subjects, n_sensors, lead_field, montage, kind, flat, missing)
    times = _times(0.0, duration, sfreq)
    stimuli = stimulus_table(sizes, block_size, "segment")
    rng = item_generator(random_state, "stimuli")
    words = rng.integers(0, max(len(stimuli) // 2, 1), len(stimuli))
    stimuli["word"] = [f"word{word}" for word in words]
    features = speech_features(len(stimuli), n_features, len(times), sfreq, rng)
    rng = item_generator(random_state, "sources")
    weights, absolute = draw_sources(n_sources, n_features, rectified, rng)
    peaks = rng.uniform(*_LATENCY, n_sources) + delay
    lags = np.arange(int(np.ceil((peaks.max() + 0.15) * sfreq)) + 1) / sfreq
    sources = Sources(weights, absolute, response_functions(peaks, lags))
    trials = present(stimuli, n_subjects, n_sessions, n_repeats, duration + _GAP, random_state)
    plan = _Plan("simulate_speech", given, stimuli, features, trials, times)
    return _simulate(plan, heads, sources)


def simulate_images(
    *,
    n_subjects: int = 4,
    n_sensors: int = 24,
    n_features: int = 64,
    n_sources: int = 8,
    rank: int = 8,
    spread: float = 0.5,
    n_train: int = 400,
    n_validation: int = 50,
    n_test: int = 200,
    n_images: int = 4,
    sfreq: float = 40.0,
    tmin: float = -0.1,
    duration: float = 0.6,
    snr: float = 0.1,
    rectified: float = 0.0,
    random_signs: bool = False,
    reference_snr: float = 2.0,
    lead_field: str = "sphere",
    montage: str = "biosemi64",
    kind: str = "eeg",
    n_repeats: int = 1,
    n_sessions: int = 1,
    spikes: float = 0.0,
    drift: float = 0.0,
    flat: int = 0,
    missing: int = 0,
    random_state: int = 0,
) -> SimulatedMEEG:
    r"""Simulate M/EEG of people who see images of concepts, other ones in the test than in training.

    Latents z lie on the unit sphere, in `rank` of their dimensions and in clusters, one per concept. A source has the amplitude
    :math:`m_k \cdot z` (or its absolute value) and a Gaussian time course that peaks at 60 to 240 ms. With `random_signs` the
    response of each trial is multiplied by :math:`g = \pm 1`, drawn anew, and so is that of a reference source, which is the
    same for all images: the mean over trials of response times latent is zero, so that linear decoders are at chance, and
    the product of the reference and the response tells the image.

    Parameters
    ----------
    n_subjects : int
        Subjects, all of whom see all images.
    n_sensors, n_features, n_sources : int
        Sensors, dimensions of a latent, and sources in the brain.
    rank : int
        Dimensions in which latents differ.
    spread : float
        Standard deviation of images within a concept over that between concepts.
    n_train, n_validation, n_test : int
        Concepts of each split; none is in two of them.
    n_images : int
        Images of each concept of training and validation; of a concept of the test there is one.
    sfreq : float
        Samples per second, Hz.
    tmin, duration : float
        Start of the response after the onset of the image, and its length, s.
    snr : float
        Variance of the signal over stimuli by that of the noise, mean over sensors and times; the reference does not count.
    rectified : float
        Share of sources that follow the absolute value.
    random_signs : bool
        Whether trials have random signs.
    reference_snr : float
        Power of the reference source over that of the noise.
    lead_field : str
        ``"sphere"``: a spherical head under a montage, computed by MNE; ``"disc"``: dipolar patterns on a disc.
    montage : str
        A montage of MNE; sensors are taken from it as far apart as possible.
    kind : str
        ``"eeg"``, or ``"mag"`` for radial magnetometers over the places of the montage.
    n_repeats : int
        Presentations of test images in a session.
    n_sessions : int
        Sessions; each repeats all images.
    spikes : float
        Share of samples with a spike of 100 standard deviations.
    drift : float
        Standard deviation of an offset and a slope that change from block to block of ten images.
    flat, missing : int
        Channels of each subject that are zero, and that the subject lacks (NaN), drawn for each.
    random_state : int
        Seed.

    Returns
    -------
    SimulatedMEEG
        Responses, targets and truth.

    Raises
    ------
    DataError
        If an argument is out of its range.

    References
    ----------
    Benchetrit et al. (2024), Brain decoding: toward real-time reconstruction of visual perception, whose setting this imitates.
    """
    given = dict(locals())
    sizes = _sizes(train=n_train, validation=n_validation, test=n_test)
    heads = Heads(n_subjects, n_sensors, lead_field, montage, kind, flat, missing)
    times = _times(tmin, duration, sfreq)
    stimuli, concept = _images(sizes, n_images)
    rng = item_generator(random_state, "stimuli")
    features = image_latents(concept, n_features, rank, spread, rng)
    rng = item_generator(random_state, "sources")
    weights, absolute = draw_sources(n_sources, n_features, rectified, rng)
    sources = Sources(weights, absolute, response_functions(rng.uniform(*_LATENCY, n_sources), times))
    trials = present(stimuli, n_subjects, n_sessions, n_repeats, duration + _GAP, random_state)
    plan = _Plan("simulate_images", given, stimuli, features, trials, times)
    return _simulate(plan, heads, sources)


class _Plan(NamedTuple):
    """What is the same for speech and images once stimuli and trials are drawn."""

    generator: str
    given: dict[str, Any]
    stimuli: pd.DataFrame
    features: NDArray[np.float32]
    trials: pd.DataFrame
    times: NDArray[np.float64]


def _simulate(plan: _Plan, heads: Heads, sources: Sources) -> SimulatedMEEG:
    """Heads, responses and the objects that hold them."""
    given = dict(plan.given)
    seed = given.pop("random_state")
    training = plan.features[plan.stimuli["split"] == "train"]
    sensors, arrays = build_heads(heads, sources, training, given["snr"], len(plan.times), seed)
    arrays |= _per_trial(plan, heads, sensors, seed)
    subjects = pd.DataFrame({"subject": plan.trials["subject"].unique()})
    tables = {"stimuli": plan.stimuli, "subjects": subjects}
    truth = Truth(plan.generator, seed, given, {**arrays, "features": plan.features}, tables)
    meta = {"modality": "eeg" if heads.kind == "eeg" else "meg", "sfreq": float(given["sfreq"]), "simulated": plan.generator}
    responses = Responses(_respond(truth, plan), plan.trials.drop(columns="row"), sensors, plan.times, meta)
    names = pd.DataFrame({"name": [f"feature{i}" for i in range(plan.features.shape[1])]})
    over_time = plan.times if plan.features.ndim == 3 else None
    return SimulatedMEEG(responses, Responses(plan.features, plan.stimuli, names, over_time), truth)


def _per_trial(plan: _Plan, heads: Heads, sensors: pd.DataFrame, seed: int) -> dict[str, NDArray[Any]]:
    """What changes from trial to trial: signs, drift and spikes, as far as they were asked for."""
    given, arrays = plan.given, dict[str, NDArray[Any]]()
    shape = (len(plan.trials), heads.n_sensors, len(plan.times))
    if given.get("random_signs"):
        arrays |= reference_source(sensors, heads, given["reference_snr"], plan.times, seed)
        arrays["signs"] = item_generator(seed, "signs").choice([-1.0, 1.0], len(plan.trials))
    if given["drift"]:
        arrays["drift"] = drifting(plan.trials, check_positive("drift", given["drift"]), heads.n_sensors, seed)
    if given["spikes"]:
        if not 0 <= as_number(given["spikes"]) <= 1:
            raise DataError(f"spikes must be a share of the samples from 0 to 1, got {given['spikes']!r}")
        arrays["spike_index"], arrays["spike_value"] = draw_spikes(given["spikes"], shape, seed)
    return arrays


def _respond(truth: Truth, plan: _Plan) -> NDArray[np.float32]:
    """Responses of all trials, subject by subject and some at a time."""
    activity = source_activity(plan.features, truth["weights"], truth["rectified"], truth["kernels"]).astype(np.float32)
    shape = (truth["mixing"].shape[1], len(plan.times))
    data = np.empty((len(plan.trials), *shape), np.float32)
    at_once = max(1, _AT_ONCE // (4 * shape[0] * shape[1]))
    for number, subject in enumerate(truth["subjects"]["subject"]):
        rows = np.flatnonzero(plan.trials["subject"] == subject)
        rng = item_generator(truth.random_state, f"noise {number}")
        for part in np.split(rows, range(at_once, len(rows), at_once)):
            data[part] = _respond_once(truth, number, part, activity[plan.trials["row"].to_numpy()[part]], shape, rng)
    return data


def _respond_once(
    truth: Truth,
    number: int,
    trials: NDArray[np.intp],
    activity: NDArray[np.float32],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Signal, noise and nuisance of some trials of one subject."""
    response = truth["mixing"][number].astype(np.float32) @ activity
    if "signs" in truth.arrays:
        response += truth["reference"][number].astype(np.float32)
        response *= truth["signs"][trials, None, None]
    response += draw_noise(truth["noise_covariance"][number], truth["noise_power"], len(trials), shape[1], rng)
    response += nuisance(truth, trials, shape)
    response[:, ~truth["usable"][number]] = 0.0
    response[:, truth["missing"][number]] = np.nan
    return np.asarray(response)


def _times(tmin: float, duration: float, sfreq: float) -> NDArray[np.float64]:
    """Time of the samples of a window, s."""
    n_times = round(check_positive("duration", duration) * check_positive("sfreq", sfreq))
    if n_times < 2:
        raise DataError(f"{duration:g} s at {sfreq:g} Hz make {n_times} samples, expected at least two")
    return tmin + np.arange(n_times) / sfreq


def _sizes(**sizes: int) -> dict[str, int]:
    """Sizes of the splits, each of which needs something to choose from."""
    if min(sizes.values()) < 2:
        raise DataError(f"each split needs at least two stimuli, got {sizes}")
    return sizes


def _images(sizes: dict[str, int], n_images: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Images in blocks of ten, and the number of the concept of each."""
    if n_images < 1:
        raise DataError(f"n_images must be at least 1, got {n_images}")
    per_concept = {split: 1 if split == "test" else n_images for split in sizes}
    stimuli = stimulus_table({split: size * per_concept[split] for split, size in sizes.items()}, 10, "image")
    concept = np.repeat(np.arange(sum(sizes.values())), np.repeat(list(per_concept.values()), list(sizes.values())))
    return stimuli.assign(concept=[f"concept{number:04d}" for number in concept]), concept
