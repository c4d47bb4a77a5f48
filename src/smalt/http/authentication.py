"""Decides who calls: everything but the allow-list needs a key or a token that is known."""

import re
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlsplit

from smalt.core.settings import LOOPBACK, AuthSettings
from smalt.http.call import ANONYMOUS, Call, Caller
from smalt.http.refusals import ForeignHost, MissingKey, WrongKey
from smalt.store.keys import digest

OPEN_PATHS = frozenset(
    {"/health", "/ready", "/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon.png"}
)
"""All that is answered without a key: whether the server lives, and the docs page, which then asks for one itself."""

TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")

Headers = Iterable[tuple[bytes, bytes]]


class Key(Protocol):
    """What the wire needs to know of an API key."""

    @property
    def id(self) -> str:
        """The key's id, which logs and usage name."""
        ...

    @property
    def name(self) -> str:
        """The name a person gave it."""
        ...

    @property
    def project(self) -> str:
        """Whose objects it sees."""
        ...

    @property
    def requests_per_minute(self) -> int | None:
        """Its own limit; None for the settings' one."""
        ...

    @property
    def tokens_per_minute(self) -> int | None:
        """Its own limit; None for the settings' one."""
        ...


class KeySource(Protocol):
    """Finds a live key by the SHA-256 digest of its secret, so that no comparison sees the secret itself."""

    async def find(self, key_digest: str) -> Key | None:
        """The key, or None when there is none or it was revoked."""
        ...


class TokenSource(Protocol):
    """Knows the callers that an OpenID Connect issuer vouches for."""

    async def caller_of(self, token: str) -> Caller:
        """The caller a token names; raises `BadToken`."""
        ...


class Authentication:
    """Finds the caller of a request from its headers, or refuses."""

    def __init__(self, settings: AuthSettings, keys: KeySource, tokens: TokenSource | None = None) -> None:
        self._is_enabled = settings.enabled
        self._keys = keys
        self._tokens = tokens

    async def caller_of(self, call: Call, headers: Headers) -> Caller:
        """The caller; raises `MissingKey`, `WrongKey` or `BadToken` for every path that is not open."""
        if call.path in OPEN_PATHS:
            return ANONYMOUS
        if not self._is_enabled:
            _require_loopback_name(headers)
            return ANONYMOUS
        secret = _secret(headers)
        if not secret:
            raise MissingKey
        if self._tokens is not None and TOKEN.fullmatch(secret):
            return await self._tokens.caller_of(secret)
        key = await self._keys.find(digest(secret))
        if key is None:
            raise WrongKey(secret)
        return Caller(key.id, key.name, key.project, key.requests_per_minute, key.tokens_per_minute)


def _require_loopback_name(headers: Headers) -> None:
    """Without keys, a page whose host name was made to point here must not get answers (DNS rebinding)."""
    host = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
    if urlsplit(f"//{host}").hostname not in LOOPBACK:
        raise ForeignHost(host)


def _secret(headers: Headers) -> str:
    bearer = b""
    for name, value in headers:
        # Flows send it empty where a token is what they have.
        if name == b"api-key" and value.strip():
            return value.strip().decode("latin-1")
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip()
    return bearer.decode("latin-1")
