"""Where a connector's calls go, and the headers that they carry."""

from collections.abc import Mapping
from typing import Final, Protocol

from smalt.connectors.connections.addresses import api_root, filled, places, server_root
from smalt.connectors.connections.fields import CONNECTION_NAME, IDENTITY, SYSTEM_IDENTITY
from smalt.connectors.connections.identity import ManagedIdentity
from smalt.connectors.definitions.vocabulary import ConnectionKind, Connector

AUTHORIZATION: Final = "authorization"
BEARER: Final = "Bearer "
LOCAL_ID: Final = "local"


class Signing(Protocol):
    """Says who calls."""

    async def headers(self) -> Mapping[str, str]:
        """The headers with the credentials."""
        ...


class KeyHeaders:
    """The headers that a kind of connection describes, filled in from its fields; one without a value is left out."""

    def __init__(self, kind: ConnectionKind, values: Mapping[str, str]) -> None:
        self._headers = {
            name: _credential(name, template, values)
            for name, template in kind.headers.items()
            if all(values.get(key) for key in places(template))
        }

    async def headers(self) -> Mapping[str, str]:
        """The same ones every time."""
        return self._headers


class IdentityHeaders:
    """The token of a managed identity."""

    def __init__(self, identity: ManagedIdentity) -> None:
        self._identity = identity

    async def headers(self) -> Mapping[str, str]:
        """A header with a token that still holds."""
        return {"Authorization": BEARER + await self._identity.token()}


class Target:
    """A service that calls go to: its API root, whether it is a Smalt, and how calls are signed."""

    def __init__(
        self,
        connector: Connector,
        kind: ConnectionKind,
        base_url: str,
        signing: Signing,
        *,
        is_smalt: bool,
        connection_id: str,
        extras: Mapping[str, str] | None = None,
    ) -> None:
        self.connector: Final = connector
        self.kind: Final = kind
        self.base_url: Final = base_url
        self.is_smalt: Final = is_smalt
        self.connection_id: Final = connection_id
        self.extras: Final[Mapping[str, str]] = extras or {}
        """Values that belong in a call's body: the address and the key of a search service."""
        self._signing = signing

    @property
    def limited_as(self) -> str:
        """What calls are counted under for the throttle; each connector has a limit of its own at the local server."""
        is_local = self.connection_id == LOCAL_ID
        return f"{LOCAL_ID}/{self.connector.name}" if is_local else self.connection_id

    @property
    def server(self) -> str:
        """The server's address, without the API's path."""
        return server_root(self.base_url)

    async def headers(self) -> Mapping[str, str]:
        """The headers with the credentials; never to be logged."""
        return await self._signing.headers()

    def __repr__(self) -> str:
        return f"Target({self.connector.name!r}, {self.base_url!r}, connection_id={self.connection_id!r})"


def local_target(connector: Connector, url: str, key: str | None) -> Target:
    """This machine's own server, or another Smalt, without a stored connection."""
    kind = ConnectionKind(
        name=LOCAL_ID,
        title="This server",
        description="The server of the settings, with one of its keys.",
        fields=(),
        headers={"Authorization": "Bearer {key}"},
    )
    root = api_root(connector, {}, url)
    return Target(connector, kind, root, KeyHeaders(kind, {"key": key or ""}), is_smalt=True, connection_id=LOCAL_ID)


def connected_target(
    connector: Connector,
    kind: ConnectionKind,
    values: Mapping[str, str],
    *,
    base_url: str | None,
    is_smalt: bool,
    connection_id: str,
) -> Target:
    """The target of a connection with these values, the secret ones among them."""
    return Target(
        connector,
        kind,
        api_root(connector, values, base_url),
        _signing(kind, values),
        is_smalt=is_smalt,
        connection_id=connection_id,
        extras=_extras(connector, kind, values),
    )


def bearer_is_added(kind: ConnectionKind, values: Mapping[str, str]) -> bool:
    """Whether a key was given without the word `Bearer` that is sent before it."""
    templates = [template for name, template in kind.headers.items() if name.lower() == AUTHORIZATION]
    keys = [values[key].lower() for template in templates for key in places(template) if values.get(key)]
    return any(not key.startswith(BEARER.lower()) for key in keys)


def _signing(kind: ConnectionKind, values: Mapping[str, str]) -> Signing:
    if not kind.token_scope:
        return KeyHeaders(kind, values)
    named = (values.get(field.key) for field in kind.fields if field.type == IDENTITY)
    return IdentityHeaders(ManagedIdentity(kind.token_scope, next(named, None) or SYSTEM_IDENTITY))


def _extras(connector: Connector, kind: ConnectionKind, values: Mapping[str, str]) -> dict[str, str]:
    used = {key for template in (connector.base_url, *kind.headers.values()) for key in places(template)}
    used |= {CONNECTION_NAME, *(field.key for field in kind.fields if field.type == IDENTITY)}
    return {key: value for key, value in values.items() if key not in used}


def _credential(name: str, template: str, values: Mapping[str, str]) -> str:
    value = filled(template, values)
    if name.lower() != AUTHORIZATION:
        return value
    # Some documents ask for 'Bearer KEY', some for KEY alone; people give either.
    words = value.split()
    while words and words[0].lower() == BEARER.strip().lower():
        words.pop(0)
    return BEARER + " ".join(words)
