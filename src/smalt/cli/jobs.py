"""`smalt jobs`: shows, cancels, pauses and resumes durable jobs."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from smalt.cli.opening import open_database
from smalt.cli.options import ConfigOption, JsonOption, read_settings
from smalt.cli.showing import moment, show_json, show_table

if TYPE_CHECKING:
    from pathlib import Path

    from smalt.core.settings import Settings
    from smalt.jobs.listing import Job, Jobs

app = typer.Typer(no_args_is_help=True, help="Look after durable jobs, whether or not a server runs.")

Status = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


@app.command("list")
def list_jobs(
    *,
    status: Annotated[Status | None, typer.Option(help="Only jobs that stand like this.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    project: Annotated[str | None, typer.Option(help="Only jobs of this project.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the newest jobs, the newest first."""
    settings = read_settings(config)
    jobs = _with_jobs(settings, lambda jobs: jobs.list(status=status, kind=kind, project=project, limit=limit))
    if json:
        show_json([_described(job) for job in jobs])
        return
    rows = [
        (job.id, job.kind, job.project, _standing(job), _progress(job), moment(job.created_at), moment(job.finished_at))
        for job in jobs
    ]
    show_table(["id", "kind", "project", "status", "progress", "created", "finished"], rows)


@app.command()
def show(job: JobId, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show one job: how far it is, how often it was begun, why it failed."""
    found = _with_jobs(read_settings(config), lambda jobs: jobs.get(job))
    if json:
        show_json(_described(found))
        return
    rows = [(name.replace("_", " "), _cell(name, value)) for name, value in _described(found).items()]
    show_table(["", ""], rows)


@app.command()
def cancel(job: JobId, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """End a job; the server does so within a second or two, or when it is started."""
    _ask(config, lambda jobs: jobs.cancel(job), "will be cancelled", json=json)


@app.command()
def pause(job: JobId, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Let a job rest until it is resumed; what it has done is kept."""
    _ask(config, lambda jobs: jobs.pause(job), "will be paused", json=json)


@app.command()
def resume(job: JobId, *, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Let a paused job go on where it was."""
    _ask(config, lambda jobs: jobs.resume(job), "goes on", json=json)


def _ask(config: "Path | None", ask: "Callable[[Jobs], Awaitable[Job]]", what_happens: str, *, json: bool) -> None:
    found = _with_jobs(read_settings(config), ask)
    if json:
        show_json(_described(found))
    else:
        typer.echo(f"The job '{found.id}' of project '{found.project}' {what_happens}.")


def _with_jobs(settings: "Settings", work: "Callable[[Jobs], Awaitable[Any]]") -> Any:
    async def run() -> Any:
        async with _opened(settings) as jobs:
            return await work(jobs)

    return asyncio.run(run())


@asynccontextmanager
async def _opened(settings: "Settings") -> "AsyncGenerator[Jobs]":
    from smalt.jobs.listing import Jobs
    from smalt.jobs.queue import JobQueue
    from smalt.jobs.waking import wake_path

    async with open_database(settings) as database:
        yield Jobs(database, JobQueue(wake_path(settings.data_dir)))


def _described(job: "Job") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(job)


def _standing(job: "Job") -> str:
    """The status, and what is asked for and not done yet."""
    coming = {"pause": "pausing", "cancel": "cancelling"}.get(job.wanted)
    if coming is None or job.finished_at is not None or (job.status, job.wanted) == ("paused", "pause"):
        return job.status
    return f"{job.status}, {coming}"


def _progress(job: "Job") -> str:
    return _listed(job.progress or {})


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_amount(value)}" for name, value in values.items()) or "-"


def _amount(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_amount(part)}" for name, part in cast("dict[str, Any]", value).items())
    return str(value)


def _cell(name: str, value: Any) -> str:
    if name.endswith("_at"):
        return moment(value)
    if isinstance(value, dict):
        return _listed(cast("dict[str, Any]", value))
    return "-" if value is None else str(value)
