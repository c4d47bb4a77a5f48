"""Signs calls with the identity that Azure gave to this machine."""

import asyncio
from time import time
from typing import TYPE_CHECKING

from smalt.connectors.connections.fields import SYSTEM_IDENTITY
from smalt.core.errors import AuthenticationFailed, MissingExtra

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.identity.aio import ManagedIdentityCredential

EARLY_SECONDS = 300
"""How long before its end a token is replaced."""


class ManagedIdentity:
    """Gets tokens for one scope, of the machine's own identity or of an assigned one, and keeps each while it holds.

    `identity` is `system`, the client id of an assigned identity, or its resource id.
    """

    def __init__(self, scope: str, identity: str = SYSTEM_IDENTITY) -> None:
        self._scope = scope
        self._identity = identity
        self._token: AccessToken | None = None
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """A token that holds for some minutes more."""
        async with self._turn:
            if self._token is None or self._token.expires_on <= time() + EARLY_SECONDS:
                self._token = await self._new_token()
            return self._token.token

    async def _new_token(self) -> "AccessToken":
        try:
            from azure.core.exceptions import AzureError
            from azure.identity.aio import ManagedIdentityCredential
        except ImportError:
            raise MissingExtra("azure.identity", extra="azure") from None
        async with self._credential(ManagedIdentityCredential) as credential:
            try:
                return await credential.get_token(self._scope)
            except AzureError as error:
                raise AuthenticationFailed(
                    f"This machine's managed identity gave no token for {self._scope}: {_first_line(error)}. Run on "
                    "Azure with an identity assigned, or use a connection with a key."
                ) from None

    def _credential(self, kind: "type[ManagedIdentityCredential]") -> "ManagedIdentityCredential":
        if self._identity == SYSTEM_IDENTITY:
            return kind()
        if self._identity.startswith("/"):
            return kind(identity_config={"resource_id": self._identity})
        return kind(client_id=self._identity)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
