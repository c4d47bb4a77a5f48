"""The served vocabulary holds every field that the pinned facts of the references name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smalt.schemas.vocabulary import component_schemas

FACTS = Path(__file__).parent.parent / "reference"
NOT_YET = FACTS / "not-served-yet.txt"

Schema = dict[str, Any]
Facts = dict[str, Any]


def load(name: str) -> Facts:
    return json.loads((FACTS / name).read_text())


def gathered(pattern: str) -> Facts:
    """The facts of every group's file."""
    found: Facts = {}
    for path in sorted(FACTS.glob(pattern)):
        if path.name != "azure-v1-names.json":
            for kind, facts in load(path.name).items():
                found.setdefault(kind, {}).update(facts)
    return found


NAMES = load("azure-v1-names.json")
AZURE = gathered("azure-v1-*.json")
OPENAI = gathered("openai-*.json")

LENIENT = {
    # A text completion without a prompt starts a new document, as the documented default says.
    "CreateCompletionRequest.prompt",
    # No SDK sends it unless it is asked to.
    "AzureCreateFileRequestMultiPart.expires_after",
    # OpenAI's newer `files` may stand in its place.
    "CreateVectorStoreFileBatchRequest.file_ids",
    # Many clients leave out what is null in an earlier answer.
    "CodeInterpreterToolCallItemParam.code",
    "CodeInterpreterToolCallItemParam.outputs",
    "ComputerToolCallSafetyCheck.code",
    "ComputerToolCallSafetyCheck.message",
    "DoubleClickAction.keys",
    "ImageGenToolCallItemParam.result",
    # OpenAI's newer connectors and tunnels may stand in its place, and are refused by their names.
    "MCPTool.server_url",
    # Messages and references may go without it, as in OpenAI's document.
    "ItemParam.type",
    "ItemReferenceItemParam.type",
    "ResponsesMessageItemParam.type",
    # A function without parameters takes none; what is not strict need not say so.
    "FunctionTool.parameters",
    "FunctionTool.strict",
    # The path may name the deployment, and Azure has a default.
    "CreateTranscriptionRequest.model",
    "CreateTranslationRequest.model",
    # One schema for a transcript in every format, as Azure has it.
    "CreateTranscriptionResponseDiarizedJson.duration",
    "CreateTranscriptionResponseDiarizedJson.segments",
    "CreateTranscriptionResponseDiarizedJson.task",
    "CreateTranscriptionResponseVerboseJson.duration",
    "CreateTranscriptionResponseVerboseJson.language",
    "CreateTranslationResponseVerboseJson.duration",
    "CreateTranslationResponseVerboseJson.language",
}


class Served:
    """The served schemas, with references followed."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas

    def alternatives(self, schema: Schema, depth: int = 0) -> Iterator[Schema]:
        """The schema and all that it may be instead; items of arrays and maps count as well."""
        if depth > 9:
            return
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[-1]]
            yield from self.alternatives(schema, depth + 1)
            return
        yield schema
        for word in ("anyOf", "oneOf", "allOf"):
            for part in schema.get(word, []):
                yield from self.alternatives(part, depth + 1)
        if isinstance(schema.get("items"), dict):
            yield from self.alternatives(schema["items"], depth + 1)

    def fields(self, schema: Schema, name: str) -> list[Schema]:
        """Every field with this name in the schema or its alternatives."""
        return [one["properties"][name] for one in self.alternatives(schema) if name in one.get("properties", {})]

    def nested(self, schema: Schema, parent: str, name: str) -> list[Schema]:
        """The same, one or two levels under `parent`: the reference's tables flatten what is deeper."""
        below = [one for field in self.fields(schema, parent) for one in self.alternatives(field)]
        found = [one["properties"][name] for one in below if name in one.get("properties", {})]
        deeper = [field for one in below for field in one.get("properties", {}).values()]
        return found + [hit for field in deeper for hit in self.fields(field, name)]

    def find(self, schema: Schema, fact: Facts) -> list[Schema]:
        if "parent" in fact:
            return self.nested(schema, fact["parent"], fact["name"])
        return self.fields(schema, fact["name"])

    def values(self, schema: Schema) -> set[Any]:
        """The words that a field may be."""
        found: set[Any] = set()
        for one in self.alternatives(schema):
            found |= set(one.get("enum", [])) | ({one["const"]} if "const" in one else set())
        return found

    def types(self, schema: Schema) -> set[str]:
        return {one["type"] for one in self.alternatives(schema) if "type" in one}

    def bounds(self, schema: Schema, word: str) -> set[Any]:
        return {one[word] for one in self.alternatives(schema) if word in one}


