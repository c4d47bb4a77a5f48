"""How one connects to Azure OpenAI, by a key or by a managed identity."""

from typing import Final

from smalt.connectors.definitions.vocabulary import ConnectionField, Throttle

THROTTLE: Final = Throttle(calls=1000, seconds=60)
TOKEN_SCOPE: Final = "https://cognitiveservices.azure.com/.default"  # noqa: S105 - the name of a permission
BASE_URL: Final = "https://{resource_name}.openai.azure.com/openai"
WEBSITE: Final = "https://azure.microsoft.com/en-us/products/cognitive-services/openai-service"
PRIVACY_POLICY: Final = "https://learn.microsoft.com/en-us/legal/cognitive-services/openai/data-privacy"

RESOURCE_NAME: Final = ConnectionField(
    key="resource_name",
    title="Azure OpenAI resource name",
    type="string",
    required=True,
    help="The first part of the resource's address, before .openai.azure.com.",
)
KEY_FIELDS: Final = (
    RESOURCE_NAME,
    ConnectionField(
        key="api_key",
        title="Azure OpenAI API key",
        type="securestring",
        required=True,
        help="One of the resource's keys.",
    ),
    ConnectionField(
        key="search_endpoint",
        title="Azure Cognitive Search endpoint URL",
        type="string",
        help="Where the search service listens, when answers shall rest on your own documents.",
    ),
    ConnectionField(
        key="search_api_key",
        title="Azure Cognitive Search API key",
        type="securestring",
        help="A key of the search service.",
    ),
)
IDENTITY_FIELDS: Final = (
    ConnectionField(
        key="managed_identity",
        title="LogicApps Managed Identity",
        type="managedIdentity",
        required=True,
        help="The identity that signs in, without a key.",
    ),
    RESOURCE_NAME,
)
KEY_HEADERS: Final = {"api-key": "{api_key}"}
IDENTITY_HEADERS: Final = {"Authorization": "Bearer {token}"}
