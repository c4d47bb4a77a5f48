"""Tells what an upstream's failure means for our client."""

from collections.abc import Mapping
from typing import Any

import orjson

from smalt.core.errors import (
    ApiError,
    Conflict,
    InvalidRequest,
    NotFound,
    RateLimited,
    TooLarge,
    UpstreamFailed,
)

KEY_REFUSED = frozenset({401, 403})
PASSED_ON = frozenset({400, 404, 409, 413, 415, 422})
BUSY = frozenset({429, 503})
KINDS: dict[int, type[ApiError]] = {
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    429: RateLimited,
    503: UpstreamFailed,
}
LONGEST_QUOTE = 500


def failure(status: int, headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...] = ()) -> ApiError:
    """The error for an answer of `status`; nothing of `secrets` is repeated."""
    if status in KEY_REFUSED:
        return UpstreamFailed(
            f"The upstream refused the key of this deployment (status {status}). "
            "Check its api_key and that the key may use the model.",
            code="upstream_key_refused",
        )
    fault = _fault(_without(body, secrets))
    if status in BUSY or (status in PASSED_ON and fault is not None):
        return _handed_on(status, fault or {}, _retry_headers(headers))
    said = _text((fault or {}).get("message"))
    reason = f" and said: {said[:LONGEST_QUOTE]}" if said else ", without an error object"
    advice = " Check its base_url." if status in {404, 405} else ""
    return UpstreamFailed(
        f"The upstream answered with status {status}{reason}.{advice}",
        code="upstream_failed",
        headers=_retry_headers(headers),
    )


def stream_failure(fault: Any, secrets: tuple[str, ...] = ()) -> UpstreamFailed:
    """The error for an error object inside an upstream's stream."""
    said = _fault(_without(orjson.dumps({"error": fault}), secrets)) or {}
    message = _text(said.get("message")) or "no reason given"
    return UpstreamFailed(
        f"The upstream broke off its stream: {message[:LONGEST_QUOTE]}",
        param=_text(said.get("param")),
        code=_text(said.get("code")) or "upstream_failed",
    )


def _handed_on(status: int, fault: Mapping[str, Any], headers: Mapping[str, str]) -> ApiError:
    """The upstream's own refusal, with its status, type, code, param and message."""
    message = _text(fault.get("message")) or f"The upstream answered with status {status}."
    kind = KINDS.get(status, InvalidRequest)
    error = kind(message, param=_text(fault.get("param")), code=_text(fault.get("code")), headers=headers)
    # What each class of ours fixes is the upstream's to say here.
    vars(error).update(status=status, type=_text(fault.get("type")) or kind.type)
    return error


def _fault(body: bytes) -> Mapping[str, Any] | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(answer, dict):
        return None
    fault: Any = answer.get("error", answer)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    if isinstance(fault, str):
        return {"message": fault}
    return fault if isinstance(fault, dict) and "message" in fault else None  # pyright: ignore[reportUnknownVariableType]


def _without(body: bytes, secrets: tuple[str, ...]) -> bytes:
    for secret in secrets:
        body = body.replace(secret.encode(), b"***")
    return body


def _retry_headers(headers: Mapping[str, str]) -> dict[str, str]:
    wanted = {"retry-after": "Retry-After", "retry-after-ms": "retry-after-ms"}
    return {wanted[name.lower()]: value for name, value in headers.items() if name.lower() in wanted}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
