"""The OpenAI modules of Adobe Workfront Fusion.

Their document gives titles and no keys: the keys here are those of the operations behind them. It has no rate limit
either; the one here is that of the OpenAI GPT connector, which calls the same service with the same kind of key.
"""

from dataclasses import replace
from typing import Final

from smalt.connectors.definitions import openai_options as options
from smalt.connectors.definitions.fusion_fields import (
    API_OPERATION,
    CREATE_JOB,
    FILE_OPERATIONS,
    IMAGE_OPERATIONS,
    JOB_FIELDS,
    JOB_OPERATIONS,
    MESSAGES,
    MODEL,
    MODEL_OPERATIONS,
    REQUEST,
    SOUND_OPERATIONS,
    for_operation,
    limit,
    selector,
)
from smalt.connectors.definitions.vocabulary import (
    Action,
    ConnectionField,
    ConnectionKind,
    Connector,
    Operation,
    Parameter,
    Throttle,
)

CONNECTION: Final = ConnectionKind(
    name="default",
    title="OpenAI (ChatGPT & DALL-E)",
    description="Signs in with an API key, on behalf of an organization.",
    fields=(
        ConnectionField(
            key="connection_name",
            title="Connection name",
            type="string",
            required=True,
            help="What the connection is called in lists.",
        ),
        ConnectionField(
            key="api_key",
            title="API Key",
            type="securestring",
            required=True,
            help="A key from the account's settings.",
        ),
        ConnectionField(
            key="organization_id",
            title="Organization ID",
            type="string",
            help="The organization that pays, from its settings; a Smalt has none.",
        ),
    ),
    headers={"Authorization": "Bearer {api_key}", "OpenAI-Organization": "{organization_id}"},
)

