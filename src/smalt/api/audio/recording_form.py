"""Reads the forms of transcriptions and translations, in every spelling that clients have for their fields."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from smalt.api.audio.failures import RecordingTooLarge
from smalt.core.errors import InvalidRequest
from smalt.engines.audio import invalid_file
from smalt.http.body import Body
from smalt.http.multipart import Part
from smalt.schemas.audio import MOST_KNOWN_SPEAKERS, AudioForm

Form = TypeVar("Form", bound=AudioForm)

# `include`, `include[]`, `include[0]`, `chunking_strategy[type]` and `chunking_strategy.type`.
NAME = re.compile(r"(?P<name>\w+)(?:\[(?P<inner>\w*)\]|\.(?P<dotted>\w+))?")
LISTS = frozenset(
    {
        "timestamp_granularities",
        "include",
        "languages",
        "keywords",
        "known_speaker_names",
        "known_speaker_references",
    }
)
REFERENCES = "known_speaker_references"
MOST_REFERENCE_BYTES = 4 * 2**20
"""A data URL of ten seconds in stereo without compression fits in."""

STRATEGY = "chunking_strategy"
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class FormReader:
    """Gathers the fields of one form while it arrives, with the recording in memory."""

    def __init__(self, form: type[AudioForm], *, most_bytes: int) -> None:
        self._known = frozenset(form.model_fields)
        self._most = most_bytes
        self.fields: dict[str, Any] = {}
        self._filename: str | None = None

    async def take(self, part: Part) -> None:
        """Take in one part; those that nobody knows are left unread."""
        found = NAME.fullmatch(part.name)
        name = found["name"] if found else ""
        if name == "file":
            await self._take_file(part)
        elif name in self._known and found:
            text = await self._text(name, part)
            if text:  # an empty field is one that was left empty
                self._put(name, found["inner"] or found["dotted"] or "", text)

    def finish(self) -> dict[str, Any]:
        """All fields; the recording has the name of its part unless the form gives another."""
        if self._filename is not None:
            self.fields.setdefault("filename", self._filename)
        return self.fields

    async def _text(self, name: str, part: Part) -> str:
        if name != REFERENCES:
            return await part.text()
        if len(self.fields.get(name, ())) >= MOST_KNOWN_SPEAKERS:
            return "one too many"  # it is refused for that, and need not be held in memory
        return await part.text(MOST_REFERENCE_BYTES)

    def _put(self, name: str, inner: str, text: str) -> None:
        if name in LISTS:
            self.fields.setdefault(name, []).append(text)
        elif name == STRATEGY and inner:
            strategy = self.fields.setdefault(name, {})
            if isinstance(strategy, dict):
                strategy[inner] = _read(inner, text)
        else:
            self.fields[name] = _read(name, text)

    async def _take_file(self, part: Part) -> None:
        if "file" in self.fields:
            raise InvalidRequest("The form has two files. Send one file in each request.", param="file")
        self._filename = part.filename or None
        self.fields["file"] = await self._content(part)

    async def _content(self, part: Part) -> bytes:
        """The recording; one that is too large is read to its end all the same, so that the client hears of it."""
        size = 0
        chunks: list[bytes] = []
        async for chunk in part.content:
            size += len(chunk)
            if size <= self._most:
                chunks.append(chunk)
            else:
                chunks.clear()
        if size > self._most:
            raise RecordingTooLarge(size, most=self._most)
        if not size:
            raise invalid_file()
        return b"".join(chunks)


async def read_form(body: Body, form: type[Form]) -> Form:
    """The form that a request holds, checked."""
    reader = FormReader(form, most_bytes=body.app.state.settings.audio.upload_bytes)
    async for part in body.form_parts():
        await reader.take(part)
    return _checked(form, reader.finish())


def _checked(form: type[Form], fields: dict[str, Any]) -> Form:
    try:
        return form.model_validate(fields)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *map(_plain, one["loc"]))} for one in error.errors(include_url=False)]
        raise RequestValidationError(found, body=fields) from error


def _plain(step: int | str) -> int | str:
    return step.removesuffix("[]") if isinstance(step, str) else step


def _read(name: str, text: str) -> Any:
    """The value that a text stands for; one that stands for none stays a text, and is refused as such."""
    return READERS.get(name, str)(text)


def _number(kind: type[int] | type[float]) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            return text

    return number


def _truth(text: str) -> bool | str:
    return TRUTHS.get(text.lower(), text)


def _strategy(text: str) -> Any:
    """`auto` as it is, or the object that is written in JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


READERS: dict[str, Callable[[str], Any]] = {
    "temperature": _number(float),
    "stream": _truth,
    STRATEGY: _strategy,
    "threshold": _number(float),
    "prefix_padding_ms": _number(int),
    "silence_duration_ms": _number(int),
}
