"""What the fetcher tells a server, and what it makes of the answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from smalt.models.download import Fetcher, NotThere, Unreachable, shown
from smalt.models.progress import Silent

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FETCHER = Fetcher(timeout_seconds=5, tries=3, pause_seconds=0.01)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_login_in_the_address_is_sent_but_never_to_where_it_is_redirected():
    seen: dict[str, str | None] = {}

    async def elsewhere(request: web.Request) -> web.Response:
        seen["elsewhere"] = request.headers.get("Authorization")
        return web.Response(text="here")

    async with serving(elsewhere) as other:

        async def redirecting(request: web.Request) -> web.Response:
            seen["first"] = request.headers.get("Authorization")
            raise web.HTTPFound(f"http://{other}/x")

        async with serving(redirecting) as first:
            page = await asyncio.to_thread(FETCHER.read, f"http://me:p%40ss@{first}/")
    assert page.text == "here"
    assert seen == {"first": "Basic bWU6cEBzcw==", "elsewhere": None}


async def test_a_busy_server_is_asked_again():
    answers = [503, 429, 200]

    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0), text="at last")

    async with serving(busy) as address:
        page = await asyncio.to_thread(FETCHER.read, f"http://{address}/")
    assert page.text == "at last"


async def test_a_server_that_stays_broken_is_unreachable():
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=500)

    async with serving(broken) as address:
        with pytest.raises(Unreachable, match=r"cannot be reached \(Internal Server Error\)"):
            await asyncio.to_thread(FETCHER.read, f"http://{address}/")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_refusal_is_final(status):
    count = 0

    async def refusing(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=status)

    async with serving(refusing) as address:
        with pytest.raises(NotThere, match=str(status)):
            await asyncio.to_thread(FETCHER.read, f"http://{address}/")
    assert count == 1


async def test_a_file_without_a_length_is_fetched_whole(tmp_path):
    async def chunked(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for _ in range(10):
            await answer.write(b"0123456789")
        return answer

    target = tmp_path / "file"
    async with serving(chunked) as address:
        await asyncio.to_thread(FETCHER.fetch, f"http://{address}/", target, Silent())
    assert target.read_bytes() == b"0123456789" * 10


def test_only_http_is_fetched(tmp_path):
    with pytest.raises(NotThere, match="not an http or https address"):
        FETCHER.fetch("ftp://127.0.0.1/x", tmp_path / "file", Silent())


def test_a_shown_address_has_no_login():
    assert shown("https://me:secret@host:1/simple/") == "https://host:1/simple/"
