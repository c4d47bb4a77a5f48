"""Runs small servers on loopback ports, each in a thread of its own, for the services that a test talks to."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web


@contextmanager
def in_a_thread(start: Callable[[], Awaitable[tuple[Any, Callable[[], Awaitable[None]]]]]) -> Iterator[Any]:
    """What `start` gives, running on a loop of its own until the end of the block; `start` also gives what stops it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        value, stop = asyncio.run_coroutine_threadsafe(_awaited(start), loop).result(10)
        try:
            yield value
        finally:
            asyncio.run_coroutine_threadsafe(_awaited(stop), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _awaited(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()


@contextmanager
def web_service(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Iterator[str]:
    """The URL of a server that answers every request with `handler`."""

    async def start() -> tuple[str, Callable[[], Awaitable[None]]]:
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        return f"http://127.0.0.1:{port}", runner.cleanup

    with in_a_thread(start) as url:
        yield url
