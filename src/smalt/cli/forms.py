"""Writes multipart forms, as a browser would send them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@dataclass(frozen=True)
class Field:
    """A field of a form; with a `filename` it is a file."""

    name: str
    content: str | bytes
    filename: str | None = None

    def written(self) -> bytes:
        """The field's own head, and its content."""
        named = f'name="{self.name}"'
        if self.filename is not None:
            named += f'; filename="{self.filename.translate(ESCAPES)}"'
        content = self.content.encode() if isinstance(self.content, str) else self.content
        return f"Content-Disposition: form-data; {named}\r\n\r\n".encode() + content + b"\r\n"


def form(fields: Sequence[Field]) -> tuple[bytes, str]:
    """The body of a form and its content type."""
    boundary = uuid4().hex
    body = b"".join(f"--{boundary}\r\n".encode() + field.written() for field in fields)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
