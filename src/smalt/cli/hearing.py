"""Recordings that are sent to a server, and what it hears in them."""

from collections.abc import Generator, Iterator
from typing import Any

from smalt.cli.forms import Field, form
from smalt.cli.server_client import ServerClient, events, pieces


class Hearing:
    """What is wanted of recordings, and the server that hears them."""

    def __init__(
        self,
        server: ServerClient,
        *,
        model: str,
        format: str,  # noqa: A002 - the option's name
        language: str | None = None,
        words: bool = False,
        translate: bool = False,
        prompt: str | None = None,
    ) -> None:
        self._server = server
        # A translation is not streamed: the reference has no such parameter there.
        self._streams = format == "text" and not translate
        self._path = "/audio/translations" if translate else "/audio/transcriptions"
        wanted = {
            "model": model,
            "response_format": "json" if self._streams else format,
            "language": language,
            "prompt": prompt,
            "stream": "true" if self._streams else None,
        }
        self._fields = [Field(name, value) for name, value in wanted.items() if value is not None]
        if words:
            self._fields += [Field("timestamp_granularities[]", unit) for unit in ("segment", "word")]

    def transcript(self, content: bytes, filename: str) -> Generator[bytes]:
        """Send a recording and yield what is heard, in the wanted format and piece by piece, ended by a line end."""
        body, content_type = form([*self._fields, Field("file", content, filename)])
        last = b""
        with self._server.post(self._path, body, content_type) as answer:
            for piece in _told(events(answer)) if self._streams else pieces(answer):
                # Whisper begins a text with the space that would part it from an earlier one.
                shown = piece if last else piece.lstrip()
                last = shown or last
                yield shown
        if not last.endswith(b"\n"):
            yield b"\n"


def _told(heard: Iterator[Any]) -> Iterator[bytes]:
    for event in heard:
        if event.get("type") == "transcript.text.delta":
            yield str(event["delta"]).encode()
