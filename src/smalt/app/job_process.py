"""The process that works on jobs: `python -m smalt.app.job_process`, which the server starts when there is some to do.

On its standard input it gets the settings, then a byte whenever there is something new; when that ends, so does it.
"""

import argparse
import asyncio
import logging
import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from smalt.app.opening import open_rooms
from smalt.core.settings import Settings
from smalt.http.logging import configure

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from smalt.app.handlers import Workers
    from smalt.app.opening import Rooms
    from smalt.jobs.service import JobService

logger = logging.getLogger(__name__)

LENGTH_BYTES = 8
FILE_NAME = "jobs.db"
TAKEN_FOR_DEAD = 75
USUAL = "smalt.app.handlers:workers"

Source = Callable[["Rooms"], "Workers"]


def main(arguments: Sequence[str]) -> int:
    """Work on jobs until there are none, the parent goes or a signal says stop; returns the exit code."""
    options = _options(arguments)
    # The parent hears from us by the pipe that is our standard output; those whom we start must not hold it.
    parent = os.dup(1)
    os.dup2(2, 1)
    settings = _read_settings()
    configure(settings.log)
    sources = [_source(name) for name in (*([] if options.only else [USUAL]), *options.workers)]
    return asyncio.run(_work(settings, options.host_socket, sources, partial(os.write, parent, b"\n")))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host-socket", help="Where the engine host listens.")
    parser.add_argument("--workers", action="append", default=[], metavar="MODULE:FUNCTION", help="More handlers.")
    parser.add_argument("--only", action="store_true", help="These handlers and no others.")
    return parser.parse_args(arguments)


def _read_settings() -> Settings:
    length = int.from_bytes(_read(LENGTH_BYTES))
    # Our parent wrote it; as JSON the passwords in it would be lost.
    return pickle.loads(_read(length))  # noqa: S301 - nobody else can write there


def _read(length: int) -> bytes:
    """So many bytes of standard input and not one more; its buffer would take the wake-ups."""
    found = b""
    while len(found) < length:
        piece = os.read(0, length - len(found))
        if not piece:
            raise SystemExit(0)
        found += piece
    return found


def _source(name: str) -> Source:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


async def _work(
    settings: Settings, host_socket: str | None, sources: Sequence[Source], sign: Callable[[], object]
) -> int:
    async with AsyncExitStack() as stack:
        rooms = await open_rooms(settings, stack, host_socket=host_socket)
        service = _service(rooms, sources, sign, stack)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stop)
        _hear_parent(loop, service)
        is_well = await service.run()
    logging.shutdown()
    # DBOS's threads would take ten seconds to end; everything that matters is closed.
    os._exit(0 if is_well else TAKEN_FOR_DEAD)


def _service(
    rooms: "Rooms", sources: Sequence[Source], sign: Callable[[], object], stack: AsyncExitStack
) -> "JobService":
    from smalt.app.schedules import schedules
    from smalt.jobs.service import JobService

    found = [source(rooms) for source in sources]
    for close in filter(None, (one.close for one in found)):
        stack.push_async_callback(close)
    return JobService(
        rooms.settings,
        rooms.database,
        _durable_database(rooms.settings),
        [handler for one in found for handler in one.handlers],
        schedules(rooms.settings),
        [sweep for one in found for sweep in one.sweeps],
        sign=sign,
    )


def _durable_database(settings: Settings) -> "Path | URL":
    """Where DBOS keeps its records: beside SQLite's database, or in a schema of its own in PostgreSQL."""
    from smalt.store.database import database_of

    place = database_of(settings)
    if not isinstance(place, Path) and place.get_backend_name() == "postgresql":
        return place
    return settings.data_dir / FILE_NAME


def _hear_parent(loop: asyncio.AbstractEventLoop, service: "JobService") -> None:
    def read() -> None:
        if os.read(0, 4096):
            service.wake()
        else:
            loop.remove_reader(0)
            service.stop()

    loop.add_reader(0, read)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
