"""A small connector, and values for the actions of any connector, for tests of what acts on definitions."""

from typing import Any

from smalt.connectors.definitions.vocabulary import (
    Action,
    ConnectionKind,
    Connector,
    Operation,
    Parameter,
    ReturnField,
    Throttle,
)
from smalt.connectors.exchange import FileValue

SOUND = FileValue('a "b".mp3', b"\x00\x01sound", "audio/mpeg")


def connector_of(*actions: Action) -> Connector:
    return Connector(
        name="sample",
        title="Sample",
        description="",
        publisher="",
        website="",
        privacy_policy="",
        categories=(),
        brand_color="#000000",
        base_url="https://api.example.com/v1",
        mount="/v1",
        connections=(ConnectionKind(name="key", title="", description="", fields=()),),
        throttle=Throttle(100, 60),
        actions=actions,
    )


def action_of(
    *parameters: Parameter, operations: tuple[Operation, ...] = (), returns: tuple[ReturnField, ...] = ()
) -> Action:
    operations = operations or (Operation(method="POST", path="/chat/completions", name="chat"),)
    return Action(
        name="do_it", title="Do it", description="", operations=operations, parameters=parameters, returns=returns
    )


def parameter(key: str, kind: Any = "string", **more: Any) -> Parameter:
    return Parameter(key=key, title=key, type=kind, **more)


def field(path: str, kind: str, source: str = "") -> ReturnField:
    return ReturnField(path=path, title=path, type=kind, source=source)


ROLE = parameter("role", required=True, at="messages[].role")
CONTENT = parameter("content", required=True, at="messages[].content")
SOURCE_TYPE = parameter("type", name="source_type", required=True, at="data_sources[].type")
INDEX_NAME = parameter("index_name", required=True, at="data_sources[].parameters.index_name")
EMBEDDING_TYPE = parameter("type", name="embedding_type", at="data_sources[].parameters.embedding_dependency.type")
DEPLOYMENT_NAME = parameter(
    "deployment_name", required=True, at="data_sources[].parameters.embedding_dependency.deployment_name"
)
CHAT = action_of(
    ROLE,
    CONTENT,
    SOURCE_TYPE,
    INDEX_NAME,
    EMBEDDING_TYPE,
    DEPLOYMENT_NAME,
    parameter("max_tokens", "integer"),
    parameter("temperature", "double"),
    parameter("stop", "array of string"),
    parameter("logit_bias", "object"),
    parameter("stream", "boolean"),
    parameter("logprobs", sent_as="integer"),
)
FILE_OPERATIONS = (
    Operation(method="GET", path="/files", name="list_files", title="List files", body="none"),
    Operation(method="DELETE", path="/files/{file_id}", name="delete_file", title="Delete a file", body="none"),
)
FILES = action_of(
    parameter("operation", place="selector", required=True),
    parameter("file_id", place="path", required=True, operations=("delete_file",)),
    parameter("limit", "integer", place="query", operations=("list_files",)),
    operations=FILE_OPERATIONS,
)
TRANSCRIPTION = action_of(
    parameter("file", "file", required=True),
    parameter("model", required=True),
    parameter("temperature", "float"),
    parameter("granularities", "array of string", at="timestamp_granularities"),
    operations=(Operation(method="POST", path="/audio/transcriptions", body="form"),),
    returns=(field("text", "string"),),
)
SAMPLES: dict[str, Any] = {
    "string": "some text",
    "securestring": "secret",
    "integer": "3",
    "number": "0.5",
    "float": "0.5",
    "double": 0.5,
    "boolean": "false",
    "object": '{"50256": -100}',
    "file": SOUND,
    "array of string": ["one", "two"],
    "array of integer": "[1, 2]",
    "array of float": [0.5],
    "array of object": [{"role": "user", "content": "Hi"}],
}
