"""`smalt blocklists`: keeps the words and patterns that policies of the content filter block."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings, refuse
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from smalt.store.blocklists import BlocklistItem, Blocklists

app = typer.Typer(help="Block lists: words and patterns that prompts and answers must not have.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the block list.")]
Terms = Annotated[list[str] | None, typer.Argument(metavar="TERM", help="Words or phrases.")]
RegexOption = Annotated[bool, typer.Option("--regex", help="They are regular expressions, in RE2's syntax.")]
FileOption = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="A file with more of them, one a line; - for stdin.")
]


@app.command()
def create(name: Name, *, config: ConfigOption = None) -> None:
    """Make an empty block list."""
    _with_blocklists(config, lambda blocklists: blocklists.create(name))
    typer.echo(f"Made the block list '{name}'. Name it in a policy: [content_filter.policies.default] blocklists")


@app.command("list")
def list_blocklists(*, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the block lists."""
    from dataclasses import asdict

    found = _with_blocklists(config, lambda blocklists: blocklists.list())
    if json:
        show_json([asdict(one) for one in found])
        return
    show_table(["name", "created", "items"], [(one.name, moment(one.created_at), len(one.items)) for one in found])


@app.command()
def show(name: Name, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what is on a block list."""
    from dataclasses import asdict

    found = _with_blocklists(config, lambda blocklists: blocklists.get(name))
    if json:
        show_json(asdict(found))
        return
    show_table(["kind", "text"], [("regex" if one.is_regex else "exact", one.text) for one in found.items])


@app.command()
def add(
    name: Name, terms: Terms = None, *, regex: RegexOption = False, file: FileOption = None, config: ConfigOption = None
) -> None:
    """Put terms on a block list; running servers see them within seconds."""
    from smalt.safety.blocklists import check_item

    items = _items(terms, file, is_regex=regex)
    for item in items:
        check_item(item)
    count = _with_blocklists(config, lambda blocklists: blocklists.add(name, items))
    typer.echo(f"Added {count} to the block list '{name}'.")


@app.command()
def remove(
    name: Name, terms: Terms = None, *, regex: RegexOption = False, file: FileOption = None, config: ConfigOption = None
) -> None:
    """Take terms off a block list."""
    items = _items(terms, file, is_regex=regex)
    count = _with_blocklists(config, lambda blocklists: blocklists.remove(name, items))
    typer.echo(f"Removed {count} from the block list '{name}'.")


@app.command()
def delete(name: Name, *, config: ConfigOption = None) -> None:
    """Forget a block list; one that a policy names is refused."""
    for policy, settings in read_settings(config).content_filter.policies.items():
        if name in settings.blocklists:
            refuse(f"The policy '{policy}' names the block list '{name}'. Take it out of the settings first.")
    deleted = _with_blocklists(config, lambda blocklists: blocklists.delete(name))
    typer.echo(f"Deleted the block list '{name}' with {len(deleted.items)} items.")


def _items(terms: list[str] | None, file: Path | None, *, is_regex: bool) -> "list[BlocklistItem]":
    from smalt.store.blocklists import BlocklistItem

    texts = [*(terms or []), *(_lines(file) if file is not None else ())]
    if not texts:
        refuse("Name at least one term, or a file with --file.")
    return [BlocklistItem(text, is_regex) for text in texts]


def _lines(file: Path) -> list[str]:
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{file} cannot be read as text: {error}")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _with_blocklists(config: Path | None, work: "Callable[[Blocklists], Awaitable[Any]]") -> Any:
    from smalt.store.blocklists import Blocklists

    async def run() -> Any:
        async with open_database(read_settings(config)) as database:
            return await work(Blocklists(database))

    return asyncio.run(run())
