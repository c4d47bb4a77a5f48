"""Tells what a service's error answer means for the one who asked for the action."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from smalt.connectors.exchange import Answer
from smalt.core.errors import (
    ApiError,
    AuthenticationFailed,
    Conflict,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    RateLimited,
    TooLarge,
    UpstreamFailed,
)

KINDS: Final[Mapping[int, type[ApiError]]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    413: TooLarge,
    429: RateLimited,
    502: UpstreamFailed,
}
FIRST_ERROR: Final = 400
FIRST_SERVER_ERROR: Final = 500
LONGEST_QUOTE: Final = 500
KEPT_HEADERS: Final = {"retry-after": "Retry-After", "retry-after-ms": "retry-after-ms"}
UNSERVED: Final = {404: "Invalid URL (", 405: "Not allowed to "}
"""What a server says about a path or a method that it has no operation for, whoever's server it is."""


class NotServed(ApiError):
    """The server has no such operation (501)."""

    status = 501
    type = "invalid_request_error"
    default_code = "operation_not_served"


class Interrupted(ApiError):
    """The connection broke after the call was sent: nobody knows whether it was worked on, and paid (502)."""

    status = 502
    default_code = "interrupted"


def refusal(answer: Answer) -> ApiError:
    """The error that an answer stands for: its own status, type, code, param and message."""
    if answer.status < FIRST_ERROR:
        return UpstreamFailed(
            f"The service answered with status {answer.status}, which is not followed. Check the connection's base URL."
        )
    fault = _fault(answer)
    kind = _kind(answer.status)
    message = _text(fault.get("message")) or f"The service answered with status {answer.status}{_quoted(answer)}."
    headers = {KEPT_HEADERS[name]: value for name, value in answer.headers.items() if name in KEPT_HEADERS}
    error = kind(message, param=_text(fault.get("param")), code=_text(fault.get("code")), headers=headers)
    # What each class of ours fixes is the service's to say here.
    vars(error).update(status=answer.status, type=_text(fault.get("type")) or kind.type)
    return error


def is_unserved(error: ApiError) -> bool:
    """Whether the answer says that the server has no such operation, and not that an object is missing."""
    return UNSERVED.get(error.status, "\0") in error.message


def _kind(status: int) -> type[ApiError]:
    return KINDS.get(status) or (ApiError if status >= FIRST_SERVER_ERROR else InvalidRequest)


def _fault(answer: Answer) -> Mapping[str, Any]:
    try:
        body: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    # Azure's gateway has the message beside the status, without an `error` around it.
    fault: Any = body.get("error", body) if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    if isinstance(fault, str):
        return {"message": fault}
    return fault if isinstance(fault, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON


def _quoted(answer: Answer) -> str:
    said = answer.content[:LONGEST_QUOTE].decode(errors="replace").strip()
    return f" and said: {said}" if said else " and said nothing"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
