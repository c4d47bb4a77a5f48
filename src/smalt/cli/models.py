"""`smalt models`: lists, pulls, shows and removes models."""

from typing import Annotated

import typer

from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.pulling import showing_progress
from smalt.cli.showing import show_json, show_table

app = typer.Typer(no_args_is_help=True, help="List, pull, show and remove models.")

Names = Annotated[list[str], typer.Argument(help="Models, aliases or packs; `starter` is every pack of the starter.")]
Name = Annotated[str, typer.Argument(help="A model, an alias or a pack.")]

INTERRUPTED = 130


@app.command("list")
def list_models(*, json: JsonOption = False, config: ConfigOption = None) -> None:
    """List every model this server offers, and whether its weights are here."""
    from smalt.cli.model_facts import offered

    models = offered(read_settings(config))
    if json:
        show_json(models)
        return
    columns = ("model", "abilities", "engine", "size", "installed")
    show_table(columns, [[_cell(model[column]) for column in columns] for model in models])
    for model in models:
        if model["aliases"]:
            typer.echo(f"{model['model']} also answers to: {_cell(model['aliases'])}")


@app.command("pull")
def pull_models(names: Names, *, config: ConfigOption = None) -> None:
    """Fetch the weights of models; go on where an earlier pull stopped."""
    from smalt.cli.model_facts import bring

    settings = read_settings(config)
    try:
        with showing_progress() as watch:
            for name in names:
                bring(name, settings, watch)
                watch.note(f"{name} is ready.")
    except KeyboardInterrupt:
        typer.echo("Stopped. What was fetched is kept; the same command goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command("show")
def show_model(name: Name, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what stands behind a model, an alias or a pack."""
    from smalt.cli.model_facts import described

    facts = described(name, read_settings(config))
    if json:
        show_json(facts)
        return
    for key, value in facts.items():
        typer.echo(f"{key:<16}  {value}")


@app.command("rm")
def remove_models(names: Names, *, config: ConfigOption = None) -> None:
    """Delete the packs of models from this disk; files that only settings name are left alone."""
    from smalt.cli.model_facts import packs_of
    from smalt.models.packs import models_dir, remove

    settings = read_settings(config)
    for pack in packs_of(names, settings):
        was_there = remove(pack, models_dir(settings))
        typer.echo(f"{pack.name}: {'removed' if was_there else 'was not installed'}.")


def _cell(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
