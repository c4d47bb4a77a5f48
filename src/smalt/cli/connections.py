"""`smalt connections`: keeps what connectors need to reach a service, and tries it out."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from smalt.connectors.connections.probing import Verdict
    from smalt.connectors.connections.service import Connection, Connections, NewConnection
    from smalt.core.settings import Settings
    from smalt.store.database import Database

MASK = "********"

app = typer.Typer(help="Connections: the services that connectors call, and their credentials.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the connection.")]


@app.command()
def add(  # noqa: PLR0913 - every option is an argument
    name: Name,
    *,
    connector: Annotated[str, typer.Option(help="The connector, such as openai-gpt or azure-openai.")],
    kind: Annotated[
        str | None, typer.Option(help="One of the connector's kinds of connection; the one with a key if absent.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Another server than the cloud's, such as http://127.0.0.1:8080."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field that is no secret; may be repeated."),
    ] = None,
    from_environment: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="FIELD=VARIABLE", help="A field whose value an environment variable has."),
    ] = None,
    from_stdin: Annotated[
        str | None, typer.Option("--stdin", metavar="FIELD", help="A field whose value is read from standard input.")
    ] = None,
    smalt: Annotated[
        bool | None, typer.Option("--smalt/--no-smalt", help="The server is a Smalt; asked there if absent.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Change the connection that has this name.")] = False,
    config: ConfigOption = None,
) -> None:
    """Keep a connection; its secrets are asked for, and encrypted."""
    from smalt.cli.connections_asking import Sources, ask

    sources = Sources(field or [], from_environment or [], from_stdin)
    new = ask(name, connector, kind, base_url, sources)
    settings = read_settings(config)
    made, is_known = asyncio.run(_add(settings, new, is_smalt=smalt, replace=replace))
    typer.echo(
        f"{'Changed' if replace else 'Added'} the connection '{made.name}'. Try it with: "
        f"smalt connections test {made.name}"
    )
    for remark in _remarks(new, is_known=is_known):
        typer.echo(remark, err=True)


@app.command("list")
def list_connections(*, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the connections; their secrets are not shown."""
    found = _with_connections(config, lambda connections: connections.list())
    if json:
        show_json([_described(one) for one in found])
        return
    rows = [(one.name, one.connector, one.kind, _address(one), moment(one.created_at)) for one in found]
    show_table(["name", "connector", "kind", "address", "created"], rows)


@app.command()
def show(name: Name, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one connection; of its secrets, only which there are."""
    found = _with_connections(config, lambda connections: connections.get(name))
    described = _described(found)
    if json:
        show_json(described)
        return
    shown = {key: value for key, value in described.items() if key not in {"fields", "secret_names", "created_at"}}
    shown |= found.fields | dict.fromkeys(found.secret_names, MASK) | {"created": moment(found.created_at)}
    show_table(["", ""], [(key.replace("_", " "), _cell(value)) for key, value in shown.items()])


@app.command("test")
def try_connection(name: Name, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Ask the service for its models, which costs nothing, and say what is wrong."""
    verdict = asyncio.run(_test(read_settings(config), name))
    if json:
        show_json({"works": verdict.works, "message": verdict.words, "is_smalt": verdict.is_smalt})
    else:
        typer.echo(verdict.words, err=not verdict.works)
    if not verdict.works:
        raise typer.Exit(1)


@app.command()
def remove(name: Name, *, config: ConfigOption = None) -> None:
    """Forget a connection and its secrets."""
    removed = _with_connections(config, lambda connections: connections.remove(name))
    typer.echo(f"Removed the connection '{removed.name}'.")


async def _add(
    settings: "Settings", new: "NewConnection", *, is_smalt: bool | None, replace: bool
) -> "tuple[Connection, bool]":
    """The connection, and whether it is known what kind of server it goes to."""
    from dataclasses import replace as changed

    if is_smalt is None:
        is_smalt = await _looks_like_smalt(new)
    async with open_database(settings) as database:
        made = await _connections(settings, database).add(changed(new, is_smalt=bool(is_smalt)), replace=replace)
    return made, is_smalt is not None


async def _looks_like_smalt(new: "NewConnection") -> bool | None:
    from aiohttp import ClientSession

    from smalt.connectors.connections.addresses import api_root, checked_address, server_root
    from smalt.connectors.connections.probing import looks_like_smalt

    if new.base_url is None:
        return False
    async with ClientSession() as session:
        return await looks_like_smalt(session, server_root(api_root(new.connector, {}, checked_address(new.base_url))))


async def _test(settings: "Settings", name: str) -> "Verdict":
    from aiohttp import ClientSession

    from smalt.connectors.connections.probing import try_out
    from smalt.connectors.definitions.registry import connector
    from smalt.connectors.throttling import throttled

    async with open_database(settings) as database, ClientSession() as session:
        connections = _connections(settings, database)
        found = await connections.get(name)
        target = await connections.target(name, connector(found.connector))
        turns = throttled(settings.connectors, database, found.id, target.connector.throttle)
        if turns is not None:
            await turns.turn()
        verdict = await try_out(session, target)
        if verdict.is_smalt is not None and verdict.is_smalt != found.is_smalt:
            await connections.mark(found, is_smalt=verdict.is_smalt)
        return verdict


def _remarks(new: "NewConnection", *, is_known: bool) -> list[str]:
    from smalt.connectors.connections.addresses import is_open_to_listeners
    from smalt.connectors.connections.fields import kind_of
    from smalt.connectors.connections.target import bearer_is_added

    remarks: list[str] = []
    if bearer_is_added(kind_of(new.connector, new.kind), new.given):
        remarks.append("The key was given without the word Bearer; it is sent as 'Bearer KEY'.")
    if new.base_url is not None and is_open_to_listeners(new.base_url):
        remarks.append("Calls to this address are not encrypted: whoever listens on the way learns the key.")
    if not is_known:
        remarks.append(
            "No server answers there now, so it is not taken for a Smalt: calls that break off are not repeated. "
            f"smalt connections test {new.name} looks again."
        )
    return remarks


def _with_connections(config: Path | None, work: "Callable[[Connections], Awaitable[Any]]") -> Any:
    settings = read_settings(config)

    async def run() -> Any:
        async with open_database(settings) as database:
            return await work(_connections(settings, database))

    return asyncio.run(run())


def _connections(settings: "Settings", database: "Database") -> "Connections":
    from smalt.connectors.connections.key_places import key_places
    from smalt.connectors.connections.service import Connections

    return Connections(database, key_places(settings))


def _address(connection: "Connection") -> str:
    if connection.base_url is None:
        return "the cloud"
    return f"{connection.base_url} (Smalt)" if connection.is_smalt else connection.base_url


def _described(connection: "Connection") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(connection)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
