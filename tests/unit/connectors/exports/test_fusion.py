"""A connector as a custom app of Make and Fusion."""

import json
from typing import Any

import pytest

from make_rules import check_fields, check_manifest, check_request
from smalt.connectors.definitions.registry import NAMES, connector
from smalt.connectors.exports.destination import in_the_cloud, on_smalt
from smalt.connectors.exports.fusion import fusion, module_id

HERE = "https://smalt.example.com"
Json = dict[str, Any]


def files_of(name: str, place: str = "smalt") -> dict[str, Any]:
    used = connector(name)
    made = fusion(used, in_the_cloud(used) if place == "cloud" else on_smalt(used, HERE))
    return {path: json.loads(json.dumps(content)) for path, content in made.items()}


def part(files: dict[str, Any], module: str, kind: str) -> Any:
    return files[files["makecomapp.json"]["components"]["module"][module]["codeFiles"][kind]]


def named(fields: list[Json]) -> dict[str, Json]:
    return {field["name"]: field for field in fields}


@pytest.mark.parametrize("place", ["smalt", "cloud"])
@pytest.mark.parametrize("name", NAMES)
def test_the_app_is_built_as_the_editor_reads_it(name: str, place: str):
    files = files_of(name, place)
    check_manifest(files)
    check_request(files["general/base.iml.json"], "baseUrl", "log")
    check_request(files["connections/smalt/smalt.communication.iml.json"], "log")
    check_fields(files["connections/smalt/smalt.params.iml.json"])
    components = files["makecomapp.json"]["components"]
    for module in components["module"]:
        communication = part(files, module, "communication")
        for request in communication if isinstance(communication, list) else [communication]:
            check_request(request)
        check_fields(part(files, module, "mappableParams"))
        check_fields(part(files, module, "interface"))
        assert set(part(files, module, "samples")) == set(named(part(files, module, "interface")))
    for rpc in components["rpc"].values():
        check_request(files[rpc["codeFiles"]["communication"]])


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_a_module_with_every_parameter(name: str):
    files = files_of(name)
    modules = files["makecomapp.json"]["components"]["module"]
    assert list(modules) == [module_id(each.name) for each in connector(name).actions]
    for each in connector(name).actions:
        assert modules[module_id(each.name)]["label"] == each.title
        text = json.dumps(part(files, module_id(each.name), "mappableParams"))
        for parameter in each.parameters:
            assert json.dumps(parameter.title)[1:-1] in text
            assert json.dumps(parameter.help)[1:-1] in text


def test_the_key_is_sent_with_the_service_s_own_words_and_kept_out_of_logs():
    base = files_of("fusion-openai")["general/base.iml.json"]
    assert base["baseUrl"] == f"{HERE}/connectors/fusion-openai"
    assert base["headers"] == {"Authorization": "Bearer {{connection.api_key}}"}
    assert "request.headers.authorization" in base["log"]["sanitize"]
    cloud = files_of("fusion-openai", "cloud")
    assert cloud["general/base.iml.json"]["headers"]["OpenAI-Organization"] == "{{connection.organization_id}}"
    azure = files_of("azure-openai", "cloud")["general/base.iml.json"]
    assert azure["baseUrl"] == "https://{{connection.resource_name}}.openai.azure.com/openai"
    assert azure["headers"] == {"api-key": "{{connection.api_key}}"}


def test_a_connection_is_tried_where_a_wrong_key_is_refused():
    files = files_of("fusion-openai")
    request = files["connections/smalt/smalt.communication.iml.json"]
    assert (request["url"], request["method"]) == (f"{HERE}/connectors/fusion-openai", "GET")
    assert request["headers"] == {"Authorization": "Bearer {{parameters.api_key}}"}
    assert list(named(files["connections/smalt/smalt.params.iml.json"])) == ["api_key"]
    cloud = files_of("fusion-openai", "cloud")
    assert cloud["connections/smalt/smalt.communication.iml.json"]["url"] == "https://api.openai.com/v1/models"
    assert list(named(cloud["connections/smalt/smalt.params.iml.json"])) == ["api_key", "organization_id"]


def test_a_conversation_has_as_many_messages_as_people_add():
    fields = named(part(files_of("fusion-openai"), "createChatCompletion", "mappableParams"))
    assert list(named(fields["messages"]["spec"])) == ["role", "content", "name"]
    role = named(fields["messages"]["spec"])["role"]
    assert [option["value"] for option in role["options"]] == ["developer", "system", "user", "assistant"]
    assert fields["model"]["options"] == {"store": "rpc://listModels"}
    assert (fields["model"]["required"], fields["seed"]["advanced"]) == (True, True)


def test_fields_of_one_operation_come_with_it():
    files = files_of("fusion-openai")
    fields = named(part(files, "manageFiles", "mappableParams"))
    options = {option["value"]: option for option in fields["operation"]["options"]}
    assert "nested" not in options["list_files"]
    assert list(named(options["delete_file"]["nested"])) == ["file_id"]
    requests = part(files_of("fusion-openai", "cloud"), "manageFiles", "communication")
    assert [request["condition"] for request in requests] == [
        f"{{{{parameters.operation == '{name}'}}}}"
        for name in ("list_files", "delete_file", "retrieve_file", "retrieve_file_content")
    ]
    assert requests[1]["url"] == "/files/{{parameters.file_id}}"
    assert requests[3]["response"]["type"] == "binary"


def test_results_are_told_even_where_the_document_is_silent():
    files = files_of("fusion-openai")
    chat = named(part(files, "createChatCompletion", "interface"))
    assert {"index", "message", "finish_reason"} == set(named(chat["choices"]["spec"]))
    assert chat["usage"]["type"] == "collection"
    assert {"id", "filename", "deleted", "$content"} <= set(named(part(files, "manageFiles", "interface")))
    assert "first_content" in named(part(files_of("openai-gpt"), "getChatCompletions", "interface"))
