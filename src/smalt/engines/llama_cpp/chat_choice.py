"""Reads one choice of a chat answer: its thoughts, its words, its calls, its log-probabilities."""

from typing import Any

import orjson

from smalt.core.errors import EngineFailed
from smalt.engines.llama_cpp.chat_plan import ChatPlan
from smalt.engines.llama_cpp.logprobs import Ledger, entries
from smalt.engines.llama_cpp.stops import StopWatch
from smalt.engines.llama_cpp.thinking import ThoughtReader
from smalt.engines.llama_cpp.tool_calls import ToolCallReader
from smalt.engines.protocols import ChatDelta, FinishReason, TokenLogprob, ToolCallDelta

Json = dict[str, Any]


class ChatChoice:
    """Takes the server's events of one choice and gives its deltas."""

    def __init__(self, index: int, plan: ChatPlan, *, is_thinking: bool) -> None:
        self.index = index
        self._plan = plan
        self._thoughts = ThoughtReader(is_open=is_thinking) if plan.thinks else None
        self._calls = ToolCallReader([tool.name for tool in plan.tools.tools]) if plan.tools.tools else None
        self._stops = StopWatch(plan.stops) if plan.stops and plan.is_read_here else None
        self._ledger = Ledger() if plan.has_logprobs else None
        self._is_plain = not (self._thoughts or self._calls or self._stops or self._ledger or plan.schema)
        self._json = "" if plan.schema and not plan.stops and not plan.tools.tools and not plan.thinks else None
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.is_over = False
        """Whether the last delta was given."""
        if self._calls is not None and plan.prefix:
            self._opening = self._calls.feed(plan.prefix)[1]
        else:
            self._opening = []

    def take(self, event: Json) -> ChatDelta | None:
        """The delta that an event makes, if any."""
        self.completion_tokens = event["tokens_predicted"]
        text: str = event["content"]
        if event["stop"]:
            return self._last(text, event)
        if self._is_plain:
            return ChatDelta(self.index, text) if text else None
        return self._delta(text, event)

    def _delta(self, text: str, event: Json) -> ChatDelta | None:
        if self._ledger is not None and self._is_saying():
            self._ledger.add(entries(event.get("completion_probabilities", ()), self._plan.top_logprobs or 0))
        if self._json is not None:
            self._json += text
        thought, said, calls = self._read(text)
        if self._stops is not None:
            said, unstopped = self._stops.feed(said), said
            if self._stops.is_over:
                self._skip(unstopped[len(said) :])
                return self._made(thought, said, calls, finish_reason=self._finished("stop"))
        return self._made(thought, said, calls)

    def _is_saying(self) -> bool:
        """Whether tokens are neither thoughts nor parts of calls, as far as is known."""
        is_thinking = self._thoughts is not None and not self._thoughts.is_over
        return not is_thinking and not (self._calls is not None and self._calls.calls)

    def _read(self, text: str) -> tuple[str, str, list[ToolCallDelta]]:
        thought, said = self._think(text)
        calls, self._opening = self._opening, []
        if self._calls is not None:
            said, more = self._calls.feed(said)
            calls = [*calls, *more]
        return thought, said, calls

    def _think(self, text: str) -> tuple[str, str]:
        if self._thoughts is None:
            return "", text
        was_over = self._thoughts.is_over
        thought, said = self._thoughts.feed(text)
        if not was_over and self._thoughts.is_open:
            self.reasoning_tokens = self.completion_tokens
        return thought, said

    def _last(self, text: str, event: Json) -> ChatDelta:
        thought, said, calls = self._read(text)
        if self._thoughts is not None:
            more_thought, more_said = self._thoughts.close()
            thought, said = thought + more_thought, said + more_said
        reason: FinishReason = "length" if event["stop_type"] == "limit" else "stop"
        if self._calls is not None:
            said += self._calls.close(is_cut=reason == "length")
        if self._stops is not None:
            said = self._stops.feed(said)
            said += self._stops.close()
        if reason == "stop":
            self._check_json()
            is_call = self._calls is not None and self._calls.calls > 0
            # OpenAI says "stop" for a call that the client itself chose.
            reason = "tool_calls" if is_call and self._plan.tools.mode != "named" else "stop"
        delta = self._made(thought, said, calls, finish_reason=self._finished(reason))
        assert delta is not None
        return delta

    def _made(
        self, thought: str, said: str, calls: list[ToolCallDelta], *, finish_reason: FinishReason | None = None
    ) -> ChatDelta | None:
        if not (thought or said or calls or finish_reason):
            return None
        return ChatDelta(
            self.index,
            said or None,
            thought or None,
            tool_calls=tuple(calls),
            logprobs=self._entries_of(said),
            finish_reason=finish_reason,
        )

    def _entries_of(self, said: str) -> tuple[TokenLogprob, ...] | None:
        return self._ledger.take(said) if self._ledger is not None and said else None

    def _skip(self, text: str) -> None:
        if self._ledger is not None:
            self._ledger.take(text)

    def _finished(self, reason: FinishReason) -> FinishReason:
        self.is_over = True
        return reason

    def _check_json(self) -> None:
        """An answer that was promised to be JSON and is not is a failure, not an answer."""
        if self._json is None:
            return
        try:
            orjson.loads(self._json)
        except orjson.JSONDecodeError:
            raise EngineFailed("The model's answer got out of the form it was held to. Try again.") from None
