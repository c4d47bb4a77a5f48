"""The Azure OpenAI connector."""

from dataclasses import replace
from typing import Final

from smalt.connectors.definitions import azure_chat as azure
from smalt.connectors.definitions import azure_connections as access
from smalt.connectors.definitions.azure_answers import COMMON, EMBEDDING_HEAD, EMBEDDING_USAGE
from smalt.connectors.definitions.nested import fields_of
from smalt.connectors.definitions.vocabulary import ConnectionKind, Connector, Definition, ReturnField

DEFINITIONS: Final = (
    *COMMON,
    Definition(
        name=azure.SINGLE_EMBEDDING,
        description="The embedding of one text.",
        fields=(
            *EMBEDDING_HEAD,
            ReturnField(
                path="embedding",
                title="embedding",
                type="array of number",
                help="The numbers.",
                source="data[0].embedding",
            ),
            *EMBEDDING_USAGE,
        ),
    ),
    Definition(
        name=azure.MULTIPLE_EMBEDDINGS,
        description="The embeddings of several texts.",
        fields=(
            *EMBEDDING_HEAD,
            ReturnField(
                path="embeddings",
                title="embeddings",
                type="array of array",
                help="The numbers of each text, in the texts' order.",
                source="data.embedding",
            ),
            # The document names the lists within the list on a line of their own, by the same path.
            ReturnField(
                path="embeddings",
                title="items",
                type="array of number",
                help="The numbers of one text.",
                source="data.embedding",
            ),
            *EMBEDDING_USAGE,
        ),
    ),
)
CONNECTIONS: Final = (
    ConnectionKind(
        name="keyBasedAuth",
        title="API Key",
        description="Signs in with the name and a key of your Azure OpenAI resource.",
        fields=access.KEY_FIELDS,
        headers=access.KEY_HEADERS,
        is_shareable=True,
    ),
    ConnectionKind(
        name="managedIdentityAuth",
        title="Logic Apps Managed Identity",
        description="Signs in with the managed identity of what runs the flow.",
        fields=access.IDENTITY_FIELDS,
        headers=access.IDENTITY_HEADERS,
        token_scope=access.TOKEN_SCOPE,
        regions="LOGICAPPS only",
        is_shareable=True,
    ),
    ConnectionKind(
        name="default",
        title="Default [DEPRECATED]",
        description="Keeps connections alive that were made before there was a choice. Make new ones with API Key.",
        fields=access.KEY_FIELDS,
        headers=access.KEY_HEADERS,
        is_deprecated=True,
    ),
)
ACTIONS: Final = (
    azure.chat_action(),
    replace(
        azure.embedding_action(
            "get_multiple_embeddings",
            "Get multiple embeddings",
            "Turns several texts into numbers that tell how close they are in meaning.",
            replace(azure.INPUT, type="array of string", help="The texts to embed."),
        ),
        returns_type=azure.MULTIPLE_EMBEDDINGS,
    ),
    azure.embedding_action(
        "get_embedding",
        "Get an embedding",
        "Turns a text into numbers that tell how close it is in meaning to other texts.",
        azure.INPUT,
    ),
    azure.EXTENSIONS_ACTION,
)

CONNECTOR: Final = Connector(
    name="azure-openai",
    title="Azure OpenAI",
    description="Chat, also over your own documents, and embeddings with the models of an Azure OpenAI resource.",
    publisher="Microsoft",
    website=access.WEBSITE,
    privacy_policy=access.PRIVACY_POLICY,
    categories=("AI", "Business Intelligence"),
    brand_color="#0047ab",
    base_url=access.BASE_URL,
    mount="/openai",
    connections=CONNECTIONS,
    throttle=access.THROTTLE,
    actions=tuple(replace(each, returns=fields_of(each.returns_type, DEFINITIONS)) for each in ACTIONS),
    definitions=DEFINITIONS,
    extra={
        "products": {
            "Copilot Studio": "Premium",
            "Logic Apps": "Standard",
            "Power Apps": "Premium",
            "Power Automate": "Premium",
        }
    },
)
