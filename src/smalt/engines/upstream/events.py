"""Reads OpenAI's wire, chunks and whole answers alike, as the events that our engines speak."""

from array import array
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Any

from smalt.core.errors import UpstreamFailed
from smalt.engines.protocols import (
    ChatDelta,
    CompletionDelta,
    Embeddings,
    FinishReason,
    Serving,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)

Json = dict[str, Any]
FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    "eos": "stop",
    "max_tokens": "length",
}


def serving(answer: Json) -> Serving | None:
    """What answered; None in chunks that do not say, such as Azure's first one."""
    model = answer.get("model")
    return Serving(model, answer.get("system_fingerprint")) if model else None


def usage(answer: Json) -> Usage | None:
    """The usage in an answer or chunk, if there is one."""
    counts = answer.get("usage")
    if not counts:
        return None
    prompt: Json = counts.get("prompt_tokens_details") or {}
    completion: Json = counts.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=counts.get("prompt_tokens") or 0,
        completion_tokens=counts.get("completion_tokens") or 0,
        cached_tokens=prompt.get("cached_tokens") or 0,
        reasoning_tokens=completion.get("reasoning_tokens") or 0,
        accepted_prediction_tokens=completion.get("accepted_prediction_tokens") or 0,
        rejected_prediction_tokens=completion.get("rejected_prediction_tokens") or 0,
    )


def chat_deltas(answer: Json) -> Iterator[ChatDelta]:
    """The pieces of every choice in a chunk (`delta`) or in a whole answer (`message`)."""
    for choice in answer.get("choices") or ():
        said: Json | None = choice.get("delta") or choice.get("message")
        if not said and not choice.get("finish_reason"):
            continue  # Azure's late filter results have neither
        said = said or {}
        # vLLM and OpenRouter call the reasoning `reasoning`, DeepSeek and Azure `reasoning_content`.
        yield ChatDelta(
            choice.get("index") or 0,
            said.get("content"),
            said.get("reasoning_content") or said.get("reasoning"),
            said.get("refusal"),
            _tool_calls(said),
            _logprobs(choice.get("logprobs")),
            _finish_reason(choice.get("finish_reason")),
        )


def completion_deltas(answer: Json) -> Iterator[CompletionDelta]:
    """The pieces of every choice in a chunk or a whole answer of a text completion."""
    for choice in answer.get("choices") or ():
        yield CompletionDelta(
            choice.get("index") or 0,
            choice.get("text") or "",
            _legacy_logprobs(choice.get("logprobs")),
            _finish_reason(choice.get("finish_reason")),
        )


def embeddings(answer: Json, count: int) -> Embeddings:
    """The vectors of an answer to `count` inputs, whether they came as numbers or as base64."""
    try:
        data: list[Json] = sorted(answer["data"], key=lambda item: item["index"])
        rows = [_row(item["embedding"]) for item in data]
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamFailed(f"The upstream's embeddings cannot be read ({type(error).__name__}).") from None
    if len(rows) != count or len({len(row) for row in rows}) != 1 or not rows[0] or len(rows[0]) % 4:
        raise UpstreamFailed(f"The upstream gave {len(rows)} vectors of unequal kinds for {count} inputs.")
    used = usage(answer)
    tokens = used.prompt_tokens if used else 0
    return Embeddings(b"".join(rows), len(rows[0]) // 4, tokens, answer.get("model"))


def _row(embedding: str | Sequence[float]) -> bytes:
    return b64decode(embedding) if isinstance(embedding, str) else array("f", embedding).tobytes()


def _tool_calls(said: Json) -> tuple[ToolCallDelta, ...]:
    calls = said.get("tool_calls")
    if calls:
        return tuple(_tool_call(call, position) for position, call in enumerate(calls))
    call = said.get("function_call")
    return (_tool_call({"function": call, "id": call.get("name") and "call_0"}, 0),) if call else ()


def _tool_call(call: Json, position: int) -> ToolCallDelta:
    function: Json = call.get("function") or {}
    index = call.get("index")
    return ToolCallDelta(
        position if index is None else index,
        function.get("arguments") or "",
        call.get("id") or None,
        function.get("name") or None,
    )


def _finish_reason(reason: str | None) -> FinishReason | None:
    return FINISH_REASONS.get(reason, "stop") if reason else None


def _logprobs(logprobs: Json | None) -> tuple[TokenLogprob, ...] | None:
    if not logprobs:
        return None
    entries = logprobs.get("content") or logprobs.get("refusal")
    return token_logprobs(entries) if entries else None


def token_logprobs(entries: Sequence[Json]) -> tuple[TokenLogprob, ...]:
    """Tokens with their log-probabilities."""
    return tuple(
        TokenLogprob(
            entry["token"],
            entry["logprob"],
            _bytes(entry),
            tuple(TopLogprob(top["token"], top["logprob"], _bytes(top)) for top in entry.get("top_logprobs") or ()),
        )
        for entry in entries
    )


def _bytes(entry: Json) -> tuple[int, ...] | None:
    values = entry.get("bytes")
    return None if values is None else tuple(values)


def _legacy_logprobs(logprobs: Json | None) -> tuple[TokenLogprob, ...] | None:
    if not logprobs or logprobs.get("tokens") is None:
        return None
    tokens: list[str] = logprobs["tokens"]
    chosen: list[float | None] = logprobs.get("token_logprobs") or [None] * len(tokens)
    tops: list[Json | None] = logprobs.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        # The first token of an echoed prompt has no probability: null on the wire, not-a-number within.
        TokenLogprob(
            token,
            float("nan") if logprob is None else logprob,
            None,
            tuple(TopLogprob(word, value, None) for word, value in (top or {}).items()),
        )
        for token, logprob, top in zip(tokens, chosen, tops, strict=True)
    )
