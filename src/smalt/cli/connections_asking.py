"""Gathers the values of a new connection: from options, the environment, standard input, or a question each."""

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from smalt.cli.options import refuse

if TYPE_CHECKING:
    from smalt.connectors.connections.service import NewConnection
    from smalt.connectors.definitions.vocabulary import ConnectionField, ConnectionKind, Connector


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from: `FIELD=VALUE`, `FIELD=VARIABLE`, and the field that standard input has."""

    plain: list[str]
    environment: list[str]
    stdin: str | None


def ask(name: str, connector: str, kind: str | None, base_url: str | None, sources: Sources) -> "NewConnection":
    """A new connection with every value that can be had; a person at a terminal is asked for those that are missing."""
    from smalt.connectors.connections.fields import kind_of, with_name
    from smalt.connectors.connections.service import NewConnection
    from smalt.connectors.definitions import registry

    chosen = registry.connector(connector)
    its_kind = kind_of(chosen, kind)
    given = with_name(its_kind, _given(its_kind, sources), name)
    if sources.stdin is None and sys.stdin.isatty():
        given |= _answers(chosen, its_kind, given, has_base_url=base_url is not None)
    return NewConnection(name=name, connector=chosen, kind=its_kind.name, given=given, base_url=base_url)


def _given(kind: "ConnectionKind", sources: Sources) -> dict[str, str]:
    from smalt.connectors.connections.fields import SECRET

    plain = dict(_pair(one, "--set") for one in sources.plain)
    for field in kind.fields:
        if field.key in plain and field.type == SECRET:
            refuse(
                f"'{field.key}' is a secret, and other users and the shell's history see arguments. Leave it out to be "
                f"asked for it, or give it with --env {field.key}=VARIABLE or --stdin {field.key}"
            )
    for key, variable in (_pair(one, "--env") for one in sources.environment):
        if not os.environ.get(variable):
            refuse(f"The environment variable {variable} is not set, or empty; '{key}' should come from it.")
        plain[key] = os.environ[variable]
    if sources.stdin is not None:
        plain[sources.stdin] = typer.get_text_stream("stdin").read().strip()
    return plain


def _answers(
    connector: "Connector", kind: "ConnectionKind", given: dict[str, str], *, has_base_url: bool
) -> dict[str, str]:
    from smalt.connectors.connections.fields import IDENTITY, needed_fields

    needed = needed_fields(connector, kind, has_base_url=has_base_url)
    open_fields = [one for one in kind.fields if one.key not in given and one.type != IDENTITY]
    return {one.key: _answer(one) for one in open_fields if one in needed or not one.required}


def _answer(field: "ConnectionField") -> str:
    from smalt.connectors.connections.fields import SECRET

    title = field.title if field.required else f"{field.title} (Enter for none)"
    default = None if field.required else ""
    return typer.prompt(title, hide_input=field.type == SECRET, default=default, show_default=False)


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        # What was written may be a secret.
        refuse(f"{option} is written FIELD=…; one of them has no name and equals sign.")
    return key, value
