"""Shows and writes what runs brought."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from smalt.cli.connectors_asking import Output
from smalt.cli.options import refuse
from smalt.cli.showing import show_json, show_table

if TYPE_CHECKING:
    from smalt.store.connector_run_rows import EndedRow
    from smalt.store.connector_runs import StoredRun
    from smalt.store.database import Database

PAGE = 200
LONGEST_CELL = 2000
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")


async def write_output(database: "Database", run: "StoredRun", output: Output) -> None:
    """Write the table of a run, as far as it is."""
    from smalt.connectors.runs.writing import write_table

    if output.out is None:
        return
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(write_table, output.out, run.columns, lambda: _rows(database, run.id, loop), output.files)


async def print_lines(database: "Database", run: "StoredRun", files: Path | None) -> None:
    """Print the table of a run as JSON lines."""
    import orjson

    from smalt.connectors.runs.writing import columns_of, line_of

    loop = asyncio.get_running_loop()

    def write() -> None:
        columns = columns_of(run.columns, _rows(database, run.id, loop))
        for row in _rows(database, run.id, loop):
            typer.echo(orjson.dumps(line_of(columns, row, files)).decode())

    await asyncio.to_thread(write)


async def show_single(database: "Database", run: "StoredRun", output: Output, *, json: bool) -> None:
    """Show the result of a run that was one call; ends the program with exit code 1 when it has none."""
    import orjson

    from smalt.store.connector_run_rows import ended_rows

    row = next(iter(await ended_rows(database, run.id, -1, 1)), None)
    if row is None:
        refuse(f"The run {run.id} was forgotten meanwhile.")
    if row.result is None:
        typer.echo(f"smalt: {_harmless(row.error or 'The call has not been made yet.')}", err=True)
        if row.status != "failed":
            typer.echo(f"Go on with: smalt connectors resume {run.id}", err=True)
        raise typer.Exit(1)
    _give(orjson.loads(row.result), run, output, json=json)


def summary(run: "StoredRun", counts: Mapping[str, int], output: Output) -> list[str]:
    """What became of a run's rows, for a person, and what to do next."""
    parts = [f"{count:,} {status}" for status, count in counts.items()]
    lines = [f"{run.id}: {run.total:,} rows, {', '.join(parts)}."]
    if output.out is not None:
        lines.append(f"Written to {output.out}.")
    elif counts.get("succeeded"):
        lines.append(f"Write them to a file with: smalt connectors results {run.id} --out FILE")
    if run.error:
        lines.append(f"It stopped: {run.error}")
    if counts.get("pending") or counts.get("started"):
        lines.append(f"Go on with: smalt connectors resume {run.id}")
    if counts.get("failed"):
        lines.append(f"Try those that failed again with: smalt connectors resume {run.id} --retry-failed")
    if counts.get("interrupted"):
        lines.append(
            "Of interrupted calls nobody knows whether they were done, and paid. When you have looked: smalt "
            f"connectors resume {run.id} --repeat-interrupted"
        )
    return lines


def _give(result: dict[str, Any], run: "StoredRun", output: Output, *, json: bool) -> None:
    import orjson

    from smalt.connectors.runs.writing import content_of, replacing, with_files

    if output.out is not None:
        content = content_of(result)
        with replacing(output.out) as target:
            target.write(orjson.dumps(result, option=orjson.OPT_INDENT_2) if content is None else content)
    if output.files is not None:
        result = with_files(result, output.files, run.action)
    if json:
        show_json(result)
    elif output.out is None:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    from smalt.connectors.runs.writing import CONTENT, content_of, flat

    content = content_of(result) if len(result.get(CONTENT) or "") > LONGEST_CELL else None
    if content is not None:
        result = {**result, CONTENT: f"({len(content):,} bytes; --out FILE writes them)"}
    show_table(["field", "value"], [(name, _cell(value)) for name, value in flat(result).items()])


def _cell(value: Any) -> str:
    import orjson

    text = _harmless(value if isinstance(value, str) else orjson.dumps(value).decode())
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}… (--json shows all)"


def _harmless(text: str) -> str:
    """What a service wrote, without what would give commands to a terminal."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _rows(database: "Database", run_id: str, loop: asyncio.AbstractEventLoop) -> "Iterator[EndedRow]":
    """The rows of a run, for a thread beside the event loop."""
    from smalt.store.connector_run_rows import ended_rows

    after = -1
    while page := asyncio.run_coroutine_threadsafe(ended_rows(database, run_id, after, PAGE), loop).result():
        yield from page
        after = page[-1].position
