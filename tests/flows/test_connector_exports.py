"""Exported connectors against the server that they are for, called as the products that import them would."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

import search_services
from exported_swagger import BuiltRequest, ImportedOperation, built, operations
from make_rules import MISSING, worked_out
from search_services import KEY, SearchService
from serving import Served
from smalt.connectors.definitions.registry import NAMES, connector
from smalt.connectors.exports.destination import on_smalt
from smalt.connectors.exports.fusion import fusion
from smalt.connectors.exports.openapi import openapi
from smalt.connectors.exports.properties import api_properties
from smalt.connectors.exports.swagger import swagger
from sounds import encoded, hum

Json = dict[str, Any]
SOUND = ("sound.wav", encoded(hum(0.5), "wav"), "audio/wav")
KNOWN: Json = {
    "model": "echo",
    "deployment-id": "echo",
    "deploymentId": "echo",
    "api-version": "2024-10-21",
    "role": "user",
    "voice": "alloy",
    "url": "models",
}
SERVED = {
    "openai-gpt": {
        "CreateCompletion",
        "CreateEmbedding",
        "CreateModeration",
        "CreateSpeech",
        "CreateTranscription",
        "CreateTranslation",
        "EditPrompt",
        "GetChatCompletions",
        "ListModels",
    },
    "azure-openai": {"CreateChatCompletion", "GetMultipleEmbeddings", "GetEmbedding", "CreateExtensionsChatCompletion"},
    "azure-openai-preview": {"CreateChatCompletion", "GetEmbedding", "CreateExtensionsChatCompletion"},
    "fusion-openai": {
        "CreateCompletion",
        "CreateModeration",
        "CreateEdit",
        "CreateEmbedding",
        "CreateChatCompletion",
        "GetModels",
        "MakeCustomApiCall",
        "ManageAudio",
        "ManageFiles",
    },
}
"""What this server has at least; an operation that it lacks says so, and is served once it arrives."""
OWN_FIELDS: dict[str, Json] = {
    "GetModels": {"operation": "list_models"},
    "ManageFiles": {"operation": "list_files"},
    "ManageFineTunes": {"operation": "create_fine_tuning_job", "file_id": "file-1", "base_model": "echo"},
    "EditImage": {"operation": "create_image_edit", "prompt": "A stone"},
}
"""Actions with several operations, each with what one of them needs."""


@pytest.fixture(scope="module")
def index() -> Iterator[SearchService]:
    with search_services.azure_search() as made:
        yield made


def imported(server: Any, name: str) -> dict[str, ImportedOperation]:
    document = json.loads(json.dumps(swagger(connector(name), on_smalt(connector(name), server.url))))
    return {operation.name: operation for operation in operations(document)}


def sent(server: Any, operation: ImportedOperation, request: BuiltRequest, **more: str) -> httpx2.Response:
    header = operation.document["securityDefinitions"]["api_key"]["name"]
    key = server.key if header == "api-key" else f"Bearer {server.key}"
    return httpx2.request(
        request.method,
        request.url,
        params=request.params,
        json=request.json,
        data=request.data or None,
        files=request.files or None,
        headers={header: key, **more},
        timeout=60,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_action_works_as_its_exported_definition_tells(echo_server: Served, index: SearchService, name: str):
    search = {"endpoint": index.url, "key": KEY, "indexName": "handbook"}
    served: set[str] = set()
    for operation in imported(echo_server, name).values():
        known = {**KNOWN, "file": SOUND, **OWN_FIELDS.get(operation.name, {})}
        if operation.name.startswith("CreateExtensions"):
            known |= {"type": "AzureCognitiveSearch", "parameters": search}
        if operation.name in OWN_FIELDS and operation.name != "EditImage":
            del known["model"]
        answer = sent(echo_server, operation, built(operation, known))
        if answer.status_code == 200:
            operation.check(answer.json())
            served.add(operation.name)
        else:
            error = answer.json()["error"]
            assert (answer.status_code, "does not serve" in error["message"]) == (501, True), (operation.name, error)
    assert served >= SERVED[name]


def test_the_models_to_choose_from_are_those_of_the_server(echo_server: Served):
    for name, used in (("openai-gpt", "CreateEmbedding"), ("fusion-openai", "CreateEmbedding")):
        found = imported(echo_server, name)
        [body] = found[used].parameters("body")
        told = body["schema"]["properties"]["model"]["x-ms-dynamic-values"]
        source = found[told["operationId"]]
        answer = sent(echo_server, source, built(source, told.get("parameters", {}))).json()
        values = {each[told["value-path"]] for each in answer[told["value-collection"]]}
        assert {"echo", "org/echo:v1"} <= values


def test_several_messages_and_a_data_source_fit_into_azures_body(echo_server: Served, index: SearchService):
    operation = imported(echo_server, "azure-openai")["CreateChatCompletion"]
    request = built(operation, KNOWN)
    request.json["messages"] = [
        {"role": "system", "content": "Repeat"},
        {"role": "user", "content": "Where is the key of the company bicycles?"},
    ]
    request.json["data_sources"] = [{"type": "azure_search", "parameters": {"index_name": "handbook"}}]
    policies = api_properties(connector("azure-openai"), on_smalt(connector("azure-openai"), echo_server.url))
    headers = search_headers(policies, search_endpoint=index.url, search_api_key=KEY)
    answer = sent(echo_server, operation, request, **headers)
    operation.check(answer.json())
    [choice] = answer.json()["choices"]
    assert choice["message"]["context"]["citations"][0]["title"] == "Company bicycles"


def search_headers(properties: Json, **connection: str) -> dict[str, str]:
    """The headers that the exported policies set, with a connection's values."""
    made: dict[str, str] = {}
    for policy in properties["properties"]["policyTemplateInstances"]:
        given = policy["parameters"]
        name, value = given["x-ms-apimTemplateParameter.name"], given["x-ms-apimTemplateParameter.value"]
        for key, filled in connection.items():
            if f"'{key}'" in value:
                made[name] = filled
    return made


