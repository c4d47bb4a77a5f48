"""What an engine refuses is told by the client's own names."""

import pytest

from asked_plans import FIRST, OfferedTool, plan_of
from smalt.api.responses.messages import chat_request
from smalt.api.responses.parameters import renamed
from smalt.core.errors import InvalidRequest, UnsupportedParameter

LOOK = {"type": "function", "name": "look", "parameters": {}}


@pytest.mark.parametrize(
    ("chat", "own"),
    [
        ("messages", "input"),
        ("messages[3].content[0]", "input"),
        ("reasoning_effort", "reasoning.effort"),
        ("max_completion_tokens", "max_output_tokens"),
        ("response_format", "text.format"),
        ("response_format.json_schema.schema.properties", "text.format.schema.properties"),
        ("response_format.json_schema.name", "text.format.name"),
        ("verbosity", "text.verbosity"),
        ("temperature", "temperature"),
        ("tools[0].function.parameters", "tools"),
    ],
)
def test_each_field_of_chat_has_its_name_here(chat: str, own: str):
    error = renamed(UnsupportedParameter(chat))
    assert error.param == own
    assert f"'{own}'" in error.message


def test_an_error_about_no_field_stays_as_it_is():
    assert renamed(InvalidRequest("Wrong.")).param is None


@pytest.mark.parametrize(
    ("chat", "own"),
    [
        ("tools[0].function.parameters.properties", "tools[1].parameters.properties"),
        ("tools.look.parameters", "tools[1].parameters"),
        ("tools[1].function.parameters", "tools"),
        ("tools[9].function", "tools"),
    ],
)
def test_a_function_of_the_client_is_told_by_its_place_among_its_tools(chat: str, own: str):
    plan = plan_of(tools=[{"type": "local_shell"}, LOOK], hosted=[OfferedTool(["local_shell"])])
    assert renamed(UnsupportedParameter(chat), plan, chat_request(plan, [], FIRST)).param == own
