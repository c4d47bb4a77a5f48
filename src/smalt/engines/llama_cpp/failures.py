"""Tells what a failure of llama.cpp's server means for our client."""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from smalt.core.errors import ApiError, ContextLengthExceeded, EngineFailed, InvalidRequest, Unavailable

BAD_REQUEST = 400
LOADING = 503
SHARED_CACHE_FULL = "Context size has been exceeded"


class WorkerLost(EngineFailed):
    """The worker process ended while it was needed."""


def refusal(status: int, body: bytes, *, param: str) -> ApiError:
    """The error for an answer that is not a success; `param` names the field that holds the prompt."""
    try:
        fault: Any = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        fault = {"message": body[:200].decode("utf-8", "replace")}
    return failure(fault, param=param, status=status)


def failure(fault: Any, *, param: str, status: int = 500) -> ApiError:
    """The error for llama.cpp's error object, in an answer or in a stream."""
    said: Mapping[str, Any] = cast("Mapping[str, Any]", fault) if isinstance(fault, dict) else {"message": fault}
    message = str(said.get("message", "no reason given"))
    if said.get("type") == "exceed_context_size_error":
        return prompt_too_long(said["n_prompt_tokens"], said["n_ctx"], param=param)
    if status == LOADING:
        return Unavailable("The model is being loaded. Try again in a moment.")
    if SHARED_CACHE_FULL in message:
        return Unavailable("The requests that run at once filled the model's memory. Try again, or lower `parallel`.")
    if status == BAD_REQUEST:
        return InvalidRequest(f"The model's engine refused the request: {message}")
    return EngineFailed(f"The model's engine failed: {message}")


def prompt_too_long(tokens: int, context: int, *, param: str) -> ContextLengthExceeded:
    """The prompt alone does not fit."""
    return ContextLengthExceeded(
        f"This model's maximum context length is {context} tokens. However, your {param} resulted in {tokens} tokens. "
        f"Please reduce the length of the {param}.",
        param=param,
    )


def answer_too_long(tokens: int, answer: int, context: int, *, param: str) -> ContextLengthExceeded:
    """The prompt fits, but not with as many tokens behind it as were asked for."""
    return ContextLengthExceeded(
        f"This model's maximum context length is {context} tokens. However, you requested {tokens + answer} tokens "
        f"({tokens} in the {param}, {answer} in the completion). "
        f"Please reduce the length of the {param} or completion.",
        param=param,
    )
