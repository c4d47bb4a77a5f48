"""Runs one API process: the app on a socket that somebody else opened."""

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing import connection as pipes
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any

import uvicorn

from smalt.http.logging import configure

if TYPE_CHECKING:
    from fastapi import FastAPI

    from smalt.core.settings import Settings

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 3.0
"""How long running requests may go on after a signal to stop; what then still streams ends with an error event."""

END_SECONDS = 5
"""What has not ended by itself this long after the signal is cancelled."""

KEEP_ALIVE_SECONDS = 75

GARBAGE_THRESHOLD = 20_000
"""How many objects are made before garbage is looked for. Python's 700 are those of a few requests, all still in use:
to look at them takes a twentieth of a request's time, and finds nothing."""


class ApiServer(uvicorn.Server):
    """Uvicorn's server, which says when it is ready and tells the app when it stops."""

    def __init__(self, app: "FastAPI", ready: Callable[[], None]) -> None:
        super().__init__(_uvicorn_settings(app))
        self._app = app
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell whoever waits for it."""
        await super().startup(sockets)
        if self.started:
            gc.freeze()
            gc.set_threshold(GARBAGE_THRESHOLD)
            gc.enable()
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish for a while, then stop."""
        self._app.state.stopping.begin(GRACE_SECONDS)
        await super().shutdown(sockets)


def run_api(
    settings: "Settings", listening: socket.socket, engine_socket: str | None, ready: Callable[[], None]
) -> None:
    """Serve until a signal says stop; calls `ready` once requests are answered."""
    server = _server(settings, engine_socket, ready)
    _obey_signals(server)
    server.run(sockets=[listening])


def run_worker(
    settings: "Settings", listening: socket.socket, engine_socket: str | None, ready: "pipes.Connection[Any, Any]"
) -> None:
    """Be one of several API processes: serve until a signal or the parent's end, and say on `ready` when it is so."""
    gc.disable()
    configure(settings.log)
    server = _server(settings, engine_socket, lambda: ready.send(os.getpid()))
    _obey_signals(server)
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listening])


def _server(settings: "Settings", engine_socket: str | None, ready: Callable[[], None]) -> ApiServer:
    from smalt.app import create_app

    return ApiServer(create_app(settings, host_socket=engine_socket), ready)


def _uvicorn_settings(app: "FastAPI") -> uvicorn.Config:
    # Its own account of starting and stopping tells nothing that ours does not.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
    )


def _obey_signals(server: ApiServer) -> None:
    # Uvicorn takes over two of these while it serves and raises them again afterwards, when they must not kill us.
    for number in STOP_SIGNALS:
        signal.signal(number, server.handle_exit)


def _end_with_parent(server: ApiServer) -> None:
    parent = parent_process()
    if parent is None:
        return
    pipes.wait([parent.sentinel])
    server.should_exit = True
    threading.Event().wait(END_SECONDS + 1)
    os._exit(1)
