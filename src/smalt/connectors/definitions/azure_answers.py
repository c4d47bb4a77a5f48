"""The nested types of the two Azure OpenAI connectors' answers."""

from typing import Final

from smalt.connectors.definitions.rows import returned
from smalt.connectors.definitions.vocabulary import Definition, ReturnField

V: Final = "_2024Feb15Preview"
SEVERITY: Final = f"contentFilterSeverityResult{V}"
DETECTED: Final = f"contentFilterDetectedResult{V}"


def _kinds(result: str) -> tuple[ReturnField, ...]:
    return returned(*((kind, kind, result) for kind in ("sexual", "violence", "hate", "self_harm")))


def _error(kind: str) -> tuple[ReturnField, ...]:
    return returned(("error", "error", kind, "Why the filter could not judge, when it could not."))


def _token(prefix: str = "") -> tuple[ReturnField, ...]:
    return returned(
        (f"{prefix}token", "token", "string", "The token's text."),
        (f"{prefix}logprob", "logprob", "number", "The logarithm of its probability."),
        (f"{prefix}bytes", "bytes", "array of integer", "The token in UTF-8, for those that are parts of a character."),
    )


def _filters(name: str, kind: str, *more: ReturnField) -> Definition:
    return Definition(
        name=name, description=f"What the content filter found in {kind}.", fields=(*_kinds(SEVERITY), *more)
    )


CODE_AND_MESSAGE: Final = returned(("code", "code", "string"), ("message", "message", "string"))
FILTERED: Final = ("filtered", "filtered", "boolean", "Whether the text was held back.")
FOUND: Final = ("detected", "detected", "boolean", "Whether there was any.")
SEVERE: Final = ("severity", "severity", "string", "How grave it is, from `safe` to `high`.")
WORDS_AND_LISTS: Final = (
    *returned(
        ("profanity", "profanity", DETECTED),
        ("custom_blocklists", "custom_blocklists", f"array of contentFilterIdResult{V}", "Your own lists of words."),
    ),
    *_error(f"errorBase{V}"),
)

EXTENSIONS: Final = (
    Definition(
        name="Message",
        description="A message of a conversation.",
        fields=returned(
            ("index", "index", "integer", "Its place in the conversation."),
            ("role", "role", "string", "Who says it."),
            ("recipient", "recipient", "string", "The tool that it is for, when it is for one."),
            ("content", "content", "string", "What it says."),
            ("end_turn", "end_turn", "boolean", "Whether its author has nothing more to say for now."),
        ),
    ),
    Definition(
        name="ExtensionsChatCompletionsResponse",
        description="The answer from a data source.",
        fields=returned(
            ("id", "id", "string"),
            ("object", "object", "string"),
            ("created", "created", "integer"),
            ("model", "model", "string"),
            ("prompt_filter_results", "prompt_filter_results", "promptFilterResults", "What was found in the request."),
            ("usage.prompt_tokens", "prompt_tokens", "integer"),
            ("usage.completion_tokens", "completion_tokens", "integer"),
            ("usage.total_tokens", "total_tokens", "integer"),
            ("choices", "choices", "array of ExtensionsChatCompletionChoice"),
        ),
    ),
    Definition(
        name="ExtensionsChatCompletionChoice",
        description="One answer.",
        fields=(
            *returned(
                ("index", "index", "integer"),
                ("finish_reason", "finish_reason", "string"),
                ("content_filter_results", "content_filter_results", "contentFilterResults", "What was found in it."),
            ),
            ReturnField(
                path="messages",
                title="messages",
                type="array of Message",
                help="What the source gave, as the message of a tool, and the answer itself.",
                source="message.context.messages + message",
            ),
        ),
    ),
    Definition(name="contentFilterResult", fields=returned(SEVERE, FILTERED)),
    Definition(
        name="contentFilterResults",
        description="What the content filter found, by kind.",
        fields=(*_kinds("contentFilterResult"), *_error("errorBase")),
    ),
    Definition(
        name="promptFilterResult",
        description="What the content filter found in one prompt.",
        fields=returned(
            ("prompt_index", "prompt_index", "integer"),
            ("content_filter_results", "content_filter_results", "contentFilterResults"),
        ),
    ),
    Definition(
        name="promptFilterResults",
        type="array of promptFilterResult",
        description="What the content filter found in each prompt.",
    ),
    Definition(name="errorBase", fields=CODE_AND_MESSAGE),
)

