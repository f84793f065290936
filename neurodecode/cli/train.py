"""``neurodecode train``: a configuration to a trained, validated and scored network, once or with several seeds."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file that names a task and its settings.")]


def train(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs; by default the name of CONFIG, beside it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint, or begin.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Runs, with seeds from the one of the trainer upwards.")] = 1,
) -> None:
    """Train a network; killed or preempted, it goes on exactly with --resume. Also under torchrun and accelerate launch."""
    from neurodecode.train.tasks import find_task

    task, settings = read_task(config)
    if settings.trainer.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # has to stand before torch is loaded
    root = out or config.with_suffix("")
    first = settings.trainer.seed
    results = []
    try:
        for seed in range(first, first + seeds):
            result = find_task(task).run(settings, config.parent, root / f"seed-{seed}", resume=resume, seed=seed)
            _end_if_stopped(result)
            if result is not None:
                typer.echo(sentence(result))
                results.append(result)
    finally:
        _leave_group()
    if results:
        _summarise(results, root, config.stem, settings)


def read_task(path: Path) -> tuple[str, Any]:
    """Name and checked settings of the task in a YAML file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of str and BaseModel
        Frozen, complete with defaults.

    Raises
    ------
    ConfigError
        In one line: what is wrong, and what was expected.
    """
    from pydantic import ValidationError

    from neurodecode.errors import ConfigError
    from neurodecode.pipeline.configure import explain, read_yaml
    from neurodecode.train.tasks import find_task

    values = read_yaml(path)
    model = find_task(values.get("task")).Config
    try:
        return values["task"], model(**values)
    except ValidationError as error:
        raise ConfigError(f"{path.name}: {explain(error, model)}") from error


def sentence(result: dict[str, Any]) -> str:
    """The score of one run with what it means."""
    k = next(iter(result["chance"]))
    return (
        f"seed {result['seed']}: top-{k} retrieval {result['top_k'][k]:.3f} among {result['n_candidates']} candidates, "
        f"chance {result['chance'][k]:.3f}, {result['baseline_name']} {result['baseline'][k]:.3f} "
        f"({result['stopped']} after {result['step']} steps, weights of step {result['best_step']})"
    )


def _summarise(results: list[dict[str, Any]], root: Path, title: str, settings: Any) -> None:
    """Write all runs to one file and one report, and say mean and spread where there are several."""
    import json

    import numpy as np

    from neurodecode.data.atomic import write_text
    from neurodecode.pipeline.versions import versions
    from neurodecode.report import RunContents, write
    from neurodecode.train.summary import summarise

    write_text(root / "results.json", json.dumps(results, indent=2) + "\n")
    k = next(iter(results[0]["chance"]))
    values = np.array([result["top_k"][k] for result in results])
    if len(values) > 1:
        typer.echo(f"{len(values)} seeds: top-{k} {values.mean():.3f} ± {values.std(ddof=1):.3f} (standard deviation)")
    told = settings.model_dump(mode="json")
    training = {"training": summarise(results, root, told)}
    page = write(RunContents(title, "train", configuration=told, results=training, versions=versions()), root)
    typer.echo(f"results: {root / 'results.json'}")
    typer.echo(f"report: {page}")


def _end_if_stopped(result: dict[str, Any] | None) -> None:
    """End as a process does that was asked to, so that a batch system knows that there is more to do."""
    if result is not None and result["stopped"].startswith("SIG"):
        typer.echo(f"neurodecode: {result['stopped']}: stored at step {result['step']}; --resume goes on from there", err=True)
        raise typer.Exit(128 + getattr(signal, result["stopped"]))


def _leave_group() -> None:
    """Say goodbye to the other processes; without it torch complains at the end."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
