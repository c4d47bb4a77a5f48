"""Writes the files of an export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

Content = bytes | str | Mapping[str, Any] | list[Any]


def write(folder: Path, files: Mapping[str, Content]) -> None:
    """Write each file below the folder, made if need be; what is no text or bytes is written as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(content))


def _bytes(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
