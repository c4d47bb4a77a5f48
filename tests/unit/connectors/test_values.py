"""Reading the values that an action is given."""

from typing import Any

import pytest

from connector_samples import CHAT, FILES, SOUND, TRANSCRIPTION, action_of, parameter
from smalt.connectors.values import read_values
from smalt.core.errors import InvalidRequest

SAID = {"role": "user", "content": "Hi"}


def refused(action: Any, given: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_values(action, given)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        ("string", "  spaces stay ", "  spaces stay "),
        ("string", 5.0, "5"),
        ("string", 5.5, "5.5"),
        ("string", True, "true"),
        ("integer", " 7 ", 7),
        ("integer", "7.0", 7),
        ("integer", 7.0, 7),
        ("number", "1e3", 1000.0),
        ("number", "1" + 23 * "0", 1e23),
        ("double", "-2", -2),
        ("float", 0.25, 0.25),
        ("boolean", "TRUE", True),
        ("boolean", False, False),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("object", {"a": 1}, {"a": 1}),
        ("array of string", "END", ["END"]),
        ("array of string", '["a", "b"]', ["a", "b"]),
        ("array of string", "[1] says so", ["[1] says so"]),
        ("array of string", "[1]", ["[1]"]),
        ("array of string", ["a", 2], ["a", "2"]),
        ("array of integer", "[1, 2]", [1, 2]),
        ("array of integer", "5", [5]),
        ("array of float", [0.5, "1"], [0.5, 1]),
        ("array of object", '[{"a": 1}]', [{"a": 1}]),
        ("array of object", {"a": 1}, [{"a": 1}]),
        ("file", SOUND, SOUND),
    ],
)
def test_a_value_has_the_documented_type(kind: str, given: Any, read: Any):
    value = read_values(action_of(parameter("it", kind)), {"it": given})["it"]
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("string", ["a"]),
        ("string", {"a": 1}),
        ("integer", "1.5"),
        ("integer", "many"),
        ("integer", True),
        ("integer", "1_000"),
        ("integer", 2**64),
        ("number", "nan"),
        ("number", 400 * "1"),
        ("integer", 400 * "1"),
        ("number", float("inf")),
        ("boolean", "maybe"),
        ("boolean", 1),
        ("object", "[1]"),
        ("object", "{"),
        ("array of integer", "[1, null]"),
        ("array of object", "[1]"),
        ("array of string", {"a": 1}),
        ("file", "sound.mp3"),
        ("file", {"$content": "not base64!"}),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_name(kind: str, given: Any):
    error = refused(action_of(parameter("it", kind)), {"it": given})
    assert (error.param, error.code) == ("it", "invalid_type")


def test_a_file_that_another_action_answered_can_be_given_on():
    answered = {"$content": "AAFzb3VuZA==", "$content-type": "audio/mpeg"}
    file = read_values(TRANSCRIPTION, {"file": answered, "model": "m"})["file"]
    assert (file.content, file.content_type) == (SOUND.content, "audio/mpeg")


def test_of_files_that_are_refused_the_bytes_are_not_shown():
    assert "content=" not in refused(TRANSCRIPTION, {"file": [SOUND, SOUND], "model": "m"}).message


def test_empty_cells_are_not_given():
    values = read_values(CHAT, {**SAID, "max_tokens": " ", "stop": "", "temperature": None, "index_name": ""})
    assert values == SAID


def test_what_is_required_and_missing_is_named():
    assert refused(CHAT, {"role": "user"}).param == "content"
    assert refused(CHAT, {"role": "user", "content": ""}).code == "missing_required_parameter"


def test_an_unknown_name_is_refused_and_a_near_one_is_offered():
    error = refused(CHAT, {**SAID, "max_token": 5})
    assert error.param == "max_token"
    assert "'max_tokens'" in error.message


def test_a_key_that_one_parameter_has_stands_for_its_name_and_a_shared_one_for_none():
    action = action_of(parameter("type", name="a"), parameter("type", name="b"), parameter("seed", "integer", name="c"))
    assert read_values(action, {"seed": "1", "a": "x"}) == {"a": "x", "c": 1}
    assert "a, b" in refused(action, {"type": "x"}).message
    assert refused(action, {"seed": 1, "c": 2}).param == "c"


def test_a_required_field_of_an_optional_container_is_required_once_something_in_it_is_given():
    assert read_values(CHAT, SAID) == SAID
    assert refused(CHAT, {**SAID, "source_type": "azure_search"}).param == "index_name"
    searching = {**SAID, "source_type": "azure_search", "index_name": "docs"}
    assert read_values(CHAT, searching) == searching
    assert refused(CHAT, {**searching, "embedding_type": "deployment_name"}).param == "deployment_name"


def test_a_container_is_given_whole_as_json_instead_of_by_its_fields():
    given = read_values(
        CHAT, {"messages": '[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]'}
    )
    assert [message["role"] for message in given["messages"]] == ["system", "user"]
    assert refused(CHAT, {"messages": [SAID], "role": "user"}).param == "role"
    assert refused(CHAT, {"messages": [SAID, {"role": "user"}]}).param == "messages[1].content"
    assert refused(CHAT, {"messages": "Hi"}).param == "messages"


def test_a_selector_chooses_the_operation_and_its_parameters():
    assert read_values(FILES, {"operation": "list_files", "limit": "5", "file_id": ""}) == {
        "operation": "list_files",
        "limit": 5,
    }
    assert read_values(FILES, {"operation": "Delete a file", "file_id": "f"})["operation"] == "delete_file"
    assert refused(FILES, {"operation": "delete_file"}).param == "file_id"
    assert refused(FILES, {"operation": "list_files", "file_id": "f"}).param == "file_id"
    assert refused(FILES, {"operation": "burn"}).param == "operation"
    assert "list_files, delete_file" in refused(FILES, {}).message
