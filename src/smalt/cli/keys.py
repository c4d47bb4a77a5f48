"""`smalt keys`: makes, lists and revokes API keys."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from smalt.core.settings import Settings
    from smalt.store.keys import Key

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")

Limit = Annotated[int | None, typer.Option(min=1, help="A limit for this key, instead of the settings' one.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What to call the key.")],
    *,
    project: Annotated[str, typer.Option(help="The project whose objects the key sees.")] = "default",
    requests_per_minute: Limit = None,
    tokens_per_minute: Limit = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a key and show it, this once."""
    settings = read_settings(config)
    key, secret = asyncio.run(_create(settings, name, project, requests_per_minute, tokens_per_minute))
    if json:
        show_json({**_described(key), "key": secret})
        return
    typer.echo(secret)
    typer.echo(f"This is the key '{key.name}' of project '{key.project}'. It is not shown again.", err=True)


@app.command("list")
def list_keys(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Show revoked keys too.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the keys; their secrets are not known."""
    keys = asyncio.run(_list(read_settings(config), revoked=everything))
    if json:
        show_json([_described(key) for key in keys])
        return
    rows = [
        (key.name, key.project, moment(key.created_at), moment(key.last_used_at), moment(key.revoked_at), key.id)
        for key in keys
    ]
    show_table(["name", "project", "created", "last used", "revoked", "id"], rows)


@app.command()
def revoke(
    name_or_id: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key to end.")],
    config: ConfigOption = None,
) -> None:
    """End a key; running servers refuse it within a second or two."""
    key = asyncio.run(_revoke(read_settings(config), name_or_id))
    typer.echo(f"Revoked the key '{key.name}' of project '{key.project}' ({key.id}).")


async def _create(
    settings: "Settings", name: str, project: str, requests_per_minute: int | None, tokens_per_minute: int | None
) -> "tuple[Key, str]":
    from smalt.store.keys import Keys

    async with open_database(settings) as database:
        return await Keys(database).create(
            name, project, requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
        )


async def _list(settings: "Settings", *, revoked: bool) -> "list[Key]":
    from smalt.store.keys import Keys

    async with open_database(settings) as database:
        return await Keys(database).list(revoked=revoked)


async def _revoke(settings: "Settings", name_or_id: str) -> "Key":
    from smalt.store.keys import Keys

    async with open_database(settings) as database:
        return await Keys(database).revoke(name_or_id)


def _described(key: "Key") -> dict[str, str | int | None]:
    from dataclasses import asdict

    return asdict(key)
