"""`smalt connectors run`: an action, once or for every row of a table."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smalt.cli.connectors_asking import LOCAL, Output, Place, asked_step, check_place, mapped, new_run
from smalt.cli.connectors_completion import complete_action, complete_connector, complete_parameter
from smalt.cli.connectors_results import print_lines, show_single, summary, write_output
from smalt.cli.opening import open_database
from smalt.cli.options import KEY_VARIABLE, ConfigOption, JsonOption, read_settings, refuse

if TYPE_CHECKING:
    from smalt.connectors.runs.rows import Table
    from smalt.core.settings import Settings
    from smalt.store.connector_runs import StoredRun
    from smalt.store.database import Database

INTERRUPTED = 130
MOST_AT_ONCE = 256


def run(  # noqa: PLR0913 - every option is an argument
    connector: Annotated[str, typer.Argument(help="The connector.", autocompletion=complete_connector)],
    action: Annotated[str, typer.Argument(help="The action.", autocompletion=complete_action)],
    *,
    param: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A parameter's value; @PATH stands for a file. May be repeated.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    connection: Annotated[
        str, typer.Option(help="A connection (smalt connections list); `local` is this machine's own server.")
    ] = LOCAL,
    url: Annotated[
        str | None, typer.Option(help="The Smalt that `local` stands for; the one of the settings if absent.")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar=KEY_VARIABLE, help="An API key of that server.")] = None,
    each: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Do it for every row of a .csv, .xlsx or .jsonl file.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of the rows; the first if absent.")] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=TEMPLATE",
            help="A parameter's value for a row: {{column}} stands for its cell. May be repeated.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=MOST_AT_ONCE, help="How many rows at once.")] = 4,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result here; with --each a .csv or .jsonl.")
    ] = None,
    files: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write files that results hold (sound, pictures) here.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run an action, once or for every row of a table; `smalt connectors resume` goes on after a kill."""
    settings = read_settings(config)
    step = asked_step(connector, action, param or [], template or [])
    place, output = Place(connection=connection, url=url, key=key), Output(out=out, files=files)
    if url is not None and connection != LOCAL:
        refuse(f"--url says which server `local` is, and --connection names '{connection}'. Keep one of them.")
    _check_output(output)
    if each is None:
        if step.mapping or sheet is not None:
            refuse("--map and --sheet go with --each FILE, whose rows they are about.")
        step.check({})
        asyncio.run(_once(settings, new_run(settings, step, place, output, 1), place, output, json=json))
        return
    if files is not None and out is None and not json:
        refuse("With --each, --files goes with --out FILE or --json, which tell the files of each row.")
    table = _table(each, sheet, out)
    step = mapped(step, table)
    asked = new_run(settings, step, place, output, concurrency)
    raise typer.Exit(asyncio.run(_for_each(settings, asked, place, output, each, table, json=json)))


def _check_output(output: Output) -> None:
    """Refuse what cannot be written before a call is paid for."""
    out, files = output.out, output.files
    if out is not None and not out.absolute().parent.is_dir():
        refuse(f"There is no folder {out.absolute().parent} for {out.name}.")
    if out is not None and out.is_dir():
        refuse(f"--out {out} is a folder. Name a file in it.")
    if files is not None and files.exists() and not files.is_dir():
        refuse(f"--files {files} is a file. Name a folder.")


def _table(each: Path, sheet: str | None, out: Path | None) -> "Table":
    from smalt.connectors.runs.rows import read_table
    from smalt.connectors.runs.writing import check_format

    if out is not None:
        check_format(out)
        if out.exists() and out.samefile(each):
            refuse(f"--out is the file that the rows come from. Give {out.name} another name.")
    return read_table(each, sheet)


async def _once(settings: "Settings", run: "StoredRun", place: Place, output: Output, *, json: bool) -> None:
    """Make the call here and now; it is in the history all the same."""
    from smalt.connectors.retrying import Retries
    from smalt.connectors.runs.each import work_on_rows
    from smalt.connectors.runs.journal import Journal
    from smalt.connectors.runs.reaching import reaching
    from smalt.connectors.runs.steps import Step
    from smalt.jobs.queue import JobQueue
    from smalt.store.connector_run_rows import TakenOver
    from smalt.store.connector_runs import ConnectorRuns, NewRow

    async with open_database(settings) as database:
        run = await _placed(settings, database, run, place)
        runs = ConnectorRuns(database, JobQueue())
        await runs.add(run, [NewRow({})])
        async with reaching(settings, database, run, Retries(attempts=4)) as reach:
            with suppress(TakenOver):  # by `resume`, elsewhere; what it has brought is shown
                await work_on_rows(Step.of_json(run.step), reach, Journal(database, run), 1)
        await runs.finish(run.id)
        await show_single(database, run, output, json=json)


async def _for_each(
    settings: "Settings", run: "StoredRun", place: Place, output: Output, source: Path, table: "Table", *, json: bool
) -> int:
    from dataclasses import replace

    from smalt.jobs.queue import JobQueue
    from smalt.store.connector_runs import ConnectorRuns

    async with open_database(settings) as database:
        run = await _placed(settings, database, run, place)
        run = replace(run, job_id=run.id, source=str(source), columns=table.columns)
        await ConnectorRuns(database, JobQueue()).add(run, table.rows)
        code = await follow(settings, database, run.id, output)
        if json:
            await print_lines(database, run, output.files)
        return code


async def _placed(settings: "Settings", database: "Database", run: "StoredRun", place: Place) -> "StoredRun":
    """The run with its connection by id; one that is not there, or not the connector's, is refused."""
    from dataclasses import replace

    from smalt.connectors.runs.reaching import target_of

    await check_place(place, run)
    return replace(run, connection_id=(await target_of(settings, database, run)).connection_id)


async def follow(settings: "Settings", database: "Database", run_id: str, output: Output) -> int:
    """Have a run worked on, write what it brought, and say so; the exit code."""
    from smalt.cli.connectors_watching import Watcher
    from smalt.jobs.queue import JobQueue
    from smalt.store.connector_runs import ConnectorRuns

    runs = ConnectorRuns(database, JobQueue())
    run = await runs.get(run_id)
    is_whole = await Watcher(settings, database, run).watch()
    run, counts = await runs.get(run_id), (await runs.counts([run_id]))[run_id]
    await write_output(database, run, output)
    for line in summary(run, counts, output):
        typer.echo(line, err=True)
    if not is_whole:
        return INTERRUPTED
    return 0 if counts.get("succeeded") == run.total else 1
