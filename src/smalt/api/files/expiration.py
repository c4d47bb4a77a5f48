"""Reads from a form when a file is to disappear."""

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.core.errors import InvalidRequest
from smalt.schemas.files import FileExpirationAfter

INTEGER = re.compile(r"-?[0-9]{1,18}")


def expiration_of(text: str) -> dict[str, Any]:
    """The whole of it in one field, as a JSON object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not value or not isinstance(value, dict):
        message = "Invalid 'expires_after': send expires_after[anchor] and expires_after[seconds], or one JSON object."
        raise InvalidRequest(message, param="expires_after", code="invalid_type")
    return cast("dict[str, Any]", value)


def seconds_of(expiration: Mapping[str, Any]) -> int | None:
    """The seconds after a file's creation that the fields ask for; None when there are none."""
    if not expiration:
        return None
    value = {name: _number(field) for name, field in expiration.items()}
    try:
        return FileExpirationAfter.model_validate(value).seconds
    except ValidationError as error:
        found = [{**one, "loc": ("body", "expires_after", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found, body={"expires_after": value}) from error


def _number(field: Any) -> Any:
    """A form has only strings; one that looks like a number is meant as one."""
    return int(field) if isinstance(field, str) and INTEGER.fullmatch(field) else field