@pytest.fixture(scope="module")
def served() -> Served:
    return Served(component_schemas())


def complaints(served: Served, schema: Schema, facts: list[Facts], where: str) -> Iterator[str]:
    for fact in facts:
        hits = served.find(schema, fact)
        label = ".".join([where, *([fact["parent"]] if "parent" in fact else []), fact["name"]])
        if not hits:
            yield f"{label} is missing"
            continue
        words = set().union(*(served.values(hit) for hit in hits))
        yield from (f"{label} does not know {word!r}" for word in fact.get("enum", []) if word not in words)
        types = set().union(*(served.types(hit) for hit in hits))
        if "type" in fact and fact["type"] not in types:
            yield f"{label} is {types} instead of {fact['type']}"
        for bound in ("minimum", "maximum", "minItems", "maxItems", "maxLength"):
            if bound in fact and fact[bound] not in set().union(*(served.bounds(hit, bound) for hit in hits)):
                yield f"{label} has another {bound} than {fact[bound]}"
        yield from unrequired(served, schema, fact, where)


def allowed(found: Iterator[str]) -> list[str]:
    """The complaints that nobody has explained."""
    return [one for one in found if one.removesuffix(" is not required") not in LENIENT]


def unrequired(served: Served, schema: Schema, fact: Facts, where: str) -> Iterator[str]:
    name = fact["name"]
    if not fact.get("required") or "parent" in fact:
        return
    owners = [one for one in served.alternatives(schema) if name in one.get("properties", {})]
    if not all(name in one.get("required", []) for one in owners):
        yield f"{where}.{name} is not required"


@pytest.mark.parametrize("name", AZURE["components"])
def test_a_component_has_every_field_and_word_of_the_azure_reference(served: Served, name: str) -> None:
    facts = AZURE["components"][name]
    assert name in served.schemas
    schema = served.schemas[name]
    assert not allowed(complaints(served, schema, facts["fields"], name))
    assert set(facts.get("values", [])) <= served.values(schema)


@pytest.mark.parametrize("name", [name for name, facts in AZURE["components"].items() if "mapping" in facts])
def test_a_discriminated_component_leads_to_the_same_schemas(served: Served, name: str) -> None:
    facts = AZURE["components"][name]
    for value, target in facts["mapping"].items():
        found = [
            one["discriminator"]["mapping"][value]
            for one in served.alternatives({"$ref": name})
            if value in one.get("discriminator", {}).get("mapping", {})
        ]
        only = served.schemas[name].get("$ref")
        assert target in {reference.rsplit("/", 1)[-1] for reference in [*found, *([only] if only else [])]}


@pytest.mark.parametrize("name", OPENAI["components"])
def test_a_component_has_every_field_and_limit_of_openai_s_document(served: Served, name: str) -> None:
    facts = OPENAI["components"][name]
    assert not allowed(complaints(served, served.schemas[facts["served_as"]], facts["fields"], name))


def test_every_leniency_is_still_needed(served: Served) -> None:
    azure = ((name, name, facts) for name, facts in AZURE["components"].items())
    openai = ((name, facts["served_as"], facts) for name, facts in OPENAI["components"].items())
    found = {
        complaint.removesuffix(" is not required")
        for name, shown, facts in [*azure, *openai]
        for complaint in complaints(served, served.schemas[shown], facts["fields"], name)
    }
    assert found == LENIENT


def test_what_is_not_served_yet_is_known_and_only_shrinks(served: Served) -> None:
    not_yet = {line.removeprefix("component ") for line in NOT_YET.read_text().splitlines() if line.startswith("comp")}
    missing = set(NAMES["components"]) - set(served.schemas)
    assert missing - not_yet == set(), "these components went missing"
    assert not_yet - missing == set(), "these are served now (or unknown): remove them from not-served-yet.txt"


def test_every_component_of_these_groups_is_served() -> None:
    not_yet = {line.removeprefix("component ") for line in NOT_YET.read_text().splitlines() if line.startswith("comp")}
    assert not_yet.isdisjoint(AZURE["components"])
