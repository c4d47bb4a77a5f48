"""The JSON answer that hot paths return: plain values, made into bytes once."""

from typing import Any

import orjson
from fastapi import Response


class Json(Response):
    """A JSON answer from dicts, lists and numbers, without a detour through pydantic."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Turn the content into bytes; bytes are taken as JSON that is ready."""
        return content if isinstance(content, bytes) else orjson.dumps(content)
