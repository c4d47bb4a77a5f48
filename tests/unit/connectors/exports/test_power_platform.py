"""A connector's folder for Power Platform: valid, whole, and with nothing that the facade would not take."""

import json
import struct
import zlib
from typing import Any

import pytest
from jsonschema import Draft4Validator
from openapi_spec_validator import OpenAPIV2SpecValidator

from connector_samples import SAMPLES
from exported_swagger import ImportedOperation, as_json_schema, built, operations
from power_platform_rules import FACTS, check_definition, check_properties
from power_platform_validator import check_validator
from smalt.connectors.calls import make_call
from smalt.connectors.definitions.registry import NAMES, connector
from smalt.connectors.definitions.vocabulary import Action, Parameter
from smalt.connectors.exchange import FileValue
from smalt.connectors.exports.calls import calls, camel
from smalt.connectors.exports.destination import Destination, in_the_cloud, on_smalt
from smalt.connectors.exports.openapi import openapi
from smalt.connectors.exports.power_platform import power_platform
from smalt.connectors.exports.properties import SEARCH_HEADERS
from smalt.connectors.exports.swagger import swagger
from smalt.connectors.facade import routes
from smalt.connectors.facade.finding import find
from smalt.connectors.paths import steps
from smalt.connectors.values import parameters_of, read_values
from smalt.core.errors import InvalidRequest

HERE = "https://smalt.example.com"
AZURE = ("azure-openai", "azure-openai-preview")
Json = dict[str, Any]


def destination(name: str, place: str) -> Destination:
    return in_the_cloud(connector(name)) if place == "cloud" else on_smalt(connector(name), HERE)


def document_of(name: str, place: str = "smalt") -> Json:
    return json.loads(json.dumps(swagger(connector(name), destination(name, place))))


def operation_of(name: str, asked: str, place: str = "smalt") -> ImportedOperation:
    return next(each for each in operations(document_of(name, place)) if each.name == asked)


def properties_of(name: str, place: str = "smalt") -> Json:
    files: Any = power_platform(connector(name), destination(name, place))
    return files["apiProperties.json"]["properties"]


def test_an_address_is_a_server_and_loses_the_mounts_that_people_copy_with_it():
    used = connector("openai-gpt")
    assert on_smalt(used, "http://h:8080/").url == "http://h:8080/connectors/openai-gpt"
    assert on_smalt(used, "https://h/ai/v1").base_path == "/ai/connectors/openai-gpt"
    assert on_smalt(used, "https://h/openai/v1/").base_path == "/connectors/openai-gpt"
    for wrong in ("smalt.example.com", "ftp://h", "https://h?key=1", "https://user:secret@h"):
        with pytest.raises(InvalidRequest) as refused:
            on_smalt(used, wrong)
        assert refused.value.param == "url"


@pytest.mark.parametrize("place", ["smalt", "cloud"])
@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_valid(name: str, place: str):
    files: Any = power_platform(connector(name), destination(name, place))
    OpenAPIV2SpecValidator(files["apiDefinition.swagger.json"]).validate()
    check_definition(files["apiDefinition.swagger.json"])
    check_validator(files["apiDefinition.swagger.json"])
    check_properties(files["apiProperties.json"])
    assert set(files["settings.json"]) <= set(FACTS["settings"])
    for key in ("apiProperties", "apiDefinition", "icon"):
        assert files["settings.json"][key] in files


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_there_with_every_parameter(name: str):
    found = {each.name: each for each in operations(document_of(name))}
    assert set(found) == {camel(each.name) for each in connector(name).actions}
    for each in connector(name).actions:
        operation = found[camel(each.name)]
        assert (operation.told["summary"], operation.told.get("deprecated", False)) == (each.title, each.is_deprecated)
        told = list(_fields(operation))
        for parameter in each.parameters:
            [field] = [one for one in told if one["x-ms-summary"] == parameter.title and _is(parameter, one)]
            assert field["type"] == ("file" if parameter.type == "file" else _wire_type(parameter, operation))


@pytest.mark.parametrize("name", NAMES)
def test_every_return_field_has_its_place_and_its_type(name: str):
    document = document_of(name)
    for each in connector(name).actions:
        schema = operation_of(name, camel(each.name)).told["responses"]["200"]["schema"]
        for field in each.returns:
            found = _at(schema, [str(step) for step in steps(field.path)], document)
            wanted = field.type.split(" ")[0]
            assert found["type"] == {"float": "number", "double": "number"}.get(wanted, wanted), field.path


