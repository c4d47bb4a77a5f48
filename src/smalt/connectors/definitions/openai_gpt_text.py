"""The actions of the OpenAI GPT connector that read and write text."""

from typing import Final

from smalt.connectors.definitions.rows import returned, within
from smalt.connectors.definitions.vocabulary import Action, Operation, Parameter, ReturnField

MAX_TOKENS: Final = Parameter(
    key="max_tokens", title="Max Tokens", type="integer", help="How many tokens each answer may have at most."
)
TEMPERATURE: Final = Parameter(
    key="temperature",
    title="Temperature",
    type="double",
    help="How freely words are chosen, from 0 (nearly always the likeliest) to 2. Change this or Top P, not both.",
)
TOP_P: Final = Parameter(
    key="top_p",
    title="Top P",
    type="double",
    help="Choose only among the likeliest words that together have this share, from 0 to 1.",
)
STOP: Final = Parameter(
    key="stop", title="Stop", type="string", help="Text that ends the answer where it would come up; it is left out."
)
TOKEN_COUNTS: Final = returned(
    ("usage.prompt_tokens", "Prompt Tokens", "integer", "Tokens that were read."),
    ("usage.completion_tokens", "Completion Tokens", "integer", "Tokens that were written."),
    ("usage.total_tokens", "Total Tokens", "integer", "Tokens that were read or written."),
)

CREATE_COMPLETION: Final = Action(
    name="create_completion",
    title="Create completion [DEPRECATED]",
    description="Continues a prompt. Kept for flows that have it: use Get chat completions in new ones.",
    is_deprecated=True,
    operations=(Operation(method="POST", path="/completions"),),
    parameters=(
        Parameter(
            key="model",
            title="Model",
            type="string",
            required=True,
            values_from="list_models",
            help="The model that continues the prompt.",
        ),
        Parameter(key="prompt", title="Prompt", type="string", help="The text to continue."),
        MAX_TOKENS,
        TEMPERATURE,
        TOP_P,
        Parameter(key="n", title="N", type="integer", help="How many completions to write for the prompt."),
        Parameter(
            key="logprobs",
            title="Log Probabilities",
            type="string",
            sent_as="integer",
            help="Report the log probabilities of this many likeliest tokens at each place, as a whole number.",
        ),
        STOP,
    ),
    returns=(
        ReturnField(
            path="first_completion",
            title="first_completion",
            type="string",
            help="The text of the first completion.",
            source="choices[0].text",
        ),
        *within(
            "result",
            (
                *returned(
                    ("id", "ID", "string"),
                    ("object", "Object", "string", "What the result is: `text_completion`."),
                    ("created", "Created", "integer", "When it was written, in seconds since 1970."),
                    ("model", "Model", "string", "The model that answered."),
                    ("choices", "Choices", "array of object", "The completions."),
                    ("choices.text", "Text", "string"),
                    ("choices.index", "Index", "integer", "Its place among the completions, from 0."),
                    ("choices.logprobs", "Log Probs", "string", "The log probabilities, as JSON."),
                    ("choices.finish_reason", "Finish Reason", "string", "Why it ended: `stop` or `length`."),
                ),
                *TOKEN_COUNTS,
            ),
        ),
    ),
)

CREATE_EMBEDDING: Final = Action(
    name="create_embedding",
    title="Create embedding",
    description="Turns a text into numbers that tell how close it is in meaning to other texts.",
    operations=(Operation(method="POST", path="/embeddings"),),
    parameters=(
        Parameter(key="input", title="Input", type="string", required=True, help="The text."),
        Parameter(
            key="model", title="Model", type="string", values_from="list_models", help="The embedding model to use."
        ),
        Parameter(
            key="encoding_format",
            title="Encoding Format",
            type="string",
            help="How the numbers are written: `float` for a list, `base64` for packed bytes.",
        ),
        Parameter(
            key="user", title="User", type="string", help="Your own name for the person on whose behalf you ask."
        ),
    ),
    returns=returned(
        ("object", "Object", "string", "What the result is: `list`."),
        ("data", "Data", "array of object", "One entry for each text."),
        ("data.object", "Object", "string", "What the entry is: `embedding`."),
        ("data.embedding", "Embedding", "array of float", "The numbers."),
        ("data.index", "Index", "integer", "The place of its text, from 0."),
        ("model", "Model", "string", "The model that answered."),
        ("usage.prompt_tokens", "Prompt Tokens", "integer", "Tokens that were read."),
        ("usage.total_tokens", "Total Tokens", "integer", "The same number: nothing is written."),
    ),
)

