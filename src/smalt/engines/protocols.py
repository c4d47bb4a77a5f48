"""What an engine can do: one protocol per ability, and the values that flow through them."""

from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

from smalt.schemas.chat import AzureCreateChatCompletionRequest
from smalt.schemas.completions import CreateCompletionRequest

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


@dataclass(frozen=True, slots=True)
class TopLogprob:
    """One alternative token and its natural-log probability."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A chosen token, its natural-log probability and the likeliest alternatives."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None
    top: tuple[TopLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of one tool call: the first piece has `id` and `name`, later ones only `arguments`."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """What really answers; an engine that learns it only from its answer sends it before the first delta."""

    model: str
    system_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of one choice. Any field may be empty; the last delta of a choice has `finish_reason`."""

    choice: int = 0
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    judged: Mapping[str, Any] | None = None
    """What the content filter found in the stretch of text that ends here; engines leave it alone."""


@dataclass(frozen=True, slots=True)
class CompletionDelta:
    """A piece of one choice of a text completion; `choice` counts over prompts, then over n."""

    choice: int = 0
    text: str = ""
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    judged: Mapping[str, Any] | None = None
    """What the content filter found in the stretch of text that ends here; engines leave it alone."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the whole request, all prompts and choices together. Sent once, last."""

    prompt_tokens: int
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PromptJudged:
    """What the content filter found in the prompts, as the reference's `prompt_filter_results`. Sent once, first."""

    results: Sequence[Mapping[str, Any]]
    is_asynchronous: bool = False
    """Whether the answer is looked at while it goes out, so that deltas have no results and late ones come."""


@dataclass(frozen=True, slots=True)
class LateJudgement:
    """What the content filter found in text that has gone out already; only an asynchronous filter sends it.

    The offsets are characters of the choice's text; `finish_reason` is there when the filter would have stopped it.
    """

    choice: int
    results: Mapping[str, Any]
    check_offset: int
    start_offset: int
    end_offset: int
    finish_reason: FinishReason | None = None


Judgement = PromptJudged | LateJudgement
ChatEvent = Serving | ChatDelta | Usage | Judgement
CompletionEvent = Serving | CompletionDelta | Usage | Judgement


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors as little-endian float32 rows in one buffer, `dimensions` numbers each."""

    rows: bytes
    dimensions: int
    prompt_tokens: int
    model: str | None = None


@runtime_checkable
class ChatEngine(Protocol):
    """Answers a conversation."""

    def chat(self, body: AzureCreateChatCompletionRequest) -> AsyncIterator[ChatEvent]:
        """Stream the answer to `body`; refuse with `UnsupportedParameter` what cannot be honoured.

        Closing the iterator early stops the work and frees its slot.
        """
        ...


@runtime_checkable
class Bounded(Protocol):
    """Knows how much fits into one request; not every engine does."""

    @property
    def context(self) -> int | None:
        """Most tokens of a prompt and its answer together; None when nothing limits them."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """May take the recordings in a conversation as they are; not every chat engine does."""

    @property
    def hears(self) -> bool:
        """Whether it does; otherwise it is given what is said in them."""
        ...


@runtime_checkable
class CompletionEngine(Protocol):
    """Continues a text."""

    def complete(self, body: CreateCompletionRequest) -> AsyncIterator[CompletionEvent]:
        """Stream the continuation of every prompt in `body`; the same rules as `ChatEngine.chat`."""
        ...


@runtime_checkable
class TokenReader(Protocol):
    """Knows which text the token ids of a prompt stand for; not every completion engine does."""

    async def text_of(self, tokens: Sequence[int]) -> str:
        """The text of token ids; raises `InvalidRequest` for one that its model does not have."""
        ...


@runtime_checkable
class EmbeddingEngine(Protocol):
    """Turns texts into vectors of unit length."""

    async def embed(self, inputs: Sequence[str | Sequence[int]], dimensions: int | None = None) -> Embeddings:
        """Embed each text or list of token ids; cut to `dimensions` and renormalise when given."""
        ...


Scores = Mapping[str, float]
"""Category to probability, 0 to 1. Text: OpenAI's 13 categories, and `jailbreak`, `indirect_attack`, `profanity`."""


@runtime_checkable
class ModerationEngine(Protocol):
    """Judges texts."""

    async def moderate(self, texts: Sequence[str]) -> Sequence[Scores]:
        """The scores of every text, in order; a category that the engine knows nothing of is absent."""
        ...


@runtime_checkable
class ImageModerationEngine(Protocol):
    """Judges pictures."""

    async def moderate_images(self, images: Sequence[bytes]) -> Sequence[Scores]:
        """The scores of every encoded picture (PNG, JPEG, WebP, GIF), in order.

        Raises `InvalidRequest` for what is no picture.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenStarts:
    """Where the tokens of a text begin: characters, ascending, and a 1 for each token that begins a word.

    A text that is cut where a word begins has as many tokens in its parts as in the whole.
    """

    starts: "array[int]"
    begins_word: bytes


@runtime_checkable
class TokenCounter(Protocol):
    """Knows the tokens of the texts that its model embeds; an ability that an engine need not have."""

    async def token_starts(self, texts: Sequence[str]) -> list[TokenStarts]:
        """The tokens of each text, without those that the model adds for itself."""
        ...


@dataclass(frozen=True)
class Deployment:
    """A model name that clients may ask for, and how it is served.

    `weights` maps a role ("model", "tokenizer") to a file or folder on disk; empty for engines without weights.
    `model` is the name that answers carry. `abilities` are the reference's words: chat_completion, completion,
    embeddings, and audio_transcription, audio_speech, moderation and image_moderation, for which it has none.
    `content_filter` names the policy that the operator gave it.
    """

    name: str
    engine: str
    model: str
    abilities: frozenset[str]
    weights: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created: int = 0
    content_filter: str | None = None


@dataclass(frozen=True)
class WorkerSpec:
    """What the engine host needs to start a worker process.

    `target` is `module:function`, called in the worker as `function(options, socket_path, ready)`; it listens on the
    Unix socket `socket_path`, calls `ready(info)` once with a JSON object, and returns only when it is done for.
    `key` tells workers apart: leases with the same key share one worker. `memory_bytes` is what it will need.
    """

    key: str
    target: str
    options: Mapping[str, Any]
    memory_bytes: int


@dataclass(frozen=True)
class WorkerAddress:
    """A running worker: its Unix socket, and what it said when it became ready."""

    socket_path: str
    info: Mapping[str, Any]


class Engine:
    """What an entry point of the group `smalt.engines` names; subclass it and add abilities.

    An instance serves one deployment in one API process (and, for a worker engine, one worker's life).
    """

    extra: ClassVar[str | None] = None
    """The extra of `smalt` that this engine needs, if any."""

    @classmethod
    def worker(cls, deployment: Deployment) -> WorkerSpec | None:
        """The worker process this deployment needs, or None when the engine runs in the API process."""
        del deployment
        return None

    @classmethod
    def open(cls, deployment: Deployment, worker: WorkerAddress | None) -> Self:
        """Make the engine for a deployment, over its running worker if it has one."""
        del worker
        return cls(deployment)

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    async def close(self) -> None:
        """Release connections; called once, when no request uses the engine any more."""
