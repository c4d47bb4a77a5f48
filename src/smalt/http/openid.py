"""Checks Entra ID (OpenID Connect) access tokens against the key set of their issuer."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from smalt.core.errors import Unavailable
from smalt.core.settings import LOOPBACK, AuthSettings
from smalt.http.call import Caller
from smalt.http.refusals import BadToken

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 30
KEYS_FRESH_SECONDS = 3600.0
REFRESH_AT_MOST_EVERY_SECONDS = 60.0
FETCH_TIMEOUT = aiohttp.ClientTimeout(total=10)
FETCH_BYTES = 2**20
REMEMBERED_TOKENS = 1024


class KeySet:
    """The issuer's public keys by their ids: fetched when needed, kept for an hour, asked again for an unknown id."""

    def __init__(self, issuer: str, jwks_url: str | None) -> None:
        for url in filter(None, (issuer, jwks_url)):
            _require_safe(url)
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> dict[str, Any] | None:
        """The key with this id, or None when the issuer has no such key."""
        age = time.monotonic() - self._fetched_at
        if key_id not in self._keys or age > KEYS_FRESH_SECONDS:
            await self._refresh()
        return self._keys.get(key_id)

    async def _refresh(self) -> None:
        async with self._fetching:
            if time.monotonic() - self._tried_at < REFRESH_AT_MOST_EVERY_SECONDS:
                if not self._keys:
                    raise Unavailable("The token issuer's keys could not be fetched a moment ago. Try again soon.")
                return
            self._tried_at = time.monotonic()
            try:
                self._keys = await self._fetch()
                self._fetched_at = time.monotonic()
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
                logger.warning("token keys not fetched", extra={"issuer": self._issuer, "reason": repr(error)})
                if not self._keys:
                    raise Unavailable("The token issuer's keys cannot be fetched. Check auth.issuer.") from error

    async def _fetch(self) -> dict[str, dict[str, Any]]:
        async with aiohttp.ClientSession(timeout=FETCH_TIMEOUT) as session:
            url = self._jwks_url or await self._discover(session)
            found = await _get_json(session, url)
        return {key["kid"]: key for key in found["keys"] if key.get("use", "sig") == "sig" and "kid" in key}

    async def _discover(self, session: aiohttp.ClientSession) -> str:
        document = await _get_json(session, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document["issuer"] != self._issuer:
            raise ValueError(f"the discovery document names the issuer {document['issuer']!r}")
        url = str(document["jwks_uri"])
        _require_safe(url)
        return url


class Tokens:
    """The callers that tokens name; a token that was found good is remembered until it expires."""

    def __init__(self, settings: AuthSettings) -> None:
        assert settings.issuer is not None
        assert settings.audience is not None
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._keys = KeySet(settings.issuer, settings.jwks_url)
        self._good: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def caller_of(self, token: str) -> Caller:
        """The caller a token names; raises `BadToken`."""
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._good.get(digest)
        if remembered is not None and time.time() < remembered[0]:
            return remembered[1]
        claims = await self._claims(token)
        caller = _caller(claims)
        self._good[digest] = (float(claims["exp"]) + LEEWAY_SECONDS, caller)
        while len(self._good) > REMEMBERED_TOKENS:
            self._good.popitem(last=False)
        return caller

    async def _claims(self, token: str) -> dict[str, Any]:
        import jwt  # cryptography is slow to import, and most servers have no issuer

        try:
            header = jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if algorithm not in ALGORITHMS or not isinstance(key_id, str):
                raise BadToken(f"it must be signed with {' or '.join(ALGORITHMS)} and name its key")
            key = await self._keys.find(key_id)
            if key is None:
                raise BadToken("its key is none of the issuer's")
            return jwt.decode(
                token,
                jwt.PyJWK(key, algorithm=algorithm),
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise BadToken(_reason(error)) from error


def _reason(error: Exception) -> str:
    reasons = {
        "ExpiredSignatureError": "it has expired",
        "ImmatureSignatureError": "it is not valid yet",
        "InvalidAudienceError": "its audience is incorrect",
        "InvalidIssuerError": "its issuer is incorrect",
        "MissingRequiredClaimError": "it needs the claims exp, iss and aud",
    }
    return reasons.get(type(error).__name__, "its signature or form is invalid")


def _caller(claims: Mapping[str, Any]) -> Caller:
    name = claims.get("oid") or claims.get("sub") or claims.get("appid") or claims.get("azp")
    if not isinstance(name, str):
        raise BadToken("it names no one (oid, sub or appid)")
    project = claims.get("tid")
    return Caller(f"oidc:{name}", name, project if isinstance(project, str) else "default")


async def _get_json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url, allow_redirects=False) as response:
        response.raise_for_status()
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise ValueError(f"{url} answered with {response.status}")
        return orjson.loads(await response.content.read(FETCH_BYTES))


def _require_safe(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{url}: an issuer's addresses must be https")
