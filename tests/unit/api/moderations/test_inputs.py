"""What a moderation request may ask about, and how what it may not is refused."""

import base64
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from loopback import web_service
from smalt.api.moderations.inputs import Asked
from smalt.api.moderations.pictures import Pictures
from smalt.core.errors import InvalidRequest
from smalt.schemas.moderations import CreateModerationRequest

GIF = b"GIF89a and so on"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TEXT = {"type": "text", "text": "a cat"}


def asked(given: Any, *, takes_pictures: bool = True) -> Asked:
    return Asked.of(CreateModerationRequest(input=given), takes_pictures=takes_pictures)


def test_a_text_and_texts_are_judged_one_by_one() -> None:
    assert asked("a cat").texts == ["a cat"]
    assert asked(["a cat", "a dog"]).texts == ["a cat", "a dog"]
    assert not asked(["a cat"]).are_parts


def test_parts_are_judged_together() -> None:
    parts = asked([TEXT, PICTURE])
    assert (parts.texts, parts.are_parts) == (["a cat"], True)
    assert parts.addresses == [("input[1].image_url.url", "data:image/png;base64,AAAA")]


def test_a_second_picture_is_refused_as_openai_does() -> None:
    with pytest.raises(InvalidRequest, match=r"Number of images \(2\) exceeds maximum of 1") as refusal:
        asked([PICTURE, PICTURE])
    assert (refusal.value.param, refusal.value.code) == ("input", "too_many_images")


def test_the_older_generation_takes_no_picture() -> None:
    with pytest.raises(InvalidRequest, match="judges texts alone") as refusal:
        asked([TEXT, PICTURE], takes_pictures=False)
    assert refusal.value.param == "input[1]"
    assert asked([TEXT], takes_pictures=False).texts == ["a cat"]


@pytest.mark.parametrize(
    "given", ["", [], [""], [1], None, {}, [TEXT, "a"], ["a", TEXT], [{"type": "text"}], [{"type": "sound"}], [[]]]
)
def test_what_is_no_input_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        asked(given)


def test_tokens_are_counted_by_bytes() -> None:
    assert asked(["four", "fünf!"]).tokens == 3


async def test_a_data_url_is_decoded() -> None:
    url = f"data:image/png;base64,{base64.b64encode(GIF).decode()}"
    assert await Pictures(None).read(url, param="input") == GIF


async def test_what_is_in_no_format_of_pictures_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no picture") as refusal:
        await Pictures(None).read("data:image/png;base64,AAAA", param="input[1]")
    assert (refusal.value.param, refusal.value.code) == ("input[1]", "invalid_image_format")


@pytest.mark.parametrize(
    "url",
    ["data:image/png,abc", "data:;base64,?", "data:", "ftp://a.example/b", "/etc/passwd", "file:///etc/passwd", ""],
)
async def test_what_is_no_picture_address_says_what_is(url: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid 'input'") as refusal:
        await Pictures(None).read(url, param="input")
    assert (refusal.value.param, refusal.value.code) == ("input", "invalid_value")


async def test_a_picture_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="the most is 2"):
        await Pictures(None, most_bytes=2).read("data:image/png;base64,AAAA", param="input")


async def answer(request: web.Request) -> web.Response:
    return web.Response(body=GIF) if request.path == "/cat.png" else web.Response(status=404)


async def test_an_address_is_fetched_where_the_operator_allows_it(tmp_path: Path) -> None:
    with web_service(answer) as site:
        assert await Pictures(["127.0.0.1"]).read(f"{site}/cat.png", param="input") == GIF
        with pytest.raises(InvalidRequest, match="send the picture as a data: URL"):
            await Pictures(["127.0.0.1"]).read(f"{site}/none.png", param="input")
        with pytest.raises(InvalidRequest, match="no public address"):
            await Pictures(None).read(f"{site}/cat.png", param="input")
