"""Reads the code out of a call's arguments while they arrive, so that it can be shown as it is written."""

import re

import orjson

from smalt.tools.arguments import read_arguments

BEGINNING = re.compile(r'\s*\{\s*"code"\s*:\s*"')
FENCED = re.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?```\s*", re.DOTALL)
UNICODE_ESCAPE = 6
"""Characters of `\\u0041`."""
HALVES = range(0xD800, 0xDC00)
"""The first halves of characters that take two escapes."""


class CodeReader:
    """Takes arguments such as `{"code": "print(1)"}` in pieces; what it gives out is the text of `code` so far."""

    def __init__(self) -> None:
        self._arguments = ""
        self._place: int | None = None
        self._has_ended = False
        self._shown: list[str] = []

    def add(self, arguments: str) -> str:
        """Take more; the code that it adds."""
        self._arguments += arguments
        if self._place is None:
            begun = BEGINNING.match(self._arguments)
            if begun is None:
                return ""
            self._place = begun.end()
        text = self._read(self._place)
        self._shown.append(text)
        return text

    def finish(self) -> tuple[str, str]:
        """The whole code, and what of it was not given out yet; empty when the arguments hold none.

        Small models forget the quotes, and fence code as in a chat: what they meant is taken.
        """
        shown = "".join(self._shown)
        code = _meant(self._arguments, shown)
        return (code, code[len(shown) :]) if code.startswith(shown) else (code, "")

    def _read(self, place: int) -> str:
        """The characters from `place` on, up to the end of the text or to an escape that is not whole."""
        pieces: list[str] = []
        while place < len(self._arguments) and not self._has_ended:
            mark = self._arguments[place]
            if mark == '"':
                self._has_ended = True
            elif mark == "\\":
                length = _escape_length(self._arguments, place)
                if length is None:
                    break
                pieces.append(_unescaped(self._arguments[place : place + length]))
                place += length
            else:
                pieces.append(mark)
                place += 1
        self._place = place
        return "".join(pieces)


def _meant(arguments: str, shown: str) -> str:
    value = read_arguments(arguments)
    code = value.get("code")
    if not isinstance(code, str):
        texts = [one for one in value.values() if isinstance(one, str)]
        code = texts[0] if len(texts) == 1 else shown or ("" if arguments.lstrip().startswith("{") else arguments)
    fenced = FENCED.fullmatch(code)
    return fenced[1] if fenced else code


def _escape_length(text: str, place: int) -> int | None:
    """How long the escape at `place` is; None when its end has not come yet."""
    kind = text[place + 1 : place + 2]
    if not kind:
        return None
    if kind != "u":
        return 2
    if place + UNICODE_ESCAPE > len(text):
        return None
    try:
        is_half = int(text[place + 2 : place + UNICODE_ESCAPE], 16) in HALVES
    except ValueError:
        return 2
    if not is_half:
        return UNICODE_ESCAPE
    return 2 * UNICODE_ESCAPE if place + 2 * UNICODE_ESCAPE <= len(text) else None


def _unescaped(escape: str) -> str:
    try:
        return orjson.loads(f'"{escape}"')
    except orjson.JSONDecodeError:
        return escape
