"""The connectors as this server answers them itself, asked as Power Platform asks: plain HTTP, flat bodies."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import search_services
from documented_types import check_types
from search_services import KEY, SearchService
from serving import Served, serving
from smalt.connectors.definitions.registry import action, connector
from smalt.core.settings import DeploymentSettings, LimitSettings, Settings
from told_model import ToldModel, told_model

Json = dict[str, Any]
SAID = {"model": "echo", "role": "user", "content": "Good morning"}
DEPLOYED = "deployments/org%2Fecho%3Av1"
AZURE = ("azure-openai", "azure-openai-preview")


@pytest.fixture(scope="module")
def client(echo_server: Served) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {echo_server.key}"}
    with httpx2.Client(base_url=f"{echo_server.url}/connectors/", headers=headers) as made:
        yield made


@pytest.fixture(scope="module")
def spoken(client: httpx2.Client) -> bytes:
    """A recording of what an echo said, which an echo hears again."""
    body = {"model": "echo", "voice": "alloy", "input": "Call me Ishmael.", "response_format": "wav"}
    result = checked(client.post("openai-gpt/audio/speech", json=body), "openai-gpt", "create_speech")
    assert result["$content-type"] == "audio/wav"
    return base64.b64decode(result["$content"])


def checked(answer: httpx2.Response, name: str, asked: str) -> Json:
    """The result, which has what the document promises."""
    assert answer.status_code == 200, answer.text
    check_types(action(connector(name), asked), answer.json())
    return answer.json()


@pytest.mark.parametrize(
    ("asked", "path", "body", "expected"),
    [
        ("get_chat_completions", "chat/completions", {**SAID, "n": 2}, {"first_content": "Good morning"}),
        (
            "create_completion",
            "completions",
            {"model": "echo", "prompt": "Once", "max_tokens": 5, "logprobs": "2"},
            {"first_completion": "Once"},
        ),
        ("create_embedding", "embeddings", {"model": "echo", "input": "Hi"}, {"object": "list"}),
        ("create_moderation", "moderations", {"model": "echo", "input": "Hi"}, {"model": "echo"}),
        ("edit_prompt", "edits", {"model": "echo", "input": "wek", "instruction": "Spell"}, {"object": "edit"}),
    ],
)
def test_an_action_of_openai_gpt_answers_in_its_shape(
    client: httpx2.Client, asked: str, path: str, body: Json, expected: Json
):
    result = checked(client.post(f"openai-gpt/{path}", json=body), "openai-gpt", asked)
    assert result | expected == result
    by_name = checked(client.post(f"openai-gpt/{asked}", json=body), "openai-gpt", asked)
    assert by_name.keys() == result.keys()


def test_models_are_listed(client: httpx2.Client):
    result = checked(client.get("openai-gpt/models"), "openai-gpt", "list_models")
    assert "echo" in {model["id"] for model in result["data"]}


@pytest.mark.parametrize(
    ("asked", "path"), [("create_transcription", "audio/transcriptions"), ("create_translation", "audio/translations")]
)
def test_a_recording_comes_as_a_form(client: httpx2.Client, spoken: bytes, asked: str, path: str):
    form = {"data": {"model": "echo", "temperature": "0"}, "files": {"file": ("said.wav", spoken, "audio/wav")}}
    result = checked(client.post(f"openai-gpt/{path}", **form), "openai-gpt", asked)
    assert result["text"] == "Call me Ishmael."


@pytest.mark.parametrize(
    ("method", "path", "values"),
    [
        ("POST", "images/generations", {"json": {"prompt": "A cat"}}),
        ("POST", "images/edits", {"data": {"prompt": "A cat"}, "files": {"image": ("a.png", b"png")}}),
        ("POST", "images/variations", {"files": {"image": ("a.png", b"png")}}),
        ("POST", "fine_tuning/jobs", {"json": {"training_file": "file-1", "model": "echo"}}),
        ("GET", "fine_tuning/jobs/ftjob-1", {}),
        ("GET", "fine_tuning/jobs/ftjob-1/events?limit=2", {}),
        ("POST", "fine_tuning/jobs/ftjob-1/cancel", {}),
    ],
)
def test_what_the_server_does_not_serve_yet_is_said_plainly(
    client: httpx2.Client, method: str, path: str, values: Json
):
    answer = client.request(method, f"openai-gpt/{path}", **values)
    if answer.status_code == 501:
        assert answer.json()["error"]["code"] == "operation_not_served"
        assert "This server does not serve" in answer.json()["error"]["message"]
    else:  # the operation has arrived, and the action with it: what is asked for is not there
        assert answer.status_code in (200, 400, 404)
        assert answer.json().get("error", {}).get("code") != "operation_not_served"


@pytest.mark.parametrize("name", AZURE)
def test_an_azure_connector_answers_on_its_deployments_paths(echo_server: Served, name: str):
    with httpx2.Client(base_url=f"{echo_server.url}/connectors/{name}/", headers={"api-key": echo_server.key}) as sdk:

        def ask(asked: str, path: str, body: Json) -> Json:
            return checked(sdk.post(f"{DEPLOYED}/{path}?api-version=2024-10-21", json=body), name, asked)

        body = {"messages": [{"role": "user", "content": "Good morning"}], "n": 2, "logprobs": True, "top_logprobs": 2}
        nested = ask("create_chat_completion", "chat/completions", body)
        flat = ask("create_chat_completion", "chat/completions", {"role": "user", "content": "Good morning"})
        for result in (nested, flat):
            assert result["choices"][0]["message"]["content"] == "Good morning"
        one = ask("get_embedding", "embeddings", {"input": "Hi"})
        if name == "azure-openai":
            many = ask("get_multiple_embeddings", "embeddings", {"input": ["Hi", "Ho"]})
            assert many["embeddings"][0] == one["embedding"]
        else:
            assert one["data"][0]["embedding"]


@pytest.fixture(scope="module")
def index() -> Iterator[SearchService]:
    with search_services.azure_search() as made:
        yield made


@pytest.fixture(scope="module")
def told() -> Iterator[ToldModel]:
    with told_model() as made:
        yield made


@pytest.fixture(scope="module")
def grounded(told: ToldModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    deployments = {
        "told": DeploymentSettings(engine="upstream", base_url=told.url, options={"retries": 0}),
        "echo": DeploymentSettings(engine="echo"),
    }
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("grounded"),
        starter=False,
        deployments=deployments,
        limits=LimitSettings(requests_per_minute=1000),
    )
    with serving(settings) as made:
        yield made


@pytest.mark.parametrize("name", AZURE)
@pytest.mark.parametrize(
    ("asked", "path", "source"),
    [
        (
            "create_chat_completion",
            "chat/completions",
            {"data_sources": [{"type": "azure_search", "parameters": {"index_name": "handbook"}}]},
        ),
        (
            "create_extensions_chat_completion",
            "extensions/chat/completions",
            {"dataSources": [{"type": "AzureCognitiveSearch", "parameters": {"indexName": "handbook"}}]},
        ),
    ],
)
def test_the_search_service_of_the_connection_is_searched(
    grounded: Served, told: ToldModel, index: SearchService, name: str, asked: str, path: str, source: Json
):
    told.says("The key hangs at the reception.")
    headers = {"api-key": grounded.key, "search-endpoint": index.url, "search-key": KEY}
    question = [{"role": "user", "content": "Where is the key of the company bicycles?"}]
    answer = httpx2.post(
        f"{grounded.url}/connectors/{name}/deployments/told/{path}?api-version=2024-02-15-preview",
        headers=headers,
        json={"messages": question, **source},
    )
    choice = checked(answer, name, asked)["choices"][0]
    said = choice["message"] if "message" in choice else choice["messages"][-1]
    assert said["content"] == "The key hangs at the reception [doc1]."
    assert index.asked[-1][0].startswith("/indexes('handbook')")


def test_a_fusion_module_has_its_own_path(client: httpx2.Client, spoken: bytes):
    def ask(module: str, **values: Any) -> Json:
        return checked(client.post(f"fusion-openai/{module}", **values), "fusion-openai", module)

    said = ask("create_chat_completion", json={"model": "echo", "messages": [{"role": "user", "content": "Hi"}]})
    assert said["choices"][0]["message"]["content"] == "Hi"
    models = ask("get_models", json={"operation": "retrieve_model", "model": "org/echo:v1"})
    assert models["id"] == "org/echo:v1"
    called = ask("make_custom_api_call", json={"url": "/models", "method": "GET"})
    assert called["body"]["object"] == "list"
    form = {"operation": "create_transcription", "model": "echo"}
    heard = ask("manage_audio", data=form, files={"file": ("said.wav", spoken, "audio/wav")})
    assert heard["text"] == "Call me Ishmael."


def test_a_field_that_comes_twice_is_a_list(client: httpx2.Client, spoken: bytes):
    form = {"operation": "create_transcription", "model": "echo", "response_format": "verbose_json"}
    times = {"timestamp_granularities": ["word", "segment"]}
    files = {"file": ("said.wav", spoken, "audio/wav")}
    heard = client.post("fusion-openai/manage_audio", data=form | times, files=files).json()
    assert heard.keys() >= {"words", "segments"}
    twice = client.post("fusion-openai/manage_audio", data=form | {"model": ["echo", "echo"]}, files=files)
    assert (twice.status_code, twice.json()["error"]["param"]) == (400, "model")


def test_connectors_are_listed_and_described(client: httpx2.Client, echo_server: Served):
    names = [one["name"] for one in client.get(f"{echo_server.url}/connectors").json()["data"]]
    assert set(names) == {"openai-gpt", "fusion-openai", *AZURE}
    for name in names:
        told = client.get(name).json()
        known = {one.name: one for one in connector(name).actions}
        assert [one["name"] for one in told["actions"]] == list(known)
        for one in told["actions"]:
            assert [parameter["key"] for parameter in one["parameters"]] == [
                parameter.key for parameter in known[one["name"]].parameters
            ]
            assert f"POST /{one['name']}" in one["paths"]


@pytest.mark.parametrize("name", ["openai-gpt", "fusion-openai", *AZURE])
def test_a_definition_says_where_this_server_answers(client: httpx2.Client, echo_server: Served, name: str):
    told = client.get(f"{name}/swagger.json").json()
    assert told["swagger"] == "2.0"
    assert f"{told['schemes'][0]}://{told['host']}{told['basePath']}" == f"{echo_server.url}/connectors/{name}"
    for path, methods in told["paths"].items():
        for method in methods:
            answer = client.request(method, f"{name}{path.replace('{', '').replace('}', '')}", json={})
            assert "has nothing at" not in answer.text, path
            assert answer.status_code != 405


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nobody", 404),
        ("POST", "nobody/chat/completions", 404),
        ("POST", "openai-gpt/nothing", 404),
        ("GET", "openai-gpt/chat/completions", 405),
        ("POST", "fusion-openai/audio/transcriptions", 404),
    ],
)
def test_what_is_not_there_is_said(client: httpx2.Client, method: str, path: str, status: int):
    answer = client.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


@pytest.mark.parametrize(
    ("values", "status", "param"),
    [
        ({"json": {"role": "user", "content": "Hi"}}, 400, "model"),
        ({"json": {**SAID, "temperature": "warm"}}, 400, "temperature"),
        ({"json": {**SAID, "temperature": 9}}, 400, "temperature"),
        ({"json": {**SAID, "temperature": "1" + 23 * "0"}}, 400, "temperature"),
        ({"json": {**SAID, "model": "nobody"}}, 404, None),
        ({"json": ["Hi"]}, 400, None),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, None),
        ({"content": b"Hi", "headers": {"content-type": "text/plain"}}, 400, None),
    ],
)
def test_a_fault_is_told_as_the_server_tells_it(client: httpx2.Client, values: Json, status: int, param: str | None):
    answer = client.post("openai-gpt/chat/completions", **values)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-wrong"}, {"api-key": "sk-wrong"}])
@pytest.mark.parametrize("path", ["", "/openai-gpt", "/openai-gpt/models"])
def test_nothing_is_told_without_a_key(echo_server: Served, headers: Json, path: str):
    answer = httpx2.get(f"{echo_server.url}/connectors{path}", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_what_an_action_uses_counts_once(grounded: Served):
    def told(metric: str) -> float:
        page = httpx2.get(f"{grounded.url}/metrics", headers={"api-key": grounded.key}).text
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(metric))

    tokens, asked = 'smalt_tokens_total{kind="completion",model="echo"}', "smalt_requests_total{"
    counted = told(tokens)
    answer = httpx2.post(
        f"{grounded.url}/connectors/openai-gpt/chat/completions", headers={"api-key": grounded.key}, json=SAID
    )
    assert told(tokens) - counted == answer.json()["usage"]["completion_tokens"]
    assert told(f'{asked}mount="connectors",operation="openai-gpt/get_chat_completions"') == 1


def test_an_action_is_done_once_for_an_idempotency_key(client: httpx2.Client):
    answers = [
        client.post("openai-gpt/chat/completions", json=SAID, headers={"Idempotency-Key": "facade"}) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"


def test_the_work_ends_when_the_client_leaves(client: httpx2.Client, echo_server: Served):
    with pytest.raises(httpx2.ReadTimeout):
        client.post("openai-gpt/chat/completions", json={**SAID, "model": "slow"}, timeout=0.5)
    until = time.monotonic() + 8  # the whole answer takes ten seconds
    while at_work(client, echo_server) > 1:  # the question itself is at work
        assert time.monotonic() < until
        time.sleep(0.1)


def at_work(client: httpx2.Client, served: Served) -> float:
    page = client.get(f"{served.url}/metrics").text
    [line] = [line for line in page.splitlines() if line.startswith("smalt_requests_at_work ")]
    return float(line.rpartition(" ")[2])