@pytest.mark.parametrize("name", NAMES)
def test_the_server_itself_gives_the_definition(echo_server: Served, name: str):
    url = f"{echo_server.url}/connectors/{name}/swagger.json"
    given = httpx2.get(url, headers={"api-key": echo_server.key})
    assert given.status_code == 200
    assert given.json() == next(iter(imported(echo_server, name).values())).document


def test_a_wrong_key_is_refused_in_the_shape_of_the_definition(echo_server: Served):
    operation = imported(echo_server, "openai-gpt")["ListModels"]
    answer = sent(replace(echo_server, key="sk-wrong"), operation, built(operation, {}))
    assert answer.status_code == 401
    described = openapi([connector("openai-gpt")], echo_server.url)["paths"]["/connectors/openai-gpt/models"]["get"]
    error = described["responses"]["default"]["content"]["application/json"]["schema"]
    Draft202012Validator(error).validate(answer.json())
    assert answer.json()["error"]["message"]


def module_called(server: Any, name: str, module: str, **parameters: Any) -> httpx2.Response:
    """Do what Make does with an exported module: work out its templates, and send."""
    used = connector(name)
    files: Any = fusion(used, on_smalt(used, server.url))
    base = files["general/base.iml.json"]
    code = files["makecomapp.json"]["components"]["module"][module]["codeFiles"]
    values = {"parameters": parameters, "connection": {"api_key": server.key}}
    request = worked_out(files[code["communication"]], values)
    form = request.get("type") == "multipart/form-data"
    body = request.get("body", {})
    uploads = {
        key: (each["options"]["filename"], each["value"])
        for key, each in body.items()
        if isinstance(each, dict) and "options" in each
    }
    rest = {key: each for key, each in body.items() if key not in uploads}
    return httpx2.request(
        request["method"],
        base["baseUrl"] + request["url"],
        params=request.get("qs"),
        headers=worked_out(base["headers"], values),
        **({"data": rest, "files": uploads} if form else {"json": body} if "body" in request else {}),
        timeout=60,
    )


def test_exported_modules_of_fusion_work(echo_server: Served):
    def done(module: str, **parameters: Any) -> Json:
        answer = module_called(echo_server, "fusion-openai", module, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    messages = [{"role": "system", "content": "Repeat"}, {"role": "user", "content": "Good morning"}]
    chat = done("createChatCompletion", model="echo", messages=messages, response_format='{"type": "text"}')
    assert chat["choices"][0]["message"]["content"] == "Good morning"
    assert done("createEdit", model="echo", input="wek", instruction="Spell")["object"] == "edit"
    assert done("getModels", operation="retrieve_model", model="echo")["id"] == "echo"
    assert done("manageFiles", operation="list_files")["object"] == "list"
    sound = {"operation": "create_transcription", "file_name": "a.wav", "file_data": SOUND[1]}
    assert "text" in done("manageAudio", **sound, model="echo", include='["logprobs"]', response_format="json")
    called = done("makeCustomApiCall", url="models", method="GET", qs=[{"key": "limit", "value": "1"}])
    assert called["body"]["object"] == "list"


def test_the_connection_and_the_list_of_models_of_an_exported_app_work(echo_server: Served):
    for name in NAMES:
        used = connector(name)
        files: Any = fusion(used, on_smalt(used, echo_server.url))
        request = worked_out(
            files["connections/smalt/smalt.communication.iml.json"], {"parameters": {"api_key": echo_server.key}}
        )
        if name == "openai-gpt":  # its document asks for the key with the word Bearer
            request["headers"] = {"Authorization": f"Bearer {echo_server.key}"}
        assert httpx2.get(request["url"], headers=request["headers"]).status_code == 200
        assert httpx2.get(request["url"], headers={"api-key": "sk-wrong"}).status_code == 401
        rpc = files["makecomapp.json"]["components"]["rpc"].get("listModels")
        if rpc is not None:
            listing = files[rpc["codeFiles"]["communication"]]
            url = files["general/base.iml.json"]["baseUrl"] + listing["url"]
            json_body = listing.get("body")
            answer = httpx2.request(
                listing["method"],
                url,
                params=listing.get("qs"),
                **({} if json_body is None else {"json": json_body}),
                headers={"api-key": echo_server.key},
            )
            shown = [worked_out(listing["response"]["output"], {"item": item}) for item in answer.json()["data"]]
            assert {"label": "echo", "value": "echo"} in shown
            assert MISSING not in shown


@pytest.mark.real
def test_real_models_answer_exported_actions(starter_server: Any):
    found = imported(starter_server, "openai-gpt")
    models = sent(starter_server, found["ListModels"], built(found["ListModels"], {})).json()["data"]
    chat = next(model["id"] for model in models if "smollm2" in model["id"])
    known = {"model": chat, "role": "user", "content": "Say hello.", "max_tokens": 8}
    answer = sent(starter_server, found["GetChatCompletions"], built(found["GetChatCompletions"], known))
    found["GetChatCompletions"].check(answer.json())
    assert answer.json()["first_content"]
    judged = sent(
        starter_server,
        found["CreateModeration"],
        built(found["CreateModeration"], {"input": "I will kill you with a knife."}),
    )
    found["CreateModeration"].check(judged.json())
    assert judged.json()["results"][0]["flagged"] is True