CREATE_COMPLETION: Final = Action(
    name="create_completion",
    title="Create a completion",
    description="Continues a prompt. Kept for scenarios that have it: use Create a chat completion in new ones.",
    is_deprecated=True,
    operations=(Operation(method="POST", path="/completions"),),
    parameters=(
        MODEL,
        Parameter(
            key="temperature",
            title="Temperature",
            type="number",
            help="How freely words are chosen, from 0 (nearly always the likeliest) to 2.",
        ),
        *options.COMPLETION,
    ),
)
CREATE_MODERATION: Final = Action(
    name="create_moderation",
    title="Create a moderation",
    description="Says whether texts hold hate, harassment, self-harm, sexual content or violence.",
    operations=(Operation(method="POST", path="/moderations"),),
    parameters=(
        Parameter(key="input", title="Input", type="array of string", required=True, help="The texts, each one whole."),
        replace(MODEL, required=False),
    ),
)
CREATE_EDIT: Final = Action(
    name="create_edit",
    title="Create an edit",
    description="Rewrites a text as told.",
    operations=(Operation(method="POST", path="/edits"),),
    parameters=(
        MODEL,
        Parameter(key="input", title="Input", type="string", help="The text to rewrite."),
        Parameter(
            key="instruction",
            title="Instruction",
            type="string",
            required=True,
            help="What to do with the text, such as: correct the spelling.",
        ),
        *options.EDIT,
    ),
)
CREATE_EMBEDDING: Final = Action(
    name="create_embedding",
    title="Create an embedding",
    description="Turns a text into numbers that tell how close it is in meaning to other texts.",
    operations=(Operation(method="POST", path="/embeddings"),),
    parameters=(
        MODEL,
        Parameter(key="input", title="Input text to embed", type="string", required=True, help="The text."),
        Parameter(
            key="user", title="User ID", type="string", help="Your own name for the person on whose behalf you ask."
        ),
        limit("data"),
    ),
)
CREATE_CHAT_COMPLETION: Final = Action(
    name="create_chat_completion",
    title="Create a chat completion",
    description="Answers a conversation.",
    operations=(Operation(method="POST", path="/chat/completions"),),
    parameters=(MODEL, *MESSAGES, *options.CHAT),
)
EDIT_IMAGE: Final = Action(
    name="edit_image",
    title="Edit image",
    description="Changes a picture as described, or makes pictures like it.",
    is_hidden=True,
    operations=IMAGE_OPERATIONS,
    parameters=(
        selector("Select the operation", IMAGE_OPERATIONS),
        Parameter(
            key="image",
            title="Source file",
            type="file",
            required=True,
            help="A square PNG of less than 4 MB; without a mask it must be see-through where it may change.",
        ),
        Parameter(
            key="prompt",
            title="Text description of desired image",
            type="string",
            required=True,
            operations=("create_image_edit",),
            help="What the picture shall show, in up to 1000 characters.",
        ),
        *options.for_operations(
            {"create_image_edit": options.IMAGE_EDIT, "create_image_variation": options.PICTURES}, of=2
        ),
    ),
)
GENERATE_IMAGE: Final = Action(
    name="generate_image",
    title="Generate an image",
    description="Makes pictures from a description.",
    operations=(Operation(method="POST", path="/images/generations"),),
    parameters=(
        Parameter(
            key="prompt",
            title="Text description of desired image",
            type="string",
            required=True,
            help="What the picture shows, in up to 1000 characters.",
        ),
        *options.IMAGE,
    ),
)
GET_MODELS: Final = Action(
    name="get_models",
    title="Get models",
    description="Lists the models that can be used, or describes one.",
    operations=MODEL_OPERATIONS,
    parameters=(
        selector("Operation", MODEL_OPERATIONS),
        for_operation(
            "retrieve_model",
            Parameter(
                key="model",
                title="Model ID",
                type="string",
                required=True,
                place="path",
                values_from="get_models",
                help="The model.",
            ),
        ),
    ),
)
MAKE_CUSTOM_API_CALL: Final = Action(
    name="make_custom_api_call",
    title="Make a custom API call",
    description="Sends a request that you put together yourself.",
    operations=(API_OPERATION,),
    parameters=REQUEST,
)
MANAGE_AUDIO: Final = Action(
    name="manage_audio",
    title="Manage Audio",
    description="Writes down what is said in a recording, in its own language or in English.",
    is_hidden=True,
    operations=SOUND_OPERATIONS,
    parameters=(
        selector("Select the operation", SOUND_OPERATIONS),
        Parameter(
            key="file",
            title="Source file",
            type="file",
            required=True,
            help="The recording: a common kind of sound file.",
        ),
        limit("segments"),
        *options.for_operations(
            {"create_transcription": options.TRANSCRIPTION, "create_translation": options.LISTENING}, of=2
        ),
    ),
)
MANAGE_FILES: Final = Action(
    name="manage_files",
    title="Manage files",
    description="Lists files, describes, fetches or deletes one.",
    operations=FILE_OPERATIONS,
    parameters=(
        selector("Operation", FILE_OPERATIONS),
        Parameter(
            key="file_id",
            title="File ID",
            type="string",
            required=True,
            place="path",
            operations=tuple(each.name for each in FILE_OPERATIONS if "{file_id}" in each.path),
            help="The file, unless all are listed.",
        ),
    ),
)
MANAGE_FINE_TUNES: Final = Action(
    name="manage_fine_tunes",
    title="Manage fine-tunes",
    description="Tunes models on your own examples, and follows, cancels and clears up the jobs that do.",
    operations=JOB_OPERATIONS,
    parameters=(
        selector("Select the operation", JOB_OPERATIONS),
        *JOB_FIELDS,
        *(for_operation(CREATE_JOB, each) for each in options.FINE_TUNING),
    ),
)

CONNECTOR: Final = Connector(
    name="fusion-openai",
    title="OpenAI (ChatGPT & DALL-E)",
    description="The OpenAI modules of Workfront Fusion scenarios.",
    publisher="Adobe Workfront Fusion",
    website="https://openai.com/",
    privacy_policy="https://openai.com/policies/privacy-policy/",
    categories=("AI",),
    brand_color="#0047ab",
    base_url="https://api.openai.com/v1",
    mount="/v1",
    connections=(CONNECTION,),
    throttle=Throttle(calls=100, seconds=60),
    actions=(
        CREATE_COMPLETION,
        CREATE_MODERATION,
        CREATE_EDIT,
        CREATE_EMBEDDING,
        CREATE_CHAT_COMPLETION,
        EDIT_IMAGE,
        GENERATE_IMAGE,
        GET_MODELS,
        MAKE_CUSTOM_API_CALL,
        MANAGE_AUDIO,
        MANAGE_FILES,
        MANAGE_FINE_TUNES,
    ),
)
