"""Puts a request's variables into a prompt template."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from smalt.api.responses.input_items import input_items
from smalt.core.errors import InvalidRequest

Json = dict[str, Any]

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}")


def names_in(instructions: str | None, messages: Sequence[Json]) -> set[str]:
    """The variables that a template has."""
    texts = [instructions or "", *(part["text"] for message in messages for part in _texts(message))]
    return {name for text in texts for name in PLACEHOLDER.findall(text)}


def check_variables(wanted: set[str], given: Mapping[str, Any]) -> None:
    """Refuse a variable that is missing, or that the template does not have."""
    for name in sorted(wanted - given.keys()):
        raise InvalidRequest(
            f"Missing prompt variable: '{name}'. The template has: {', '.join(sorted(wanted))}.",
            param=f"prompt.variables.{name}",
            code="missing_required_parameter",
        )
    for name in sorted(given.keys() - wanted):
        raise InvalidRequest(
            f"Unknown prompt variable: '{name}'. The template has: {', '.join(sorted(wanted)) or 'none'}.",
            param=f"prompt.variables.{name}",
            code="unknown_parameter",
        )


def filled_text(text: str, given: Mapping[str, Any]) -> str:
    """A text with its variables put in; raises for a variable that is no text."""

    def value(match: re.Match[str]) -> str:
        found = given[match[1]]
        if isinstance(found, str):
            return found
        if found.get("type") == "input_text":
            return found["text"]
        raise InvalidRequest(
            f"The prompt variable '{match[1]}' is of type '{found.get('type')}', but the template's instructions take "
            "text only. Put the variable into a message of the template.",
            param=f"prompt.variables.{match[1]}",
            code="invalid_type",
        )

    return PLACEHOLDER.sub(value, text)


def filled_message(message: Json, given: Mapping[str, Any], new_id: Callable[[str], str]) -> Json:
    """A message with its variables put in; an image or a file becomes a part of its own where it is named."""
    kind = "output_text" if message["role"] == "assistant" else "input_text"
    content: Any = message["content"]
    parts: Sequence[Json] = [{"type": kind, "text": content}] if isinstance(content, str) else content
    filled = [one for part in parts for one in _filled(part, given)]
    (item,) = input_items([{"role": message["role"], "content": filled}], new_id, param="prompt")
    return item


def _filled(part: Json, given: Mapping[str, Any]) -> Iterator[Json]:
    if "text" not in part:
        yield part
        return
    said = ""
    for position, piece in enumerate(PLACEHOLDER.split(part["text"])):
        found: Any = given[piece] if position % 2 else piece
        if isinstance(found, str):
            said += found
        elif found["type"] == "input_text":
            said += found["text"]
        else:
            if said:
                yield {**part, "text": said}
            yield found
            said = ""
    if said or not part["text"]:
        yield {**part, "text": said}


def _texts(message: Json) -> Iterator[Json]:
    content: Any = message["content"]
    if isinstance(content, str):
        yield {"text": content}
    else:
        yield from (part for part in content if "text" in part)
