"""Signs in to Azure AI Search as the identity that Azure gave to this machine."""

from collections.abc import Sequence

from smalt.core.errors import MissingExtra
from smalt.retrieval.data_sources.failures import DataSourceRefused, quoted
from smalt.retrieval.data_sources.protocols import PARAMETERS

SCOPE = "https://search.azure.com/.default"


async def identity_token(resource_id: str | None = None, *, secrets: Sequence[str] = ()) -> str:
    """A bearer token for Azure AI Search, of the system's identity or of the one with this resource id."""
    try:
        from azure.core.exceptions import AzureError
        from azure.identity.aio import ManagedIdentityCredential
    except ImportError:
        raise MissingExtra("azure.identity", extra="azure") from None
    config = {"resource_id": resource_id} if resource_id else None
    async with ManagedIdentityCredential(identity_config=config) as credential:
        try:
            return (await credential.get_token(SCOPE)).token
        except AzureError as error:
            raise DataSourceRefused(
                f"This machine's managed identity gave no token for Azure AI Search: {quoted(str(error), secrets)}. "
                "Run on Azure with an identity assigned, or sign in with an api_key or an access_token.",
                param=f"{PARAMETERS}.authentication",
            ) from None
