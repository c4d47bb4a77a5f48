"""The tools of a request: which kinds there are, and what the model calls them."""

from typing import Any

import pytest

from asked_plans import OfferedTool
from smalt.api.responses.toolset import check_tools, offered, tool_set
from smalt.core.errors import InvalidRequest

LOOK: dict[str, Any] = {"type": "function", "name": "look", "parameters": {}}


def test_names_of_the_client_stay_and_a_hosted_function_of_the_same_name_gets_another():
    first, second = OfferedTool(["look", "add"], "m"), OfferedTool(["look", "add", "a.b/c"], "n")
    offers = offered({"look": LOOK}, [first, second])
    assert {name: (offer.function.name, offer.tool) for name, offer in offers.items()} == {
        "look": ("look", None),
        "m_look": ("look", first),
        "add": ("add", first),
        "n_look": ("look", second),
        "n_add": ("add", second),
        "a_b_c": ("a.b/c", second),
    }


def test_a_name_is_never_too_long_and_never_taken_twice():
    long = "x" * 80
    names = list(offered({}, [OfferedTool([long, f"{long}1", f"{long}2"], "m")]))
    assert len(set(names)) == 3
    assert all(len(name) <= 64 for name in names)


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([LOOK, {"type": "custom", "name": "free"}], "tools[1].type"),
        ([LOOK, LOOK], "tools[1]"),
        ([{**LOOK, "name": "x" * 65}], "tools[0].name"),
        ([{"type": "web_search"}, {"type": "web_search_preview"}], "tools[1]"),
        (
            [
                {"type": "mcp", "server_label": "m", "server_url": "https://a.example"},
                {"type": "mcp", "server_label": "m", "server_url": "https://b.example"},
            ],
            "tools[1]",
        ),
    ],
)
def test_tools_that_are_not_served_or_cannot_be_told_apart_are_refused(tools: list[dict[str, Any]], param: str):
    with pytest.raises(InvalidRequest) as refusal:
        check_tools(tools)
    assert refusal.value.param == param


def test_functions_are_the_clients_and_the_others_are_made_in_their_order():
    shell = {"type": "local_shell"}
    screen = {"type": "computer_use_preview", "environment": "linux", "display_width": 800, "display_height": 600}
    made = tool_set([shell, LOOK, screen], NoRooms(), "p")
    assert made.client_functions == {"look": LOOK}
    assert [tool.functions()[0].name for tool in made.hosted] == ["local_shell", "computer"]


class NoRooms:
    """A place without rooms: tools of the client need none."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed")