@pytest.mark.parametrize("name", NAMES)
def test_the_facade_takes_a_request_with_every_field_as_the_definition_has_it(name: str):
    used = connector(name)
    for each in used.actions:
        operation = operation_of(name, camel(each.name))
        for selected in each.operations:
            known = {"operation": selected.name, "deployment-id": "one", "deploymentId": "one"}
            request = built(operation, known, whole=True)
            path = request.url.removeprefix(f"{HERE}/connectors/{name}")
            places = find(used, request.method, path)
            assert each in [place.action for place in places]
            path_values = next(place.given for place in places if place.action == each)
            files = {key: FileValue(*value) for key, value in request.files.items()}
            given = {**(request.json or {}), **request.data, **files, **request.params, **path_values}
            foreign = [p.name for p in each.parameters if p.operations and selected.name not in p.operations]
            own = {key: value for key, value in given.items() if key not in foreign}
            assert set(own) <= set(read_values(each, own))


@pytest.mark.parametrize("name", NAMES)
def test_the_cloud_is_asked_as_the_definitions_ask_it(name: str):
    used = connector(name)
    document = document_of(name, "cloud")
    moved = _moved(properties_of(name, "cloud"))
    asked = {each.name: each for each in operations(document)}
    for call in calls(used, is_cloud=True):
        assert call.operation is not None
        operation = asked[call.name]
        assert (operation.method, moved.get(call.name, operation.path)) == (call.operation.method, call.operation.path)
        _, outgoing = make_call(used, call.action, _everything(call.action, call.operation.name))
        assert {each["name"] for each in operation.parameters("query")} == set(outgoing.query)
        for each in operation.parameters("body"):
            Draft4Validator(_strict(each["schema"])).validate(outgoing.body)
        form = {each["name"] for each in operation.parameters("formData")}
        assert form == {key for key, _ in (*outgoing.fields, *outgoing.files)}
    custom = {each.name for each in used.actions if any(p.place == "custom" for p in each.parameters)}
    assert {call.action.name for call in calls(used, is_cloud=True)} == {each.name for each in used.actions} - custom


def test_a_request_of_one_list_is_flat_and_one_of_several_parts_shows_what_belongs_together():
    [flat] = operation_of("openai-gpt", "GetChatCompletions").parameters("body")
    assert {"model", "role", "content"} <= set(flat["schema"]["properties"])
    assert flat["schema"]["required"] == ["model", "role", "content"]
    [nested] = operation_of("azure-openai", "CreateChatCompletion").parameters("body")
    assert nested["schema"]["required"] == ["messages"]
    sources = nested["schema"]["properties"]["data_sources"]["items"]
    assert sources["required"] == ["type", "parameters"]
    assert sources["properties"]["parameters"]["required"] == ["index_name"]
    assert "endpoint" not in sources["properties"]["parameters"]["properties"]
    [cloud] = operation_of("azure-openai", "CreateChatCompletion", "cloud").parameters("body")
    assert (
        "endpoint" in cloud["schema"]["properties"]["data_sources"]["items"]["properties"]["parameters"]["properties"]
    )


def test_models_are_chosen_from_the_list_of_models():
    [body] = operation_of("openai-gpt", "CreateEmbedding").parameters("body")
    model = body["schema"]["properties"]["model"]
    assert model["x-ms-dynamic-values"] == {
        "operationId": "ListModels",
        "value-collection": "data",
        "value-path": "id",
        "value-title": "id",
    }
    [body] = operation_of("fusion-openai", "CreateEmbedding").parameters("body")
    model = body["schema"]["properties"]["model"]
    assert model["x-ms-dynamic-values"]["parameters"] == {"operation": "list_models"}
    assert model["x-ms-dynamic-list"]["parameters"] == {"operation": {"value": "list_models"}}


def test_failures_have_no_schema_in_swagger_and_one_in_openapi():
    told = operation_of("openai-gpt", "CreateEmbedding").told["responses"]
    assert set(told["default"]) == {"description"}
    openapi_told = openapi([connector("openai-gpt")])["paths"]["/connectors/openai-gpt/embeddings"]["post"]["responses"]
    error = openapi_told["default"]["content"]["application/json"]["schema"]["properties"]["error"]
    assert set(error["properties"]) == {"message", "type", "param", "code"}


