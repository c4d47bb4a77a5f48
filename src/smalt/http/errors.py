"""Turns every failure into the answer that the mount's own service would give; nothing else does."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from smalt.core.errors import (
    ApiError,
    AuthenticationFailed,
    EngineFailed,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
)
from smalt.http import search_service
from smalt.http.call import Call
from smalt.http.interruption import ClientGone
from smalt.http.refusals import (
    CREATE_KEY,
    MissingKey,
    MissingVersion,
    UnknownPath,
    UnsupportedVersion,
    WrongKey,
)
from smalt.http.validation import invalid_request
from smalt.safety.content_filter import PromptFiltered

logger = logging.getLogger("smalt.http")

CLIENT_CLOSED_REQUEST = 499
FIELD_FAULTS = frozenset(
    {"invalid_value", "invalid_type", "missing_required_parameter", "unknown_parameter", "unsupported_parameter"}
)
"""Codes of faults in one field of a request."""


def answer(error: Exception, call: Call) -> Response:
    """The whole answer to a request that failed."""
    if isinstance(error, (ClientGone, ClientDisconnect)) or isinstance(error.__cause__, ClientDisconnect):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    log_unexpected(error, call)
    told = translated(error, call)
    headers = {**told.headers, **_challenge(told, call), **_azure_headers(told, call)}
    body = orjson.dumps(_envelope(told, call))
    status = search_service.status_of(told) if call.mount == "search" else told.status
    return Response(body, status, headers, media_type="application/json")


def error_body(error: Exception, call: Call) -> bytes:
    """The envelope alone, as a stream's last event carries it."""
    return orjson.dumps(_openai_envelope(translated(error, call)))


def log_unexpected(error: Exception, call: Call) -> None:
    """Write down, once, a failure that nobody foresaw."""
    known = (ApiError, HTTPException, RequestValidationError)
    if not isinstance(error, known) or isinstance(error, EngineFailed):
        logger.error(
            "request failed",
            exc_info=error,
            extra={"request_id": call.request_id, "operation": call.operation, "path": call.path},
        )


def translated(error: Exception, call: Call) -> ApiError:
    """The member of our own family that says what happened."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error.__cause__, ApiError):  # FastAPI wraps what its body parser raised
        return error.__cause__
    if isinstance(error, RequestValidationError):
        return invalid_request(error)
    if isinstance(error, HTTPException):
        return _from_http_exception(error, call)
    return ApiError(f"The server failed. Its log tells more under the request id {call.request_id}.")


def _from_http_exception(error: HTTPException, call: Call) -> ApiError:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return UnknownPath(call.method, call.path)
    return InvalidRequest(error.detail or "The request could not be read.", headers=error.headers)


def _challenge(error: ApiError, call: Call) -> Mapping[str, str]:
    if not isinstance(error, AuthenticationFailed) or call.is_azure or call.mount == "search":
        return {}
    return {"www-authenticate": 'Bearer realm="OpenAI API"'}


def _azure_headers(error: ApiError, call: Call) -> Mapping[str, str]:
    if not isinstance(error, PromptFiltered) or not call.is_azure:
        return {}
    return {
        "ms-azureml-model-error-reason": "model_error",
        "ms-azureml-model-error-statuscode": str(error.status),
        "x-ms-rai-invoked": "true",
    }


def _envelope(error: ApiError, call: Call) -> dict[str, Any]:
    if call.mount == "search":
        return search_service.envelope(error)
    if not call.is_azure:
        return {**_openai_envelope(error), **error.beside}
    return _azure_envelope(error, call)


def _azure_envelope(error: ApiError, call: Call) -> dict[str, Any]:
    if isinstance(error, AuthenticationFailed):
        return _azure_gate_envelope(error)
    if isinstance(error, PromptFiltered):
        return _filtered_envelope(error)
    code = _azure_code(error)
    if code is not None:
        return {"error": {"code": code, "message": _azure_message(error)}}
    return _on_your_data_envelope(error, call) if _is_on_your_data(error, call) else _openai_envelope(error)


def _openai_envelope(error: ApiError) -> dict[str, Any]:
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


def _filtered_envelope(error: PromptFiltered) -> dict[str, Any]:
    """What the content filter found stands within the error, in the order in which Azure writes it."""
    found = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": error.results}
    told = {"message": error.message, "type": None, "param": error.param, "code": error.code}
    return {"error": {**told, "status": error.status, "innererror": found}}


def _azure_gate_envelope(error: AuthenticationFailed) -> dict[str, Any]:
    """Azure's gate in front of the service speaks in two shapes of its own."""
    if isinstance(error, WrongKey):
        message = f"Access denied due to invalid subscription key or wrong API endpoint. {CREATE_KEY}"
        return {"error": {"code": "401", "message": message}}
    if isinstance(error, MissingKey):
        message = f"Access denied due to missing subscription key. Send it in the header `api-key`. {CREATE_KEY}"
        return {"statusCode": 401, "message": message}
    return {"statusCode": 401, "message": error.message}


def _is_on_your_data(error: ApiError, call: Call) -> bool:
    """Whether On Your Data answers: on classic paths it is a service of its own in front of the models."""
    param = (error.param or "").partition("[")[0]
    return call.mount == "azure_classic" and (call.has_data_sources or param in {"data_sources", "dataSources"})


def _on_your_data_envelope(error: ApiError, call: Call) -> dict[str, Any]:
    """The envelope with a numeric code; faults of the request name their field as a pointer."""
    message = error.message
    if isinstance(error, InvalidRequest) and error.param and error.code in FIELD_FAULTS:
        pointer = error.param.replace("[", "/").replace("]", "").replace(".", "/")
        message = f"Validation error at #/{pointer}: {message}"
    return {"error": {"requestid": call.request_id, "code": error.status, "message": message}}


def _azure_code(error: ApiError) -> str | None:
    """The word in Azure's own short envelope, or None where Azure passes OpenAI's body through."""
    if error.code == "OperationNotSupported":
        return error.code
    for kind, code in _AZURE_CODES:
        if isinstance(error, kind):
            return code
    return None


_AZURE_CODES: tuple[tuple[type[ApiError], str], ...] = (
    (ModelNotFound, "DeploymentNotFound"),
    (UnknownPath, "404"),
    (MissingVersion, "404"),
    (UnsupportedVersion, "BadRequest"),
    (RateLimited, "429"),
)


def _azure_message(error: ApiError) -> str:
    if isinstance(error, ModelNotFound):
        return f"The API deployment for this resource does not exist. {error.message}"
    if isinstance(error, UnknownPath):
        return f"Resource not found. {error.message}"
    return error.message