FILTERS: Final = (
    Definition(name=f"errorBase{V}", fields=CODE_AND_MESSAGE),
    Definition(name=SEVERITY, fields=returned(FILTERED, SEVERE)),
    Definition(name=DETECTED, fields=returned(FILTERED, FOUND)),
    Definition(
        name=f"contentFilterDetectedWithCitationResult{V}",
        fields=returned(
            FILTERED,
            FOUND,
            ("citation.URL", "URL", "string", "Where the same code is published."),
            ("citation.license", "license", "string", "What it is published under."),
        ),
    ),
    Definition(
        name=f"contentFilterIdResult{V}",
        fields=returned(("id", "id", "string", "The list of words."), FILTERED),
    ),
    _filters(
        f"contentFilterPromptResults{V}",
        "a prompt",
        *WORDS_AND_LISTS,
        *returned(("jailbreak", "jailbreak", DETECTED, "Attempts to talk the model out of its rules.")),
    ),
    _filters(
        f"contentFilterChoiceResults{V}",
        "an answer",
        *WORDS_AND_LISTS,
        *returned(
            ("protected_material_text", "protected_material_text", DETECTED, "Text that is somebody's own."),
            (
                "protected_material_code",
                "protected_material_code",
                f"contentFilterDetectedWithCitationResult{V}",
                "Code that is published elsewhere.",
            ),
        ),
    ),
    Definition(
        name=f"promptFilterResult{V}",
        description="What the content filter found in one prompt.",
        fields=returned(
            ("prompt_index", "prompt_index", "integer"),
            ("content_filter_results", "content_filter_results", f"contentFilterPromptResults{V}"),
        ),
    ),
    Definition(
        name=f"promptFilterResults{V}",
        type=f"array of promptFilterResult{V}",
        description="What the content filter found in each prompt.",
    ),
)

CHAT: Final = (
    Definition(
        name=f"azureChatExtensionsMessageContext{V}",
        description="What the search behind an answer was and found.",
        fields=returned(
            ("citations", "citations", f"array of citation{V}", "The passages that the answer rests on."),
            ("intent", "intent", "string", "What was searched for, for the next turn."),
        ),
    ),
    Definition(
        name=f"citation{V}",
        description="A passage that an answer rests on.",
        fields=returned(
            ("content", "content", "string", "Its text."),
            ("title", "title", "string", "The title of its document."),
            ("url", "url", "string", "The address of its document."),
            ("filepath", "filepath", "string", "The file of its document."),
            ("chunk_id", "chunk_id", "string", "Its number within the document."),
        ),
    ),
    Definition(
        name=f"createChatCompletionResponse{V}",
        description="The answer to a conversation.",
        fields=returned(
            ("id", "id", "string", "The completion."),
            ("object", "object", f"chatCompletionResponseObject{V}"),
            ("created", "created", "integer", "When it was written, in seconds since 1970."),
            ("model", "model", "string", "The model that answered."),
            ("usage", "usage", f"completionUsage{V}", "How many tokens it took."),
            ("system_fingerprint", "system_fingerprint", "string", "Changes when the service's set-up does."),
            ("prompt_filter_results", "prompt_filter_results", f"promptFilterResults{V}"),
            ("choices", "choices", "array of object", "The answers."),
            ("choices.index", "index", "integer", "Its place among the answers, from 0."),
            ("choices.finish_reason", "finish_reason", "string", "Why it ended."),
            ("choices.message", "message", f"chatCompletionResponseMessage{V}"),
            ("choices.content_filter_results", "content_filter_results", f"contentFilterChoiceResults{V}"),
            ("choices.logprobs", "logprobs", f"chatCompletionChoiceLogProbs{V}"),
        ),
    ),
    Definition(
        name=f"chatCompletionChoiceLogProbs{V}",
        description="The log probabilities of an answer.",
        fields=returned(("content", "content", f"array of chatCompletionTokenLogprob{V}", "One entry for each token.")),
    ),
    Definition(
        name=f"chatCompletionTokenLogprob{V}",
        fields=(
            *_token(),
            *returned(("top_logprobs", "top_logprobs", "array of object", "The likeliest tokens at this place.")),
            *_token("top_logprobs."),
        ),
    ),
    Definition(
        name=f"chatCompletionResponseMessage{V}",
        description="The message that answers.",
        fields=returned(
            ("role", "role", f"chatCompletionResponseMessageRole{V}"),
            ("content", "content", "string", "What it says."),
            ("context", "context", f"azureChatExtensionsMessageContext{V}"),
        ),
    ),
    Definition(name=f"chatCompletionResponseMessageRole{V}", type="string", description="Who says it: `assistant`."),
    Definition(name=f"chatCompletionResponseObject{V}", type="string", description="What it is: `chat.completion`."),
    Definition(
        name=f"completionUsage{V}",
        description="How many tokens a request took.",
        fields=returned(
            ("prompt_tokens", "prompt_tokens", "integer", "Tokens that were read."),
            ("completion_tokens", "completion_tokens", "integer", "Tokens that were written."),
            ("total_tokens", "total_tokens", "integer", "Tokens that were read or written."),
        ),
    ),
)

EMBEDDING_HEAD: Final = returned(
    ("object", "object", "string", "What the result is: `list`."),
    ("model", "model", "string", "The model that answered."),
)
EMBEDDING_USAGE: Final = returned(
    ("usage.prompt_tokens", "prompt_tokens", "integer", "Tokens that were read."),
    ("usage.total_tokens", "total_tokens", "integer", "The same number: nothing is written."),
)
COMMON: Final = (*EXTENSIONS, *FILTERS, *CHAT)
