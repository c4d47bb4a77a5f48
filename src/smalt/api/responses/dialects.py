"""Spells events for a mount: OpenAI has new names for some that the v1 page has under old ones."""

from collections.abc import Mapping, Sequence
from random import getrandbits

import orjson

from smalt.api.responses.plan import Json
from smalt.core.ids import ALPHANUMERIC
from smalt.http.call import Mount
from smalt.http.event_stream import event as server_sent_event

OPENAI_NAMES: Mapping[str, str] = {
    "response.mcp_call.arguments_delta": "response.mcp_call_arguments.delta",
    "response.mcp_call.arguments_done": "response.mcp_call_arguments.done",
    "response.reasoning.delta": "response.reasoning_text.delta",
    "response.reasoning.done": "response.reasoning_text.done",
}
"""OpenAI's names of events by the v1 page's, which are the ones that are stored."""


def named(event: Json, mount: Mount) -> Json:
    """The event as a mount calls it."""
    name = OPENAI_NAMES.get(event["type"]) if mount == "openai_v1" else None
    return event if name is None else {**event, "type": name}


def spelled(events: Sequence[Json], mount: Mount, *, is_obfuscated: bool = False) -> bytes:
    """Events as the bytes of a stream; only OpenAI pads deltas."""
    is_padded = is_obfuscated and mount == "openai_v1"
    return b"".join(_spelled(named(event, mount), is_padded=is_padded) for event in events)


def _spelled(event: Json, *, is_padded: bool) -> bytes:
    if is_padded and isinstance(event.get("delta"), str):
        event = {**event, "obfuscation": _padding()}
    return server_sent_event(event["type"], orjson.dumps(event))


def _padding() -> str:
    """Up to 15 letters of no meaning, so that an event's length does not tell its word's."""
    bits = getrandbits(9)
    start = bits & 31
    return ALPHANUMERIC[start : start + (bits >> 5)]
