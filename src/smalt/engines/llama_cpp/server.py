"""Speaks HTTP with the llama.cpp server of one worker, over its Unix socket."""

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson

from smalt.engines.llama_cpp.failures import WorkerLost, failure, refusal

Json = dict[str, Any]
Broken = (aiohttp.ClientError, TimeoutError, OSError)

OK = 200
DATA = b"data: "
OBJECT = b"data: {"


class LlamaServer:
    """The HTTP client of one worker; its session is made on first use and kept until `close`."""

    def __init__(self, name: str, socket_path: str) -> None:
        self._name = name
        self._socket_path = socket_path
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, path: str, body: Json, *, param: str = "messages") -> Json:
        """Post `body` and return the whole answer."""
        response = await self._post(path, body)
        try:
            received = await response.read()
        except Broken as error:
            raise self._broken(error) from None
        finally:
            response.close()
        if response.status != OK:
            raise refusal(response.status, received, param=param)
        return orjson.loads(received)

    async def stream(self, path: str, body: Json, *, param: str = "messages") -> AsyncGenerator[Json]:
        """Post `body` and give each event of the answer; closing the generator ends the work at once.

        A stream ends here when the server ends it: whether it is complete is for the reader to see.
        """
        response = await self._post(path, body)
        try:
            if response.status != OK:
                raise refusal(response.status, await response.read(), param=param)
            rest = b""
            read = response.content.readany
            while received := await read():
                *events, rest = (rest + received if rest else received).split(b"\n\n")
                for event in events:
                    # Between events there are comments that keep the connection alive, and empty results.
                    if event.startswith(OBJECT):
                        answer = orjson.loads(event[len(DATA) :])
                        if "error" in answer:
                            raise failure(answer["error"], param=param)
                        yield answer
        except Broken as error:
            raise self._broken(error) from None
        finally:
            # The server notices the closed connection and frees the slot; it does not keep connections after a stream.
            response.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, path: str, body: Json) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                "http://worker",
                connector=aiohttp.UnixConnector(self._socket_path, limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        try:
            return await self._session.post(path, data=orjson.dumps(body))
        except Broken as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> WorkerLost:
        return WorkerLost(
            f"The worker of '{self._name}' ended while it worked ({type(error).__name__}); "
            "it is started again for the next request."
        )
