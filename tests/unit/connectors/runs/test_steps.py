"""A step knows where its values come from, and what would be wrong with all of them."""

import json

import pytest

from smalt.connectors.exchange import FileValue
from smalt.connectors.runs.steps import Step
from smalt.core.errors import InvalidRequest, NotFound

COMPLETION = {"connector": "openai-gpt", "action": "create_completion"}
TRANSCRIPTION = {"connector": "openai-gpt", "action": "create_transcription"}
CHAT = {"connector": "openai-gpt", "action": "get_chat_completions"}


def test_a_step_is_kept_as_json_and_found_again():
    step = Step(**COMPLETION, given={"model": "m"}, mapping={"prompt": "{{a}}"}, folder="/tmp")
    assert Step.of_json(json.loads(json.dumps(step.as_json()))) == step


def test_values_are_given_or_come_from_the_row():
    step = Step(**COMPLETION, given={"model": "{{not a template}}"}, mapping={"prompt": "On {{a}}"})
    assert step.values({"a": "tea"}) == {"model": "{{not a template}}", "prompt": "On tea"}


def test_files_are_read_where_a_file_is_asked_for(tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"sound")
    step = Step(**TRANSCRIPTION, given={"prompt": "@a.mp3"}, mapping={"file": "@{{path}}"}, folder=str(tmp_path))
    values = step.values({"path": "a.mp3"})
    assert values["file"] == FileValue("a.mp3", b"sound", "audio/mpeg")
    assert values["prompt"] == "@a.mp3"
    with pytest.raises(InvalidRequest, match=r"none\.mp3, which cannot be read"):
        step.values({"path": "none.mp3"})


def test_a_cell_names_no_file_by_itself(tmp_path):
    (tmp_path / "messages.json").write_text('[{"role": "user", "content": "Hi"}]')
    step = Step(**CHAT, mapping={"messages": "{{a}}", "user": "{{a}}"}, folder=str(tmp_path))
    assert step.values({"a": "@messages.json"}) == {"messages": "@messages.json", "user": "@messages.json"}


def test_a_file_of_json_is_read_where_objects_are_asked_for(tmp_path):
    (tmp_path / "messages.json").write_text('[{"role": "user", "content": "Hi"}]')
    step = Step(**CHAT, given={"model": "m", "messages": "@messages.json"}, folder=str(tmp_path))
    assert step.values()["messages"] == '[{"role": "user", "content": "Hi"}]'
    step.check({})


@pytest.mark.parametrize(
    ("given", "mapping"),
    [
        ({"model": "m", "max_tokens": "many"}, {"prompt": "{{a}}"}),
        ({"model": "m"}, {"promt": "{{a}}"}),
        ({}, {"prompt": "{{a}}"}),
    ],
    ids=["a given value of the wrong type", "an unknown name", "a missing parameter"],
)
def test_what_is_wrong_with_every_row_is_refused(given, mapping):
    with pytest.raises(InvalidRequest):
        Step(**COMPLETION, given=given, mapping=mapping).check({"a": "x"})


@pytest.mark.parametrize("value", ["", "many"])
def test_what_is_wrong_with_one_row_is_its_own(value):
    step = Step(**COMPLETION, given={"prompt": "p"}, mapping={"model": "{{a}}", "max_tokens": "{{a}}"})
    step.check({"a": value})
    Step(**CHAT, given={"model": "m"}, mapping={"messages": "{{a}}"}).check({"a": ""})


def test_what_does_not_exist_is_refused():
    with pytest.raises(NotFound):
        Step(connector="openai-gpt", action="none").found()
