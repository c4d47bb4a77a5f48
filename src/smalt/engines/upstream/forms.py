"""Writes a form with a file, whole and in memory, so that it can be sent again."""

from collections.abc import Iterable
from secrets import token_hex

Fields = Iterable[tuple[str, str]]


def form(fields: Fields, content: bytes, filename: str) -> tuple[bytes, str]:
    """The body with a field `file` behind the other fields, and its content type."""
    boundary = token_hex(16)
    parts = [_part(boundary, f'name="{_quoted(name)}"', value.encode(errors="replace")) for name, value in fields]
    named = f'name="file"; filename="{_quoted(filename)}"\r\nContent-Type: application/octet-stream'
    parts.append(_part(boundary, named, content))
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, headers: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {headers}\r\n\r\n"
    return b"".join([head.encode(errors="replace"), content, b"\r\n"])


def _quoted(name: str) -> str:
    """A name as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
