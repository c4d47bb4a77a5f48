"""Image generation: pictures in pieces and whole, and a plain refusal where nothing makes images."""

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, nullcontext
from struct import pack
from typing import Any
from zlib import compress, crc32

import pytest

from smalt.core.errors import EngineFailed, InvalidRequest, ModelNotFound
from smalt.core.settings import DeploymentSettings, Settings
from smalt.engines.protocols import Deployment
from smalt.models import Models
from smalt.tools.image_generation import ImageEngine, ImageGeneration, Picture
from tool_runs import Called, call, user

Json = dict[str, Any]


def png(shade: int) -> str:
    """A grey picture of 8 by 8 points."""
    rows = b"".join(b"\0" + bytes([shade]) * 8 for _ in range(8))
    chunks = [(b"IHDR", pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)), (b"IDAT", compress(rows)), (b"IEND", b"")]
    body = b"".join(pack(">I", len(data)) + name + data + pack(">I", crc32(name + data)) for name, data in chunks)
    return b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


class GreyEngine:
    """Paints everything grey, the lighter the longer the prompt."""

    async def paint(self, prompt: str, options: Json, partial_images: int) -> AsyncGenerator[Picture]:
        if prompt == "nothing":
            return
        if prompt == "trouble":
            raise EngineFailed("Out of paint.")
        used = {"size": "1024x1024", "output_format": "png", **options}
        for number in range(partial_images):
            yield Picture(png(number), used, is_partial=True)
        yield Picture(png(len(prompt)), used)


class Studio:
    """Lends one engine that makes images."""

    def deployments(self) -> list[Deployment]:
        return [Deployment("talker", "echo", "talker", frozenset({"chat_completion"})), self.find("grey")]

    def find(self, name: str) -> Deployment:
        if name not in {"grey", "gpt-image-1"}:
            raise ModelNotFound(f"no {name}")
        return Deployment("grey", "grey", "grey", frozenset({"image_generation"}))

    def lease(self, name: str, ability: type[Any]) -> AbstractAsyncContextManager[Any]:
        assert (name, ability) == ("grey", ImageEngine)
        return nullcontext(GreyEngine())


async def painted(arguments: Any, *items: Json, **fields: Any) -> Called:
    tool = ImageGeneration(Studio(), {"type": "image_generation", **fields})
    return await call(tool, arguments, items, schema="ImageGenToolCallItemResource")


async def test_a_picture_comes_with_its_unfinished_ones_before_it():
    called = await painted({"prompt": "a cat"}, partial_images=2, quality="low", model="gpt-image-1")
    assert called.types == [
        "output_item.added",
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.partial_image",
        "image_generation_call.partial_image",
        "image_generation_call.completed",
        "output_item.done",
    ]
    partial = [event for event in called.events if "partial_image_b64" in event]
    assert [(event["partial_image_index"], event["partial_image_b64"]) for event in partial] == [
        (0, png(0)),
        (1, png(1)),
    ]
    assert b64decode(called.item["result"]).startswith(b"\x89PNG")
    shown = {name: called.item[name] for name in ("status", "revised_prompt", "quality", "size", "output_format")}
    assert shown == {
        "status": "completed",
        "revised_prompt": "a cat",
        "quality": "low",
        "size": "1024x1024",
        "output_format": "png",
    }
    assert called.item["result"] not in called.outcome.text


async def test_the_user_s_words_stand_in_for_a_prompt_that_is_none():
    called = await painted("", user("a blue horse"))
    assert called.item["revised_prompt"] == "a blue horse"


@pytest.mark.parametrize(("prompt", "reason"), [("trouble", "Out of paint."), ("nothing", "No picture")])
async def test_an_engine_that_fails_is_a_failed_call(prompt: str, reason: str):
    called = await painted({"prompt": prompt})
    assert (called.item["status"], called.item["result"]) == ("failed", None)
    assert reason in called.outcome.text


def test_a_server_without_such_a_model_refuses_the_tool():
    models = Models(Settings(starter=False, deployments={"echo": DeploymentSettings(engine="echo")}))
    with pytest.raises(InvalidRequest, match="leave the tool out") as caught:
        ImageGeneration(models, {"type": "image_generation"})
    assert (caught.value.status, caught.value.param) == (400, "tools")


def test_a_model_that_is_not_there_is_refused():
    with pytest.raises(ModelNotFound):
        ImageGeneration(Studio(), {"type": "image_generation", "model": "other"})
