"""Reads one text of a completion: its words and its log-probabilities."""

from collections.abc import Sequence
from typing import Any

from smalt.engines.llama_cpp.completion_plan import CompletionPlan
from smalt.engines.llama_cpp.logprobs import Ledger, entries
from smalt.engines.llama_cpp.stops import StopWatch
from smalt.engines.protocols import CompletionDelta, FinishReason, TokenLogprob

Json = dict[str, Any]


class TextChoice:
    """Takes the server's events of one text and gives its deltas."""

    def __init__(self, index: int, plan: CompletionPlan) -> None:
        self._index = index
        self._plan = plan
        self._ledger = Ledger() if plan.has_entries else None
        self._stops = StopWatch(plan.stops) if plan.stops and plan.has_entries else None
        self._deltas: list[CompletionDelta] = []
        self.completion_tokens = 0
        self.is_over = False
        """Whether the last delta was given."""

    def take(self, event: Json) -> CompletionDelta | None:
        """The delta that an event makes, if any."""
        self.completion_tokens = min(event["tokens_predicted"], self._plan.max_tokens)
        # llama.cpp makes one token even where none are wanted.
        text: str = event["content"] if self._plan.max_tokens else ""
        if self._ledger is not None and text:
            self._ledger.add(entries(event.get("completion_probabilities", ()), self._plan.top_logprobs or 0))
        reason: FinishReason | None = None
        if self._stops is not None:
            text = self._stops.feed(text)
            reason = "stop" if self._stops.is_over else None
        if event["stop"]:
            text += self._stops.close() if self._stops is not None else ""
            reason = reason or ("length" if event["stop_type"] == "limit" else "stop")
        self.is_over = reason is not None
        return self._made(text, reason) if text or reason else None

    @property
    def likelihood(self) -> float:
        """The mean log-probability of its tokens."""
        logprobs = [entry.logprob for delta in self._deltas for entry in delta.logprobs or ()]
        return sum(logprobs) / len(logprobs) if logprobs else float("-inf")

    def whole(self, index: int) -> CompletionDelta:
        """All its deltas in one, as the choice `index`."""
        taken = tuple(entry for delta in self._deltas for entry in delta.logprobs or ())
        return CompletionDelta(
            index,
            "".join(delta.text for delta in self._deltas),
            None if self._plan.top_logprobs is None else taken,
            self._deltas[-1].finish_reason,
        )

    def _made(self, text: str, reason: FinishReason | None) -> CompletionDelta:
        taken: tuple[TokenLogprob, ...] | None = None
        if self._ledger is not None and text:
            taken = self._ledger.take(text)
        delta = CompletionDelta(self._index, text, taken, reason)
        if self._plan.is_choosing:
            self._deltas.append(delta)
        return delta


def likeliest(made: Sequence[TextChoice], count: int) -> list[TextChoice]:
    """The `count` texts whose tokens were likeliest on average, the best first."""
    return sorted(made, key=lambda choice: choice.likelihood, reverse=True)[:count]
