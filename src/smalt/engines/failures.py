"""Carries an `ApiError` from one process to another as a JSON object, and back."""

from collections.abc import Mapping
from typing import Any

from smalt.core import errors
from smalt.core.errors import ApiError, EngineFailed, MissingExtra, NotInstalled


def describe(error: ApiError) -> dict[str, Any]:
    """The JSON object that `revive` turns into the same error in another process."""
    kind = NotInstalled if isinstance(error, MissingExtra) else type(error)
    return {
        "kind": kind.__name__,
        "message": error.message,
        "param": error.param,
        "code": error.code,
        "headers": error.headers,
    }


def revive(described: Mapping[str, Any]) -> ApiError:
    """The error that `describe` wrote down; one of an unknown kind becomes `EngineFailed`."""
    kind = getattr(errors, str(described.get("kind")), EngineFailed)
    if not (isinstance(kind, type) and issubclass(kind, ApiError)):
        kind = EngineFailed
    error = kind.__new__(kind)
    # Subclasses make their message from other arguments; here it is made already.
    ApiError.__init__(
        error,
        str(described.get("message", "The engine failed without saying why.")),
        param=described.get("param"),
        code=described.get("code"),
        headers=described.get("headers"),
    )
    return error
