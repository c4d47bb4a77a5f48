"""A model behind an OpenAI-compatible API that says what a test tells it to, whole or in pieces."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from handbook import topic_vector
from loopback import web_service

Json = dict[str, Any]


@dataclass
class ToldModel:
    """Where the model is, what it was asked, and how it decides what to say."""

    url: str = ""
    asked: list[Json] = field(default_factory=list)
    say: Callable[[Json], str] = lambda asked: str(asked["messages"][-1]["content"])
    most_bytes: int | None = None
    """The longest prompt that it takes."""

    def says(self, answer: str, queries: tuple[str, ...] = ()) -> None:
        """Say this, and these queries when it is asked what to search for."""
        self.asked.clear()
        self.say = lambda asked: orjson.dumps({"queries": queries}).decode() if "response_format" in asked else answer


@contextmanager
def told_model() -> Iterator[ToldModel]:
    """The model, which also makes vectors of what texts are about."""
    model = ToldModel()

    async def handle(request: web.Request) -> web.StreamResponse:
        asked: Json = await request.json()
        if request.path.endswith("/embeddings"):
            if request.headers.get("api-key") not in {None, "key-of-the-model"}:
                return web.json_response({"error": {"message": "wrong key"}}, status=401)
            vectors = [topic_vector(text) for text in asked["input"]]
            return web.json_response({"data": [{"index": n, "embedding": row} for n, row in enumerate(vectors)]})
        model.asked.append(asked)
        if model.most_bytes is not None and (size := len(str(asked["messages"]))) > model.most_bytes:
            message = f"This model's maximum context length is {model.most_bytes // 4} tokens. "
            fault = {"message": f"{message}However, your messages resulted in {size // 4} tokens."}
            return web.json_response({"error": {**fault, "code": "context_length_exceeded"}}, status=400)
        answer = model.say(asked)
        return await _streamed(request, answer) if asked.get("stream") else web.json_response(_whole(answer))

    with web_service(handle) as model.url:
        yield model


def _whole(answer: str) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"id": "1", "object": "chat.completion", "model": "told", "choices": [choice], "usage": usage}


async def _streamed(request: web.Request, answer: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    pieces: list[Json] = [{"content": piece} for piece in re.findall(r"\s*\S{1,4}|\s+", answer)]
    for delta in [{"role": "assistant", "content": ""}, *pieces, {}]:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
        await response.write(b"data: " + orjson.dumps({"id": "1", "model": "told", "choices": [choice]}) + b"\n\n")
    usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
    await response.write(b"data: " + orjson.dumps({"id": "1", "model": "told", **usage}) + b"\n\ndata: [DONE]\n\n")
    return response
