"""Reads what `smalt prompts add` is given: a file, or texts on the command line."""

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smalt.api.conversations.kept_items import naming
from smalt.api.responses.input_items import input_items
from smalt.cli.options import faults, refuse
from smalt.core.ids import timed_id
from smalt.http.validation import invalid_request
from smalt.schemas.responses import AzureCreateResponse
from smalt.store.prompts import DEFAULT_FIELDS, NewPromptVersion

Json = dict[str, Any]

STANDARD_INPUT = "-"
Role = Literal["user", "assistant", "system", "developer"]


class PromptMessage(BaseModel):
    """A message of a prompt file."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["message"] = "message"
    role: Role
    content: str | list[Json]


class PromptFile(BaseModel):
    """A whole prompt as a file or the options give it."""

    model_config = ConfigDict(extra="forbid")

    instructions: str | None = None
    messages: list[PromptMessage] = Field(default_factory=list[PromptMessage])
    defaults: Json = Field(default_factory=dict[str, Any])


def read_template(
    file: str | None, instructions: str | None, messages: Sequence[str], defaults: Sequence[str]
) -> NewPromptVersion:
    """The template that a file and the options beside it make; ends the program when it cannot be used."""
    if file is not None and instructions is not None:
        refuse("Give the instructions either as a file or with --instructions.")
    template = _parsed(_read_file(file) if file is not None else {"instructions": instructions})
    template.messages += [_message(one) for one in messages]
    template.defaults |= dict(map(_default, defaults))
    return _checked(template)


def _read_file(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        refuse(f"The file {file} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        refuse(f"The file {file} is not a text in UTF-8.")
    reader = {".json": json.loads, ".toml": tomllib.loads}.get(Path(file).suffix.lower())
    if reader is None:
        return {"instructions": text.rstrip("\n")}
    try:
        return reader(text)
    except ValueError as error:
        refuse(f"The file {file} cannot be read: {error}.")


def _parsed(template: Any) -> PromptFile:
    try:
        return PromptFile.model_validate(template)
    except ValidationError as error:
        refuse("The prompt is wrong:", *(f"  {line}" for line in faults(error)))


def _message(given: str) -> PromptMessage:
    role, equals, text = given.partition("=")
    if not equals:
        refuse(f"Write a message as ROLE=TEXT, with one of the roles {', '.join(get_args(Role))}, not as '{given}'.")
    (message,) = _parsed({"messages": [{"role": role, "content": text}]}).messages
    return message


def _default(given: str) -> tuple[str, Any]:
    """A field and its value: JSON, or a text that is none."""
    field, equals, value = given.partition("=")
    if not equals:
        refuse(f"Write a default as FIELD=VALUE, not as '{given}'.")
    try:
        return field, json.loads(value)
    except ValueError:
        return field, value


def _checked(parts: PromptFile) -> NewPromptVersion:
    if not parts.instructions and not parts.messages:
        refuse("The prompt says nothing. Give it a FILE, --instructions or --message.")
    for field in parts.defaults:
        if field not in DEFAULT_FIELDS:
            refuse(f"A prompt has no default for '{field}', but it may have for: {', '.join(sorted(DEFAULT_FIELDS))}.")
    messages = [message.model_dump() for message in parts.messages]
    with naming("messages"):
        _require_askable({"model": "any", "input": messages, **parts.defaults})
    return NewPromptVersion(instructions=parts.instructions, messages=messages, defaults=parts.defaults)


def _require_askable(request: Json) -> None:
    """Refuse what no request could hold."""
    try:
        AzureCreateResponse.model_validate(request)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise invalid_request(RequestValidationError(found, body=request)) from error
    input_items(request["input"], timed_id)
