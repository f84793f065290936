"""The task ``contrastive``: from stored responses to stored features of the same stimuli, scored by retrieval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from neurodecode.data import Responses, load
from neurodecode.data.atomic import write_text
from neurodecode.data.splits import check_split
from neurodecode.data.validate import check_columns, check_finite
from neurodecode.errors import DataError
from neurodecode.train.config import Settings, TrainerConfig
from neurodecode.train.data import ArrayDataset
from neurodecode.train.random_state import seeded

Share = Annotated[float, Field(gt=0, lt=1)]


class Held(Settings):
    """What is held out, in whole groups."""

    unit: str = Field("stimulus", description="column of the samples; 'run' is the unique subject, session and run")
    validation: Share | list[str] = Field(0.15, description="part of the groups, or their names")
    test: Share | list[str] = Field(0.15, description="part of the groups, or their names")
    seed: int = Field(0, ge=0, description="of the draw of groups; the seed of the training does not change it")


class Network(Settings):
    """As in `neurodecode.models.BrainProjector`."""

    hidden: int | None = Field(None, ge=1)
    n_blocks: int = Field(1, ge=0)
    dropout: float = Field(0.15, ge=0, lt=1)


class LossSettings(Settings):
    """As in `neurodecode.train.contrastive_loss.ContrastiveLoss`."""

    kind: Literal["clip", "siglip", "soft_clip", "mixco_then_soft_clip", "mse_clip"] = "clip"
    temperature: float | None = Field(None, gt=0)
    mask_duplicates: bool = True


class Config(Settings):
    """Settings of the task; paths are relative to the file that they stand in."""

    task: Literal["contrastive"]
    responses: Path = Field(description="folder of Responses, as neurodecode.save writes it")
    features: Path = Field(description="folder of Responses with one row per stimulus")
    stimulus: str = Field("stimulus", description="column that both tables share")
    split: Held = Held()
    network: Network = Network()
    loss: LossSettings = LossSettings()
    trainer: TrainerConfig = TrainerConfig(
        epochs=50, batch_size=128, weight_decay=0.01, schedule="cosine", warmup=0.05, patience=10
    )


class Parts(NamedTuple):
    """Rows of each side."""

    train: NDArray[np.int64]
    """Rows to fit on."""
    validation: NDArray[np.int64]
    """Rows to choose the weights on."""
    test: NDArray[np.int64]
    """Rows to score on."""


class Pairs(NamedTuple):
    """Responses with the features of what was shown."""

    responses: NDArray[np.float32]
    """Shape (n_samples, n_inputs)."""
    targets: NDArray[np.float32]
    """Shape (n_samples, n_outputs)."""
    stimulus: NDArray[np.int64]
    """Number of the stimulus of each sample, shape (n_samples,)."""


def run(config: Config, base: Path, folder: Path, *, resume: bool = False, seed: int | None = None) -> dict[str, Any] | None:
    """Train, choose by validation, score once on the test part beside a ridge regression.

    Parameters
    ----------
    config : Config
        Settings.
    base : Path
        Folder that paths are relative to.
    folder : Path
        Output: ``metrics.jsonl``, ``checkpoints/``, ``network/``, ``result.json``.
    resume : bool
        Go on from the newest checkpoint.
    seed : int, optional
        Seed of weights, order and noise, by default the one of the trainer.

    Returns
    -------
    dict or None
        Accuracy at each k with chance and baseline; None in all processes but the first, or where a signal ended the training,
        in which case ``stopped`` is all there is.
    """
    from neurodecode.train.contrastive_loss import ContrastiveLoss
    from neurodecode.train.gather import is_first_process
    from neurodecode.train.trainer import Trainer

    recorded = load(base / config.responses)
    pairs = pair(recorded, load(base / config.features), config.stimulus)
    parts = split_rows(recorded, config.split)
    trainer = Trainer(config.trainer, **({} if seed is None else {"seed": seed}))
    network = build(config.network, pairs, parts.train, trainer.config.seed)
    loss = ContrastiveLoss(**config.loss.model_dump())
    sides = {name: _side(name, pairs, rows) for name, rows in parts._asdict().items() if name != "test"}
    ended = trainer.fit(network, loss, sides["train"], validation=sides["validation"], folder=folder, resume=resume)
    if ended.stopped.startswith("SIG"):
        return {"stopped": ended.stopped, "step": ended.step}
    if not is_first_process():
        return None
    network.save(folder / "network")
    scores = score(network, pairs, parts, config.split.unit)
    result = {"task": config.task, "seed": trainer.config.seed, "stopped": ended.stopped, "step": ended.step}
    result |= {"best_step": ended.best_step, "validation_loss": ended.best_value, **scores}
    _write(folder, result)
    return result


def pair(responses: Responses, features: Responses, stimulus: str = "stimulus") -> Pairs:
    """Find the features of what each response was to.

    Parameters
    ----------
    responses : Responses
        Any number of samples per stimulus.
    features : Responses
        One row per stimulus; others may be among them.
    stimulus : str
        Column that both share.

    Returns
    -------
    Pairs
        In the order of the responses.

    Raises
    ------
    DataError
        If a column is missing, a stimulus has no features or more than one row of them, or a value is not finite.
    """
    for name, table in (("responses", responses.samples), ("features", features.samples)):
        check_columns(table, [stimulus], f"samples of the {name}")
    ids = pd.Index(features.samples[stimulus].astype(str))
    if not ids.is_unique:
        twice = ids[ids.duplicated()][0]
        raise DataError(
            f"features have {int((ids == twice).sum())} rows for {stimulus} {twice!r}, expected one: average them first"
        )
    wanted = responses.samples[stimulus].astype(str)
    rows = ids.get_indexer(pd.Index(wanted))
    if (rows < 0).any():
        raise DataError(
            f"{int((rows < 0).sum())} of {len(rows)} responses have no features, e.g. {stimulus} {wanted[rows < 0].iloc[0]!r}"
        )
    x, y = responses.matrix(), features.matrix()[rows]
    for name, values in (("responses", x), ("features", y)):
        check_finite(values, wanted.tolist(), f"{name} to train on", "Leave these samples out, or interpolate them")
    return Pairs(x, y, rows.astype(np.int64))


def split_rows(responses: Responses, held: Held) -> Parts:
    """Cut samples into training, validation and test part, in whole groups.

    Parameters
    ----------
    responses : Responses
        Samples.
    held : Held
        What is held out.

    Returns
    -------
    Parts
        Row numbers.

    Raises
    ------
    DataError
        If a group is unknown, or a part is left without one.
    SplitLeakError
        If recordings or windows stand on two sides.
    """
    labels = responses.groups(held.unit)
    order = np.random.default_rng(held.seed).permutation(int(labels.max()) + 1)
    test = _groups(held.test, held.unit, responses, labels, order)
    validation = _groups(held.validation, held.unit, responses, labels, order[~np.isin(order, test)], len(order))
    sides = [np.isin(labels, validation), np.isin(labels, test)]
    parts = Parts(*(np.flatnonzero(mask).astype(np.int64) for mask in (~(sides[0] | sides[1]), *sides)))
    unit = held.unit if held.unit == "stimulus" else None
    check_split(responses, np.concatenate([parts.train, parts.validation]), parts.test, unit=unit)
    check_split(responses, parts.train, parts.validation, unit=unit)
    return parts


def _groups(
    wanted: float | list[str],
    unit: str,
    responses: Responses,
    labels: NDArray[np.int64],
    order: NDArray[np.int64],
    n_groups: int | None = None,
) -> NDArray[np.int64]:
    """Numbers of the groups that are held out: the first of a random order, or those of some names."""
    if isinstance(wanted, float):
        return order[: max(1, round(wanted * (n_groups or len(order))))]
    names = responses.samples[unit].astype(str).to_numpy()
    unknown = sorted(set(wanted) - set(names))
    if unknown or not wanted:
        raise DataError(f"there is no {unit} {unknown or 'named'} among {sorted(set(names))[:10]}: check the split")
    return np.unique(labels[np.isin(names, wanted)])


def build(settings: Network, pairs: Pairs, train: NDArray[np.int64], seed: int) -> Any:
    """A network that standardises by the training samples."""
    import torch

    from neurodecode.models import BrainProjector

    fitted = pairs.responses[train]
    with seeded(seed):
        network = BrainProjector(pairs.responses.shape[1], pairs.targets.shape[1], **settings.model_dump())
    mean, scale = fitted.mean(axis=0, dtype=np.float64), fitted.std(axis=0, dtype=np.float64)
    network.standardise(torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(scale.astype(np.float32)))
    return network


def score(network: Any, pairs: Pairs, parts: Parts, unit: str) -> dict[str, Any]:
    """Retrieval among the stimuli of the test part, by the network and by a ridge regression that saw the same samples."""
    import torch

    from neurodecode.linear import RidgeCV
    from neurodecode.metrics.retrieval import retrieval_report

    device = next(network.parameters()).device
    with torch.no_grad():
        own = network(responses=torch.from_numpy(pairs.responses[parts.test]).to(device)).cpu().numpy()
    seen = np.concatenate([parts.train, parts.validation])
    ridge = RidgeCV().fit(pairs.responses[seen], pairs.targets[seen], groups=pairs.stimulus[seen])
    predictions = {"top_k": own, "baseline": ridge.predict(pairs.responses[parts.test])}
    truth, ids = pairs.targets[parts.test], pairs.stimulus[parts.test]
    reports = {
        name: retrieval_report(values, truth, ids, split_unit=unit, selection_split="validation")
        for name, values in predictions.items()
    }
    found: dict[str, Any] = {
        name: {str(k): value for k, value in report.top_k["brain_to_stimulus"].items()} for name, report in reports.items()
    }
    first = reports["top_k"]
    found |= {"chance": {str(k): value for k, value in first.chance.items()}, "n_candidates": first.n_candidates}
    found |= {"baseline_name": "ridge", "held_out": unit, "selected_on": "validation"}
    return {**found, "n_samples": {name: len(rows) for name, rows in parts._asdict().items()}}


def _side(split: str, pairs: Pairs, rows: NDArray[np.int64]) -> ArrayDataset:
    return ArrayDataset(split, responses=pairs.responses[rows], targets=pairs.targets[rows], stimulus=pairs.stimulus[rows])


def _write(folder: Path, result: dict[str, Any]) -> None:
    import json

    from neurodecode.data.hashing import jsonable

    write_text(folder / "result.json", json.dumps(jsonable(result), indent=2) + "\n")
