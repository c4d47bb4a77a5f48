"""The first form of On Your Data: its own path, names in camel case, the context as a tool's message."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import search_services
from search_services import KEY, SearchService
from serving import Served, serving
from smalt.core.settings import DeploymentSettings, Settings
from told_model import ToldModel, told_model

Json = dict[str, Any]
BIKES = {"role": "user", "content": "Where is the key of the company bicycles?"}


@pytest.fixture(scope="module")
def model() -> Iterator[ToldModel]:
    with told_model() as made:
        yield made


@pytest.fixture(scope="module")
def index() -> Iterator[SearchService]:
    with search_services.azure_search() as made:
        yield made


@pytest.fixture(scope="module")
def served(model: ToldModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    deployments = {"told": DeploymentSettings(engine="upstream", base_url=model.url, options={"retries": 0})}
    with serving(Settings(data_dir=tmp_path_factory.mktemp("first"), starter=False, deployments=deployments)) as made:
        yield made


def post(served: Served, parameters: Json, *messages: Json, kind: str = "AzureCognitiveSearch", **fields: Any) -> Any:
    return httpx2.post(
        f"{served.url}/openai/deployments/told/extensions/chat/completions?api-version=2023-08-01-preview",
        headers={"api-key": served.key},
        json={"dataSources": [{"type": kind, "parameters": parameters}], "messages": messages or [BIKES], **fields},
    )


def where(index: SearchService, **fields: Any) -> Json:
    return {"endpoint": index.url, "indexName": "handbook", "key": KEY, **fields}


def test_an_answer_has_the_context_as_the_message_of_a_tool(served: Served, model: ToldModel, index: SearchService):
    model.says("The key hangs at the reception.")
    parameters = where(index, topNDocuments=1, strictness=1, inScope=True, roleInformation="You are the porter.")
    answer = post(served, parameters).json()
    assert answer["object"] == "extensions.chat.completion"
    [choice] = answer["choices"]
    assert choice["message"]["content"] == "The key hangs at the reception [doc1]."
    assert choice["message"]["end_turn"] is True
    [told] = choice["message"]["context"]["messages"]
    assert (told["role"], told["end_turn"]) == ("tool", False)
    content = json.loads(told["content"])
    assert [one["title"] for one in content["citations"]] == ["Company bicycles"]
    assert content["citations"][0]["id"] is None
    assert json.loads(content["intent"]) == [BIKES["content"]]
    assert model.asked[-1]["messages"][0]["content"].startswith("You are the porter.")


def test_a_stream_tells_the_context_before_the_role(served: Served, model: ToldModel, index: SearchService):
    model.says("The key hangs at the reception.")
    answer = post(served, where(index), stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert done == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in events]
    assert set(choices[0]["delta"]) == {"context"}
    assert "Company bicycles" in choices[0]["delta"]["context"]["messages"][0]["content"]
    assert choices[1]["delta"] == {"role": "assistant"}
    said = "".join(choice["delta"].get("content", "") for choice in choices[2:])
    assert said == "The key hangs at the reception [doc1]."
    assert choices[-1] == {"index": 0, "delta": {}, "end_turn": True, "finish_reason": "stop"}


@pytest.mark.parametrize(
    "fields",
    [
        {"authentication": {"type": "APIKey", "key": KEY}},
        {"fieldsMapping": {"contentFields": ["content"], "titleField": "title", "contentFieldsSeparator": "\n"}},
        {"queryType": "semantic", "semanticConfiguration": "default"},
        {
            "queryType": "vectorSimpleHybrid",
            "embeddingEndpoint": "MODEL?api-version=1",
            "embeddingKey": "key-of-the-model",
        },
        {
            "queryType": "vector",
            "embeddingDependency": {
                "type": "Endpoint",
                "endpoint": "MODEL",
                "authentication": {"type": "APIKey", "key": "key-of-the-model"},
            },
        },
    ],
)
def test_parameters_mean_what_they_mean_today(served: Served, model: ToldModel, index: SearchService, fields: Json):
    model.says("Yes.")
    endpoint = f"{model.url}/openai/deployments/topics/embeddings"
    told = json.loads(json.dumps(fields).replace("MODEL", endpoint))
    answer = post(served, where(index, **told), {"role": "user", "content": "company bicycles"}).json()
    context = json.loads(answer["choices"][0]["message"]["context"]["messages"][0]["content"])
    assert context["citations"][0]["title"] == "Company bicycles"


def test_what_tools_said_before_is_not_in_the_way(served: Served, model: ToldModel, index: SearchService):
    model.says("Books are lent for six weeks.", queries=("library books",))
    before = [
        BIKES,
        {"role": "tool", "content": '{"citations": []}'},
        {"role": "assistant", "content": "At the reception.", "end_turn": True, "context": {"messages": []}},
        {"role": "user", "content": "And how long are books lent?"},
    ]
    answer = post(served, where(index), *before).json()
    assert answer["choices"][0]["message"]["content"] == "Books are lent for six weeks [doc1]."


@pytest.mark.parametrize(
    ("kind", "parameters", "pointer"),
    [
        ("AzureCognitiveSearch", {"indexName": "x", "key": "y"}, "#/data_sources/0/parameters/endpoint"),
        ("AzureMLIndex", {"name": "x"}, "#/data_sources/0/type"),
    ],
)
def test_what_is_wrong_is_told_with_a_numeric_code(served: Served, kind: str, parameters: Json, pointer: str):
    answer = post(served, parameters, kind=kind)
    assert answer.status_code == 400
    fault = answer.json()["error"]
    assert fault["code"] == 400
    assert fault["requestid"]
    assert pointer in fault["message"]


def test_the_path_is_there_for_deployments_only(served: Served):
    answer = httpx2.post(
        f"{served.url}/openai/v1/extensions/chat/completions", headers={"api-key": served.key}, json={}
    )
    assert answer.status_code == 404