CATEGORIES: Final = (
    ("sexual", "Sexual"),
    ("hate", "Hate"),
    ("harassment", "Harassment"),
    ("self-harm", "self-harm"),
    ("sexual/minors", "sexual/minors"),
    ("hate/threatening", "hate/threatening"),
    ("violence/graphic", "violence/graphic"),
    ("self-harm/intent", "self-harm/intent"),
    ("self-harm/instructions", "self-harm/instructions"),
    ("harassment/threatening", "harassment/threatening"),
    ("violence", "Violence"),
)

CREATE_MODERATION: Final = Action(
    name="create_moderation",
    title="Create moderation",
    description="Says whether a text holds hate, harassment, self-harm, sexual content or violence.",
    operations=(Operation(method="POST", path="/moderations"),),
    parameters=(
        Parameter(key="input", title="Input", type="string", required=True, help="The text to look at."),
        Parameter(key="model", title="Model", type="string", values_from="list_models", help="The model that judges."),
    ),
    returns=(
        *returned(
            ("id", "ID", "string"),
            ("model", "Model", "string", "The model that judged."),
            ("results", "Results", "array of object", "One entry for each text."),
            ("results.flagged", "Flagged", "boolean", "Whether anything was found."),
        ),
        *returned(
            *((f"results.categories.{key}", title, "boolean", "Whether it was found.") for key, title in CATEGORIES)
        ),
        *returned(
            *(
                (f"results.category_scores.{key}", title, "float", "How sure it is, 0 to 1.")
                for key, title in CATEGORIES
            )
        ),
    ),
)

EDIT_PROMPT: Final = Action(
    name="edit_prompt",
    title="Edit Prompt [DEPRECATED]",
    description="Rewrites a text as told. Kept for flows that have it: OpenAI itself no longer answers.",
    is_deprecated=True,
    operations=(Operation(method="POST", path="/edits"),),
    parameters=(
        Parameter(
            key="model",
            title="Model",
            type="string",
            required=True,
            values_from="list_models",
            help="The model that rewrites the text.",
        ),
        Parameter(
            key="input", title="Input", type="string", help="The text to start from; nothing to write a new one."
        ),
        Parameter(
            key="instruction", title="Instruction", type="string", required=True, help="What to do with the text."
        ),
        Parameter(key="n", title="N", type="integer", help="How many edits to write."),
        TEMPERATURE,
        TOP_P,
    ),
    returns=(
        *returned(
            ("object", "Object", "string", "What the result is: `edit`."),
            ("created", "Created", "integer", "When it was written, in seconds since 1970."),
            ("choices", "Choices", "array of object", "The edits."),
            ("choices.text", "Text", "string", "The text as it reads now."),
            ("choices.index", "Index", "integer", "Its place among the edits, from 0."),
        ),
        *TOKEN_COUNTS,
    ),
)

GET_CHAT_COMPLETIONS: Final = Action(
    name="get_chat_completions",
    title="Get chat completions",
    description="Answers a message with a chat model.",
    operations=(Operation(method="POST", path="/chat/completions"),),
    parameters=(
        Parameter(
            key="model",
            title="Model",
            type="string",
            required=True,
            values_from="list_models",
            help="The chat model that answers.",
        ),
        Parameter(
            key="role",
            title="Role",
            type="string",
            required=True,
            at="messages[].role",
            help="Who says the message: `user`, `system` or `assistant`.",
        ),
        Parameter(
            key="content",
            title="Content",
            type="string",
            required=True,
            at="messages[].content",
            help="What the message says.",
        ),
        MAX_TOKENS,
        TEMPERATURE,
        TOP_P,
        Parameter(key="n", title="N", type="integer", help="How many answers to write."),
        STOP,
        Parameter(
            key="presence_penalty",
            title="Presence Penalty",
            type="double",
            help="From -2 to 2: above 0 it keeps from words that have come up, and so brings in new subjects.",
        ),
        Parameter(
            key="frequency_penalty",
            title="Frequency Penalty",
            type="double",
            help="From -2 to 2: above 0 it keeps from words the more often they have come up, and so from repetition.",
        ),
        Parameter(
            key="user", title="User", type="string", help="Your own name for the person on whose behalf you ask."
        ),
    ),
    returns=(
        ReturnField(
            path="first_content",
            title="First Content",
            type="string",
            help="What the first answer says.",
            source="choices[0].message.content",
        ),
        *returned(
            ("id", "ID", "string"),
            ("object", "Object", "string", "What the result is: `chat.completion`."),
            ("created", "Created", "integer", "When it was written, in seconds since 1970."),
            ("choices", "Choices", "array of object", "The answers."),
            ("choices.index", "Index", "integer", "Its place among the answers, from 0."),
            ("choices.message.role", "Role", "string", "Who says it: `assistant`."),
            ("choices.message.content", "Content", "string", "What it says."),
            ("choices.finish_reason", "Finish Reason", "string", "Why it ended: `stop`, `length`, `content_filter`."),
        ),
        *TOKEN_COUNTS,
    ),
)
