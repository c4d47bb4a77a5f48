"""Tells whether two requests are the same, by a digest that is made while the body arrives."""

from hashlib import sha256
from typing import Final, Protocol

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

FORM: Final = b"multipart/form-data"


class Content(Protocol):
    """Takes in a body."""

    def write(self, data: bytes) -> None:
        """Take in the next piece."""
        ...

    def digest(self) -> bytes:
        """What the pieces come to."""
        ...


class RequestDigest:
    """Listens while a request arrives; `receive` gives the messages on."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._head = (scope["method"].encode(), _path(scope), scope["query_string"])
        self._content = _content(dict(scope["headers"]).get(b"content-type", b""))
        self._is_whole = False

    async def receive(self) -> Message:
        """The next message."""
        message = await self._receive()
        if message["type"] == "http.request" and not self._is_whole:
            self._content.write(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        return message

    async def whole(self) -> str:
        """The digest, after the rest of the body has arrived; raises `ClientDisconnect` when it does not."""
        while (digest := self.digest()) is None:
            if (await self.receive())["type"] == "http.disconnect":
                raise ClientDisconnect
        return digest

    def digest(self) -> str | None:
        """The digest in hex, or None as long as the body has not arrived."""
        if not self._is_whole:
            return None
        parts = (*self._head, self._content.digest())
        return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()


def _path(scope: Scope) -> bytes:
    """The path as the client wrote it, since the mounts have cut it."""
    return scope["state"]["call"].path.encode()


def _content(content_type: bytes) -> Content:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    return FormContent(boundary) if kind == FORM and boundary else PlainContent()


class PlainContent:
    """A body that is the same when its bytes are."""

    def __init__(self) -> None:
        self._hash = sha256()

    def write(self, data: bytes) -> None:
        """Take in the next piece."""
        self._hash.update(data)

    def digest(self) -> bytes:
        """What the pieces come to."""
        return self._hash.digest()


class FormContent:
    """A form, which is the same when its parts are: the boundary between them is another each time it is sent."""

    def __init__(self, boundary: bytes) -> None:
        self._parts = sha256()
        self._headers = sha256()
        self._data = sha256()
        self._plain = sha256()
        self._is_broken = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": lambda: self._headers.update(b"\n"),
                "on_part_data": lambda data, start, end: self._data.update(data[start:end]),
                "on_part_end": self._end_part,
            },
        )

    def write(self, data: bytes) -> None:
        """Take in the next piece; a broken form is the same when its bytes are."""
        self._plain.update(data)
        if not self._is_broken and data:
            try:
                self._parser.write(data)
            except FormParserError:
                self._is_broken = True

    def digest(self) -> bytes:
        """What the pieces come to."""
        return self._plain.digest() if self._is_broken else self._parts.digest()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._headers.update(data[start:end].lower())

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._headers.update(data[start:end])

    def _end_part(self) -> None:
        for one in (self._headers, self._data):
            self._parts.update(one.digest())
        self._headers, self._data = sha256(), sha256()
