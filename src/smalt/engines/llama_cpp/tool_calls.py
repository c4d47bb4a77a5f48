"""Finds tool calls in a text that comes in pieces."""

import re
from collections.abc import Collection

from smalt.core.ids import tool_call_id
from smalt.engines.llama_cpp.tools import CLOSING, OPENING
from smalt.engines.protocols import ToolCallDelta

SPACE = r"\s{0,16}"
HEAD = re.compile(
    rf'{SPACE}\{{{SPACE}"name"{SPACE}:{SPACE}"([^"\\]{{0,64}})"{SPACE},{SPACE}"arguments"{SPACE}:{SPACE}(?=\{{)'
)
LONGEST_HEAD = 400
"""More than any match of `HEAD`."""
TRAILING_SPACE = re.compile(r"\s*\Z")


class ToolCallReader:
    """Takes a text in pieces and tells apart what is said from the calls in `<tool_call>` tags.

    A call's arguments are passed on as they come. What looks like a call but does not become one is said after all.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._text = ""
        self._read = self._read_said
        self._arguments = JsonObjectEnd()
        self.calls = 0
        """How many calls were begun."""

    def feed(self, piece: str) -> tuple[str, list[ToolCallDelta]]:
        """Take in a piece; return what is said, and the pieces of calls."""
        self._text += piece
        said, deltas = "", list[ToolCallDelta]()
        while True:
            before, reader = len(self._text), self._read
            said += self._read(deltas)
            if len(self._text) == before and self._read == reader:
                return said, deltas

    def close(self, *, is_cut: bool) -> str:
        """What is left to be said, now that nothing more comes.

        A call without its end is left as it is; the beginning of one is dropped when the answer was cut off there,
        and is said when the model ended there by itself.
        """
        left, self._text = self._text, ""
        if self._read == self._read_head:
            return "" if is_cut else OPENING + left
        if self._read != self._read_said:
            return ""
        is_between = not left.strip() or (is_cut and OPENING.startswith(left.strip()))
        return "" if self.calls and is_between else left

    def _read_said(self, deltas: list[ToolCallDelta]) -> str:
        del deltas
        said, opening, rest = self._text.partition(OPENING)
        if opening:
            self._text, self._read = rest, self._read_head
            return said.rstrip()
        sure = _said_for_sure(self._text)
        said, self._text = self._text[:sure], self._text[sure:]
        # Between calls there is only space, which nobody said.
        return said if said.strip() or not self.calls else ""

    def _read_head(self, deltas: list[ToolCallDelta]) -> str:
        found = HEAD.match(self._text)
        if found is None:
            is_hopeless = len(self._text) > LONGEST_HEAD or CLOSING in self._text or OPENING in self._text
            return self._say_opening() if is_hopeless else ""
        if found[1] not in self._names:
            return self._say_opening()
        self._text = self._text[found.end() :]
        self._read, self._arguments = self._read_arguments, JsonObjectEnd()
        deltas.append(ToolCallDelta(self.calls, id=tool_call_id(), name=found[1]))
        self.calls += 1
        return ""

    def _say_opening(self) -> str:
        self._read = self._read_said
        return OPENING

    def _read_arguments(self, deltas: list[ToolCallDelta]) -> str:
        end = self._arguments.find(self._text)
        arguments, self._text = self._text[:end], self._text[end:]
        if arguments:
            deltas.append(ToolCallDelta(self.calls - 1, arguments))
        if self._arguments.is_over:
            self._read = self._read_end
        return ""

    def _read_end(self, deltas: list[ToolCallDelta]) -> str:
        """Skip the brace and the tag behind the arguments, or as much of them as is there."""
        del deltas
        text = self._text.lstrip().removeprefix("}").lstrip()
        if text.startswith(CLOSING) or not CLOSING.startswith(text):
            self._text, self._read = text.removeprefix(CLOSING), self._read_said
        return ""


class JsonObjectEnd:
    """Finds where a JSON object ends in a text that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_string = False
        self._is_escaped = False
        self.is_over = False

    def find(self, piece: str) -> int:
        """How many characters of `piece` belong to the object."""
        for position, character in enumerate(piece):
            if self._is_string:
                self._inside_string(character)
            elif character == '"':
                self._is_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self.is_over = True
                    return position + 1
        return len(piece)

    def _inside_string(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == "\\":
            self._is_escaped = True
        elif character == '"':
            self._is_string = False


def _said_for_sure(text: str) -> int:
    """How much of a text can be passed on: not the beginning of a tag, nor space that may stand before one."""
    end = len(text)
    for length in range(min(len(text), len(OPENING) - 1), 0, -1):
        if text.endswith(OPENING[:length]):
            end = len(text) - length
            break
    found = TRAILING_SPACE.search(text, 0, end)
    return found.start() if found else end
