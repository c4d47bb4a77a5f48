"""Turns an engine's events into the chunks of a chat completion."""

from dataclasses import dataclass
from random import getrandbits

from smalt.api.accounting import Tally
from smalt.api.generation import NAMELESS, Chunk
from smalt.core.clock import now
from smalt.core.errors import EngineFailed
from smalt.core.ids import ALPHANUMERIC, chat_completion_id, tool_call_id
from smalt.engines.protocols import (
    ChatDelta,
    ChatEvent,
    LateJudgement,
    PromptJudged,
    Serving,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
)
from smalt.safety.results import gravest
from smalt.schemas.chat import AzureCreateChatCompletionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkStyle:
    """What a chunk holds beside its choices; it differs by mount and by request."""

    model: str
    """The name to give until the engine says what really answers."""
    has_usage: bool = False
    has_logprobs: bool = False
    has_service_tier: bool = False
    has_obfuscation: bool = False
    calls_functions: bool = False
    """Tool calls are written as `function_call`, the way before there were tools."""

    @classmethod
    def of(cls, body: AzureCreateChatCompletionRequest, *, model: str, is_azure: bool) -> "ChunkStyle":
        """The style that a request on a mount asks for; a whole answer always has its usage."""
        options = body.stream_options
        return cls(
            model=model,
            has_usage=not body.stream or bool(options and options.include_usage),
            has_logprobs=bool(body.logprobs),
            has_service_tier=not is_azure,
            has_obfuscation=not is_azure
            and bool(body.stream)
            and (not options or options.include_obfuscation is not False),
            calls_functions=body.functions is not None,
        )


