"""Takes credentials out of what services say, since some repeat them when they refuse them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

import orjson

from smalt.connectors.exchange import Answer

SHORTEST_SECRET: Final = 4
OK: Final = range(200, 300)
NAMES: Final = frozenset({"error", "message", "type", "param", "code"})
"""Where an error's words are looked for, whatever the key is."""


def masked(words: str, credentials: Mapping[str, str]) -> str:
    """The words without the values of these headers."""
    secrets = {secret for value in credentials.values() for secret in (value, *value.split())}
    # The longest first: one may be the beginning of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET and secret.lower() != "bearer":
            words = words.replace(secret, "***")
    return words


def without_credentials(answer: Answer, credentials: Mapping[str, str]) -> Answer:
    """The answer; one that is an error, which is kept and shown, has these values no more."""
    if answer.status in OK:
        return answer
    return replace(answer, content=_hidden(answer.content, credentials))


def _hidden(content: bytes, credentials: Mapping[str, str]) -> bytes:
    try:
        # As JSON, whose texts may have been written with escapes, and whose numbers are nobody's key.
        told = orjson.loads(content)
        hidden = _within(told, credentials)
        return content if hidden == told else orjson.dumps(hidden)
    except (ValueError, RecursionError):
        # Latin-1 brings any bytes there and back.
        return masked(content.decode("latin-1"), credentials).encode("latin-1")


def _within(value: Any, credentials: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return masked(value, credentials)
    if isinstance(value, list):
        return [_within(item, credentials) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {
            name if name in NAMES else masked(name, credentials): _within(item, credentials)
            for name, item in fields.items()
        }
    return value
