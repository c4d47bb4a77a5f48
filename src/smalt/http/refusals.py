"""What the wire itself refuses, before any operation is asked: keys, paths, methods, versions."""

from smalt.core.errors import (
    ApiError,
    AuthenticationFailed,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
)

CREATE_KEY = "`smalt keys create` makes a new one."


class MissingKey(AuthenticationFailed):
    """The request carries no key."""

    def __init__(self) -> None:
        super().__init__(
            "You didn't provide an API key. Send it in the header `Authorization: Bearer KEY` or `api-key: KEY`. "
            f"{CREATE_KEY}"
        )


class WrongKey(AuthenticationFailed):
    """No key like this is known, or it was revoked."""

    default_code = "invalid_api_key"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Incorrect API key provided: {masked(key)}. It is not known here, or it was revoked. `smalt keys list` "
            f"shows the keys there are; {CREATE_KEY}"
        )


class BadToken(AuthenticationFailed):
    """The bearer token is no valid token of the configured issuer."""

    default_code = "invalid_token"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Unauthorized. The access token was refused: {reason}.")


class ForeignHost(PermissionDenied):
    """The server answers without keys, and the request came under a name that is not loopback's."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Without keys only requests to 127.0.0.1, [::1] or localhost are answered, not to '{host}'. Use one of "
            "these names, or start the server with keys."
        )


class UnknownPath(NotFound):
    """Nothing listens at this path."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"Invalid URL ({method} {path}). Nothing is served there; /openai/v1 and /v1 hold the API.")


class WrongMethod(MethodNotAllowed):
    """The path is served, but not for this method."""

    def __init__(self, method: str, path: str, *, allowed: list[str]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"Not allowed to {method} on {path}. Use {methods}.", headers={"Allow": methods})


class MissingVersion(NotFound):
    """A classic path needs an `api-version`, and has none."""

    def __init__(self) -> None:
        super().__init__("Resource not found: the query needs api-version=YYYY-MM-DD.", param="api-version")


class UnsupportedVersion(InvalidRequest):
    """The `api-version` is none that this mount knows."""

    def __init__(self, given: str, *, expected: str) -> None:
        super().__init__(f"API version not supported: {given[:40]!r}. Use {expected}.", param="api-version")


class UnsatisfiableRange(ApiError):
    """The content has no such range."""

    status = 416
    type = "invalid_request_error"

    def __init__(self, size: int, advice: str) -> None:
        headers = {"Content-Range": f"bytes */{size}"}
        super().__init__(f"The header Range cannot be satisfied. {advice}", param="Range", headers=headers)


def masked(key: str) -> str:
    """A key as it may be shown: the first eight characters and the last four of a long one, else only stars."""
    if len(key) < 24:  # noqa: PLR2004 - a short key would be all but shown whole
        return "*" * min(len(key), 8)
    return f"{key[:8]}{'*' * 8}{key[-4:]}"
