"""What `smalt serve` does, step by step."""

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

import typer

from smalt.cli.banner import banner
from smalt.cli.claiming import claiming
from smalt.cli.listening import base_url, bind, listen, port_of
from smalt.cli.opening import make_data_dir, migrate_database, open_database
from smalt.cli.options import refuse
from smalt.core.errors import ApiError
from smalt.core.settings import Settings


class Announcement:
    """Says that the server is ready; if it never gets ready, a key that was made is shown all the same."""

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self._address = address
        self._is_made = False
        self.secret: str | None = None

    def make(self) -> None:
        """Print where the server is, its key if that is new, and what to try."""
        self._is_made = True
        _print(banner(self._settings, self._address, self.secret))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.secret is not None and not self._is_made:
            _print(f"This API key was made and is shown only now: {self.secret}")


def run(settings: Settings) -> None:
    """Prepare what is missing, serve until a signal says stop, and clean up."""
    from smalt.http.logging import configure

    configure(settings.log)
    # Until requests are served, SIGTERM is as good as Ctrl-C: what was begun is left to the next start. SIGINT is named
    # too, because a shell lets what it starts in the background ignore it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    _check_deployments(settings)
    make_data_dir(settings.data_dir)
    host = settings.server.host
    with bind(host, settings.server.port) as bound:
        address = base_url(host, port_of(bound))
        with claiming(settings.data_dir, address):
            migrate_database(settings)
            asyncio.run(_check_content_filter(settings))
            _pull_starter(settings)
            _serve(settings, bound, address)


def _check_deployments(settings: Settings) -> None:
    """Find what the settings alone cannot tell, such as an engine that does not exist, before anything is started."""
    from smalt.models.catalog import Catalog

    try:
        Catalog(settings)
    except ApiError as error:
        refuse(f"The settings are wrong: {error.message}")


async def _check_content_filter(settings: Settings) -> None:
    """Find policies, models and block lists that the content filter's settings name and that there are not."""
    from smalt.models import Models
    from smalt.safety.policy_filter import PolicyFilter

    async with open_database(settings) as database:
        try:
            await PolicyFilter(settings.content_filter, Models(settings), database).check_blocklists()
        except ApiError as error:
            refuse(f"The settings are wrong: {error.message}")


def _pull_starter(settings: Settings) -> None:
    if settings.offline or not settings.starter:
        return
    from smalt.cli.pulling import showing_progress
    from smalt.cli.readiness import usable_packs
    from smalt.models.catalog import Catalog
    from smalt.models.packs import models_dir, pull

    try:
        with showing_progress() as watch:
            for pack in usable_packs(settings, Catalog(settings)):
                pull(pack, models_dir(settings), watch=watch)
    except ApiError as error:
        typer.echo(f"smalt: {error.message}\nThe server starts without it.", err=True)


def _serve(settings: Settings, bound: socket.socket, address: str) -> None:
    from smalt.app.job_launcher import JobLauncher
    from smalt.engines.host.launcher import start_host

    with (
        start_host(settings) as engine_host,
        JobLauncher(settings, engine_host.socket_path) as jobs,
        Announcement(settings, address) as announcement,
    ):
        if settings.auth.enabled:
            announcement.secret = asyncio.run(_first_key(settings))
        listen(bound, settings.server.host)

        def ready() -> None:
            announcement.make()
            jobs.begin()

        if settings.server.workers == 1:
            from smalt.cli.api_process import run_api

            run_api(settings, bound, engine_host.socket_path, ready)
        else:
            from smalt.cli.fleet import Fleet

            Fleet(settings, bound, engine_host.socket_path).run(ready)


async def _first_key(settings: Settings) -> str | None:
    from smalt.store.keys import Keys

    async with open_database(settings) as database:
        made = await Keys(database).create_first()
    return made[1] if made else None


def _print(text: str) -> None:
    # A server whose output nobody reads any more still serves.
    with suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
