"""Commands of ``neurodecode``: thin calls into the package, one clear line and exit code 2 for what the user can mend."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from neurodecode import __version__
from neurodecode.cli.datasets import app as datasets_app
from neurodecode.cli.demo import demo
from neurodecode.cli.live import live
from neurodecode.cli.models import app as models_app
from neurodecode.cli.train import train
from neurodecode.errors import NeurodecodeError

app = typer.Typer(
    name="neurodecode",
    help="From a brain recording to a decoded stimulus, with a report that says what the score means.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(datasets_app)
app.add_typer(models_app)


def run_app() -> None:
    """Call the command line; an error that the user can mend is one line on stderr and exit code 2."""
    try:
        app()
    except (NeurodecodeError, OSError) as error:
        typer.echo(f"neurodecode: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("neurodecode: interrupted; the same command goes on where it stopped", err=True)
        sys.exit(130)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"neurodecode {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """From a brain recording to a decoded stimulus, with a report that says what the score means."""


app.command()(demo)
app.command()(train)
app.command()(live)


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="Name (see `neurodecode pipelines`) or YAML file.")],
    out: Annotated[Path, typer.Option(help="Folder for derivatives, results and report.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the recordings; a pipeline on simulated data writes its own below --out.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. decode.n_permutations=999; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Units of work at the same time.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and why.")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Leave out runs that fail instead of stopping.")] = False,
    executor: Annotated[
        str | None, typer.Option(help="serial, processes or dask; by default processes where there are more jobs than one.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="With dask: address of a scheduler, or a YAML file. Paths are the same everywhere.")
    ] = None,
) -> None:
    """Run a pipeline on a data set; run again, it does only what is missing or changed."""
    from neurodecode.cli.progress import Progress
    from neurodecode.pipeline.configure import load_config, simulated_data
    from neurodecode.pipeline.executors import chosen_executor
    from neurodecode.pipeline.run import plan, run_pipeline

    config = load_config(pipeline, set_ or [])
    data = data or simulated_data(config, out)
    if dry_run:
        for name, reason in plan(config, data, out):
            typer.echo(f"{name}: {reason}")
        return
    on_error: Literal["abort", "continue"] = "continue" if keep_going else "abort"
    with Progress() as progress, chosen_executor(executor, jobs, cluster) as (pool, jobs):
        results = run_pipeline(
            config, data.absolute(), out.absolute(), jobs=jobs, executor=pool, on_error=on_error, progress=progress
        )
    typer.echo(results.sentence)
    typer.echo(f"report: {out / 'report.html'}")
    if results.failed:
        typer.echo(f"neurodecode: {len(results.failed)} units failed: {'; '.join(results.failed)}", err=True)
        raise typer.Exit(1)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []})
def bids(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="BIDS_DIR OUT_DIR {participant,group} ...")] = None,
) -> None:
    """Run as a BIDS-App: `neurodecode bids --help` lists the conventional options."""
    from neurodecode.cli.bids import run_bids

    raise typer.Exit(run_bids(arguments or ["--help"]))


@app.command()
def pipelines() -> None:
    """List the pipelines that come with the package."""
    from neurodecode.pipeline.configure import load_config, named_pipelines

    for name in named_pipelines():
        typer.echo(f"{name:<16} {load_config(name).title}")


@app.command()
def info(
    path: Annotated[Path | None, typer.Argument(help="A recording, a saved object, or a BIDS folder.")] = None,
    system: Annotated[bool, typer.Option("--system", help="Versions, processors, memory and extras of this machine.")] = False,
) -> None:
    """Say what a file or folder holds, and which command to run next."""
    from neurodecode.cli.info import describe, describe_system

    if system or path is None:
        typer.echo(describe_system())
    if path is not None:
        typer.echo(describe(path))


@app.command()
def verify(folder: Annotated[Path, typer.Argument(help="Output of `neurodecode run`, or a saved object.")]) -> None:
    """Hash every file again and compare with what was recorded."""
    from neurodecode.pipeline.verify import verify as check

    n_files, wrong = check(folder)
    for name in wrong:
        typer.echo(f"neurodecode: {name}: missing or altered", err=True)
    if wrong:
        raise typer.Exit(2)
    typer.echo(f"{n_files} files verified")


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Output of `neurodecode run`.")]) -> None:
    """Draw the report of a finished run again."""
    from neurodecode.pipeline.outputs import redraw

    typer.echo(f"report: {redraw(folder)}")
