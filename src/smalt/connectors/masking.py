"""Takes credentials out of what services say, since some repeat them when they refuse them."""

from collections.abc import Mapping
from typing import Final

SHORTEST_SECRET: Final = 4


def masked(words: str, credentials: Mapping[str, str]) -> str:
    """The words without the values of these headers."""
    for value in credentials.values():
        for secret in (value, *value.split()):
            if len(secret) >= SHORTEST_SECRET and secret.lower() != "bearer":
                words = words.replace(secret, "***")
    return words
