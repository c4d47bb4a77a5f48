"""Prints what commands found: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer

WIDE = 1000


def show_json(value: Any) -> None:
    """Print `value` as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(titles: Sequence[str], rows: Sequence[Sequence[str | int]]) -> None:
    """Print a table; numbers stand on the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for index, title in enumerate(titles):
        is_number = bool(rows) and isinstance(rows[0][index], int)
        table.add_column(title, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else cell) for cell in row))
    # Without a terminal there is no edge to wrap at, and programs want whole lines.
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def moment(seconds: int | None) -> str:
    """A point in time for people, in UTC; a dash when there was none."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds is not None else "-"
