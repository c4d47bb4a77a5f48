"""Completes the names of connectors, actions and parameters in a shell."""

from collections.abc import Iterator

import typer

from smalt.core.errors import ApiError


def complete_connector(incomplete: str) -> Iterator[tuple[str, str]]:
    """The connectors that begin so."""
    from smalt.connectors.definitions.registry import connectors

    for one in connectors():
        if one.name.startswith(incomplete):
            yield one.name, one.title


def complete_action(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """The actions of the connector before it that begin so."""
    from smalt.connectors.definitions.registry import connector

    try:
        actions = connector(ctx.params.get("connector") or "").actions
    except ApiError:
        return
    for one in actions:
        if one.name.startswith(incomplete):
            yield one.name, one.title


def complete_parameter(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """The parameters of the action before it that begin so, each with the equals sign behind it."""
    from smalt.connectors.definitions import registry

    # Behind an option that lacks its value, the words before it have not become parameters yet.
    words = [*filter(None, (ctx.params.get("connector"), ctx.params.get("action"))), *ctx.args]
    try:
        parameters = registry.action(registry.connector("".join(words[:1])), "".join(words[1:2])).parameters
    except ApiError:
        return
    for one in parameters:
        if one.name.startswith(incomplete):
            yield f"{one.name}=", f"{one.title} ({one.type})"
