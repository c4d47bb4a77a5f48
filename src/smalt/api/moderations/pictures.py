"""Reads the pictures that a moderation request names: data URLs, and addresses that this server may ask."""

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

from fastapi import Depends, Request

from smalt.api.file_urls import FileUrls
from smalt.core.errors import InvalidRequest
from smalt.engines.pictures import picture_format

MOST_BYTES: Final = 20 * 2**20
DATA_URL: Final = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,", re.IGNORECASE)


class Pictures:
    """Reads pictures; `hosts` are those that addresses may name, all public ones when None."""

    def __init__(self, hosts: Sequence[str] | None, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._urls = FileUrls(hosts, most_bytes=most_bytes, instead="send the picture as a data: URL")

    async def read(self, url: str, *, param: str) -> bytes:
        """The bytes of a picture; raises `InvalidRequest`, which says why there are none."""
        is_here = url[:5].lower() == "data:"
        content = self._decoded(url, param) if is_here else await self._fetched(url, param)
        if picture_format(content) is None:
            raise InvalidRequest(
                f"What '{param}' leads to is no picture that can be judged. Send PNG, JPEG, WebP or GIF.",
                param=param,
                code="invalid_image_format",
            )
        return content

    async def _fetched(self, url: str, param: str) -> bytes:
        with TemporaryDirectory(prefix="smalt-picture-") as folder:
            path = Path(folder) / "picture"
            await self._urls.fetch(url, path, param=param)
            return await asyncio.to_thread(path.read_bytes)

    def _decoded(self, url: str, param: str) -> bytes:
        content = _base64(url, param)
        if len(content) > self._most_bytes:
            raise InvalidRequest(
                f"The picture of '{param}' has {len(content)} bytes; the most is {self._most_bytes}. Make it smaller.",
                param=param,
            )
        return content


def _base64(url: str, param: str) -> bytes:
    prefix = DATA_URL.match(url)
    if prefix is None:
        raise _refusal(param, "it is no base64")
    try:
        return base64.b64decode(url[prefix.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise _refusal(param, "what follows the comma is not base64") from None


def _refusal(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{param}': {reason}. Send data:image/png;base64,… or an address that begins with https:.",
        param=param,
        code="invalid_value",
    )


async def pictures(request: Request) -> Pictures:
    """What reads the pictures of requests."""
    return Pictures(request.app.state.settings.responses.file_hosts)


PicturesDep = Annotated[Pictures, Depends(pictures)]
