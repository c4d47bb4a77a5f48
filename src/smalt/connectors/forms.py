"""Writes a form with files, whole and in memory, so that it can be sent again."""

from collections.abc import Sequence
from hashlib import sha256

from smalt.connectors.exchange import FileValue


def multipart(fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, FileValue]]) -> tuple[bytes, str]:
    """The body with the files behind the fields, and its content type; the same for the same values.

    An idempotency key belongs to the bytes of one body, also when it is sent again by another process.
    """
    boundary = _boundary(fields, files)
    parts = [_part(boundary, f'name="{_quoted(name)}"', value.encode(errors="replace")) for name, value in fields]
    for name, file in files:
        head = (
            f'name="{_quoted(name)}"; filename="{_quoted(file.name)}"\r\nContent-Type: {_one_line(file.content_type)}'
        )
        parts.append(_part(boundary, head, file.content))
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _boundary(fields: Sequence[tuple[str, str]], files: Sequence[tuple[str, FileValue]]) -> str:
    """A line that is not in what it divides, as it is made from all of that."""
    digest = sha256(repr([fields, [(name, file.name, len(file.content)) for name, file in files]]).encode())
    for _, file in files:
        digest.update(file.content)
    return digest.hexdigest()[:32]


def _part(boundary: str, headers: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {headers}\r\n\r\n"
    return b"".join([head.encode(errors="replace"), content, b"\r\n"])


def _quoted(name: str) -> str:
    """A name as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(content_type: str) -> str:
    return "".join(content_type.split("\r\n")).replace("\n", "").replace("\r", "") or FileValue.content_type
