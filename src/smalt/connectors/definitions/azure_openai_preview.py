"""The Azure OpenAI connector as it was first published."""

from dataclasses import replace
from typing import Final

from smalt.connectors.definitions import azure_chat as azure
from smalt.connectors.definitions import azure_connections as access
from smalt.connectors.definitions.azure_answers import COMMON, EMBEDDING_HEAD, EMBEDDING_USAGE
from smalt.connectors.definitions.nested import fields_of
from smalt.connectors.definitions.rows import returned
from smalt.connectors.definitions.vocabulary import ConnectionKind, Connector, Definition, Parameter

EMBEDDING_ITEM: Final = "getEmbeddingsResponseDataItem"
DEFINITIONS: Final = (
    *COMMON,
    Definition(
        name=azure.SINGLE_EMBEDDING,
        description="The embedding of a text.",
        fields=(
            *EMBEDDING_HEAD,
            *returned(("data", "data", f"array of {EMBEDDING_ITEM}", "One entry for each text.")),
            *EMBEDDING_USAGE,
        ),
    ),
    Definition(
        name=EMBEDDING_ITEM,
        description="The embedding of one text.",
        fields=returned(
            ("index", "index", "integer", "The place of its text, from 0."),
            ("object", "object", "string", "What the entry is: `embedding`."),
            ("embedding", "embedding", "array of number", "The numbers."),
        ),
    ),
)
CONNECTIONS: Final = (
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
        title="Default",
        description="Signs in with the name and a key of your Azure OpenAI resource.",
        fields=access.KEY_FIELDS,
        headers=access.KEY_HEADERS,
        regions="All regions except LOGICAPPS",
    ),
)
ENHANCEMENTS: Final = (
    Parameter(
        key="enabled",
        title="enabled",
        type="boolean",
        name="enhancements.grounding.enabled",
        at="enhancements.grounding.enabled",
        help="Tell where in a picture the things are that the answer names.",
    ),
    Parameter(
        key="enabled",
        title="enabled",
        type="boolean",
        name="enhancements.ocr.enabled",
        at="enhancements.ocr.enabled",
        help="Read the writing in a picture for the model.",
    ),
)
ACTIONS: Final = (
    azure.chat_action(*ENHANCEMENTS),
    azure.embedding_action(
        "get_embedding",
        "Get a vector representation of a given input that can be easily consumed by machine learning models and"
        " algorithms",
        "Turns a text into numbers that tell how close it is in meaning to other texts.",
        azure.INPUT,
    ),
    azure.EXTENSIONS_ACTION,
)

CONNECTOR: Final = Connector(
    name="azure-openai-preview",
    title="Azure OpenAI (Preview)",
    description="Chat, also over your own documents, and an embedding with the models of an Azure OpenAI resource.",
    publisher="Abby Hartman",
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
    extra={"products": {"Logic Apps": "Standard", "Power Automate": "Premium", "Power Apps": "Premium"}},
)
