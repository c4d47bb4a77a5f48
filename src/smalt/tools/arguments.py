"""Reads the arguments that a model wrote for a call, as far as they can be read."""

from typing import Any, cast

import orjson

from smalt.tools.protocols import Json


def read_arguments(text: str) -> Json:
    """The object that arguments are; empty when they are none."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return cast("Json", value) if isinstance(value, dict) else {}


def words_of(value: Any) -> str:
    """A text without white space around it; empty when the value is no text."""
    return value.strip() if isinstance(value, str) else ""
