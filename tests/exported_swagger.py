"""Reads an exported Swagger 2.0 document as a product that imports it would: nothing else is known of the server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft4Validator

METHODS = ("get", "post", "put", "patch", "delete")
SOUND = ("sound.wav", b"RIFF\x24\x00\x00\x00WAVE", "audio/wav")


@dataclass(frozen=True)
class ImportedOperation:
    """One operation of a document."""

    method: str
    path: str
    told: dict[str, Any]
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return self.told["operationId"]

    @property
    def url(self) -> str:
        document = self.document
        return f"{document['schemes'][0]}://{document['host']}{document['basePath']}{self.path}"

    def parameters(self, place: str) -> list[dict[str, Any]]:
        return [each for each in self.told["parameters"] if each["in"] == place]

    def check(self, answer: Any) -> None:
        """Hold an answer to the schema of success."""
        schema = as_json_schema(self.told["responses"]["200"]["schema"])
        definitions = {name: as_json_schema(each) for name, each in self.document.get("definitions", {}).items()}
        Draft4Validator({**schema, "definitions": definitions}).validate(answer)


@dataclass
class BuiltRequest:
    """A request that was made from a document."""

    method: str
    url: str
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    json: Any = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, Any] = field(default_factory=dict[str, Any])


def operations(document: dict[str, Any]) -> Iterator[ImportedOperation]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield ImportedOperation(method.upper(), path, item[method], document)


def as_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `x-nullable` as JSON Schema says it; an object without more may hold anything."""
    made = dict(schema)
    if made.get("x-nullable"):
        made["type"] = [made["type"], "null"]
    if "properties" in made:
        made["properties"] = {name: as_json_schema(each) for name, each in made["properties"].items()}
    if "items" in made:
        made["items"] = as_json_schema(made["items"])
    return made


def built(operation: ImportedOperation, known: dict[str, Any], *, whole: bool = False) -> BuiltRequest:
    """A request with what is required, or with everything; `known` are values by the names of fields."""

    def chosen(place: str) -> dict[str, Any]:
        return {
            each["name"]: value_of(each["name"], each, known, whole=whole)
            for each in operation.parameters(place)
            if whole or each["required"] or each["name"] in known
        }

    url = operation.url
    for name, value in chosen("path").items():
        url = url.replace(f"{{{name}}}", str(value))
    request = BuiltRequest(operation.method, url, params=chosen("query"))
    for each in operation.parameters("body"):
        request.json = value_of("body", each["schema"], known, whole=whole)
    files = {each["name"] for each in operation.parameters("formData") if each["type"] == "file"}
    for name, value in chosen("formData").items():
        (request.files if name in files else request.data)[name] = value
    return request


def value_of(name: str, schema: dict[str, Any], known: dict[str, Any], *, whole: bool) -> Any:
    """A value of the schema, the known one if there is one."""
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        return {
            inner: value_of(inner, each, known, whole=whole)
            for inner, each in schema["properties"].items()
            if whole or inner in schema.get("required", []) or inner in known
        }
    if name in known:
        return known[name]
    if kind == "array":
        return [value_of("", schema["items"], known, whole=whole)]
    text = schema.get("description", "")
    for end, sample in (("As a JSON list.", '["text"]'), ("As a JSON object.", '{"a": 1}')):
        if text.endswith(end):
            return sample
    samples = {"string": "text", "integer": 1, "number": 0.5, "boolean": False, "object": {"a": 1}, "file": SOUND}
    return schema.get("enum", [samples.get(kind or "", {"a": 1})])[0]
