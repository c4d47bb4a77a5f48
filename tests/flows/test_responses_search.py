"""Responses that search files and the web, through the SDK: items, events, citations and what later turns know."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web
from pydantic import SecretStr

from kept_documents import Kept, keep_store
from loopback import web_service
from serving import serving
from smalt.core.settings import DeploymentSettings, Settings, WebSearchSettings
from smalt.engines.protocols import EmbeddingEngine
from smalt.models import Models
from smalt.schemas.vocabulary import check_answer
from smalt.store.database import Database, default_database

WHALES = Kept("whales.txt", ["Blue whales eat krill in cold water.", "Whales breathe through a blowhole."])
PAGE = {"url": "https://whales.example/", "title": "Whales", "content": "Sperm whales hunt squid in deep water."}
FIND = 'call file_search {"query": "what do blue whales eat"}'
LOOK = 'call web_search {"query": "sperm whales"}'


@pytest.fixture(scope="module")
def searx() -> Iterator[str]:
    async def handle(request: web.Request) -> web.Response:
        assert request.query["format"] == "json"
        return web.json_response({"query": request.query["q"], "results": [PAGE]})

    with web_service(handle) as url:
        yield url


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, searx: str) -> Iterator[tuple[str, str, str]]:
    """A server's address, a key for it, and a vector store about whales."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("search"),
        starter=False,
        deployments={"echo": DeploymentSettings(engine="echo")},
        aliases={"text-embedding-3-small": "echo"},
        web_search=WebSearchSettings(url=searx, api_key=SecretStr("unused")),
    )
    with serving(settings) as served:
        store = asyncio.run(filled(settings, settings.data_dir))
        yield served.url, served.key, store


async def filled(settings: Settings, data_dir: Path) -> str:
    models, database = Models(settings), Database.open(default_database(data_dir))

    async def embed(texts: Sequence[str]) -> list[bytes]:
        async with models.lease("echo", EmbeddingEngine) as engine:
            embedded = await engine.embed(list(texts))
        size = embedded.dimensions * 4
        return [embedded.rows[start : start + size] for start in range(0, len(embedded.rows), size)]

    try:
        return await keep_store(database, [WHALES], embed)
    finally:
        await database.close()
        await models.close()


