"""Reads a form while it arrives: part after part, each a stream, so that a file is never in memory."""

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from smalt.core.errors import InvalidRequest, TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

BINARY = "application/octet-stream"
MOST_PARTS = 100
MOST_FIELD_BYTES = 16 * 2**10
PLAIN_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary"})
# What browsers and HTTP clients write in a file's name for a quote and for the ends of lines, and nothing else.
ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}
ESCAPE = re.compile("|".join(ESCAPED))

# The name in another alphabet as some clients still send it, though RFC 7578 forbids it.
EXTENDED_NAME = re.compile(rb";\s*filename\*\s*=\s*utf-8'[^';\"]*'([^;\s]+)", re.IGNORECASE)
QUOTED = re.compile(rb'"(?:\\.|[^"\\])*"')

Headers = dict[bytes, bytes]


class _EndOfPart:
    """Stands behind the last bytes of a part."""


class _EndOfForm:
    """Stands behind the last part."""


Event = Headers | bytes | type[_EndOfPart] | type[_EndOfForm]


class Part:
    """One field of a form; its bytes can be read once, before the next part."""

    def __init__(
        self, name: str, filename: str | None, content: AsyncGenerator[bytes], content_type: str = BINARY
    ) -> None:
        self.name = name
        self.filename = filename
        self.content = content
        self.content_type = content_type

    async def limited(self, most_bytes: int, *, advice: str) -> AsyncGenerator[bytes]:
        """The bytes of a file that may only have so many; `advice` says what to do with a larger one."""
        size = 0
        async for chunk in self.content:
            size += len(chunk)
            if size > most_bytes:
                raise TooLarge(f"'{self.name}' has more than {most_bytes} bytes. {advice}", param=self.name)
            yield chunk

    async def text(self, most_bytes: int = MOST_FIELD_BYTES) -> str:
        """The whole of a short field."""
        value = b""
        async for chunk in self.content:
            value += chunk
            if len(value) > most_bytes:
                message = f"The field '{self.name}' has more than {most_bytes} bytes. "
                raise InvalidRequest(message + "Only a file may be longer: send it with a file name.", param=self.name)
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The field '{self.name}' is not UTF-8.", param=self.name) from error


class Form:
    """A form that is arriving; `parts` goes through it once."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._events: deque[Event] = deque()
        self._parser = MultipartParser(_boundary(content_type), _Collector(self._events).callbacks())

    async def parts(self) -> AsyncGenerator[Part]:
        """Every part in its order; what was not read of one is skipped. Raises `InvalidRequest` for a broken form."""
        count = 0
        while (headers := await self._next()) is not _EndOfForm:
            assert isinstance(headers, dict)
            count += 1
            if count > MOST_PARTS:
                raise InvalidRequest(f"The form has more than {MOST_PARTS} parts. Send one file with its fields.")
            content = self._content()
            yield _part(headers, content)
            async for _ in content:
                pass
        async for _ in self._body:
            pass  # whatever stands behind the form

    async def _content(self) -> AsyncGenerator[bytes]:
        while (event := await self._next()) is not _EndOfPart:
            assert isinstance(event, bytes)
            yield event

    async def _next(self) -> Event:
        while not self._events:
            chunk = await anext(self._body, None)
            if chunk is None:
                raise InvalidRequest("The form ends before its last boundary. Send it whole.")
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise InvalidRequest(f"The body is no multipart/form-data: {error}.") from error
        return self._events.popleft()


class _Collector:
    """Turns the parser's callbacks into events."""

    def __init__(self, events: "deque[Event]") -> None:
        self._events = events
        self._headers: Headers = {}
        self._name = b""
        self._value = b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": lambda: self._events.append(self._headers),
            "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
            "on_part_end": lambda: self._events.append(_EndOfPart),
            "on_end": lambda: self._events.append(_EndOfForm),
        }

    def _begin(self) -> None:
        self._headers = {}

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequest("The body must be a form. Send it with the header Content-Type: multipart/form-data.")
    return boundary


def _part(headers: Headers, content: AsyncGenerator[bytes]) -> Part:
    encoding = headers.get(b"content-transfer-encoding", b"").strip().lower()
    if encoding not in PLAIN_ENCODINGS:
        shown = encoding.decode("latin-1")[:40]
        raise InvalidRequest(f"A part with Content-Transfer-Encoding: {shown} is not read. Send its bytes as they are.")
    disposition = headers.get(b"content-disposition", b"")
    _, options = parse_options_header(disposition)
    name = options.get(b"name", b"").decode("utf-8", "replace")
    content_type = headers.get(b"content-type", b"").decode("latin-1").strip() or BINARY
    return Part(name, _filename(disposition, options.get(b"filename")), content, content_type)


def _filename(disposition: bytes, plain: bytes | None) -> str | None:
    extended = EXTENDED_NAME.search(QUOTED.sub(b'""', disposition))
    if extended:
        return unquote(extended[1].decode("latin-1"))
    if plain is None:
        return None
    return ESCAPE.sub(lambda found: ESCAPED[found[0]], plain.decode("utf-8", "replace"))
