"""`smalt connectors runs`, `resume`, `results` and `forget`: what was run, how it went, and how it goes on."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalt.cli.connectors_asking import LOCAL, Output, output_of
from smalt.cli.connectors_results import print_lines, show_single, write_output
from smalt.cli.opening import open_database
from smalt.cli.options import KEY_VARIABLE, ConfigOption, JsonOption, read_settings
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from smalt.core.settings import Settings
    from smalt.store.connector_runs import ConnectorRuns, RowStatus, StoredRun
    from smalt.store.database import Database

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning.")]
OutOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results here.")]
FilesOption = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write files that results hold here.")]
SHOWN = ("id", "connector", "action", "connection_id", "url", "source", "output", "total", "status", "error")


def runs(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the newest runs, the newest first."""

    async def work(_: "Database", kept: "ConnectorRuns") -> Any:
        found = await kept.list(limit)
        return found, await kept.counts([one.id for one in found])

    found, counts = _with_runs(read_settings(config), work)
    if json:
        show_json([_described(one, counts[one.id]) for one in found])
        return
    rows = [
        (one.id, one.connector, one.action, one.status, _stand(counts[one.id]), moment(one.created_at)) for one in found
    ]
    show_table(["id", "connector", "action", "status", "rows", "created"], rows)


def resume(
    run: RunId,
    *,
    repeat_interrupted: Annotated[
        bool,
        typer.Option("--repeat-interrupted", help="Make calls again of which nobody knows whether they were paid."),
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try rows that failed again.")] = False,
    key: Annotated[
        str | None,
        typer.Option(help=f"An API key of the run's server; {KEY_VARIABLE} if absent, when the run has kept none."),
    ] = None,
    out: OutOption = None,
    files: FilesOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Go on with a run that was killed, stopped or paused, and write its results; finished rows are not done again."""
    again: list[RowStatus] = [*(["interrupted"] if repeat_interrupted else []), *(["failed"] if retry_failed else [])]
    settings = read_settings(config)

    async def work(database: "Database", kept: "ConnectorRuns") -> int:
        from smalt.cli.connectors_run import follow

        found = await kept.get(run)
        # The environment's key may be one of another server than the run's.
        ours = key if key or found.access else os.environ.get(KEY_VARIABLE)
        await _go_on(settings, kept, found, again, ours)
        output = _output(found, out, files)
        if found.source is not None:
            code = await follow(settings, database, found.id, output)
            if json:
                await print_lines(database, found, output.files)
            return code
        code = await follow(settings, database, found.id, Output(out=None, files=None))
        await show_single(database, found, output, json=json)
        return code

    raise typer.Exit(_with_runs(settings, work))


def results(
    run: RunId,
    *,
    out: OutOption = None,
    files: FilesOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the results of a run as far as it is, or write them to a file."""

    async def work(database: "Database", kept: "ConnectorRuns") -> None:
        found = await kept.get(run)
        if found.source is None:
            await show_single(database, found, Output(out=out, files=files), json=json)
        elif out is None:
            await print_lines(database, found, files)
        else:
            await write_output(database, found, Output(out=out, files=files))
            typer.echo(f"Written to {out}.", err=True)

    _with_runs(read_settings(config), work)


def forget(run: RunId, *, config: ConfigOption = None) -> None:
    """Remove a run with its rows and results."""

    async def work(database: "Database", kept: "ConnectorRuns") -> "StoredRun":
        from smalt.jobs.queue import JobQueue

        found = await kept.get(run)
        job_id = found.job_id or ""
        await database.write(lambda connection: JobQueue().cancel(connection, job_id))
        await kept.forget(found.id)
        return found

    typer.echo(f"Removed the run {_with_runs(read_settings(config), work).id}.")


async def _go_on(
    settings: "Settings", kept: "ConnectorRuns", found: "StoredRun", again: "list[RowStatus]", key: str | None
) -> None:
    """Ask for work on what is left, unless there is nothing."""
    from smalt.cli.connectors_watching import ENDED, next_job_id
    from smalt.connectors.runs.reaching import with_key

    counts = (await kept.counts([found.id]))[found.id]
    if not any(counts.get(status) for status in ("pending", "started", *again)):
        await kept.finish(found.id)
        return
    is_ended = await kept.job_status(found.job_id) in ENDED
    change: dict[str, Any] = {"job_id": next_job_id(found)} if is_ended else {}
    if found.connection_id == LOCAL and key:
        sealed = with_key(settings, replace(found), key)
        change |= {"access": sealed.access, "access_key_id": sealed.access_key_id}
    await kept.go_on(found.id, change, again=again)


def _with_runs(settings: "Settings", work: "Callable[[Database, ConnectorRuns], Awaitable[Any]]") -> Any:
    async def run() -> Any:
        from smalt.jobs.queue import JobQueue
        from smalt.store.connector_runs import ConnectorRuns

        async with open_database(settings) as database:
            return await work(database, ConnectorRuns(database, JobQueue()))

    return asyncio.run(run())


def _output(run: "StoredRun", out: Path | None, files: Path | None) -> Output:
    kept = output_of(run.output)
    return Output(out=out or kept.out, files=files or kept.files)


def _described(run: "StoredRun", counts: dict[str, int]) -> dict[str, Any]:
    facts = asdict(run)
    return {name: facts[name] for name in (*SHOWN, "created_at", "finished_at")} | {"rows": counts}


def _stand(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in counts.items())
