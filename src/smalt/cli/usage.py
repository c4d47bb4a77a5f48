"""`smalt usage`: what keys, models and end users have used."""

import asyncio
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.showing import show_json, show_table

if TYPE_CHECKING:
    from smalt.core.settings import Settings
    from smalt.store.usage import UsageRow

By = Literal["key", "project", "model", "operation", "day", "user"]


def _day(text: str) -> str:
    """A UTC day: `2026-01-31`, or `7d` for seven days ago."""
    if back := re.fullmatch(r"(\d{1,5})d", text):
        return (datetime.now(UTC) - timedelta(days=int(back.group(1)))).date().isoformat()
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise typer.BadParameter("write a day as 2026-01-31, or 7d for seven days ago") from None


def usage(
    *,
    by: Annotated[By, typer.Option(help="What to add up by.")] = "key",
    since: Annotated[str | None, typer.Option(help="First UTC day: 2026-01-31, or 7d.", parser=_day)] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show requests and tokens, a second old at most while servers run."""
    rows = asyncio.run(_read(read_settings(config), by, since))
    if json:
        show_json(
            [{by: row.group, **{name: value for name, value in asdict(row).items() if name != "group"}} for row in rows]
        )
        return
    titles = [by, "requests", "prompt tokens", "completion tokens", "cached", "reasoning"]
    cells = [
        (row.group, row.requests, row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.reasoning_tokens)
        for row in rows
    ]
    show_table(titles, cells)


async def _read(settings: "Settings", by: By, since: str | None) -> "list[UsageRow]":
    from smalt.store.usage import read_usage

    async with open_database(settings) as database:
        return await read_usage(database, by=by, since=since)
