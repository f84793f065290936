"""The demo: simulate a data set, run a public pipeline on it, say what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

PIPELINE = "digits_demo"
WITHOUT_GENERATOR = "reconstruct.generator=null"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the simulated data and the results.")] = Path("neurodecode_demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation and of the permutations.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Units of work at the same time.")] = 1,
    generator: Annotated[
        bool,
        typer.Option("--generator/--no-generator", help="Pictures of a small diffusion model, too (minutes)."),
    ] = True,
) -> None:
    """Decode handwritten digits from a simulated visual cortex: no data needed, nothing is downloaded."""
    from neurodecode.cli.progress import Progress

    settings = () if generator else (WITHOUT_GENERATOR,)
    with Progress() as progress:
        results = run_demo(out, seed=seed, jobs=jobs, progress=progress, settings=settings)
    typer.echo(results.sentence)
    for line in reconstruction_sentences(results.results):
        typer.echo(line)
    typer.echo(f"report: {out / 'results' / 'report.html'}")


def run_demo(
    out: Path, *, seed: int = 0, jobs: int = 1, progress: Any = None, settings: tuple[str, ...] = (), **experiment: Any
) -> Any:
    """Write the simulated data set and run the pipeline `digits_demo` on it.

    Parameters
    ----------
    out : Path
        ``data/`` and ``results/`` appear in it.
    seed : int
        Seed of the simulation and of the permutations.
    jobs : int
        Units of work at the same time.
    progress : object, optional
        As in `neurodecode.pipeline.run_pipeline`.
    settings : tuple of str
        ``key=value``, as with ``--set``.
    **experiment
        As in `neurodecode.simulate.write_visual_cortex`, e.g. fewer runs.

    Returns
    -------
    RunResults
        Results and the main sentence.

    Raises
    ------
    OutputExistsError
        If ``out/data`` is there and is no simulated data set.
    """
    from neurodecode.data.validate import require
    from neurodecode.pipeline import load_config, run_pipeline
    from neurodecode.pipeline.generator import wanted_generator
    from neurodecode.simulate import write_visual_cortex

    config = load_config(PIPELINE, [f"compute.seed={seed}", *settings])
    for package in ("nilearn", "PIL"):  # before the work, not after it
        require(package, "the demo", "demo")
    if wanted_generator(config) is not None:
        for package in ("torch", "diffusers"):
            require(package, "the demo (its generator; --no-generator goes without)", "demo")
    write_visual_cortex(out / "data", random_state=seed, **experiment)
    return run_pipeline(config, out / "data", out / "results", jobs=jobs, progress=progress)


def reconstruction_sentences(results: dict[str, Any]) -> list[str]:
    """How well the images were reconstructed: a line with chance and baseline, and one for each method beside the ridge.

    Parameters
    ----------
    results : dict
        Content of ``results.json``.

    Returns
    -------
    list of str
        Each without line breaks.
    """
    others = results["other_results"]
    found = others["reconstruction"]
    p = "not tested" if found["p_value"] is None else f"p = {found['p_value']:.3g}, {found['n_permutations']} pairings"
    first = (
        f"{found['metric']} {found['score']:.3f} over {found['n_images']} images (wrong pairs {found['chance']:.3f}, {p}; "
        f"{found['baseline_name']} {found['baseline']:.3f}); {found['split']}"
    )
    methods = {
        "ridge" if name == "reconstruction" else name: value for name, value in others.items() if "identification" in value
    }
    told = [f"{name} {value['score']:.3f}, identification {value['identification']:.3f}" for name, value in methods.items()]
    return [first, f"beside each other: {'; '.join(told)}"] if len(told) > 1 else [first]
