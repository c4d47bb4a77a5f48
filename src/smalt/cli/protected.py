"""`smalt protected`: keeps what answers must not copy."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings, refuse
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from smalt.store.protected_material import Kind, Material, NewMaterial, ProtectedMaterials

app = typer.Typer(no_args_is_help=True, help="Keep texts and code that answers must not copy.")


@app.command()
def add(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="Files in UTF-8, each one a material; folders of them.")
    ],
    *,
    code: Annotated[
        bool, typer.Option("--code/--text", help="They are code, or texts such as lyrics and news.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Where they come from; told when code was copied.")] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", "--license", help="Their licence; told when code was copied.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Add materials; only fingerprints of them are kept, and running servers know them within a second or two."""
    kind = "code" if code else "text"

    async def add_all(materials: "ProtectedMaterials") -> "list[Material]":
        return [await materials.add(new) for new in _news(kind, files, url, licence)]

    added = _with_materials(config, add_all)
    if json:
        show_json([_described(one) for one in added])
        return
    for one in added:
        typer.echo(f"{one.id}  {one.name}")
    typer.echo(f"Added {len(added)} of kind {kind}.", err=True)


@app.command("list")
def list_materials(*, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the materials; their words are not kept."""
    found = _with_materials(config, lambda materials: materials.list())
    if json:
        show_json([_described(one) for one in found])
        return
    rows = [
        (one.name, one.kind, one.tokens, one.url or "-", one.license or "-", moment(one.created_at), one.id)
        for one in found
    ]
    show_table(["name", "kind", "words", "url", "licence", "added", "id"], rows)


@app.command()
def remove(
    material: Annotated[str, typer.Argument(metavar="NAME|ID", help="The material's name or id.")],
    config: ConfigOption = None,
) -> None:
    """Remove a material, or all that have a name; running servers know it within a second or two."""
    for one in _with_materials(config, lambda materials: materials.remove(material)):
        typer.echo(f"Removed the {one.kind} '{one.name}' ({one.id}).")


def _news(kind: "Kind", files: list[Path], url: str | None, licence: str | None) -> "Iterator[NewMaterial]":
    """The materials of files, which must be fit; what a folder has that is unfit is told and left out."""
    for path in files:
        inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        unfit = _tell if path.is_dir() else refuse
        for one in inside:
            if (new := _new(kind, one, url, licence, unfit=unfit)) is not None:
                yield new


def _tell(why: str) -> None:
    typer.echo(f"Left out: {why}", err=True)


def _new(
    kind: "Kind", path: Path, url: str | None, licence: str | None, *, unfit: Callable[[str], None]
) -> "NewMaterial | None":
    from smalt.core.errors import InvalidRequest
    from smalt.safety.protected_material import prepared

    try:
        return prepared(kind, path.read_text(encoding="utf-8-sig"), name=str(path), url=url, license=licence)
    except OSError as error:
        return unfit(f"The file {path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        return unfit(f"The file {path} is not a text in UTF-8.")
    except InvalidRequest as error:
        return unfit(error.message)


def _with_materials(config: Path | None, work: "Callable[[ProtectedMaterials], Awaitable[Any]]") -> Any:
    from smalt.store.protected_material import ProtectedMaterials

    async def run() -> Any:
        async with open_database(read_settings(config)) as database:
            return await work(ProtectedMaterials(database))

    return asyncio.run(run())


def _described(material: "Material") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(material)