def test_a_service_may_answer_otherwise_than_the_document_says():
    answer = operation_of("openai-gpt", "CreateCompletion", "cloud").told["responses"]["200"]["schema"]
    choice = answer["properties"]["choices"]["items"]["properties"]
    assert (choice["text"]["type"], "type" in choice["logprobs"]) == ("string", False)
    schema = as_json_schema(answer)
    Draft4Validator(schema).validate({"choices": [{"text": "a", "logprobs": {"tokens": ["a"]}}]})
    Draft4Validator(schema).validate({"choices": None})
    flattened = operation_of("openai-gpt", "CreateCompletion").told["responses"]["200"]["schema"]
    inner = flattened["properties"]["result"]["properties"]["choices"]["items"]["properties"]
    assert inner["logprobs"]["type"] == "string"


def test_results_have_fields_even_where_the_document_names_none():
    assert {"data", "id", "$content"} <= set(_answer_of("fusion-openai", "ManageFiles"))
    assert {"choices", "usage"} <= set(_answer_of("fusion-openai", "CreateChatCompletion"))
    assert _answer_of("fusion-openai", "DeleteFile", "cloud") == ["id", "object", "deleted"]
    content = operation_of("fusion-openai", "RetrieveFileContent", "cloud").told
    assert content["responses"]["200"]["schema"] == {"type": "string", "format": "binary"}
    assert content["produces"] == []


def test_what_people_need_first_comes_first_and_what_is_old_or_hidden_last():
    [body] = operation_of("fusion-openai", "CreateChatCompletion").parameters("body")
    fields = body["schema"]["properties"]
    assert (fields["model"]["x-ms-visibility"], fields["seed"]["x-ms-visibility"]) == ("important", "advanced")
    assert operation_of("openai-gpt", "EditPrompt").told["x-ms-visibility"] == "advanced"
    assert operation_of("fusion-openai", "ManageAudio").told["x-ms-visibility"] == "advanced"
    assert "x-ms-visibility" not in operation_of("openai-gpt", "CreateEmbedding").told
    form = {each["name"]: each for each in operation_of("fusion-openai", "EditImage").parameters("formData")}
    assert form["prompt"]["description"].endswith("For: Create an edit.")
    assert (form["image"]["required"], form["prompt"]["required"]) == (True, False)


@pytest.mark.parametrize("name", AZURE)
def test_both_kinds_of_connection_are_offered(name: str):
    for place, resource in (("cloud", "https://cognitiveservices.azure.com"), ("smalt", HERE)):
        sets = properties_of(name, place)["connectionParameterSets"]["values"]
        by_key = next(each["parameters"] for each in sets if "api_key" in each["parameters"])
        identity = next(each["parameters"] for each in sets if each["name"] == "managedIdentityAuth")
        assert by_key["api_key"]["type"] == "securestring"
        assert {"search_endpoint", "search_api_key"} <= set(by_key)
        assert ("resource_name" in by_key) is ("resource_name" in identity) is (place == "cloud")
        settings = identity["token"]["oAuthSettings"]
        assert settings["customParameters"]["resourceUri"] == {"value": resource}
        assert "clientSecret" not in settings


def test_policies_send_what_a_definition_cannot_say():
    for name in AZURE:
        assert _policy(name, "cloud", "dynamichosturl") == [
            {"urlTemplate": "https://@connectionParameters('resource_name','').openai.azure.com/openai"}
        ]
        headers = {each["name"]: each["value"] for each in _policy(name, "smalt", "setheader")}
        assert headers == {
            "api-key": "@connectionParameters('api_key','')",
            "search-endpoint": "@connectionParameters('search_endpoint','')",
            "search-key": "@connectionParameters('search_api_key','')",
        }
    assert _policy("openai-gpt", "smalt", "setheader") == []
    [header] = _policy("fusion-openai", "smalt", "setheader")
    assert (header["name"], header["value"]) == ("Authorization", "Bearer @connectionParameters('api_key','')")
    assert set(properties_of("fusion-openai", "cloud")["connectionParameters"]) == {"api_key"}
    [route] = _policy("azure-openai", "cloud", "routerequesttoendpoint")
    assert route == {"newPath": "/deployments/{deployment-id}/embeddings", "httpMethod": "POST"}


