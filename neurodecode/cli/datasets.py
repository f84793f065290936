"""``neurodecode datasets``: list, info, fetch, verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from neurodecode.datasets.manifest import Manifest

app = typer.Typer(name="datasets", help="Public data sets: terms, verified download, verification.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Name, see `neurodecode datasets list`.")]
Subjects = Annotated[list[str] | None, typer.Option("--subject", help="Label, e.g. 1 or sub-1; repeatable.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Pattern of paths, e.g. 'sub-1/func/*'; repeatable.")]


@app.command("list")
def list_data_sets() -> None:
    """List the data sets that the package knows."""
    from neurodecode import datasets

    for name in datasets.list():
        manifest = datasets.info(name)
        typer.echo(f"{name:<18} {manifest.modality:<6} {manifest.n_subjects:>3} subjects  {manifest.licence}  {manifest.title}")


@app.command()
def info(
    id: Id, croissant: Annotated[bool, typer.Option("--croissant", help="As JSON-LD for search engines of data.")] = False
) -> None:
    """Show terms, contents and known issues of a data set."""
    import json

    from neurodecode import datasets

    manifest = datasets.info(id)
    typer.echo(json.dumps(datasets.to_croissant(manifest), indent=2) if croissant else describe(manifest))


@app.command()
def fetch(
    id: Id,
    root: Annotated[Path, typer.Option(help="Folder for the data.")],
    subject: Subjects = None,
    only: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell terms, number of files and size.")] = False,
) -> None:
    """Fetch a data set, or what is missing of it; run again, it goes on where it stopped."""
    from neurodecode import datasets

    shown = sys.stderr.isatty()
    done = datasets.fetch(id, root=root, subjects=subject, only=only, dry_run=dry_run, progress=shown, announce=typer.echo)
    if not dry_run:
        typer.echo(f"{len(done.files)} files verified in {root}")


@app.command()
def verify(
    id: Id, root: Annotated[Path, typer.Option(help="Folder of the data.")], subject: Subjects = None, only: Only = None
) -> None:
    """Hash the files of a data set again and compare them with its manifest or lock."""
    from neurodecode import datasets

    problems = datasets.verify(id, root, subjects=subject, only=only)
    for problem in problems:
        typer.echo(f"neurodecode: {problem}", err=True)
    if problems:
        raise typer.Exit(3)
    typer.echo(f"{id}: all files are what they were")


def describe(manifest: Manifest) -> str:
    """Everything a user should know about a data set, in a few lines."""
    size = "told by the archive before the first byte" if manifest.size_bytes is None else f"{manifest.size_bytes / 1e6:.1f} MB"
    lines = [
        f"{manifest.id}: {manifest.title}, version {manifest.version}",
        f"  modality  {manifest.modality}, {manifest.n_subjects} subjects ({manifest.species})",
        f"  licence   {manifest.licence}",
        f"  access    {manifest.access}",
        f"  cite      {manifest.citation}" + (f" doi:{manifest.doi}" if manifest.doi else ""),
        f"  size      {size}",
        *by_hand(manifest),
        *(f"  known     {issue.files}: {issue.text} {issue.handling}" for issue in manifest.known_issues),
        f"next: neurodecode datasets fetch {manifest.id} --root {manifest.id}",
    ]
    return "\n".join(lines)


def by_hand(manifest: Manifest) -> list[str]:
    """The page and the steps of a data set that a person fetches; nothing for others."""
    if manifest.manual is None:
        return []
    steps = [f"            {number}. {step}" for number, step in enumerate(manifest.manual.steps, start=1)]
    return [f"  by hand   {manifest.manual.page}", *steps]
