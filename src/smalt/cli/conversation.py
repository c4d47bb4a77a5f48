"""A conversation with a server, streamed."""

import json
from collections.abc import Generator, Iterator
from typing import Any

from smalt.cli.server_client import ServerClient, events


class Conversation:
    """The messages so far, and the server that continues them."""

    def __init__(self, server: ServerClient, *, model: str, system: str | None) -> None:
        self._server = server
        self._model = model
        self._messages = [{"role": "system", "content": system}] if system else []

    def say(self, text: str) -> Generator[str]:
        """Send a message and yield the answer piece by piece; what was heard of it becomes part of the conversation."""
        messages = [*self._messages, {"role": "user", "content": text}]
        body = json.dumps({"model": self._model, "messages": messages, "stream": True}).encode()
        heard: list[str] = []
        try:
            with self._server.post("/chat/completions", body, "application/json") as answer:
                for event in events(answer):
                    for piece in _pieces(event):
                        heard.append(piece)
                        yield piece
        finally:
            if heard:
                self._messages = [*messages, {"role": "assistant", "content": "".join(heard)}]


def _pieces(event: Any) -> Iterator[str]:
    for choice in event.get("choices", ()):
        piece = choice.get("delta", {}).get("content")
        if piece:
            yield piece
