"""A request's body: read within the limits, parsed by orjson, with the deployment of the path as its model."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from smalt.core.errors import TooLarge
from smalt.http.call import call_of
from smalt.http.multipart import Form, Part

FORM_OVERHEAD = 2**20


class Body(Request):
    """The request that operations see; its body is in memory before they start."""

    takes_forms = False
    """Whether the fields of a form may stand for a JSON object."""

    async def read(self, *, keep_form: bool = False) -> None:
        """Take in the body, JSON or form, so that nothing but a disconnect can still come from the client.

        `keep_form` leaves a form in its bytes, which `json` reads or an operation that wants JSON refuses.
        """
        limits = self.app.state.settings.limits
        if self._is_form and not keep_form:
            limit = Limit(limits.upload_bytes, "limits.upload_bytes")
            limit.count(self._announced())
            self._receive = limit.over(self._receive)
            await self.form()
        else:
            limit = Limit(limits.body_bytes, "limits.body_bytes")
            limit.count(self._announced())
            self._body = await _whole(limit.over(self._receive))

    def listen(self, wrap: Callable[[Receive], Receive]) -> None:
        """Hear every message that is still to come through `wrap`."""
        self._receive = wrap(self._receive)

    def form_parts(self) -> AsyncGenerator[Part]:
        """The parts of a form while it arrives, for an operation that streams its body."""
        # A little more than a file may have: the fields and boundaries around it.
        limit = Limit(self.app.state.settings.limits.upload_bytes + FORM_OVERHEAD, "limits.upload_bytes")
        limit.count(self._announced())
        self._receive = limit.over(self._receive)
        return Form(self._header(b"content-type"), self.stream()).parts()

    @property
    def is_json(self) -> bool:
        """Whether the client says that its body is JSON."""
        content_type = self._header(b"content-type").partition(";")[0].strip().lower()
        return content_type == "application/json" or content_type.endswith("+json")

    @property
    def is_readable(self) -> bool:
        """Whether `json` may be asked for: the body is JSON, or a form where forms are taken."""
        return self.is_json or (self.takes_forms and self._is_form)

    async def json(self) -> Any:
        """The body as Python values; the deployment that the path names stands for `model`."""
        if not hasattr(self, "_json"):
            is_form = self.takes_forms and self._is_form
            value: Any = await self._fields() if is_form else orjson.loads(await self.body())
            deployment = call_of(self.scope).deployment
            if deployment is not None and type(value) is dict:
                value["model"] = deployment
            self._json: Any = value
        return self._json

    async def _fields(self) -> dict[str, str]:
        """The fields of a form that is in memory, as texts; of two with one name the last counts."""
        parts = Form(self._header(b"content-type"), self.stream()).parts()
        return {part.name: await part.text() async for part in parts}

    @property
    def _is_form(self) -> bool:
        return self._header(b"content-type").startswith("multipart/")

    def _announced(self) -> int:
        length = self._header(b"content-length")
        return int(length) if length.isascii() and length.isdigit() else 0

    def _header(self, name: bytes) -> str:
        """A header's value, or nothing; Starlette's look-up decodes every name on its way."""
        for key, value in self.scope["headers"]:
            if key == name:
                return value.decode("latin-1")
        return ""


class Limit:
    """The most bytes that a body may have, and the setting that says so."""

    def __init__(self, most: int, setting: str) -> None:
        self._most = most
        self._setting = setting

    def count(self, size: int) -> None:
        """Refuse a size over the limit."""
        if size > self._most:
            most, setting = self._most, self._setting
            raise TooLarge(f"The body has more than {most} bytes, which is the most. Send less, or raise {setting}.")

    def over(self, receive: Receive) -> Receive:
        """The same messages, refused when together they pass the limit; a length may be missing, or a lie."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            self.count(size)
            return message

        return limited


async def _whole(receive: Receive) -> bytes:
    message = await receive()
    chunks: list[bytes] = []
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        message = await receive()
    raise ClientDisconnect
