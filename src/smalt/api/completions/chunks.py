"""Turns an engine's events into the chunks of a text completion."""

from math import isnan

from smalt.api.accounting import Tally, usage_json
from smalt.api.generation import NAMELESS, Chunk
from smalt.core.clock import now
from smalt.core.errors import EngineFailed
from smalt.core.ids import completion_id
from smalt.engines.protocols import (
    CompletionDelta,
    CompletionEvent,
    LateJudgement,
    PromptJudged,
    Serving,
    TokenLogprob,
)
from smalt.safety.results import gravest
from smalt.schemas.completions import CreateCompletionRequest


class CompletionStamper:
    """Writes one text completion's chunks: id, offsets, log-probabilities, finish reasons, usage."""

    def __init__(self, body: CreateCompletionRequest, *, model: str) -> None:
        options = body.stream_options
        self._has_usage = not body.stream or bool(options and options.include_usage)
        self._starts = _starts(body)
        self._offsets: dict[int, int] = {}
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._prompts: PromptJudged | None = None
        self._found: dict[int, Chunk] = {}
        self.tally = Tally(model)
        self._head: Chunk = {"id": completion_id(), "object": "text_completion", "created": now(), "model": model}

    def stamp(self, event: CompletionEvent) -> list[Chunk]:
        """The chunk that one event makes, if any."""
        self.tally.see(event)
        if isinstance(event, CompletionDelta):
            return [] if event.choice in self._finished else self._delta(event)
        if isinstance(event, Serving):
            self._head["model"] = event.model
            if event.system_fingerprint is not None:
                self._head["system_fingerprint"] = event.system_fingerprint
        if isinstance(event, PromptJudged):
            self._prompts = event
            return [{**NAMELESS, "prompt_filter_results": list(event.results), "choices": []}]
        if isinstance(event, LateJudgement) and self._prompts is not None:
            return [self._late(event)]
        return []

    def finish(self) -> list[Chunk]:
        """The usage, where it is asked for; an engine that left a choice open has failed."""
        if not self._finished or self._begun - self._finished:
            raise EngineFailed("The engine ended its answer without a finish reason.")
        if self.tally.usage is None or not self._has_usage:
            return []
        return [{**self._head, "choices": [], "usage": usage_json(self.tally.usage)}]

    def _delta(self, event: CompletionDelta) -> list[Chunk]:
        self._begun.add(event.choice)
        if event.judged is not None:
            self._found[event.choice] = gravest(self._found.get(event.choice, {}), event.judged)
        if event.finish_reason is not None:
            self._finished.add(event.choice)
        elif not event.text and not event.logprobs:
            return []
        return [self._chunk(event)]

    def _late(self, event: LateJudgement) -> Chunk:
        """What was found in text that is out already; nothing comes after it when it ends the choice."""
        if event.finish_reason is not None:
            self._begun.add(event.choice)
            self._finished.add(event.choice)
        piece = {
            "text": "",
            "index": event.choice,
            "logprobs": None,
            "finish_reason": event.finish_reason,
            "content_filter_results": dict(event.results),
        }
        return {**NAMELESS, "choices": [piece]}

    def _chunk(self, event: CompletionDelta) -> Chunk:
        piece: Chunk = {
            "text": event.text,
            "index": event.choice,
            "logprobs": None if event.logprobs is None else self._logprobs(event.choice, event.logprobs),
            "finish_reason": event.finish_reason,
        }
        if self._prompts is not None and not self._prompts.is_asynchronous:
            piece["content_filter_results"] = self._found.pop(event.choice, {})
        chunk = {**self._head, "choices": [piece]}
        if self._has_usage:
            chunk["usage"] = None
        return chunk

    def _logprobs(self, choice: int, entries: tuple[TokenLogprob, ...]) -> Chunk:
        offset = self._offsets.get(choice)
        if offset is None:
            offset = self._starts[choice] if choice < len(self._starts) else 0
        offsets: list[int] = []
        for entry in entries:
            offsets.append(offset)
            offset += len(entry.token)
        self._offsets[choice] = offset
        has_top = any(entry.top for entry in entries)
        return {
            "tokens": [entry.token for entry in entries],
            "token_logprobs": [None if isnan(entry.logprob) else entry.logprob for entry in entries],
            "top_logprobs": [_top(entry) for entry in entries] if has_top else None,
            "text_offset": offsets,
        }


def _top(entry: TokenLogprob) -> dict[str, float] | None:
    return {top.token: top.logprob for top in entry.top} or None


def _starts(body: CreateCompletionRequest) -> list[int]:
    """Where each choice's text begins: offsets count from the start of the prompt, whether it is echoed or not."""
    prompts = body.prompt if isinstance(body.prompt, list) else [body.prompt]
    lengths = [0 if body.echo or not isinstance(prompt, str) else len(prompt) for prompt in prompts]
    return [length for length in lengths for _ in range(body.n or 1)]
