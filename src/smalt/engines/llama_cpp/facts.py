"""What is known about a worker's model: decides which requests it can answer and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Thinking = Literal["none", "always", "switch", "effort"]


@dataclass(frozen=True)
class ModelFacts:
    """What a worker said when it became ready."""

    context: int
    """Most tokens of one request."""
    slots: int
    """Requests that generate at once."""
    vocabulary: int
    fingerprint: str
    thinking: Thinking
    """Whether the chat template lets the model think aloud, and what governs it."""
    has_tool_template: bool
    """The chat template has a place for tools."""
    has_tagged_tool_calls: bool
    """The chat template asks for tool calls as JSON between `<tool_call>` tags, which is our own form too."""
    has_think_tags: bool
    """What the model thinks stands between `<think>` tags."""
    has_system_role: bool
    fills_in: bool
    """The model can fill in a text between a beginning and an end."""
    beginning_token: tuple[int, ...]
    """What stands at the start of a document, for a prompt without any tokens."""
    ending_token: tuple[int, ...]
    """What the model ends an answer with."""
    unlikely_token: int
    """A token that no JSON value and no tool's name begins with."""

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "ModelFacts":
        """Read what a worker said."""
        abilities: Mapping[str, Any] = info["template_abilities"]
        template: str = info["template"] or ""
        has_tools = bool(abilities.get("supports_tools"))
        return cls(
            context=info["context"],
            slots=info["slots"],
            vocabulary=info["vocabulary"],
            fingerprint=info["fingerprint"],
            thinking=info["thinking"],
            has_tool_template=has_tools,
            has_tagged_tool_calls=has_tools and "<tool_call>" in template and "<function=" not in template,
            has_think_tags="<think>" in template,
            has_system_role=bool(abilities.get("supports_system_role", True)),
            fills_in=info["fills_in"],
            beginning_token=tuple(info["beginning_token"]),
            ending_token=tuple(info["ending_token"]),
            unlikely_token=info["unlikely_token"],
        )
