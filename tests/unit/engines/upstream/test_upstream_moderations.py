"""What an upstream is asked about texts and pictures, and how its moderations are read."""

from base64 import b64decode
from typing import Any

import pytest
from aiohttp import web

from pictures import encoded, plain
from smalt.core.errors import InvalidRequest, RateLimited, UpstreamFailed

OLD: dict[str, Any] = {"flagged": True, "categories": {"hate": True}, "category_scores": {"hate": 0.75, "violence": 0}}


def result(types: dict[str, list[str]], **scores: float) -> dict[str, Any]:
    return {"flagged": False, "category_scores": scores, "category_applied_input_types": types}


def answering(*results: Any, status: int = 200) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "modr-1", "model": "real", "results": list(results)}, status=status)

    return answer


async def test_texts_are_asked_about_together_and_scored_in_order(stub: Any, open_engine: Any):
    types = {"hate": ["text"], "sexual": ["text"]}
    stub.handlers = [answering(result(types, hate=0.5, sexual=0.1), result(types, hate=0.25, sexual=1))]
    judged = await open_engine().moderate(["one", "two"])
    assert stub.requests[0].path == "/v1/moderations"
    assert stub.bodies == [{"model": "their-name", "input": ["one", "two"]}]
    assert judged == [{"hate": 0.5, "sexual": 0.1}, {"hate": 0.25, "sexual": 1.0}]


async def test_models_that_do_not_say_what_scores_apply_to_are_read(stub: Any, open_engine: Any):
    stub.handlers = [answering(OLD)]
    assert await open_engine().moderate(["one"]) == [{"hate": 0.75, "violence": 0.0}]


async def test_texts_that_say_nothing_are_not_sent(stub: Any, open_engine: Any):
    stub.handlers = [answering(OLD)]
    engine = open_engine()
    assert await engine.moderate(["", "one", " \n"]) == [
        {"hate": 0.0, "violence": 0.0},
        {"hate": 0.75, "violence": 0.0},
        {"hate": 0.0, "violence": 0.0},
    ]
    assert await engine.moderate(["", " "]) == [{}, {}]
    assert await engine.moderate([]) == []
    assert stub.bodies == [{"model": "their-name", "input": ["one"]}]


async def test_each_picture_is_asked_about_by_itself(stub: Any, open_engine: Any):
    types = {"sexual": ["image"], "hate": [], "violence": ["text", "image"]}
    stub.handlers = [answering(result(types, sexual=0.5, hate=0, violence=0.1))]
    pictures = [encoded(plain(), "PNG"), encoded(plain(), "JPEG")]
    assert await open_engine().moderate_images(pictures) == [{"sexual": 0.5, "violence": 0.1}] * 2
    urls = [body["input"][0]["image_url"]["url"] for body in stub.bodies]
    assert [url.partition(",")[0] for url in urls] == ["data:image/png;base64", "data:image/jpeg;base64"]
    assert [b64decode(url.partition(",")[2]) for url in urls] == pictures


async def test_a_refusal_is_handed_on(stub: Any, open_engine: Any):
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "Too many.", "code": "busy"}}, status=429)

    stub.handlers = [refuse]
    with pytest.raises(RateLimited, match="Too many"):
        await open_engine(retries=0).moderate(["one"])


@pytest.mark.parametrize(
    "results", [[], [OLD, OLD], [{"flagged": True}], ["no"], [{"category_scores": {"hate": "very"}}]]
)
async def test_an_answer_of_another_shape_is_the_upstreams_fault(stub: Any, open_engine: Any, results: list[Any]):
    stub.handlers = [answering(*results)]
    with pytest.raises(UpstreamFailed):
        await open_engine().moderate(["one"])


async def test_text_that_is_not_unicode_is_refused(open_engine: Any):
    with pytest.raises(InvalidRequest, match="valid Unicode") as refusal:
        await open_engine().moderate(["\ud800"])
    assert refusal.value.param == "input"
