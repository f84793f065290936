"""``neurodecode models``: list, info, fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from neurodecode.io.weight_sets import WeightSet

app = typer.Typer(name="models", help="Weights of pretrained networks: terms, fetching, where they are.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name, see `neurodecode models list`, or an id of the hub that is listed there.")]


@app.command("list")
def list_models() -> None:
    """List the weight sets that parts of the package need, and which of them are on this machine."""
    from neurodecode.data.describe import memory
    from neurodecode.io.weight_sets import local_weights, weight_set, weight_sets

    for name in weight_sets():
        chosen = weight_set(name)
        here = "here" if local_weights(chosen) else "-"
        typer.echo(f"{name:<16} {here:<5} {memory(chosen.about_bytes):>8}  {chosen.id:<40} {chosen.licence}")


@app.command()
def info(name: Name) -> None:
    """Show commit, terms, size and use of a weight set, and where it lies."""
    from neurodecode.io.weight_sets import weight_set

    typer.echo(describe(weight_set(name)))


@app.command()
def fetch(
    name: Name,
    mirror: Annotated[str | None, typer.Option(help="Take this mirror, see `neurodecode models info`.")] = None,
) -> None:
    """Fetch a weight set; afterwards everything works offline."""
    from neurodecode.data.describe import memory
    from neurodecode.io.weight_sets import fetch_weights, weight_set

    chosen = weight_set(name)
    typer.echo(f"{chosen.id} at {chosen.revision}, about {memory(chosen.about_bytes)}, licence: {chosen.licence}")
    typer.echo(f"{chosen.name} is in {fetch_weights(chosen, mirror=mirror).folder}")


def describe(chosen: WeightSet) -> str:
    """Everything a user should know about a weight set, in a few lines."""
    from neurodecode.data.describe import memory
    from neurodecode.io.weight_sets import local_weights

    here = local_weights(chosen)
    gate = "an account of the hub that has accepted its terms" if chosen.gated else "open"
    lines = [
        f"{chosen.name}: {chosen.title}",
        f"  id        {chosen.id} at {chosen.revision} ({chosen.library})",
        f"  licence   {chosen.licence}",
        f"  access    {gate}",
        f"  size      about {memory(chosen.about_bytes)}",
        f"  used by   {', '.join(chosen.needed_by)}",
        *([f"  mirrors   {', '.join(chosen.mirrors)}"] if chosen.mirrors else []),
        *([f"  note      {chosen.note}"] if chosen.note else []),
        f"  here      {here.folder if here else 'no'}",
        f"next: {'source: ' + str(here.folder) if here else 'neurodecode models fetch ' + chosen.name}",
    ]
    return "\n".join(lines)
