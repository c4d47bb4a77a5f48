"""How Azure AI Search differs on the wire: OData's paths, headers, versions and errors."""

import re
from collections.abc import Iterable
from time import perf_counter
from typing import Any
from urllib.parse import quote, unquote

from smalt.core.errors import ApiError, InvalidRequest
from smalt.http.call import Call
from smalt.http.refusals import WrongKey

ROOT = "/indexes"
FORBIDDEN = 403
QUOTED_KEY = re.compile(r"\((?:'|%27)(.*?)(?:'|%27)\)(?=/|$)", re.IGNORECASE)
VERSION = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(-preview)?", re.IGNORECASE)
ECHOED = (b"client-request-id", b"x-ms-client-request-id")

Header = tuple[bytes, bytes]


class UnservedVersion(InvalidRequest):
    """The `api-version` is missing, or is none of the service's."""

    def __init__(self, given: str | None) -> None:
        fault = "The api-version query parameter is required" if not given else f"Invalid api-version '{given[:40]}'"
        super().__init__(f"{fault}. Use a date such as 2024-07-01 or 2026-04-01.", param="api-version")


def is_search_path(path: str) -> bool:
    """Whether a path is the search service's."""
    return path == ROOT or path.startswith((f"{ROOT}/", f"{ROOT}('"))


def plain_path(raw: str) -> str:
    """A path with `/name` where OData may write `('name')`; what stands there keeps its percent-encoding."""
    whole = QUOTED_KEY.sub(_as_segment, raw).replace("%24", "$")
    return whole.rstrip("/") or ROOT


def require_version(version: str | None) -> None:
    """Refuse what the service would: it needs a dated version."""
    if not version or not VERSION.fullmatch(version):
        raise UnservedVersion(version)


def headers(call: Call, request_headers: Iterable[Header]) -> list[Header]:
    """What every answer of the service carries."""
    spent = int((perf_counter() - call.started_at) * 1000)
    request_id = call.request_id.encode()
    echoed = next((value for name, value in request_headers if name in ECHOED), None)
    return [
        (b"request-id", request_id),
        (b"elapsed-time", str(spent).encode()),
        (b"odata-version", b"4.0"),
        (b"preference-applied", b'odata.include-annotations="*"'),
        *([(b"client-request-id", echoed)] if echoed is not None else []),
    ]


def envelope(error: ApiError) -> dict[str, Any]:
    """The service's envelope, whose code is empty."""
    return {"error": {"code": "", "message": error.message}}


def status_of(error: ApiError) -> int:
    """The status: the service says 403 where others say that a key is wrong."""
    return FORBIDDEN if isinstance(error, WrongKey) else error.status


def _as_segment(key: re.Match[str]) -> str:
    name = unquote(key[1]).replace("''", "'")
    return f"/{quote(name, safe='')}"
