"""The connectors are what their documents say, and their calls are what the services' references say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smalt.connectors.definitions.registry import NAMES, connector, connectors
from smalt.connectors.definitions.vocabulary import Action, Connector, Operation, Parameter

FACTS = Path(__file__).parent.parent / "reference" / "connectors"

Facts = dict[str, Any]


def facts(name: str) -> Facts:
    return json.loads((FACTS / f"{name}.json").read_text())


DOCUMENTS = {name: facts(name) for name in NAMES}
REFERENCE = facts("operations")
OPERATIONS: dict[str, Facts] = {**REFERENCE["openai"], **REFERENCE["azure"], **REFERENCE["legacy"]}
LEGACY = {
    # OpenAI took it away with its models in 2024.
    "POST /edits",
    # The first form of On Your Data, of 2023.
    "POST /deployments/{deployment-id}/extensions/chat/completions",
}
LEGACY_QUERY = {
    # The document asks for the deployment twice.
    "create_extensions_chat_completion.deploymentId",
    # The events of the fine-tunes that came before today's jobs could be streamed.
    "manage_fine_tunes.stream",
}
STREAMING = {"stream", "stream_options", "partial_images"}
"""Options of streams, which connectors do not have."""
LEFT_OPEN = {
    # The services require these, and the documents do not.
    "/completions prompt",
    "/embeddings model",
    "/images/edits prompt",
}
ON_THE_WIRE = {"double": "number", "float": "number"}
MICROSOFTS = ("openai-gpt", "azure-openai", "azure-openai-preview")


def all_actions() -> list[tuple[Connector, Action]]:
    return [(each, action) for each in connectors() for action in each.actions]


def all_calls() -> Iterator[tuple[Action, Operation, list[Parameter]]]:
    """Every operation of every action that does not make its own, with the parameters that it has."""
    for _, action in all_actions():
        if not any(parameter.place == "custom" for parameter in action.parameters):
            for operation in action.operations:
                yield (
                    action,
                    operation,
                    [p for p in action.parameters if not p.operations or operation.name in p.operations],
                )


def reference_of(operation: Operation) -> Facts:
    return OPERATIONS[f"{operation.method} {operation.path}"]


def fields_of(operation: Operation) -> dict[str, list[str]]:
    legacy = REFERENCE["legacy_fields"].get(f"{operation.method} {operation.path}", {})
    return {**reference_of(operation).get("fields", {}), **legacy}


def the_same(found: list[dict[str, Any]], documented: list[dict[str, Any]]) -> None:
    """A page in another language has no titles to compare."""
    assert [{key: row[key] for key in fact} for row, fact in zip(found, documented, strict=True)] == documented


@pytest.mark.parametrize("name", MICROSOFTS)
def test_a_connector_has_the_documents_actions_in_its_order(name: str) -> None:
    documented = [(fact["title"], fact["is_deprecated"]) for fact in DOCUMENTS[name]["actions"]]

    assert [(action.title, action.is_deprecated) for action in connector(name).actions] == documented


@pytest.mark.parametrize("name", MICROSOFTS)
def test_no_parameter_is_missing_or_renamed_or_of_another_type_or_made_up(name: str) -> None:
    for action, fact in zip(connector(name).actions, DOCUMENTS[name]["actions"], strict=True):
        rows = [{"key": p.key, "type": p.type, "required": p.required, "title": p.title} for p in action.parameters]
        the_same(rows, fact["parameters"])


def test_no_return_field_is_missing_or_renamed_or_of_another_type_or_made_up() -> None:
    for action, fact in zip(connector("openai-gpt").actions, DOCUMENTS["openai-gpt"]["actions"], strict=True):
        rows = [{"path": field.path, "type": field.type, "title": field.title} for field in action.returns]
        assert rows == fact["returns"]


@pytest.mark.parametrize("name", ["azure-openai", "azure-openai-preview"])
def test_the_nested_types_are_the_documents(name: str) -> None:
    documented = DOCUMENTS[name]["definitions"]
    definitions = {each.name: each for each in connector(name).definitions}

    assert set(definitions) == set(documented)
    for key, fact in documented.items():
        assert definitions[key].type == fact["type"]
        rows = [{"path": f.path, "type": f.type, "title": f.title} for f in definitions[key].fields]
        the_same(rows, fact["fields"])


@pytest.mark.parametrize("name", ["azure-openai", "azure-openai-preview"])
def test_an_action_returns_every_field_of_its_type_at_every_depth(name: str) -> None:
    documented = DOCUMENTS[name]["definitions"]

    def paths(kind: str, prefix: str = "") -> Iterator[str]:
        fact = documented.get(kind.removeprefix("array of "))
        if fact is None:
            return
        yield from paths(fact["type"], prefix)
        for field in fact["fields"]:
            yield prefix + field["path"]
            yield from paths(field["type"], f"{prefix}{field['path']}.")

    for action, fact in zip(connector(name).actions, DOCUMENTS[name]["actions"], strict=True):
        assert action.returns_type == fact["returns_type"]
        assert [field.path for field in action.returns] == list(paths(action.returns_type))
        assert not {field.type.removeprefix("array of ") for field in action.returns} & set(documented)


@pytest.mark.parametrize("name", MICROSOFTS)
def test_one_connects_as_the_document_says(name: str) -> None:
    found = [
        {
            "auth_id": None if kind.name == "default" else kind.name,
            "regions": kind.regions,
            "is_shareable": kind.is_shareable,
            "is_deprecated": kind.is_deprecated,
            "fields": [{"title": f.title, "type": f.type, "required": f.required} for f in kind.fields],
        }
        for kind in connector(name).connections
    ]

    assert found == DOCUMENTS[name]["connections"]


@pytest.mark.parametrize("name", MICROSOFTS)
def test_a_connector_is_as_fast_and_as_described_as_its_document_says(name: str) -> None:
    described, documented = connector(name), DOCUMENTS[name]

    assert {"calls": described.throttle.calls, "seconds": described.throttle.seconds} == documented["throttle"]
    assert described.publisher == documented["publisher"]
    assert described.website == documented["website"]
    assert described.privacy_policy == documented["privacy_policy"]
    assert list(described.categories) == documented["categories"]


def test_fusion_has_the_documents_modules_and_fields() -> None:
    for action, fact in zip(connector("fusion-openai").actions, DOCUMENTS["fusion-openai"]["actions"], strict=True):
        plain = [parameter for parameter in action.parameters if not parameter.is_advanced]
        assert action.title == fact["title"]
        assert (action.is_deprecated, action.is_hidden) == (fact["is_deprecated"], fact["is_hidden"])
        assert len(action.parameters) > len(plain) or not fact["has_advanced_settings"]
        assert sorted(("Messages/" if p.at.startswith("messages[].") else "") + p.title for p in plain) == sorted(
            fact["fields"]
        )


def test_fusions_modules_choose_among_the_documents_operations() -> None:
    for action, fact in zip(connector("fusion-openai").actions, DOCUMENTS["fusion-openai"]["actions"], strict=True):
        selectors = [parameter for parameter in action.parameters if parameter.place == "selector"]
        assert len(selectors) == (1 if fact["operations"] else 0)
        if selectors:
            assert [operation.title for operation in action.operations] == fact["operations"]
            assert list(selectors[0].choices) == [operation.name for operation in action.operations]


def test_fusion_connects_with_the_documents_fields() -> None:
    found = [[field.title for field in kind.fields] for kind in connector("fusion-openai").connections]

    assert found == [each["fields"] for each in DOCUMENTS["fusion-openai"]["connections"]]


def test_advanced_settings_are_the_operations_optional_parameters() -> None:
    for action, operation, parameters in all_calls():
        advanced = {parameter.at for parameter in parameters if parameter.is_advanced}
        if advanced:
            documented = {parameter.at.split("[")[0] for parameter in parameters if not parameter.is_advanced}
            offered = {path for path in reference_of(operation)["fields"] if "." not in path}
            assert advanced == offered - documented - STREAMING, action.name


def test_every_operation_is_the_references() -> None:
    called = {f"{operation.method} {operation.path}" for _, operation, _ in all_calls()}

    assert called <= set(OPERATIONS)
    assert called - set(REFERENCE["openai"]) - set(REFERENCE["azure"]) == LEGACY == set(REFERENCE["legacy"])


def test_every_body_is_of_the_references_kind() -> None:
    for _, operation, parameters in all_calls():
        assert operation.body == reference_of(operation).get("body", "none")
        if operation.body == "none":
            assert not [parameter.name for parameter in parameters if parameter.place == "body"]


def test_every_place_in_a_body_is_the_references() -> None:
    for action, operation, parameters in all_calls():
        for parameter in parameters:
            if parameter.place == "body":
                kinds = fields_of(operation)[parameter.at]
                kind = parameter.sent_as or parameter.type
                assert ON_THE_WIRE.get(kind, kind) in kinds, f"{action.name}.{parameter.name}: {kinds}"


def test_paths_and_queries_are_filled_from_parameters() -> None:
    for action, operation, parameters in all_calls():
        in_path = {parameter.key for parameter in parameters if parameter.place == "path" and parameter.required}
        assert in_path == {piece.split("}")[0] for piece in operation.path.split("{")[1:]}
        in_query = {parameter.at for parameter in parameters if parameter.place == "query"}
        extra = {f"{action.name}.{name}" for name in in_query - set(reference_of(operation)["query"])}
        assert extra <= LEGACY_QUERY


def test_what_a_service_requires_can_be_given() -> None:
    optional = set[str]()
    for action, operation, parameters in all_calls():
        for name in reference_of(operation).get("required", []):
            of_name = [p for p in parameters if p.place == "body" and p.at.split("[")[0].split(".")[0] == name]
            assert of_name, f"{action.name} cannot give {name}"
            if not any(p.required or p.default for p in of_name):
                optional.add(f"{operation.path} {name}")

    assert optional == LEFT_OPEN


@pytest.mark.parametrize(("owner", "action"), all_actions(), ids=lambda each: each.name)
def test_an_actions_parameters_can_be_told_apart(owner: Connector, action: Action) -> None:
    names = [parameter.name for parameter in action.parameters]

    assert len(set(names)) == len(names)
    for parameter in action.parameters:
        if parameter.name != parameter.key and parameter.place == "body" and not parameter.is_advanced:
            assert parameter.at.replace("[]", "").endswith(parameter.name), owner.name
        assert set(parameter.operations) <= {operation.name for operation in action.operations}
        assert not parameter.repeats or parameter.repeats in names
        assert parameter.help.endswith("."), f"{action.name}.{parameter.name} has no help"


@pytest.mark.parametrize("each", connectors(), ids=lambda each: each.name)
def test_values_come_from_an_action_that_needs_nothing(each: Connector) -> None:
    sources = {p.values_from for action in each.actions for p in action.parameters if p.values_from}
    for source in sources:
        [action] = [action for action in each.actions if action.name == source]
        assert not [p.name for p in action.parameters if p.required and p.place != "selector" and not p.operations]


@pytest.mark.parametrize("each", connectors(), ids=lambda each: each.name)
def test_headers_and_addresses_are_made_of_connection_fields(each: Connector) -> None:
    for kind in each.connections:
        known = {field.key for field in kind.fields} | ({"token"} if kind.token_scope else set())
        for template in (each.base_url, *kind.headers.values()):
            assert {piece.split("}")[0] for piece in template.split("{")[1:]} <= known


@pytest.mark.parametrize("each", connectors(), ids=lambda each: each.name)
def test_the_page_lists_every_action_with_its_operations(each: Connector) -> None:
    page = (Path(__file__).parents[2] / "docs" / "connectors" / "README.md").read_text()
    section = page.split(f"### `{each.name}`\n")[1].split("###")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.strip().splitlines()[2:]]

    assert [name for name, _, _ in rows] == [f"`{action.name}`" for action in each.actions]
    for action, (_, title, calls) in zip(each.actions, rows, strict=True):
        assert title.startswith(action.title)
        assert action.is_hidden == title.endswith("(hidden)")
        assert action.is_deprecated == ("deprecated" in title.lower())
        if calls != "any":
            assert calls == ", ".join(f"`{operation.method} {operation.path}`" for operation in action.operations)
