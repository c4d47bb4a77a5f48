"""How variables are put into a prompt template."""

from typing import Any

import pytest

from smalt.api.responses.templates import check_variables, filled_message, filled_text, names_in
from smalt.core.errors import InvalidRequest

PICTURE = {"type": "input_image", "image_url": "https://a.example/b.png", "file_id": None, "detail": "auto"}


def filled(content: Any, **given: Any) -> Any:
    return filled_message({"role": "user", "content": content}, given, lambda prefix: f"{prefix}1")["content"]


def test_a_variable_may_stand_anywhere_with_or_without_spaces():
    given = {"name": "Ada", "place": {"type": "input_text", "text": "home"}}
    assert filled_text("{{name}} is at {{ place }}, {{name}}!", given) == "Ada is at home, Ada!"


def test_a_value_is_never_read_as_a_template():
    assert filled_text("{{a}} {{b}}", {"a": "{{b}}", "b": "B"}) == "{{b}} B"
    assert filled("{{a}}", a="{{b}}") == [{"type": "input_text", "text": "{{b}}"}]


def test_a_picture_becomes_a_part_where_it_is_named():
    assert filled("Look: {{what}} Well?", what=PICTURE) == [
        {"type": "input_text", "text": "Look: "},
        PICTURE,
        {"type": "input_text", "text": " Well?"},
    ]


def test_a_message_becomes_an_item_and_keeps_its_role_and_parts():
    message = {"role": "assistant", "content": "I am {{name}}."}
    assert filled_message(message, {"name": "Ada"}, lambda prefix: f"{prefix}1") == {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "I am Ada.", "annotations": [], "logprobs": []}],
    }
    assert filled([{"type": "input_text", "text": "{{a}}"}, PICTURE], a="A") == [
        {"type": "input_text", "text": "A"},
        PICTURE,
    ]


def test_a_picture_in_instructions_is_refused():
    with pytest.raises(InvalidRequest) as refusal:
        filled_text("{{what}}", {"what": PICTURE})
    assert refusal.value.param == "prompt.variables.what"


def test_the_variables_of_a_template_are_those_of_all_its_texts():
    messages = [{"role": "user", "content": "{{b}}"}, {"role": "user", "content": [{"text": "{{c}}"}, PICTURE]}]
    assert names_in("{{a}} {{ not a name }}", messages) == {"a", "b", "c"}
    assert names_in(None, []) == set()


@pytest.mark.parametrize(("given", "word"), [({"a": "1"}, "Missing"), ({"a": "1", "b": "2", "c": "3"}, "Unknown")])
def test_variables_that_are_missing_or_too_many_are_refused_by_name(given: dict[str, str], word: str):
    with pytest.raises(InvalidRequest, match=word) as refusal:
        check_variables({"a", "b"}, given)
    assert refusal.value.param == f"prompt.variables.{'b' if word == 'Missing' else 'c'}"