@pytest.fixture(scope="module", params=["/v1", "/openai/v1"])
def client(place: tuple[str, str, str], request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=place[0] + request.param, api_key=place[1], max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def files(place: tuple[str, str, str]) -> Any:
    return {"type": "file_search", "vector_store_ids": [place[2]]}


def kinds(response: Any) -> list[str]:
    return [item.type for item in response.output]


def test_an_answer_from_files_cites_them_and_shows_no_marks(client: openai.OpenAI, files: Any):
    raw = client.responses.with_raw_response.create(model="echo", input=FIND, tools=[files])
    check_answer("AzureResponse", raw.http_response.json())
    response = raw.parse()
    assert kinds(response) == ["file_search_call", "message"]
    call, message = response.output
    assert (call.queries, call.status, call.results) == (["what do blue whales eat"], "completed", None)
    part = message.content[0]
    assert "Blue whales eat krill in cold water." in part.text
    assert "[doc" not in part.text
    first = part.annotations[0]
    assert (first.type, first.filename) == ("file_citation", "whales.txt")
    assert all(0 < one.index <= len(part.text) for one in part.annotations)


def test_the_stream_tells_the_same_as_the_whole(client: openai.OpenAI, files: Any):
    whole = client.responses.create(model="echo", input=FIND, tools=[files]).output[1].content[0]
    with client.responses.create(model="echo", input=FIND, tools=[files], stream=True) as stream:
        events = list(stream)
    for event in events:
        if not hasattr(event, "response"):
            check_answer("ResponseStreamEvent", event.to_dict())
    of_search = [event.type for event in events if "file_search" in event.type]
    assert of_search == [f"response.file_search_call.{step}" for step in ("in_progress", "searching", "completed")]
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    cited = [event.annotation for event in events if event.type == "response.output_text.annotation.added"]
    final = events[-1].response.output[1].content[0]
    assert said == final.text == whole.text
    assert [one if isinstance(one, dict) else one.model_dump() for one in cited] == [
        one.model_dump() for one in final.annotations
    ]
    assert final.annotations == whole.annotations


def test_results_are_shown_on_request(client: openai.OpenAI, files: Any):
    include: Any = ["file_search_call.results"]
    response = client.responses.create(model="echo", input=FIND, tools=[files], include=include)
    results = response.output[0].results
    assert results[0].text == "Blue whales eat krill in cold water."
    assert results[0].score > 0
    assert client.responses.retrieve(response.id).output[0].results is None
    assert client.responses.retrieve(response.id, include=include).output[0].results == results


def test_a_forced_search_needs_no_words_of_the_model(client: openai.OpenAI, files: Any):
    response = client.responses.create(
        model="echo",
        input="Could you tell me what blue whales eat?",
        tools=[files],
        tool_choice={"type": "file_search"},
    )
    assert kinds(response) == ["file_search_call", "message"]
    assert response.output[0].queries == ["what blue whales eat?"]


def test_a_store_that_is_not_there_is_a_404(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError):
        client.responses.create(
            model="echo", input="x", tools=[{"type": "file_search", "vector_store_ids": ["vs_none"]}]
        )


@pytest.mark.parametrize("kind", ["web_search_preview", "web_search"])
def test_an_answer_from_the_web_cites_its_pages(client: openai.OpenAI, kind: Any):
    include: Any = ["web_search_call.action.sources"]
    raw = client.responses.with_raw_response.create(model="echo", input=LOOK, tools=[{"type": kind}], include=include)
    check_answer("AzureResponse", raw.http_response.json())
    response = raw.parse()
    call, message = response.output
    assert (call.status, call.action.query, call.action.sources[0].url) == ("completed", "sperm whales", PAGE["url"])
    part = message.content[0]
    found = {(one.url, one.title) for one in part.annotations}
    assert found == {(PAGE["url"], PAGE["title"])}
    assert any(PAGE["content"] in part.text[one.start_index : one.end_index] for one in part.annotations)


def test_a_server_without_a_search_service_says_which_setting_it_needs(echo_server: Any):
    with openai.OpenAI(base_url=f"{echo_server.url}/v1", api_key=echo_server.key, max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match=r"web_search\.url"):
            client.responses.create(model="echo", input="x", tools=[{"type": "web_search_preview"}])
        with pytest.raises(openai.BadRequestError, match="image_generation"):
            client.responses.create(model="echo", input="x", tools=[{"type": "image_generation"}])


def test_a_command_goes_to_the_client_and_its_output_comes_back(client: openai.OpenAI):
    tools: Any = [{"type": "local_shell"}]
    first = client.responses.create(model="echo", input='call local_shell {"command": ["ls"]}', tools=tools)
    assert kinds(first) == ["local_shell_call"]
    call = first.output[0]
    assert (call.action.command, call.status, first.status) == (["ls"], "completed", "completed")
    output: Any = {
        "type": "local_shell_call_output",
        "id": call.call_id,
        "call_id": call.call_id,
        "output": "a.txt b.txt",
    }
    second = client.responses.create(model="echo", input=[output], tools=tools, previous_response_id=first.id)
    assert second.output_text == "a.txt b.txt"


def test_an_action_goes_to_the_client_and_the_screen_comes_back(client: openai.OpenAI):
    tools: Any = [{"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "linux"}]
    asked = 'call computer {"action": {"type": "click", "button": "left", "x": 900, "y": 5}}'
    first = client.responses.create(model="echo", input=asked, tools=tools, truncation="auto")
    assert kinds(first) == ["computer_call"]
    call = first.output[0]
    assert (call.action.type, call.action.x, call.action.y) == ("click", 799, 5)
