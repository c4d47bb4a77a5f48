"""What a request says of an MCP server is understood, refused by name, and shown without its secrets."""

from typing import Any

import pytest

from smalt.core.errors import InvalidRequest, PermissionDenied
from smalt.core.settings import McpSettings
from smalt.tools.mcp import McpClients, McpTool, check_approvals, error_text, shown
from smalt.tools.mcp.approvals import approved
from smalt.tools.mcp.policy import Policy
from smalt.tools.mcp.server import server_of

Json = dict[str, Any]
LISTED = [
    {"name": "tide", "input_schema": {}, "annotations": {"read_only": True}},
    {"name": "book", "input_schema": {}, "annotations": {"read_only": False}},
    {"name": "sink", "input_schema": {}, "annotations": None},
]


def mcp(**fields: Any) -> Json:
    return {"type": "mcp", "server_label": "harbour", "server_url": "https://harbour.example/mcp", **fields}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"server_url": None}, "server_url"),
        ({"server_url": "harbour.example/mcp"}, "server_url"),
        ({"server_url": "file:///etc/passwd"}, "server_url"),
        ({"server_url": "http://[half"}, "server_url"),
        ({"server_url": "https://me:secret@harbour.example/mcp"}, "server_url"),
        ({"server_url": "https://harbour.example/mcp\n"}, "server_url"),
        ({"connector_id": "connector_gmail"}, "connector_id"),
        ({"tunnel_id": "tunnel_1"}, "tunnel_id"),
        ({"defer_loading": True}, "defer_loading"),
        ({"allowed_callers": ["programmatic"]}, "allowed_callers"),
        ({"headers": {"Host": "elsewhere.example"}}, "headers"),
        ({"headers": {"X Key": "1"}}, "headers"),
        ({"headers": {"X-Key": "1\r\nX-Other: 2"}}, "headers"),
        ({"headers": {"X-Key": "schlüssel"}}, "headers"),
        ({"headers": {"authorization": "Bearer a"}, "authorization": "b"}, "authorization"),
        ({"authorization": "b\n"}, "authorization"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: Json, field: str):
    with pytest.raises(InvalidRequest) as refused:
        McpTool(McpClients(McpSettings()), mcp(**fields), param="tools[2]")
    assert refused.value.param == f"tools[2].{field}"
    assert "schlüssel" not in refused.value.message


def test_a_token_is_sent_as_authorization():
    server = server_of(mcp(headers={"X-Key": "1"}, authorization="abcdef"), "tools[0]")
    assert server.headers == {"X-Key": "1", "Authorization": "Bearer abcdef"}
    assert "abcdef" in server.secrets
    assert "abcdef" not in repr(server)


def test_servers_differ_by_address_and_headers():
    keys = {
        server_of(mcp(**fields), "tools[0]").key
        for fields in ({}, {"headers": {"a": "b"}}, {"headers": {"a": "c"}}, {"server_url": "https://other.example"})
    }
    assert len(keys) == 4
    one, same = ({"headers": {"A": "1", "b": "2"}}, {"headers": {"B": "2", "a": "1"}})
    assert server_of(mcp(**one), "").key == server_of(mcp(**same), "").key


@pytest.mark.parametrize(
    ("hosts", "is_allowed"),
    [
        (None, True),
        ([], False),
        (["harbour.example"], True),
        (["*.example"], True),
        (["harbour.example:8000"], False),
        (["other.example"], False),
    ],
)
def test_the_operator_says_which_hosts_may_be_named(hosts: list[str] | None, is_allowed: bool):
    clients = McpClients(McpSettings(hosts=hosts))
    if is_allowed:
        assert McpTool(clients, mcp()).server_label == "harbour"
        return
    with pytest.raises(PermissionDenied, match=r"mcp\.hosts") as refused:
        McpTool(clients, mcp(), param="tools[0]")
    assert (refused.value.status, refused.value.param) == (403, "tools[0].server_url")


