"""Decides which of a server's tools the model is told of, and which need an approval."""

from dataclasses import dataclass
from typing import Any, cast

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolFilter:
    """Tools by name, by being read-only, or by both."""

    names: frozenset[str] | None = None
    is_read_only: bool | None = None

    @classmethod
    def of(cls, value: Any) -> "ToolFilter | None":
        """The filter that a request writes as a list of names or as an object; None for one that says nothing."""
        if value is None:
            return None
        if isinstance(value, list):
            return cls(frozenset(cast("list[str]", value)))
        fields = cast("Json", value)
        names, is_read_only = fields.get("tool_names"), fields.get("read_only")
        if names is None and is_read_only is None:
            return None
        return cls(None if names is None else frozenset(names), is_read_only)

    def fits(self, tool: Json) -> bool:
        """Whether a listed tool is meant."""
        is_named = self.names is None or tool["name"] in self.names
        return is_named and (self.is_read_only is None or self.is_read_only == is_read_only(tool))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a request says about the tools of one server."""

    allowed: ToolFilter | None
    always: ToolFilter | None
    never: ToolFilter | None
    is_approved: bool
    """Whether tools that no filter fits may run without an approval."""

    @classmethod
    def of(cls, tool: Json) -> "Policy":
        """Read `allowed_tools` and `require_approval`."""
        approval = tool.get("require_approval")
        filters = cast("Json", approval) if isinstance(approval, dict) else {}
        return cls(
            allowed=ToolFilter.of(tool.get("allowed_tools")),
            always=ToolFilter.of(filters.get("always")),
            never=ToolFilter.of(filters.get("never")),
            is_approved=approval == "never",
        )

    def told(self, tools: list[Json]) -> list[Json]:
        """The tools that the model may know."""
        return [tool for tool in tools if self.allowed is None or self.allowed.fits(tool)]

    def knows(self, tools: list[Json]) -> bool:
        """Whether every tool that is allowed by name is among these."""
        names = None if self.allowed is None else self.allowed.names
        return names is None or names <= {tool["name"] for tool in tools}

    def needs_approval(self, tool: Json) -> bool:
        """Whether the client must agree to every call; it must where two filters contradict each other."""
        if self.always is not None and self.always.fits(tool):
            return True
        if self.never is not None and self.never.fits(tool):
            return False
        return not self.is_approved


def is_read_only(tool: Json) -> bool:
    """Whether a listed tool says that it changes nothing."""
    annotations: Json = tool.get("annotations") or {}
    return bool(annotations.get("read_only"))
