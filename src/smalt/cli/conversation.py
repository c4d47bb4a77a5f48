"""A conversation with a server over plain HTTP, streamed."""

import json
from collections.abc import Generator, Iterator
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
WAIT_SECONDS = 600


class ServerRefusedError(Exception):
    """The server could not be reached or would not answer; the message says why."""


class Conversation:
    """The messages so far, and the server that continues them."""

    def __init__(self, base_url: str, *, model: str, key: str | None, system: str | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._key = key
        self._messages = [{"role": "system", "content": system}] if system else []

    def say(self, text: str) -> Generator[str]:
        """Send a message and yield the answer piece by piece; what was heard of it becomes part of the conversation."""
        messages = [*self._messages, {"role": "user", "content": text}]
        heard: list[str] = []
        try:
            with self._ask(messages) as answer:
                for event in _events(answer):
                    for piece in _pieces(event):
                        heard.append(piece)
                        yield piece
        except (OSError, HTTPException) as error:
            raise ServerRefusedError(f"The connection to {self._base_url} broke: {error}") from error
        finally:
            if heard:
                self._messages = [*messages, {"role": "assistant", "content": "".join(heard)}]

    def _ask(self, messages: list[dict[str, str]]) -> IO[bytes]:
        body = {"model": self._model, "messages": messages, "stream": True}
        headers = {"Content-Type": "application/json", **({"api-key": self._key} if self._key else {})}
        request = Request(f"{self._base_url}/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
        try:
            return _opener(self._base_url).open(request, timeout=WAIT_SECONDS)
        except HTTPError as error:
            with error:
                raise ServerRefusedError(_advice(error)) from error
        except URLError as error:
            raise ServerRefusedError(
                f"No server answers at {self._base_url} ({error.reason}). Start one with: smalt serve"
            ) from error
        except ValueError as error:
            raise ServerRefusedError(f"{self._base_url} is not an address: {error}") from error


def _opener(base_url: str) -> OpenerDirector:
    # A proxy of the environment cannot reach this machine's own server.
    return build_opener(*([ProxyHandler({})] if urlsplit(base_url).hostname in LOOPBACK else []))


def _advice(error: HTTPError) -> str:
    message = _message_of(error.read())
    if error.code == 401:  # noqa: PLR2004 - an HTTP status
        return f"{message} Give a key with --key or SMALT_API_KEY; make one with: smalt keys create NAME"
    return f"{message} (HTTP {error.code})"


def _message_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace") or "The server gave no reason."


def _events(answer: IO[bytes]) -> Iterator[Any]:
    for line in answer:
        data = line.strip().removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            yield json.loads(data)


def _pieces(event: Any) -> Iterator[str]:
    if "error" in event:
        raise ServerRefusedError(str(event["error"].get("message", event["error"])))
    for choice in event.get("choices", ()):
        piece = choice.get("delta", {}).get("content")
        if piece:
            yield piece