def test_who_made_the_connector_and_whose_service_it_is_are_told():
    owners = {name: (properties_of(name)["publisher"], properties_of(name)["stackOwner"]) for name in NAMES}
    assert owners["openai-gpt"] == ("Troy Taylor", "OpenAI")
    assert owners["azure-openai-preview"] == ("Abby Hartman", "Microsoft")


def test_the_facade_knows_the_headers_of_the_policies():
    assert dict(routes.SEARCH_HEADERS) == SEARCH_HEADERS


def test_the_icon_is_a_png_of_the_largest_size_on_the_brand_colour():
    content: Any = power_platform(connector("openai-gpt"), destination("openai-gpt", "smalt"))["icon.png"]
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        name, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        assert struct.unpack(">I", content[place + 8 + length : place + 12 + length]) == (zlib.crc32(name + data),)
        chunks[name] = data
        place += 12 + length
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (width, height, depth, colour) == (230, 230, 8, 2)
    lines = zlib.decompress(chunks[b"IDAT"])
    assert len(lines) == 230 * (1 + 230 * 3)
    assert lines[1:4] == bytes.fromhex("0047ab")
    assert len({lines[place : place + 3] for place in range(1, 230 * 3, 3)}) == 1
    assert len(content) < 2**20


def _answer_of(name: str, asked: str, place: str = "smalt") -> list[str]:
    return list(operation_of(name, asked, place).told["responses"]["200"]["schema"]["properties"])


def _fields(operation: ImportedOperation) -> list[Json]:
    """Every field of the request, at every depth, with its name."""
    found = [{**each, "named": each["name"]} for each in operation.told["parameters"] if each["in"] != "body"]

    def walk(schema: Json) -> None:
        for name, each in schema.get("properties", {}).items():
            found.append({**each, "named": name})
            walk(each)
        if "items" in schema:
            walk(schema["items"])

    for each in operation.parameters("body"):
        walk(each["schema"])
    return [each for each in found if "x-ms-summary" in each]


def _is(parameter: Parameter, field: Json) -> bool:
    """Whether a field is the parameter: several have one title, told apart by their help."""
    names = {parameter.name, parameter.at.split(".")[-1].removesuffix("[]")}
    return field["named"] in names and field.get("description", "").startswith(parameter.help)


def _wire_type(parameter: Parameter, operation: ImportedOperation) -> str:
    kind = {"float": "number", "double": "number", "securestring": "string"}.get(parameter.type, parameter.type)
    kind = kind.split(" ")[0]
    is_text = kind in {"array", "object"} and not operation.parameters("body")
    return "string" if is_text else kind


def _at(schema: Json, path: list[str], document: Json) -> Json:
    if "$ref" in schema:
        schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
    if not path:
        return schema
    if schema["type"] == "array":
        return _at(schema["items"], path, document)
    return _at(schema["properties"][path[0]], path[1:], document)


def _everything(used: Action, operation: str) -> Json:
    parameters = parameters_of(used, next(each for each in used.operations if each.name == operation))
    samples = {**SAMPLES, "integer": 3}
    given = {each.name: samples[each.type] for each in parameters if not each.repeats and each.place != "limit"}
    given |= {each.name: "3" for each in parameters if each.sent_as == "integer"}
    given |= {each.name: each.choices[0] for each in parameters if each.choices}
    selectors = {each.name: operation for each in parameters if each.place == "selector"}
    return read_values(used, {**given, **selectors})


def _strict(schema: Json) -> Json:
    """The schema, with nothing allowed that it does not name."""
    made = as_json_schema(schema)
    if "properties" in made:
        made |= {"additionalProperties": False}
        made["properties"] = {name: _strict(each) for name, each in made["properties"].items()}
    if "items" in made:
        made["items"] = _strict(made["items"])
    return made


def _moved(properties: Json) -> Json:
    """The real paths of operations that a policy sends elsewhere."""
    found: Json = {}
    for policy in properties["policyTemplateInstances"]:
        given = policy["parameters"]
        for name in given.get("x-ms-apimTemplate-operationName", []):
            found[name] = given["x-ms-apimTemplateParameter.newPath"]
    return found


def _policy(name: str, place: str, template: str) -> list[Json]:
    prefix = "x-ms-apimTemplateParameter."
    return [
        {
            key.removeprefix(prefix): value
            for key, value in policy["parameters"].items()
            if key.startswith(prefix) and not key.endswith("existsAction")
        }
        for policy in properties_of(name, place)["policyTemplateInstances"]
        if policy["templateId"] == template
    ]
