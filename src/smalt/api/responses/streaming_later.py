"""Streams a response that was begun before: what it has told already, and then what it tells."""

import asyncio
from collections.abc import AsyncGenerator

import orjson

from smalt.api.responses.dialects import spelled
from smalt.api.responses.plan import Json
from smalt.api.responses.showing import Showing
from smalt.core.errors import InvalidRequest
from smalt.http.call import Mount
from smalt.http.event_stream import event as server_sent_event
from smalt.store.responses import Responses, StoredResponse

POLL_SECONDS = (0.05, 0.4)
"""The events come from another process; who is silent is asked less and less often."""


async def followed(responses: Responses, stored: StoredResponse, number: int = -1) -> AsyncGenerator[list[Json]]:
    """The events behind the one with this number, as they come, until the response has ended."""
    least, most = POLL_SECONDS
    seconds = least
    while True:
        found = await responses.follow(stored.project, stored.id, number)
        if found.events:
            number = found.events[-1]["sequence_number"]
            yield list(found.events)
        if found.is_finished:
            return
        seconds = least if found.events else min(most, seconds * 2)
        await asyncio.sleep(seconds)


async def followed_bytes(
    batches: AsyncGenerator[list[Json]], showing: Showing, mount: Mount, *, is_obfuscated: bool
) -> AsyncGenerator[bytes]:
    """The events as one client is to see them."""
    async for events in batches:
        yield spelled([showing.event(event) for event in events], mount, is_obfuscated=is_obfuscated)


def require_stream(stored: StoredResponse) -> None:
    """Raise `InvalidRequest` when the events of this response were not kept."""
    for asked, name in ((stored.is_background, "background"), (stored.is_streamed, "stream")):
        if not asked:
            raise InvalidRequest(
                f"This response cannot be streamed because it was not created with {name}=true. Get it without stream.",
                param="stream",
            )


def failed(envelope: bytes) -> bytes:
    """What went wrong while events were looked for, as the last event; it has no number, since it is nobody else's."""
    error = orjson.loads(envelope)["error"]
    names = ("code", "message", "param")
    body = {"type": "error", **{name: error.get(name) for name in names}, "sequence_number": 0}
    return server_sent_event("error", orjson.dumps(body))