def test_answers_show_a_tool_without_its_secrets():
    tool = mcp(
        server_url="https://harbour.example:8443/u/tok-in-path?key=in-query",
        headers={"X-Key": "sesame", "Authorization": "Bearer sesame"},
        authorization="sesame",
        require_approval="never",
    )
    seen = shown(tool)
    assert seen == mcp(
        server_url="https://harbour.example:8443/<redacted>",
        headers={"X-Key": "<redacted>", "Authorization": "<redacted>"},
        authorization="<redacted>",
        require_approval="never",
    )
    assert tool["headers"]["X-Key"] == "sesame"
    assert shown(mcp(server_url="http://127.0.0.1:8000")) == mcp(server_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, ["tide", "book", "sink"]),
        (["book", "nobody"], ["book"]),
        ([], []),
        ({"tool_names": ["tide", "sink"]}, ["tide", "sink"]),
        ({"read_only": True}, ["tide"]),
        ({"read_only": False, "tool_names": ["tide", "sink"]}, ["sink"]),
        ({}, ["tide", "book", "sink"]),
    ],
)
def test_the_model_is_told_of_the_allowed_tools(allowed: Any, names: list[str]):
    policy = Policy.of(mcp(allowed_tools=allowed))
    assert [tool["name"] for tool in policy.told(LISTED)] == names


@pytest.mark.parametrize(
    ("require_approval", "asked_for"),
    [
        (None, ["tide", "book", "sink"]),
        ("always", ["tide", "book", "sink"]),
        ("never", []),
        ({"never": {"tool_names": ["tide"]}}, ["book", "sink"]),
        ({"never": {"read_only": True}}, ["book", "sink"]),
        ({"always": {"tool_names": ["sink"]}, "never": {"tool_names": ["book", "sink"]}}, ["tide", "sink"]),
        ({"never": {}}, ["tide", "book", "sink"]),
        ({}, ["tide", "book", "sink"]),
    ],
)
def test_calls_need_an_approval_unless_the_request_says_otherwise(require_approval: Any, asked_for: list[str]):
    policy = Policy.of(mcp(require_approval=require_approval))
    assert [tool["name"] for tool in LISTED if policy.needs_approval(tool)] == asked_for


def request(identity: str, label: str = "harbour") -> Json:
    return {
        "type": "mcp_approval_request",
        "id": identity,
        "server_label": label,
        "name": "book",
        "arguments": f'{{"ship": "{identity}"}}',
    }


def answer(identity: str, *, approve: bool) -> Json:
    return {"type": "mcp_approval_response", "approval_request_id": identity, "approve": approve}


def test_only_what_was_approved_and_not_made_yet_is_made():
    items: list[Json] = [
        {"type": "message", "role": "user", "content": "Book!"},
        *(request(f"mcpr_{number}") for number in range(4)),
        request("mcpr_9", "other"),
        answer("mcpr_3", approve=True),
        answer("mcpr_0", approve=True),
        answer("mcpr_1", approve=False),
        answer("mcpr_9", approve=True),
        {"type": "mcp_call", "approval_request_id": "mcpr_3", "server_label": "harbour"},
        request("mcpr_0"),
    ]
    assert [approval.request_id for approval in approved(items, "harbour")] == ["mcpr_0"]
    assert approved(items, "harbour")[0].arguments == '{"ship": "mcpr_0"}'
    assert [approval.request_id for approval in approved(items, "other")] == ["mcpr_9"]


def test_an_answer_to_nothing_is_refused():
    given = [answer("mcpr_0", approve=True)]
    check_approvals(given, [request("mcpr_0")], {"harbour"})
    check_approvals([request("mcpr_0"), *given], [], {"harbour"})
    with pytest.raises(InvalidRequest, match="'mcpr_0' was not found") as refused:
        check_approvals(given, [request("mcpr_1")], {"harbour"})
    assert refused.value.param == "input[0].approval_request_id"
    with pytest.raises(InvalidRequest, match="'harbour', which is not in 'tools'"):
        check_approvals(given, [request("mcpr_0")], {"other"})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("as it is", "as it is"),
        ({"type": "http_error", "code": 401, "message": "No."}, "No."),
        ({"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "a"}, {"b": 1}]}, 'a\n{"b":1}'),
        ({"type": "mcp_tool_execution_error", "content": []}, "The tool failed without a word."),
    ],
)
def test_an_error_can_be_told_in_one_text(error: Any, text: str):
    assert error_text(error) == text
