"""Asks a running server over plain HTTP, for the commands that need one."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

import typer

from smalt.cli.listening import base_url
from smalt.cli.options import read_settings

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
WAIT_SECONDS = 600
PIECE_BYTES = 2**16


class ServerRefusedError(Exception):
    """The server could not be reached or would not answer; the message says why."""


class ServerClient:
    """A server's address, the key that it asks for, and how long it may be silent."""

    def __init__(self, base_url: str, key: str | None, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._wait_seconds = wait_seconds

    @contextmanager
    def post(self, path: str, body: bytes, content_type: str) -> Generator[HTTPResponse]:
        """Send a body; the answer is read within the block. Raises `ServerRefusedError`, also when it breaks off."""
        headers = {"Content-Type": content_type, **({"api-key": self._key} if self._key else {})}
        with self._opened(path, body, headers) as answer:
            try:
                yield answer
            except (OSError, HTTPException) as error:
                raise ServerRefusedError(f"The connection to {self._base_url} broke: {error}") from error

    def _opened(self, path: str, body: bytes, headers: dict[str, str]) -> HTTPResponse:
        try:
            request = Request(f"{self._base_url}{path}", body, headers)  # noqa: S310 - the address is the user's own
            return _opener(self._base_url).open(request, timeout=self._wait_seconds)
        except HTTPError as error:
            with error:
                raise ServerRefusedError(_advice(error)) from error
        except URLError as error:
            raise ServerRefusedError(
                f"No server answers at {self._base_url} ({error.reason}). Start one with: smalt serve"
            ) from error
        except (OSError, HTTPException) as error:
            raise ServerRefusedError(f"The connection to {self._base_url} broke: {error}") from error
        except ValueError as error:
            raise ServerRefusedError(f"{self._base_url} is not an address: {error}") from error


@contextmanager
def connected(
    url: str | None, key: str | None, config: Path | None, *, wait_seconds: float = WAIT_SECONDS
) -> Generator[ServerClient]:
    """The server at `url`, or at the settings' address; what it refuses ends the program with a line about it."""
    try:
        yield ServerClient(url or _address_of_settings(config), key, wait_seconds=wait_seconds)
    except ServerRefusedError as error:
        typer.echo(f"smalt: {error}", err=True)
        raise typer.Exit(1) from None


def pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """An answer's bytes as they come."""
    while piece := answer.read1(PIECE_BYTES):
        yield piece


def events(answer: HTTPResponse) -> Iterator[Any]:
    """The JSON of each server-sent event; an event with an error is raised as `ServerRefusedError`."""
    for line in answer:
        data = line.strip().removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            event = json.loads(data)
            if "error" in event:
                raise ServerRefusedError(str(event["error"].get("message", event["error"])))
            yield event


def _address_of_settings(config: Path | None) -> str:
    server = read_settings(config).server
    return f"{base_url(server.host, server.port)}/openai/v1"


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
