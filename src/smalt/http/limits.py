"""Requests and tokens a minute per key: admission, the headers that tell, and the refusal that says when to return."""

import math
from pathlib import Path
from typing import Any, Literal, cast

import orjson

from smalt.core.errors import RateLimited
from smalt.core.settings import LimitSettings, Settings
from smalt.http.body import Body
from smalt.http.buckets import Buckets, Level
from smalt.http.call import Call, Caller
from smalt.store.usage import EndUser, Tokens

BYTES_PER_TOKEN = 4
FORM_TOKENS = 1
SMALL_BODY_BYTES = 64 * 1024
LONG_VALUE = 2048
LONG_VALUE_TOKENS = 256
ANSWER_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class TokensLimited(RateLimited):
    """The key has used up its tokens for the minute (429)."""

    type = "tokens"


class Limits:
    """Holds keys to their requests and tokens a minute."""

    def __init__(self, settings: LimitSettings, path: Path) -> None:
        self._settings = settings
        self._path = path
        self._buckets: Buckets | None = None

    async def admit(self, call: Call, body: Body) -> None:
        """Let the request in, or raise `RateLimited`; either way the answer will have the headers that tell."""
        requests, tokens = self._limits_of(call.caller)
        if requests is None and tokens is None:
            return
        cost = 0 if tokens is None else await _estimate(body)
        taken = self._open().take(call.caller.key_id, (1, requests), (cost, tokens))
        call.response_headers += _headers(call, "requests", taken.requests) + _headers(call, "tokens", taken.tokens)
        if taken.is_refused:
            _require_room(call, "requests", taken.requests, 1)
            _require_room(call, "tokens", taken.tokens, cost)
        call.reserved_tokens = cost

    def spent(self, call: Call, model: str, tokens: Tokens, end_user: EndUser | None) -> None:
        """Set right what was taken by estimate."""
        del model, end_user
        self._settle(call, tokens.prompt_tokens + tokens.completion_tokens)

    def charge(self, caller: Caller, tokens: int) -> None:
        """Take what a key has used outside of its requests; never refuses, but what comes next may have to wait."""
        limit = self._limits_of(caller)[1]
        if tokens and limit is not None:
            self._open().adjust_tokens(caller.key_id, tokens, limit)

    def release(self, call: Call) -> None:
        """Give back what a request that never reported its usage had taken."""
        self._settle(call, 0)

    def close(self) -> None:
        """Let go of the shared file."""
        if self._buckets is not None:
            self._buckets.close()
            self._buckets = None

    def _settle(self, call: Call, used: int) -> None:
        difference = used - call.reserved_tokens
        call.reserved_tokens = 0
        limit = self._limits_of(call.caller)[1]
        if difference and limit is not None and self._buckets is not None:
            self._buckets.adjust_tokens(call.caller.key_id, difference, limit)

    def _limits_of(self, caller: Caller) -> tuple[int | None, int | None]:
        return (
            caller.requests_per_minute or self._settings.requests_per_minute,
            caller.tokens_per_minute or self._settings.tokens_per_minute,
        )

    def _open(self) -> Buckets:
        if self._buckets is None:
            self._buckets = Buckets(self._path)
        return self._buckets


def open_limits(settings: Settings) -> Limits:
    """The limits of this machine, whose file all of its processes share."""
    return Limits(settings.limits, settings.data_dir / "run" / "limits")


async def _estimate(body: Body) -> int:
    """Tokens that a request may take: a quarter of its bytes, and the answer it allows; a form is still to arrive."""
    if not body.is_readable:
        return FORM_TOKENS
    size = len(await body.body())
    try:
        value = await body.json()
    except orjson.JSONDecodeError:
        return 0
    if size > SMALL_BODY_BYTES:
        size = _text_bytes(value)
    return size // BYTES_PER_TOKEN + _answer_tokens(value)


def _answer_tokens(body: Any) -> int:
    """The most tokens that the answer may have, as far as the request says."""
    if not isinstance(body, dict):
        return 0
    asked = cast("dict[str, Any]", body)
    most = max((asked[name] for name in ANSWER_LIMITS if type(asked.get(name)) is int), default=0)
    choices = asked.get("n")
    return max(0, most) * (choices if type(choices) is int and choices > 0 else 1)


def _text_bytes(body: Any) -> int:
    """The size of a body without its pictures and sounds: a long run without a space counts as one of those."""
    size = 0
    left: list[Any] = [body]  # a stack, since a body may be nested deeper than Python's calls
    while left:
        value = left.pop()
        if isinstance(value, str):
            is_blob = len(value) > LONG_VALUE and " " not in value[:LONG_VALUE]
            size += LONG_VALUE_TOKENS * BYTES_PER_TOKEN if is_blob else len(value)
        elif isinstance(value, dict):
            left.extend(cast("dict[str, Any]", value).values())
        elif isinstance(value, list):
            left.extend(cast("list[Any]", value))
        else:
            size += BYTES_PER_TOKEN
    return size


def _require_room(call: Call, what: Literal["requests", "tokens"], level: Level, amount: int) -> None:
    wait = level.wait_seconds(amount)
    if not wait:
        return
    kind = TokensLimited if what == "tokens" else RateLimited
    if amount > level.limit:
        # Waiting does not help, and the SDKs obey this header.
        raise kind(_too_large(level, amount), headers={"x-should-retry": "false"})
    headers = {"Retry-After": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
    tell = _azure_message if call.is_azure else _openai_message
    raise kind(tell(call, what, level, wait), headers=headers)


def _too_large(level: Level, amount: int) -> str:
    return (
        f"Request too large for this key's tokens per min (TPM): Limit {level.limit}, Requested {amount}. Send a "
        "shorter prompt or ask for fewer tokens."
    )


def _openai_message(call: Call, what: str, level: Level, wait: float) -> str:
    short = "RPM" if what == "requests" else "TPM"
    return (
        f"Rate limit reached for key {call.caller.key_name} on {what} per min ({short}): Limit {level.limit}, "
        f"Used {level.used}. Please try again in {duration(wait)}."
    )


def _azure_message(call: Call, what: str, level: Level, wait: float) -> str:
    rate = "call rate limit" if what == "requests" else "token rate limit"
    return (
        f"Requests to {call.operation} with key {call.caller.key_name} have exceeded {rate} of {level.limit} a minute. "
        f"Please retry after {math.ceil(wait)} seconds."
    )


def _headers(call: Call, what: str, level: Level) -> list[tuple[bytes, bytes]]:
    if not level.limit:
        return []
    reset = str(math.ceil(level.empty_in_seconds)) if call.is_azure else duration(level.empty_in_seconds)
    values = {"limit": str(level.limit), "remaining": str(level.remaining), "reset": reset}
    return [(f"x-ratelimit-{name}-{what}".encode(), value.encode()) for name, value in values.items()]


def duration(seconds: float) -> str:
    """A time as OpenAI writes it: `6ms`, `1.5s`, `2m3s`."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:  # noqa: PLR2004 - a second
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds / 1000, 60)
    return f"{int(minutes)}m{rest:.3g}s" if minutes else f"{rest:.4g}s"
