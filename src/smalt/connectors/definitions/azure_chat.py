"""The actions that the two Azure OpenAI connectors share."""

from typing import Final

from smalt.connectors.definitions.vocabulary import Action, Operation, Parameter

SEARCH: Final = "data_sources[].parameters"
MAPPING: Final = f"{SEARCH}.fields_mapping"
VECTORS: Final = f"{SEARCH}.embedding_dependency"
EXTENSIONS_RESPONSE: Final = "ExtensionsChatCompletionsResponse"
CHAT_RESPONSE: Final = "createChatCompletionResponse_2024Feb15Preview"
SINGLE_EMBEDDING: Final = "getSingleEmbeddingsResponse_2024Feb15Preview"
MULTIPLE_EMBEDDINGS: Final = "getMultipleEmbeddingsResponse_2024Feb15Preview"

DEPLOYMENT_ID: Final = Parameter(
    key="deployment-id",
    title="Deployment ID of the deployed model",
    type="string",
    required=True,
    place="path",
    help="The name that the model was deployed under.",
)
API_VERSION: Final = Parameter(
    key="api-version",
    title="API version",
    type="string",
    required=True,
    place="query",
    help="The version of the interface, such as `2024-10-21`.",
)
USER: Final = Parameter(
    key="user", title="user", type="string", help="Your own name for the person on whose behalf you ask."
)
SAMPLING: Final = (
    Parameter(
        key="temperature",
        title="temperature",
        type="number",
        help="How freely words are chosen, from 0 (nearly always the likeliest) to 2. Change this or top_p, not both.",
    ),
    Parameter(
        key="top_p",
        title="top_p",
        type="number",
        help="Choose only among the likeliest words that together have this share, from 0 to 1.",
    ),
    Parameter(
        key="stream",
        title="stream",
        type="boolean",
        help="Answers of a connector come whole, so this stays off.",
    ),
    Parameter(
        key="stop",
        title="stop",
        type="array of string",
        help="Up to four texts that end the answer where one would come up; it is left out.",
    ),
    Parameter(
        key="max_tokens",
        title="max_tokens",
        type="integer",
        help="How many tokens each answer may have at most.",
    ),
    Parameter(
        key="presence_penalty",
        title="presence_penalty",
        type="number",
        help="From -2 to 2: above 0 it keeps from words that have come up, and so brings in new subjects.",
    ),
    Parameter(
        key="frequency_penalty",
        title="frequency_penalty",
        type="number",
        help="From -2 to 2: above 0 it keeps from words the more often they have come up, and so from repetition.",
    ),
    Parameter(
        key="logit_bias",
        title="logit_bias",
        type="object",
        help="Token ids, each with a number from -100 (never) to 100 (always) that is added to its likelihood.",
    ),
    USER,
)
MESSAGE: Final = (
    Parameter(
        key="role",
        title="role",
        type="string",
        required=True,
        at="messages[].role",
        help="Who says the message: `user`, `system`, `assistant` or `tool`.",
    ),
    Parameter(
        key="content",
        title="content",
        type="string",
        required=True,
        at="messages[].content",
        help="What the message says.",
    ),
)
DATA_SOURCE: Final = (
    Parameter(
        key="type",
        title="type",
        type="string",
        required=True,
        name="data_sources.type",
        at="data_sources[].type",
        help="The kind of source to answer from, such as `azure_search`. Needed once there is a source.",
    ),
    Parameter(
        key="top_n_documents",
        title="top_n_documents",
        type="integer",
        at=f"{SEARCH}.top_n_documents",
        help="How many passages the model gets to read at most.",
    ),
    Parameter(
        key="in_scope",
        title="in_scope",
        type="boolean",
        at=f"{SEARCH}.in_scope",
        help="Answer from the source alone, and not from what the model knows.",
    ),
    Parameter(
        key="strictness",
        title="strictness",
        type="integer",
        at=f"{SEARCH}.strictness",
        help="From 1 to 5: how much a passage must have to do with the question to be read.",
    ),
    Parameter(
        key="role_information",
        title="role_information",
        type="string",
        at=f"{SEARCH}.role_information",
        help="How the model shall behave and speak, in few words.",
    ),
    Parameter(
        key="index_name",
        title="index_name",
        type="string",
        required=True,
        at=f"{SEARCH}.index_name",
        help="The index to search. Needed once there is a source.",
    ),
    Parameter(
        key="title_field",
        title="title_field",
        type="string",
        at=f"{MAPPING}.title_field",
        help="The index's field that holds a document's title.",
    ),
    Parameter(
        key="url_field",
        title="url_field",
        type="string",
        at=f"{MAPPING}.url_field",
        help="The index's field that holds a document's address.",
    ),
    Parameter(
        key="filepath_field",
        title="filepath_field",
        type="string",
        at=f"{MAPPING}.filepath_field",
        help="The index's field that holds the name of a document's file.",
    ),
    Parameter(
        key="content_fields",
        title="content_fields",
        type="array of string",
        at=f"{MAPPING}.content_fields",
        help="The index's fields that hold the text to read.",
    ),
    Parameter(
        key="content_fields_separator",
        title="content_fields_separator",
        type="string",
        at=f"{MAPPING}.content_fields_separator",
        help="What to put between the texts of several fields.",
    ),
    Parameter(
        key="vector_fields",
        title="vector_fields",
        type="array of string",
        at=f"{MAPPING}.vector_fields",
        help="The index's fields that hold embeddings.",
    ),
    Parameter(
        key="query_type",
        title="query_type",
        type="string",
        at=f"{SEARCH}.query_type",
        help="How to search: `simple`, `semantic`, `vector`, `vector_simple_hybrid` or `vector_semantic_hybrid`.",
    ),
    Parameter(
        key="semantic_configuration",
        title="semantic_configuration",
        type="string",
        at=f"{SEARCH}.semantic_configuration",
        help="The index's configuration for semantic search.",
    ),
    Parameter(
        key="filter",
        title="filter",
        type="string",
        at=f"{SEARCH}.filter",
        help="A condition that documents must meet, in the search service's own language.",
    ),
    Parameter(
        key="type",
        title="type",
        type="string",
        name="embedding_dependency.type",
        at=f"{VECTORS}.type",
        help="Where the embedding of the question comes from, such as `deployment_name`.",
    ),
    Parameter(
        key="deployment_name",
        title="deployment_name",
        type="string",
        required=True,
        at=f"{VECTORS}.deployment_name",
        help="The deployment that embeds the question. Needed once it is said where embeddings come from.",
    ),
)
CHOICES: Final = (
    Parameter(key="n", title="n", type="integer", help="How many answers to write."),
    Parameter(
        key="seed",
        title="seed",
        type="integer",
        help="The same number with the same request gives the same answer as far as the service can.",
    ),
    Parameter(
        key="logprobs",
        title="logprobs",
        type="boolean",
        help="Report the log probability of each token of the answer.",
    ),
    Parameter(
        key="top_logprobs",
        title="top_logprobs",
        type="integer",
        help="Report this many likeliest tokens at each place, from 0 to 5; logprobs must be on.",
    ),
    Parameter(
        key="type",
        title="type",
        type="string",
        name="response_format.type",
        at="response_format.type",
        help="`json_object` makes the answer valid JSON, `text` leaves it free.",
    ),
)


