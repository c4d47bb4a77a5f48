"""What a content filter says of a prompt, an answer or an image."""

from typing import Literal

from pydantic import Field

from smalt.schemas.wire import Wire


class AzureContentFilterSeverityResult(Wire):
    """How grave a kind of harm is."""

    filtered: bool
    severity: Literal["safe", "low", "medium", "high"]


class AzureContentFilterDetectionResult(Wire):
    """Whether something was found."""

    filtered: bool
    detected: bool


class AzureContentFilterCodeCitation(Wire):
    """Where known code comes from."""

    url: str | None = Field(None, alias="URL")
    license: str | None = None


class AzureContentFilterCodeResult(AzureContentFilterDetectionResult):
    """Whether known code was found, and whose."""

    citation: AzureContentFilterCodeCitation | None = None


class AzureContentFilterBlocklistMatch(Wire):
    """One block list and whether it matched."""

    filtered: bool
    id: str


class AzureContentFilterBlocklistResult(Wire):
    """Whether block lists matched."""

    filtered: bool
    details: list[AzureContentFilterBlocklistMatch] | None = None


class AzureContentFilterCustomTopicMatch(Wire):
    """One topic and whether the text was about it."""

    detected: bool
    id: str


class AzureContentFilterCustomTopicResult(Wire):
    """Whether the text was about a topic that the operator named."""

    filtered: bool
    details: list[AzureContentFilterCustomTopicMatch] | None = None


class AzureContentFilterCompletionTextSpan(Wire):
    """A stretch of the answer, in characters."""

    completion_start_offset: int
    completion_end_offset: int


class AzureContentFilterCompletionTextSpanDetectionResult(AzureContentFilterDetectionResult):
    """Whether something was found in the answer, and where."""

    details: list[AzureContentFilterCompletionTextSpan]


class AzureContentFilterError(Wire):
    """Why the filter could not judge."""

    code: int
    message: str


class AzureContentFilterHarms(Wire):
    """The four kinds of harm."""

    hate: AzureContentFilterSeverityResult | None = None
    self_harm: AzureContentFilterSeverityResult | None = None
    sexual: AzureContentFilterSeverityResult | None = None
    violence: AzureContentFilterSeverityResult | None = None


class AzureContentFilterTextResults(AzureContentFilterHarms):
    """What any text is looked at for."""

    profanity: AzureContentFilterDetectionResult | None = None
    custom_blocklists: AzureContentFilterBlocklistResult | None = None
    custom_topics: AzureContentFilterCustomTopicResult | None = None
    error: AzureContentFilterError | None = None


class AzureContentFilterPromptResults(AzureContentFilterTextResults):
    """What a prompt is looked at for."""

    jailbreak: AzureContentFilterDetectionResult | None = None
    indirect_attack: AzureContentFilterDetectionResult | None = None


class AzureContentFilterResultForPrompt(Wire):
    """What was found in one prompt of a request."""

    prompt_index: int | None = None
    content_filter_results: AzureContentFilterPromptResults | None = None


class AzureContentFilterResultForChoice(AzureContentFilterTextResults):
    """What was found in one choice of an answer."""

    protected_material_code: AzureContentFilterCodeResult | None = None
    protected_material_text: AzureContentFilterDetectionResult | None = None
    ungrounded_material: AzureContentFilterCompletionTextSpanDetectionResult | None = None


class AzureContentFilterOffsets(Wire):
    """Which stretch of a streamed answer a late result speaks of."""

    check_offset: int
    start_offset: int
    end_offset: int


class AzureContentFilterImageResponseResults(AzureContentFilterHarms):
    """What was found in a made image."""


class AzureContentFilterImagePromptResults(AzureContentFilterHarms):
    """What was found in the prompt for an image."""

    profanity: AzureContentFilterDetectionResult | None = None
    custom_blocklists: AzureContentFilterBlocklistResult | None = None
    custom_topics: AzureContentFilterCustomTopicResult | None = None
    jailbreak: AzureContentFilterDetectionResult
