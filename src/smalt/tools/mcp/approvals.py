"""Finds what the client has approved among the items of a conversation."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from smalt.core.errors import InvalidRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Approval:
    """A call that the client agreed to, and that was not made yet."""

    request_id: str
    name: str
    arguments: str


def approved(items: Sequence[Json], label: str) -> list[Approval]:
    """The calls of a server to be made now, in the order they were asked for."""
    agreed = {
        item["approval_request_id"]: item["approve"] for item in items if item.get("type") == "mcp_approval_response"
    }
    made = {item.get("approval_request_id") for item in items if item.get("type") == "mcp_call"}
    return [
        Approval(request["id"], request["name"], request["arguments"])
        for request in _requests(items)
        if request["server_label"] == label and agreed.get(request["id"]) and request["id"] not in made
    ]


def check_approvals(given: Sequence[Json], context: Sequence[Json], labels: Collection[str]) -> None:
    """Refuse answers in the input (`given`) to requests that are not there, or whose server is not in `tools`."""
    asked = {request["id"]: request["server_label"] for request in _requests([*context, *given])}
    for position, item in enumerate(given):
        if item.get("type") != "mcp_approval_response":
            continue
        param = f"input[{position}].approval_request_id"
        label = asked.get(item["approval_request_id"])
        if label is None:
            raise InvalidRequest(
                f"Approval request '{item['approval_request_id']}' was not found in the input or the context. "
                "Pass previous_response_id, or the request's own item.",
                param=param,
                code="invalid_value",
            )
        if label not in labels:
            raise InvalidRequest(
                f"The approved call is one of the MCP server '{label}', which is not in 'tools'. Name it there again.",
                param=param,
                code="invalid_value",
            )


def _requests(items: Sequence[Json]) -> Iterable[Json]:
    seen: set[str] = set()
    for item in items:
        if item.get("type") == "mcp_approval_request" and item.get("id") and item["id"] not in seen:
            seen.add(item["id"])
            yield item
