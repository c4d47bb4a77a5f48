"""Asks the server of a connection whether it answers, and what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
import orjson

from smalt.connectors.connections.addresses import V1
from smalt.connectors.connections.target import Target
from smalt.connectors.masking import masked
from smalt.core.errors import ApiError

API_VERSION: Final = "2024-10-21"
SECONDS: Final = aiohttp.ClientTimeout(total=30, sock_connect=10)
LONGEST_ANSWER_BYTES: Final = 4 * 2**20
LONGEST_WORDS: Final = 300
OK: Final = 200
TOO_MANY: Final = 429
FAULTS: Final[Mapping[int, str]] = {
    401: "refuses the credentials (401). Give the right ones: smalt connections add NAME --replace.",
    403: "knows the credentials, and does not let them list models (403). Give them a role that may (on Azure: "
    "Cognitive Services OpenAI User), or use others.",
    404: "has no list of models (404). Check the base URL, or the resource's name.",
}
UNREACHABLE: Final = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a test call; `words` tell a person, `is_smalt` is None when the server was not reached."""

    works: bool
    words: str
    is_smalt: bool | None = None


async def looks_like_smalt(session: aiohttp.ClientSession, server: str) -> bool | None:
    """Whether a Smalt answers at this address; None when nothing does. No credentials are sent."""
    try:
        async with session.get(f"{server}/ready", timeout=SECONDS, allow_redirects=False) as answer:
            ready = _json(await _start_of(answer))
    except UNREACHABLE:
        return None
    # Other servers too have a path /health that says ok; nobody else has these checks.
    checks = ready.get("checks")
    return isinstance(checks, dict) and {"server", "database"} <= cast("dict[str, Any]", checks).keys()


async def try_out(session: aiohttp.ClientSession, target: Target) -> Verdict:
    """Ask a target for its models, which costs nothing, and say what is wrong when it does not give them."""
    try:
        headers = await target.headers()
    except ApiError as error:
        return Verdict(works=False, words=error.message)
    try:
        async with session.get(_question(target), headers=headers, timeout=SECONDS, allow_redirects=False) as answer:
            works, words = _judged(target, answer.status, _json(await _start_of(answer)))
    except UNREACHABLE as error:
        return Verdict(works=False, words=_unreached(target, error))
    return Verdict(works, masked(words, headers), await looks_like_smalt(session, target.server))


def _question(target: Target) -> str:
    # The classic API of Azure asks for a version everywhere.
    version = "" if target.base_url.endswith(V1) else f"?api-version={API_VERSION}"
    return f"{target.base_url}/models{version}"


def _judged(target: Target, status: int, body: Mapping[str, Any]) -> tuple[bool, str]:
    root = target.base_url
    if status == OK and isinstance(body.get("data"), list):
        count = len(cast("list[Any]", body["data"]))
        return True, f"{root} answers, and takes the credentials: {count} models."
    if status == TOO_MANY:
        # Credentials are looked at before limits are.
        return True, f"{root} takes the credentials; its limit is reached just now (429)."
    return False, f"{root} {_fault(target, status)}{_said(body)}"


def _fault(target: Target, status: int) -> str:
    if status in FAULTS:
        return FAULTS[status]
    if status in range(300, 400):
        return f"answers with a redirection ({status}). Give the address that it leads to."
    if status in range(500, 600):
        return f"is out of order ({status}). Try again later."
    return f"does not answer as the service of '{target.connector.name}' does ({status}). Check the base URL."


def _said(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    message = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else body.get("message")
    if not isinstance(message, str) or not message.strip():
        return ""
    return f" It says: {' '.join(message.split())[:LONGEST_WORDS]}"


def _unreached(target: Target, error: Exception) -> str:
    match error:
        case aiohttp.ClientSSLError():
            return f"{target.server} cannot be trusted: {error}."
        case aiohttp.ClientConnectorDNSError():
            return f"There is no host {error.host}. Check the base URL or the resource's name."
        case aiohttp.ClientConnectorError():
            return f"No server answers at {target.server} ({error.strerror or error}). Is it running?"
        case TimeoutError():
            return f"{target.server} did not answer in time. Is it behind a proxy or a firewall?"
        case _:
            return f"The connection to {target.server} broke ({type(error).__name__}). Try again."


async def _start_of(answer: aiohttp.ClientResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_ANSWER_BYTES:
            break
    return b"".join(pieces)


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
