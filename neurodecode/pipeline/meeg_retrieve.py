"""The steps that decode windows of M/EEG: train, look held-out stimuli up, follow time, make pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.data import Responses
from neurodecode.data.hashing import sha256_file, sha256_json
from neurodecode.errors import DataError
from neurodecode.pipeline.config_meeg import Course, Found, ImageNetwork, Pictures, SpeechNetwork
from neurodecode.pipeline.meeg_heard import heard_windows
from neurodecode.pipeline.meeg_pictures import prepare_drawing
from neurodecode.pipeline.meeg_seen import seen_windows
from neurodecode.pipeline.meeg_windows import Windows, open_windows
from neurodecode.pipeline.step import Step


def find_speech(parameters: Mapping[str, Any], folder: Path) -> None:
    """Train a decoder of speech for each seed, and look the held-out segments up.

    Parameters
    ----------
    parameters : mapping
        ``path`` (folder of windows), or what `heard_windows` needs; ``decoder``, ``retrieval``, ``seed``, ``title``, ``device``
        and ``training`` (folder of the checkpoints).
    folder : Path
        Where results and decoders go.
    """
    from neurodecode.decode import SpeechDecoder

    settings = SpeechNetwork(**parameters["decoder"]).model_dump()
    windows = heard_windows(parameters) if parameters.get("prepared") else open_windows(Path(parameters["path"]))

    def fitted(seed: int) -> Any:
        decoder = SpeechDecoder(**_with_device(settings, parameters), random_state=seed)
        place = _checkpoints(parameters, seed)
        return decoder.fit(_held_in(windows), windows.targets, folder=place, resume=place is not None)

    results, decoders = _retrieve(windows, fitted, parameters, {})
    _save(parameters, windows, results, decoders, folder)


def find_images(parameters: Mapping[str, Any], folder: Path) -> None:
    """Train a decoder of images for each seed, look the held-out images up, follow time, and make pictures.

    Parameters
    ----------
    parameters : mapping
        As for `find_speech` (`seen_windows` in place of `heard_windows`), and ``zero_shot``, ``course`` and ``pictures``.
    folder : Path
        Where results and decoders go.
    """
    from neurodecode.decode import MEEGImageDecoder

    settings = ImageNetwork(**parameters["decoder"]).model_dump()
    windows = seen_windows(parameters) if parameters.get("prepared") else open_windows(Path(parameters["path"]))
    wanted = None if parameters["pictures"] is None else Pictures(**parameters["pictures"])
    drawing = None if wanted is None else prepare_drawing(wanted, windows, parameters["source"], parameters["seed"], folder)
    targets = windows.targets if drawing is None else drawing.targets

    def fitted(seed: int) -> Any:
        decoder = MEEGImageDecoder(**_with_device(settings, parameters), random_state=seed)
        place = _checkpoints(parameters, seed)
        return decoder.fit(_held_in(windows), targets, folder=place, resume=place is not None)

    results, decoders = _retrieve(windows, fitted, parameters, {"zero_shot": parameters["zero_shot"]})
    if drawing is not None and wanted is not None:
        options = {"n_samples": wanted.n_samples, "steps": wanted.steps}
        seen = _split(windows.responses, "test")
        results["pictures"] = decoders[0].reconstruct(drawing.generator, seen, drawing.stimuli, **options)
    if parameters["course"] is not None:
        results["course over time"] = _course(windows, Course(**parameters["course"]))
    _save(parameters, windows, results, decoders, folder)


def _retrieve(
    windows: Windows, fitted: Any, parameters: Mapping[str, Any], options: dict[str, Any]
) -> tuple[dict[str, Any], list[Any]]:
    """Scores of the first seed, and how all seeds went."""
    wanted, first = Found(**parameters["retrieval"]), int(parameters["seed"])
    test = _split(windows.responses, "test")
    candidates = _candidates(windows, test)
    known = _oracle(windows, test, candidates)
    told = {"aggregation": wanted.aggregation, "n_bootstrap": wanted.n_bootstrap, "oracle": known, **options}
    decoders = [fitted(seed) for seed in range(first, first + wanted.n_seeds)]
    scored = [decoder.score(test, candidates, tuple(wanted.k), **told) for decoder in decoders]
    results: dict[str, Any] = {"retrieval": scored[0]}
    if parameters["decoder"]["network"] != "ridge":
        results["training"] = _trained(decoders, scored, first, parameters)
    return results, decoders


def _trained(decoders: list[Any], scored: list[Any], first: int, parameters: Mapping[str, Any]) -> Any:
    """Curves of all seeds beside their scores."""
    from neurodecode.train.summary import TrainedRetrieval

    result = scored[0]
    k = min(result.chance)
    training = {str(first + i): next(iter(d.members_.values())).training for i, d in enumerate(decoders)}
    return TrainedRetrieval(
        metric=f"retrieval_top_{k}",
        scores={seed: s.top_k[k] for seed, s in zip(training, scored, strict=True)},
        chance=result.chance[k],
        baseline=float("nan") if result.ridge is None else result.ridge[k],
        baseline_name=result.baseline_name,
        n_candidates=result.n_candidates,
        best_steps={seed: int(t.best_step or t.step) for seed, t in training.items()},
        curves={seed: t.curve for seed, t in training.items()},
        split=f"held out by {result.report.split_unit}; weights chosen on: {result.report.selection_split}",
        settings=dict(parameters["decoder"]),
    )


def _course(windows: Windows, wanted: Course) -> Any:
    from neurodecode.decode.time_windows import retrieval_over_time

    return retrieval_over_time(windows.responses, windows.targets, **wanted.model_dump())


def _held_in(windows: Windows) -> Responses:
    return windows.responses.select(np.flatnonzero(windows.responses.samples["split"].isin(["train", "validation"])))


def _split(responses: Responses, name: str) -> Responses:
    rows = np.flatnonzero(responses.samples["split"] == name)
    if not len(rows):
        raise DataError(f"no window is marked split={name!r}, they are {sorted(responses.samples['split'].astype(str).unique())}")
    return responses.select(rows)


def _candidates(windows: Windows, test: Responses) -> Responses:
    """Targets of the stimuli that are looked up."""
    shown = set(test.samples["stimulus"].astype(str))
    return windows.targets.select(np.flatnonzero(windows.targets.samples["stimulus"].astype(str).isin(shown)))


def _oracle(windows: Windows, test: Responses, candidates: Responses) -> Any:
    """Log-likelihood of every candidate, where the truth is known."""
    if windows.truth is None:
        return None
    from neurodecode.simulate import oracle_scores

    return oracle_scores(windows.truth, test, candidates.samples["stimulus"].astype(str).tolist())


def _with_device(settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the decoder; the device belongs to its trainer."""
    trainer = dict(settings.get("trainer") or {})
    return {**settings, "trainer": trainer if parameters["device"] == "auto" else {"device": parameters["device"], **trainer}}


def _checkpoints(parameters: Mapping[str, Any], seed: int) -> Path | None:
    """Folder of a training, which a killed run goes on with; other settings or windows have another one."""
    if parameters["decoder"]["network"] == "ridge":
        return None
    told = {name: parameters.get(name) for name in ("decoder", "input", "features")}
    key = sha256_json({**told, "inputs": {name: sha256_file(path) for name, path in parameters["files"].items()}})[:12]
    return Path(parameters["training"]) / f"{key}-seed-{seed}"


def _save(parameters: Mapping[str, Any], windows: Windows, results: dict[str, Any], decoders: list[Any], folder: Path) -> None:
    from neurodecode.report import RunContents, save_contents

    for number, decoder in enumerate(decoders):
        decoder.save(folder / "decoders" / f"seed-{int(parameters['seed']) + number}")
    contents = RunContents(
        title=parameters["title"],
        pipeline="retrieve",
        results=results,
        units=windows.responses.units,
        steps=list(windows.responses.meta.get("steps", [])),
        notes=["Simulated data: no person was recorded."] if windows.truth is not None else [],
    )
    save_contents(contents, folder)


FIND_SPEECH = Step("find_speech", 1, find_speech)
FIND_IMAGES = Step("find_images", 1, find_images)
