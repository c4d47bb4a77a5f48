"""The Responses API for a JavaScript developer: `openai` from npm, unmodified, against the starter model."""

import json
from typing import Any

import pytest

from node_stories import node_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def facts(starter_server: Any) -> dict[str, Any]:
    return node_facts("responses.mjs", starter_server.url, starter_server.key)


def roles(items: list[dict[str, Any]]) -> list[str]:
    return [item["role"] for item in items]


def refused(failure: dict[str, Any]) -> tuple[int, str | None]:
    """The status and parameter of the error of the class that was expected."""
    assert failure["isExpected"], failure
    return failure["status"], failure["param"]


def test_a_response_is_answered_and_stored_as_it_was(facts: dict[str, Any]) -> None:
    made = facts["created"]
    assert "blue" in made["text"].lower()
    assert made["response"] == made["stored"]
    assert made["storedText"] == made["text"]
    assert made["response"]["metadata"] == {"topic": "sea"}
    usage = made["response"]["usage"]
    assert 0 < usage["output_tokens"] <= 32
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_stream_helper_gathers_what_is_stored(facts: dict[str, Any]) -> None:
    streamed = facts["streamed"]
    assert "blue" in streamed["text"].lower()
    assert streamed["said"] == streamed["heard"] == streamed["text"] == streamed["stored"]
    assert streamed["numbers"] == list(range(len(streamed["numbers"])))
    deltas = streamed["kinds"].count("response.output_text.delta")
    assert streamed["kinds"] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_response_ends_in_the_store_when_its_stream_is_aborted(facts: dict[str, Any]) -> None:
    assert facts["abandoned"]["thrown"]["isExpected"], facts["abandoned"]
    assert facts["abandoned"]["status"] in {"completed", "incomplete"}


def test_a_forced_call_is_parsed_and_its_output_answered(facts: dict[str, Any]) -> None:
    tool = facts["tool"]
    assert (tool["call"]["name"], tool["call"]["status"]) == ("get_weather", "completed")
    assert tool["spelled"] == tool["call"]["arguments"]
    assert tool["parsed"] == json.loads(tool["spelled"])
    assert set(tool["parsed"]) == {"city", "unit"}
    assert tool["parsed"]["unit"] in {"celsius", "fahrenheit"}
    for output in (tool["answer"], tool["resent"]):
        assert [item["type"] for item in output] == ["message"]
        assert output[0]["content"][0]["text"]


def test_a_json_schema_is_kept(facts: dict[str, Any]) -> None:
    parsed = json.loads(facts["structured"]["text"])
    assert set(parsed) == {"city", "is_capital"}
    assert parsed["city"] in {"Paris", "Rome"}
    assert isinstance(parsed["is_capital"], bool)
    assert facts["structured"]["format"]["name"] == "place"


def test_a_response_goes_on_from_another_and_lists_what_it_was_told(facts: dict[str, Any]) -> None:
    second = facts["goesOn"]
    assert second["previous"] == second["first"]
    assert "blue" in second["text"].lower()
    assert roles(second["items"]) == ["user", "assistant", "user"]


def test_a_conversation_gathers_what_was_said_in_it(facts: dict[str, Any]) -> None:
    talk = facts["conversation"]
    assert talk["of"] == {"id": talk["made"]["id"]}
    assert "blue" in talk["text"].lower()
    assert roles(talk["items"]) == ["user", "assistant", "user", "assistant"]
    assert talk["items"][-1]["content"][0]["text"] == talk["text"]
    assert talk["deleted"] == {"id": talk["made"]["id"], "object": "conversation.deleted", "deleted": True}
    assert refused(talk["gone"]) == (404, "conversation_id")


def test_a_response_in_the_background_is_polled_to_its_end(facts: dict[str, Any]) -> None:
    polled = facts["background"]
    assert polled["begun"] in {"queued", "in_progress"}
    assert polled["done"] == "completed"
    assert "blue" in polled["text"].lower()
    assert refused(polled["tooLate"])[0] == 409


def test_a_stream_in_the_background_goes_on_after_any_event(facts: dict[str, Any]) -> None:
    resumed = facts["resumed"]
    numbers = resumed["numbers"]
    assert numbers == list(range(3, 3 + len(numbers)))
    assert resumed["last"] == "response.completed"
    assert "blue" in resumed["text"].lower()
    assert resumed["text"] == resumed["stored"]


def test_a_response_in_the_background_is_cancelled_once_or_twice(facts: dict[str, Any]) -> None:
    assert facts["cancelled"]["statuses"] == ["cancelled"] * 3
    assert refused(facts["cancelled"]["foreground"])[0] == 400


@pytest.mark.parametrize("what", ["read", "items", "again"])
def test_a_deleted_response_is_the_packages_not_found_error(facts: dict[str, Any], what: str) -> None:
    assert refused(facts["deleted"][what])[0] == 404


def test_nothing_goes_on_from_a_deleted_response(facts: dict[str, Any]) -> None:
    assert refused(facts["deleted"]["after"]) == (400, "previous_response_id")


def test_a_wrong_value_is_refused_by_its_name(facts: dict[str, Any]) -> None:
    assert refused(facts["refused"]) == (400, "temperature")
