"""What the content filter says of a response: an entry for each prompt and each answer of its turns."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from smalt.api.responses.input_files import READ, place
from smalt.api.responses.plan import Json
from smalt.engines.protocols import ChatDelta, ChatEvent, FinishReason, LateJudgement, PromptJudged
from smalt.safety.prompts import prompts_of
from smalt.safety.results import gravest
from smalt.safety.transcripts import length
from smalt.schemas.chat import AzureCreateChatCompletionRequest

FILTERED = "_content_filters"
"""The key under which items keep the entries of their turn, for a run that goes on after a kill; never shown."""


class ContentFilters:
    """Gathers the entries turn by turn; `before` are the items of an earlier run, which keep theirs."""

    def __init__(self, before: Iterable[Json] = ()) -> None:
        self._told: list[Json] = [entry for item in before for entry in item.get(FILTERED, ())]
        self._turn = _TurnEntries(0)

    @property
    def entries(self) -> list[Json] | None:
        """Everything so far; None when nothing was told."""
        return [*self._told, *self._turn.entries()] or None

    def begin(self, asked: AzureCreateChatCompletionRequest) -> None:
        """A turn begins, perhaps once more with a shorter prompt."""
        self._turn = _TurnEntries(sum(len(said.text) for prompt in prompts_of(asked) for said in prompt.texts))

    def see(self, event: ChatEvent) -> None:
        """Take one event of the turn."""
        self._turn.see(event)

    def end(self, finish_reason: FinishReason | None) -> list[Json]:
        """The turn is over; its entries."""
        self._turn.is_blocked = finish_reason == "content_filter"
        entries = self._turn.entries()
        self._told += entries
        self._turn = _TurnEntries(0)
        return entries

    def refuse(self, results: Mapping[str, Any]) -> None:
        """The turn's prompt was refused."""
        self._turn.prompt = results
        self._turn.is_refused = True


class _TurnEntries:
    """What is said of one prompt and its answer."""

    def __init__(self, prompt_characters: int) -> None:
        self.prompt: Mapping[str, Any] | None = None
        self.is_refused = False
        self.is_blocked = False
        self._prompt_characters = prompt_characters
        self._answer: Json | None = None
        self._characters = 0
        self._check_offset = 0

    def see(self, event: ChatEvent) -> None:
        """Take one event."""
        if isinstance(event, PromptJudged):
            # A conversation is one prompt.
            self.prompt = event.results[0]["content_filter_results"]
        elif isinstance(event, LateJudgement) and event.choice == 0:
            self._answer = gravest(self._answer or {}, event.results)
            self._check_offset = event.check_offset
        elif isinstance(event, ChatDelta) and event.choice == 0:
            self._characters += length(event)
            if event.judged:
                self._answer = gravest(self._answer or {}, event.judged)

    def entries(self) -> list[Json]:
        """What there is to tell."""
        found: list[Json] = []
        if self.prompt is not None:
            found.append(_entry("prompt", self.prompt, self._prompt_characters, is_blocked=self.is_refused))
        if self._answer is not None:
            entry = _entry("completion", self._answer, self._characters, is_blocked=self.is_blocked)
            entry["content_filter_offsets"]["check_offset"] = self._check_offset
            found.append(entry)
        return found


def documents_of(items: Iterable[Json]) -> list[str]:
    """What the files say that were sent along."""
    return [text for item in items for text in _file_texts(item)]


def _file_texts(item: Json) -> Iterator[str]:
    read: Mapping[str, str] = item.get(READ, {})
    for field in ("content", "output"):
        parts: object = item.get(field)
        for position, part in enumerate(cast("list[Json]", parts) if isinstance(parts, list) else ()):
            if part.get("type") == "input_file" and (text := read.get(place(field, position))):
                yield text


def _entry(source_type: str, results: Mapping[str, Any], characters: int, *, is_blocked: bool) -> Json:
    return {
        "blocked": is_blocked,
        "source_type": source_type,
        "content_filter_raw": [],
        "content_filter_results": dict(results),
        "content_filter_offsets": {"start_offset": 0, "end_offset": characters, "check_offset": 0},
    }
