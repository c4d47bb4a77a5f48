"""What is searched for: the message that stands alone, what the model makes of a conversation, or a safe middle."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from loopback import web_service
from smalt.api.chat.on_your_data.intent import find_intent
from smalt.core.errors import InvalidRequest
from smalt.core.settings import DeploymentSettings, Settings
from smalt.models import Models
from smalt.schemas.chat import AzureCreateChatCompletionRequest

TALK = [
    {"role": "user", "content": "Does the house have a library?"},
    {"role": "assistant", "content": "Yes, it does."},
    {"role": "user", "content": "When is it open?"},
]


def chat(messages: list[dict[str, Any]], model: str = "told") -> AzureCreateChatCompletionRequest:
    return AzureCreateChatCompletionRequest.model_validate({"model": model, "messages": messages})


class Teller:
    """An upstream model that says what a test wants it to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.says = ""
        self.asked: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        message = {"role": "assistant", "content": self.says}
        usage = {"prompt_tokens": 31, "completion_tokens": 5, "total_tokens": 36}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"id": "1", "model": "teller", "choices": [choice], "usage": usage})


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
async def models(teller: Teller, tmp_path: Path) -> AsyncIterator[Models]:
    with web_service(teller.handle) as url:
        deployments = {
            "told": DeploymentSettings(engine="upstream", base_url=url, options={"retries": 0}),
            "gone": DeploymentSettings(engine="upstream", base_url="http://127.0.0.1:9", options={"retries": 0}),
            "echo": DeploymentSettings(engine="echo"),
        }
        made = Models(Settings(data_dir=tmp_path, starter=False, deployments=deployments))
        yield made
        await made.close()


async def test_one_message_is_searched_for_as_it_is(models: Models, teller: Teller):
    parts = [{"type": "text", "text": "When is the"}, {"type": "text", "text": "library open?"}]
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": parts}]
    intent = await find_intent(chat(messages), models, most=None)
    assert intent.queries == ("When is the library open?",)
    assert intent.usage is None
    assert teller.asked == []


async def test_the_model_makes_queries_of_a_conversation(models: Models, teller: Teller):
    teller.says = orjson.dumps({"queries": ["library opening hours", "library open days"]}).decode()
    intent = await find_intent(chat(TALK), models, most=None)
    assert intent.queries == ("library opening hours", "library open days")
    assert intent.usage
    assert (intent.usage.prompt_tokens, intent.usage.completion_tokens) == (31, 5)
    asked = teller.asked[0]
    assert "Assistant: Yes, it does." in asked["messages"][-1]["content"]
    assert asked["response_format"]["json_schema"]["schema"]["properties"]["queries"]["maxItems"] == 3


async def test_there_are_never_more_queries_than_wanted(models: Models, teller: Teller):
    teller.says = '{"queries": ["library one", "library two", "library three"]}'
    assert (await find_intent(chat(TALK), models, most=1)).queries == ("library one",)


@pytest.mark.parametrize(
    "says",
    [
        "",
        "I do not know.",
        '{"queries": []}',
        '{"queries": [""]}',
        '{"queries": [7]}',
        '["x"]',
        '{"queries": ["weather"]}',
    ],
)
async def test_an_answer_of_no_use_leaves_the_words_of_the_user(models: Models, teller: Teller, says: str):
    teller.says = says
    both = "Does the house have a library? When is it open?"
    assert (await find_intent(chat(TALK), models, most=None)).queries == (both, "When is it open?")
    assert (await find_intent(chat(TALK), models, most=1)).queries == (both,)


async def test_a_message_that_says_enough_needs_no_other(models: Models, teller: Teller):
    last = {"role": "user", "content": "How many weeks may I keep a borrowed library book?"}
    assert (await find_intent(chat([*TALK, last]), models, most=3)).queries == (last["content"],)


@pytest.mark.parametrize("model", ["gone", "echo"])
async def test_a_model_that_cannot_help_does_not_stop_the_search(models: Models, model: str):
    intent = await find_intent(chat(TALK, model), models, most=1)
    assert intent.queries == ("Does the house have a library? When is it open?",)


async def test_a_long_message_is_cut_at_its_beginning(models: Models):
    text = "word " * 200 + "Where is the key?"
    [query] = (await find_intent(chat([{"role": "user", "content": text}]), models, most=None)).queries
    assert len(query) <= 400
    assert query.endswith("Where is the key?")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "alone"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}],
    ],
)
async def test_without_words_of_the_user_there_is_nothing_to_search_for(models: Models, messages: list[Any]):
    with pytest.raises(InvalidRequest, match="user message with text") as refused:
        await find_intent(chat(messages), models, most=None)
    assert refused.value.param == "messages"