class ChunkStamper:
    """Writes one completion's chunks: ids, roles, tool calls, log-probabilities, finish reasons, usage."""

    def __init__(self, style: ChunkStyle) -> None:
        self._style = style
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._calls: set[tuple[int, int]] = set()
        self._prompts: PromptJudged | None = None
        self._found: dict[int, Chunk] = {}
        self.tally = Tally(style.model)
        self._head: Chunk = {
            "id": chat_completion_id(),
            "object": "chat.completion.chunk",
            "created": now(),
            "model": style.model,
        }
        if style.has_service_tier:
            self._head["service_tier"] = "default"
        self._head["system_fingerprint"] = None

    def stamp(self, event: ChatEvent) -> list[Chunk]:
        """The chunks that one event makes: none, one, or several."""
        self.tally.see(event)
        if isinstance(event, ChatDelta):
            return self._deltas(event)
        if isinstance(event, Serving):
            self._head["model"] = event.model
            self._head["system_fingerprint"] = event.system_fingerprint
        if isinstance(event, PromptJudged):
            self._prompts = event
            return [{**NAMELESS, "choices": [], "prompt_filter_results": list(event.results)}]
        if isinstance(event, LateJudgement) and self._prompts is not None:
            return [self._late(event)]
        return []

    def finish(self) -> list[Chunk]:
        """The chunks after the last event; an engine that left a choice open has failed."""
        if not self._finished or self._begun - self._finished:
            raise EngineFailed("The engine ended its answer without a finish reason.")
        usage = self.tally.usage_json()
        if usage is None or not self._style.has_usage:
            return []
        chunk: Chunk = {**self._head, "choices": [], "usage": usage}
        if self._style.has_obfuscation:
            chunk["obfuscation"] = ""
        return [chunk]

    def _deltas(self, event: ChatDelta) -> list[Chunk]:
        if event.choice in self._finished:
            return []
        if event.judged is not None:
            self._found[event.choice] = gravest(self._found.get(event.choice, {}), event.judged)
        said = self._said(event)
        chunks: list[Chunk] = []
        if event.choice not in self._begun:
            chunks += self._beginnings(event.choice)
            self._begun.add(event.choice)
            if len(event.tool_calls) == 1 and "content" not in said:
                said = {"role": "assistant", "content": None, **said, "refusal": None}
            else:
                chunks.append(self._chunk(event.choice, _role(event), logprobs=self._no_logprobs()))
        if said:
            chunks.append(self._chunk(event.choice, said, logprobs=_logprobs(event)))
        if event.finish_reason is not None:
            self._finished.add(event.choice)
            chunks.append(self._chunk(event.choice, {}, finish_reason=self._finish_reason(event.finish_reason)))
        return chunks

    def _beginnings(self, choice: int) -> list[Chunk]:
        """The roles of lower choices that have not begun: the SDK can read choices only if they begin in order."""
        late = [lower for lower in range(choice) if lower not in self._begun]
        self._begun.update(late)
        return [self._chunk(lower, _role(ChatDelta(content="")), logprobs=self._no_logprobs()) for lower in late]

    def _said(self, event: ChatDelta) -> Chunk:
        said: Chunk = {}
        # A token may be a part of a character: no text yet, but a log-probability.
        if event.content or (event.logprobs and event.refusal is None):
            said["content"] = event.content or ""
        if event.reasoning_content:
            said["reasoning_content"] = event.reasoning_content
        if event.refusal:
            said["refusal"] = event.refusal
        if event.tool_calls:
            calls = [self._call(event.choice, call) for call in event.tool_calls]
            if self._style.calls_functions:
                said["function_call"] = calls[0]["function"]
            else:
                said["tool_calls"] = calls
        return said

    def _call(self, choice: int, call: ToolCallDelta) -> Chunk:
        """The first piece of a call has its id and name, the others have only arguments, whatever an engine repeats."""
        if (choice, call.index) in self._calls:
            return {"index": call.index, "function": {"arguments": call.arguments}}
        if call.name is None:
            raise EngineFailed("The engine began a tool call without the name of a tool.")
        self._calls.add((choice, call.index))
        function = {"name": call.name, "arguments": call.arguments}
        return {"index": call.index, "id": call.id or tool_call_id(), "type": "function", "function": function}

    def _finish_reason(self, reason: str) -> str:
        return "function_call" if reason == "tool_calls" and self._style.calls_functions else reason

    def _late(self, event: LateJudgement) -> Chunk:
        """What was found in text that is out already; nothing comes after it when it ends the choice."""
        if event.finish_reason is not None:
            self._begun.add(event.choice)
            self._finished.add(event.choice)
        offsets = {
            "check_offset": event.check_offset,
            "start_offset": event.start_offset,
            "end_offset": event.end_offset,
        }
        piece = {
            "index": event.choice,
            "finish_reason": event.finish_reason,
            "content_filter_results": dict(event.results),
            "content_filter_offsets": offsets,
        }
        return {**NAMELESS, "choices": [piece]}

    def _no_logprobs(self) -> Chunk | None:
        return {"content": [], "refusal": None} if self._style.has_logprobs else None

    def _chunk(
        self, choice: int, delta: Chunk, *, logprobs: Chunk | None = None, finish_reason: str | None = None
    ) -> Chunk:
        piece: Chunk = {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        if self._prompts is not None and not self._prompts.is_asynchronous:
            piece["content_filter_results"] = {} if _tells_nothing(delta) else self._found.pop(choice, {})
        chunk = {**self._head, "choices": [piece]}
        if self._style.has_usage:
            chunk["usage"] = None
        if self._style.has_obfuscation:
            chunk["obfuscation"] = _padding()
        return chunk


def _tells_nothing(delta: Chunk) -> bool:
    """Whether this is a chunk on which results are never told: what was found waits for the next."""
    return "role" in delta or "tool_calls" in delta or "function_call" in delta


def _role(event: ChatDelta) -> Chunk:
    """The first delta of a choice: an answer that begins with something else than text has no content yet."""
    has_text = event.content is not None or event.finish_reason is not None
    return {"role": "assistant", "content": "" if has_text else None, "refusal": None}


def _logprobs(event: ChatDelta) -> Chunk | None:
    if event.logprobs is None:
        return None
    entries = [
        {
            **_likelihood(entry),
            "top_logprobs": [_likelihood(top) for top in entry.top],
        }
        for entry in event.logprobs
    ]
    return {"content": None, "refusal": entries} if event.refusal else {"content": entries, "refusal": None}


def _likelihood(entry: TokenLogprob | TopLogprob) -> Chunk:
    spelled = None if entry.bytes is None else list(entry.bytes)
    return {"token": entry.token, "logprob": entry.logprob, "bytes": spelled}


def _padding() -> str:
    """Up to 15 letters of no meaning, so that a chunk's length does not tell its word's."""
    bits = getrandbits(9)
    start = bits & 31
    return ALPHANUMERIC[start : start + (bits >> 5)]
