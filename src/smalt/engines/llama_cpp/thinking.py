"""Tells apart what a model thinks from what it answers, and how much it is to think."""

from typing import Any

from smalt.core.errors import UnsupportedParameter, UnsupportedValue
from smalt.engines.llama_cpp.facts import ModelFacts

Json = dict[str, Any]

OPENING = "<think>"
CLOSING = "</think>"

ANY_RULE = r"/(?s:.*)<\/think>\s*/"
"""The grammar rule of a thought of any length, up to the answer itself."""

LONGEST_THOUGHTS = {"minimal": 256, "low": 2048, "medium": 8192}
"""Most characters of thought for an effort, where the template has no efforts of its own; more effort has no limit."""

EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""The efforts that templates know."""


def template_fields(facts: ModelFacts, effort: str | None, *, wanted: bool) -> Json:
    """What the chat template is told about thinking; raises when an effort is asked of a model that has none."""
    if facts.thinking == "none":
        if effort is not None:
            raise UnsupportedParameter("reasoning_effort", "This model does not think before it answers.")
        return {}
    if effort == "none" and facts.thinking != "switch":
        raise UnsupportedValue(
            "Unsupported value: 'reasoning_effort' does not support 'none' with this model. It always thinks.",
            param="reasoning_effort",
        )
    if facts.thinking == "switch":
        return {"chat_template_kwargs": {"enable_thinking": wanted and effort != "none"}}
    if facts.thinking == "effort" and effort is not None:
        return {"chat_template_kwargs": {"reasoning_effort": EFFORTS[effort]}}
    return {}


def limited_rule(facts: ModelFacts, effort: str | None) -> str | None:
    """The grammar rule of a thought no longer than its effort; None when it has no limit."""
    if facts.thinking == "effort" or effort not in LONGEST_THOUGHTS:
        return None
    return rf"/(?s:.{{0,{LONGEST_THOUGHTS[effort]}}})<\/think>\s*/"


class ThoughtReader:
    """Takes an answer in pieces; what is between `<think>` tags at its beginning is thought, the rest is said."""

    def __init__(self, *, is_open: bool) -> None:
        self._text = ""
        self._has_begun = self._is_saying = False
        self.is_open = is_open
        """Whether there was a thought."""
        self.is_over = False
        """Whether the answer itself has begun."""

    def feed(self, piece: str) -> tuple[str, str]:
        """Take in a piece; return what is thought and what is said."""
        if self.is_over:
            return "", self._said(piece)
        self._text += piece
        if not self.is_open and not self._opened():
            return "", self._said(self._text) if self.is_over else ""
        if not self._has_begun:
            self._text = self._text.lstrip("\n")
            self._has_begun = bool(self._text)
        thought, closing, rest = self._text.partition(CLOSING)
        if closing:
            self.is_over = True
            return thought, self._said(rest)
        kept = _overlap(self._text, CLOSING)
        sure = len(self._text) - kept
        thought, self._text = self._text[:sure], self._text[sure:]
        return thought, ""

    def close(self) -> tuple[str, str]:
        """What was held back, now that nothing more comes."""
        left, self._text = ("", "") if self.is_over else (self._text, "")
        return (left, "") if self.is_open else ("", left)

    def _said(self, piece: str) -> str:
        """The answer's next piece, without the empty lines between thought and answer."""
        if self.is_open and not self._is_saying:
            piece = piece.lstrip("\n")
        self._is_saying = self._is_saying or bool(piece)
        return piece

    def _opened(self) -> bool:
        start = self._text.lstrip()
        if start.startswith(OPENING):
            self.is_open = True
            self._text = start.removeprefix(OPENING)
        elif not OPENING.startswith(start):
            self.is_over = True
        return self.is_open


def _overlap(text: str, tag: str) -> int:
    for length in range(min(len(text), len(tag) - 1), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0
