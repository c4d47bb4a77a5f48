"""The one family of errors that rooms raise and `http/errors.py` turns into answers."""

from collections.abc import Mapping
from typing import Any, ClassVar


class ApiError(Exception):
    """A failure that a client is told about.

    `param` is the path of the field at fault (`messages[0].role`), `code` the word that programs match on.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None
    beside: ClassVar[Mapping[str, Any]] = {}
    """What OpenAI's body has beside the error."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code
        self.headers: dict[str, str] = dict(headers or {})


class InvalidRequest(ApiError):
    """The request is at fault (400)."""

    status = 400
    type = "invalid_request_error"


class UnsupportedParameter(InvalidRequest):
    """The model or its engine cannot honour this parameter (400)."""

    default_code = "unsupported_parameter"

    def __init__(self, param: str, reason: str | None = None) -> None:
        message = f"Unsupported parameter: '{param}' is not supported with this model."
        super().__init__(f"{message} {reason}" if reason else message, param=param)


class UnsupportedValue(InvalidRequest):
    """The model or its engine cannot honour this value of a parameter it knows (400)."""

    default_code = "unsupported_value"


class ContextLengthExceeded(InvalidRequest):
    """The prompt, or the prompt and what was asked for, does not fit the model's context (400)."""

    default_code = "context_length_exceeded"


class AuthenticationFailed(ApiError):
    """There is no key, or it is wrong (401)."""

    status = 401
    type = "invalid_request_error"


class PermissionDenied(ApiError):
    """The key is known but may not do this (403)."""

    status = 403
    type = "invalid_request_error"


class NotFound(ApiError):
    """What was asked for does not exist for this caller (404)."""

    status = 404
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    """No deployment, model or alias has this name (404)."""

    default_code = "model_not_found"


class MethodNotAllowed(ApiError):
    """The path exists, the method does not (405)."""

    status = 405
    type = "invalid_request_error"


class Conflict(ApiError):
    """The object's state does not allow this (409)."""

    status = 409
    type = "invalid_request_error"


class TooLarge(ApiError):
    """The body or a file is over a limit (413)."""

    status = 413
    type = "invalid_request_error"


class RateLimited(ApiError):
    """The key has used up its minute (429)."""

    status = 429
    type = "requests"
    default_code = "rate_limit_exceeded"


class EngineFailed(ApiError):
    """An engine broke while it worked (500)."""


class NotInstalled(ApiError):
    """A capability lacks its model or its extra; the message says which command installs it (501)."""

    status = 501
    type = "invalid_request_error"
    default_code = "not_installed"


class UpstreamFailed(ApiError):
    """A remote engine could not be reached or answered nonsense (502)."""

    status = 502


class Unavailable(ApiError):
    """There is no room for this now; try again after `retry_after` seconds (503)."""

    status = 503
    default_code = "service_unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


class TimedOut(ApiError):
    """The work took longer than `limits.request_timeout_seconds` (504)."""

    status = 504
    type = "timeout"


class MissingExtra(NotInstalled):
    """A Python package that belongs to an extra is not installed."""

    def __init__(self, module: str, *, extra: str) -> None:
        super().__init__(f"The Python module {module} is missing. Install it with: pip install 'smalt[{extra}]'")
        self.extra = extra