def chat_action(*enhancements: Parameter) -> Action:
    """The chat action; `enhancements` stand between the data source and what is about the choices."""
    return Action(
        name="create_chat_completion",
        title="Creates a completion for the chat message",
        description="Answers a conversation, also from your own documents in a search index.",
        operations=(Operation(method="POST", path="/deployments/{deployment-id}/chat/completions"),),
        parameters=(DEPLOYMENT_ID, API_VERSION, *SAMPLING, *MESSAGE, *DATA_SOURCE, *enhancements, *CHOICES),
        returns_type=CHAT_RESPONSE,
    )


def embedding_action(name: str, title: str, description: str, text: Parameter) -> Action:
    """An action that embeds `text`."""
    return Action(
        name=name,
        title=title,
        description=description,
        operations=(Operation(method="POST", path="/deployments/{deployment-id}/embeddings"),),
        parameters=(
            DEPLOYMENT_ID,
            API_VERSION,
            text,
            USER,
            Parameter(
                key="input_type",
                title="input_type",
                type="string",
                help="What the embedding is for, such as `query`, where the model makes a difference.",
            ),
        ),
        returns_type=SINGLE_EMBEDDING,
    )


INPUT: Final = Parameter(key="input", title="input", type="string", required=True, help="The text to embed.")

EXTENSIONS_ACTION: Final = Action(
    name="create_extensions_chat_completion",
    title="Using extensions to create a completion for chat messages",
    description="Answers a conversation from a data source, in the form that this had at first.",
    operations=(Operation(method="POST", path="/deployments/{deployment-id}/extensions/chat/completions"),),
    parameters=(
        DEPLOYMENT_ID,
        Parameter(
            key="deploymentId",
            title="Confirm Deployment ID of the deployed model",
            type="string",
            required=True,
            place="query",
            repeats="deployment-id",
            help="The same name once more.",
        ),
        API_VERSION,
        Parameter(
            key="index",
            title="index",
            type="integer",
            at="messages[].index",
            help="The message's place in the conversation.",
        ),
        MESSAGE[0],
        Parameter(
            key="recipient",
            title="recipient",
            type="string",
            at="messages[].recipient",
            help="The tool that the message is for, as its namespace and operation with a dot between.",
        ),
        MESSAGE[1],
        Parameter(
            key="end_turn",
            title="end_turn",
            type="boolean",
            at="messages[].end_turn",
            help="Whether its author has nothing more to say for now.",
        ),
        Parameter(
            key="type",
            title="type",
            type="string",
            required=True,
            at="dataSources[].type",
            help="The kind of source to answer from, such as `AzureCognitiveSearch`.",
        ),
        Parameter(
            key="parameters",
            title="parameters",
            type="object",
            at="dataSources[].parameters",
            help="The source's settings, such as `indexName`; the connection's endpoint and key are added.",
        ),
        *SAMPLING,
    ),
    returns_type=EXTENSIONS_RESPONSE,
)
