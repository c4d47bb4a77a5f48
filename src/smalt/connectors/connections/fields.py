"""Reads what a person gives for a connection: which fields there are, which are missing, which are secret."""

from collections.abc import Mapping
from dataclasses import dataclass

from smalt.connectors.connections.addresses import check_label, places
from smalt.connectors.definitions.vocabulary import ConnectionField, ConnectionKind, Connector
from smalt.core.errors import InvalidRequest, NotFound

SECRET = "securestring"  # noqa: S105 - the name of a type
IDENTITY = "managedIdentity"
SYSTEM_IDENTITY = "system"
CONNECTION_NAME = "connection_name"
"""The field of the kinds that have the connection's own name among what they ask for."""
LONGEST_VALUE = 8192


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a connection's fields."""

    plain: dict[str, str]
    secret: dict[str, str]


def kind_of(connector: Connector, name: str | None) -> ConnectionKind:
    """A connector's kind of connection by name; the first that needs no Azure around it when there is no name."""
    if name is None:
        return next((kind for kind in connector.connections if not kind.token_scope), connector.connections[0])
    for kind in connector.connections:
        if kind.name == name:
            return kind
    there = ", ".join(kind.name for kind in connector.connections)
    raise NotFound(f"The connector '{connector.name}' has no kind of connection '{name}'. There are: {there}.")


def with_name(kind: ConnectionKind, given: Mapping[str, str], name: str) -> dict[str, str]:
    """What is given, with the connection's name where the kind asks for it."""
    has_field = any(field.key == CONNECTION_NAME for field in kind.fields)
    return {CONNECTION_NAME: name, **given} if has_field else dict(given)


def needed_fields(connector: Connector, kind: ConnectionKind, *, has_base_url: bool) -> list[ConnectionField]:
    """The fields that must be given: what only makes up the cloud's address is not needed beside another address."""
    spared = set(places(connector.base_url)) if has_base_url else set[str]()
    return [field for field in kind.fields if field.required and field.type != IDENTITY and field.key not in spared]


def read_fields(connector: Connector, kind: ConnectionKind, given: Mapping[str, str], *, has_base_url: bool) -> Values:
    """The values by field, secret ones apart; raises `InvalidRequest` for what is missing, unknown or malformed."""
    fields = {field.key: field for field in kind.fields}
    for key in given:
        if key not in fields:
            raise InvalidRequest(
                f"This kind of connection has no field '{key}'. It has: {', '.join(fields)}.", param=key
            )
    values = {key: value for key, field in fields.items() if (value := _value(field, given.get(key, "")))}
    for field in needed_fields(connector, kind, has_base_url=has_base_url):
        if field.key not in values:
            how = (
                f"--env {field.key}=VARIABLE or --stdin {field.key}" if field.type == SECRET else f"--set {field.key}=…"
            )
            raise InvalidRequest(
                f"A value for '{field.key}' ({field.title}) is missing. Give it with {how}.", param=field.key
            )
    for key in places(connector.base_url):
        if key in values:
            check_label(key, values[key])
    secret = {key: value for key, value in values.items() if fields[key].type == SECRET}
    return Values({key: value for key, value in values.items() if key not in secret}, secret)


def _value(field: ConnectionField, given: str) -> str:
    value = given.strip() or (SYSTEM_IDENTITY if field.type == IDENTITY else "")
    if len(value) > LONGEST_VALUE:
        raise InvalidRequest(f"'{field.key}' has more than {LONGEST_VALUE} characters.", param=field.key)
    if not (value.isascii() and value.isprintable()):
        # It would go into a header or an address.
        raise InvalidRequest(
            f"'{field.key}' has characters that no key, name or address has. Was something else copied along?",
            param=field.key,
        )
    return value
