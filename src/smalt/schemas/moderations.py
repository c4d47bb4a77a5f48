"""The wire vocabulary of moderations: texts and pictures in, what is harmful in them out."""

from typing import Annotated, Any, Literal

from pydantic import Field, Tag
from typing_extensions import TypeAliasType

from smalt.schemas.wire import STRING, Body, Request, Wire, chosen_by, open_enum

MAX_INPUTS = 2048
DEFAULT_MODEL = "omni-moderation-latest"

Text = Annotated[str, Field(min_length=1)]
ModerationInputType = TypeAliasType("ModerationInputType", Literal["text", "image"])
OfText = list[Literal["text"]]
OfEither = list[ModerationInputType]


class ModerationImageUrl(Request):
    """Where a picture is."""

    url: str = Field(description="An address that begins with https:, or a data: URL with the picture in base64.")


class ModerationImageURLInput(Request):
    """A picture to judge."""

    type: Literal["image_url"]
    image_url: ModerationImageUrl


class ModerationTextInput(Request):
    """A text to judge."""

    type: Literal["text"]
    text: Text = Field(description="What is judged.")


ModerationMultiModalInput = TypeAliasType(
    "ModerationMultiModalInput",
    Annotated[ModerationImageURLInput | ModerationTextInput, Field(discriminator="type")],
)


def input_kind(value: Any) -> str | None:
    """Tell a text, texts and parts apart by the first item."""
    match value:
        case str():
            return STRING
        case [str(), *_] | []:
            return "(strings)"
        case [dict(), *_] | [Request(), *_]:
            return "(parts)"
        case _:
            return None


INPUT_KIND = chosen_by(input_kind, "a string", "an array of strings or of parts with a type")

ModerationInput = Annotated[
    Annotated[Text, Tag(STRING)]
    | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS), Tag("(strings)")]
    | Annotated[list[ModerationMultiModalInput], Field(min_length=1, max_length=MAX_INPUTS), Tag("(parts)")],
    INPUT_KIND,
]


class CreateModerationRequest(Body):
    """Asks what is harmful in texts, or in a picture and its text."""

    input: ModerationInput = Field(description="One text, several, or parts that are judged together.")
    model: Annotated[
        str,
        open_enum(DEFAULT_MODEL, "omni-moderation-2024-09-26", "text-moderation-latest", "text-moderation-stable"),
    ] = Field(DEFAULT_MODEL, description="What judges; text-moderation-* answers as that generation did.")


class TextModerationCategories(Wire):
    """Which of the older generation's categories are flagged."""

    hate: bool
    hate_threatening: bool = Field(alias="hate/threatening")
    harassment: bool
    harassment_threatening: bool = Field(alias="harassment/threatening")
    self_harm: bool = Field(alias="self-harm")
    self_harm_intent: bool = Field(alias="self-harm/intent")
    self_harm_instructions: bool = Field(alias="self-harm/instructions")
    sexual: bool
    sexual_minors: bool = Field(alias="sexual/minors")
    violence: bool
    violence_graphic: bool = Field(alias="violence/graphic")


class ModerationCategories(TextModerationCategories):
    """Which categories are flagged."""

    illicit: bool
    illicit_violent: bool = Field(alias="illicit/violent")


class TextModerationCategoryScores(Wire):
    """How probable each of the older generation's categories is, 0 to 1."""

    hate: float
    hate_threatening: float = Field(alias="hate/threatening")
    harassment: float
    harassment_threatening: float = Field(alias="harassment/threatening")
    self_harm: float = Field(alias="self-harm")
    self_harm_intent: float = Field(alias="self-harm/intent")
    self_harm_instructions: float = Field(alias="self-harm/instructions")
    sexual: float
    sexual_minors: float = Field(alias="sexual/minors")
    violence: float
    violence_graphic: float = Field(alias="violence/graphic")


class ModerationCategoryScores(TextModerationCategoryScores):
    """How probable each category is, 0 to 1."""

    illicit: float
    illicit_violent: float = Field(alias="illicit/violent")


class ModerationCategoryAppliedInputTypes(Wire):
    """Which kinds of input each score rests on."""

    hate: OfText
    hate_threatening: OfText = Field(alias="hate/threatening")
    harassment: OfText
    harassment_threatening: OfText = Field(alias="harassment/threatening")
    illicit: OfText
    illicit_violent: OfText = Field(alias="illicit/violent")
    self_harm: OfEither = Field(alias="self-harm")
    self_harm_intent: OfEither = Field(alias="self-harm/intent")
    self_harm_instructions: OfEither = Field(alias="self-harm/instructions")
    sexual: OfEither
    sexual_minors: OfText = Field(alias="sexual/minors")
    violence: OfEither
    violence_graphic: OfEither = Field(alias="violence/graphic")


class ModerationResult(Wire):
    """What was found in one input."""

    flagged: bool
    categories: ModerationCategories
    category_scores: ModerationCategoryScores
    category_applied_input_types: ModerationCategoryAppliedInputTypes


class TextModerationResult(Wire):
    """What was found in one text, as the models text-moderation-* told it."""

    flagged: bool
    categories: TextModerationCategories
    category_scores: TextModerationCategoryScores


class CreateModerationResponse(Wire):
    """What was found, in the order of the inputs."""

    id: str
    model: str
    results: list[ModerationResult]


class CreateTextModerationResponse(Wire):
    """What was found, in the order of the inputs, as the models text-moderation-* told it."""

    id: str
    model: str
    results: list[TextModerationResult]
