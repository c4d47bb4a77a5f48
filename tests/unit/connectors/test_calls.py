"""Writing values as the request that a document describes."""

from typing import Any

import pytest

from connector_samples import (
    CHAT,
    CONTENT,
    FILES,
    ROLE,
    SOUND,
    TRANSCRIPTION,
    action_of,
    connector_of,
    parameter,
)
from smalt.connectors.calls import make_call
from smalt.connectors.definitions.vocabulary import Action, Operation
from smalt.connectors.exchange import OutgoingCall
from smalt.connectors.values import read_values
from smalt.core.errors import InvalidRequest

SAID = {"role": "user", "content": "Hi"}
ACCESS = {"search_endpoint": "https://docs.search.windows.net", "search_api_key": "s-1"}
CUSTOM = action_of(
    parameter("url", required=True, place="custom"),
    parameter("method", place="custom"),
    parameter("headers", "object", place="custom"),
    parameter("qs", "object", place="custom"),
    parameter("body", "object", place="custom"),
    operations=(Operation(method="POST", path="/{url}"),),
)


def call_of(action: Action, given: dict[str, Any], extras: dict[str, str] | None = None) -> OutgoingCall:
    return make_call(connector_of(action), action, read_values(action, given), extras or {})[1]


def test_values_go_where_the_definition_says():
    call = call_of(CHAT, {**SAID, "max_tokens": "5", "stop": "END", "logprobs": "2"})
    assert (call.method, call.path, call.query, call.is_form) == ("POST", "/chat/completions", {}, False)
    assert call.body == {
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 5,
        "stop": ["END"],
        "logprobs": 2,
    }


def test_a_value_that_is_sent_as_another_type_is_refused_when_it_cannot_be_that():
    with pytest.raises(InvalidRequest) as caught:
        call_of(CHAT, {**SAID, "logprobs": "some"})
    assert caught.value.param == "logprobs"


def test_a_whole_container_is_sent_as_it_is():
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi", "name": "Ann"}]
    assert call_of(CHAT, {"messages": messages, "max_tokens": 5}).body == {"max_tokens": 5, "messages": messages}


def test_paths_are_encoded_and_cannot_leave_their_place():
    call = call_of(FILES, {"operation": "delete_file", "file_id": "a/b c?d"})
    assert (call.method, call.path, call.body) == ("DELETE", "/files/a%2Fb%20c%3Fd", None)
    with pytest.raises(InvalidRequest):
        call_of(FILES, {"operation": "delete_file", "file_id": ".."})


def test_a_query_holds_what_the_operation_has_and_nothing_else():
    call = call_of(FILES, {"operation": "list_files", "limit": 5})
    assert (call.method, call.path, call.query) == ("GET", "/files", {"limit": "5"})


def test_a_form_has_its_files_apart_and_its_lists_as_many_fields():
    call = call_of(
        TRANSCRIPTION, {"file": SOUND, "model": "m", "temperature": 0.5, "granularities": ["word", "segment"]}
    )
    assert call.is_form
    assert call.files == [("file", SOUND)]
    assert call.fields == [
        ("model", "m"),
        ("temperature", "0.5"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
    ]


def test_the_access_to_a_search_service_completes_its_data_source():
    searching = {**SAID, "source_type": "azure_search", "index_name": "docs"}
    parameters = call_of(CHAT, searching, ACCESS).body["data_sources"][0]["parameters"]
    assert parameters == {
        "endpoint": "https://docs.search.windows.net",
        "authentication": {"type": "api_key", "key": "s-1"},
        "index_name": "docs",
    }
    assert "data_sources" not in call_of(CHAT, SAID, ACCESS).body
    assert (
        "endpoint"
        not in call_of(CHAT, {**searching, "source_type": "pinecone"}, ACCESS).body["data_sources"][0]["parameters"]
    )


def test_the_first_form_of_data_sources_has_the_key_beside_the_endpoint():
    action = action_of(
        ROLE,
        CONTENT,
        parameter("type", at="dataSources[].type"),
        parameter("parameters", "object", at="dataSources[].parameters"),
    )
    given = {**SAID, "type": "AzureCognitiveSearch", "parameters": {"indexName": "docs", "key": "mine"}}
    assert call_of(action, given, ACCESS).body["dataSources"] == [
        {
            "type": "AzureCognitiveSearch",
            "parameters": {"endpoint": "https://docs.search.windows.net", "key": "mine", "indexName": "docs"},
        }
    ]


def test_the_access_to_a_search_service_does_not_get_into_what_was_given():
    sources = [{"type": "azure_search", "parameters": {"index_name": "docs"}}, {"type": "pinecone"}]
    given = {"messages": [SAID], "data_sources": sources}
    sent = call_of(CHAT, given, ACCESS).body["data_sources"]
    assert sent[0]["parameters"]["authentication"] == {"type": "api_key", "key": "s-1"}
    assert sources == [{"type": "azure_search", "parameters": {"index_name": "docs"}}, {"type": "pinecone"}]
    assert sent[1] == {"type": "pinecone"}


@pytest.mark.parametrize(
    ("endpoint", "is_own"), [("https://Docs.search.windows.net/", True), ("https://x.example", False)]
)
def test_another_search_service_does_not_get_the_key_of_the_connection(endpoint: str, is_own: bool):
    sources = [{"type": "azure_search", "parameters": {"endpoint": endpoint, "index_name": "i"}}, {"type": ["x"]}]
    sent = call_of(CHAT, {"messages": [SAID], "data_sources": sources}, ACCESS).body["data_sources"]
    assert ("authentication" in sent[0]["parameters"]) is is_own
    assert sent[0]["parameters"]["endpoint"] == endpoint
    assert sent[1] == sources[1]


def test_a_custom_call_is_made_as_it_is_described():
    call = call_of(
        CUSTOM,
        {
            "url": "/fine_tuning/jobs?limit=2&include[]=a&include[]=b",
            "method": "post",
            "headers": {"X-Own": "yes"},
            "qs": {"after": "ftjob-1", "n": 3, "ids": ["x", 4]},
            "body": {"model": "m"},
        },
    )
    assert (call.method, call.path) == ("POST", "fine_tuning/jobs")
    assert call.query == {"limit": "2", "include[]": ["a", "b"], "after": "ftjob-1", "n": "3", "ids": ["x", "4"]}
    assert call.headers == {"x-own": "yes"}
    assert call.body == {"model": "m"}


@pytest.mark.parametrize(
    "given",
    [
        {"url": "https://elsewhere.example/models"},
        {"url": "//elsewhere.example/models"},
        {"url": "//[elsewhere"},
        {"url": "../admin"},
        {"url": "a/%2e%2e/%2e%2e/admin"},
        {"url": "/"},
        {"url": "models", "method": "CONNECT"},
        {"url": "models", "headers": {"Authorization": "Bearer mine"}},
        {"url": "models", "headers": {"host": "elsewhere.example"}},
        {"url": "models", "headers": {"x": "a\r\ny: b"}},
        {"url": "models", "headers": {"x y": "a"}},
    ],
)
def test_a_custom_call_stays_at_its_service_with_its_credentials(given: dict[str, Any]):
    with pytest.raises(InvalidRequest):
        call_of(CUSTOM, given)
