"""Makes pictures for a model, through an engine that makes images; refused where no deployment has one."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from smalt.core.errors import ApiError, InvalidRequest
from smalt.engines.protocols import Deployment
from smalt.tools.arguments import read_arguments, words_of
from smalt.tools.conversation import last_question
from smalt.tools.protocols import Json, Outcome, Output, OutputItem, ToolFunction

T = TypeVar("T")

ABILITY = "image_generation"
SHOWN = ("background", "output_format", "quality", "size")
"""Options that partial images and the finished item tell."""
NOT_OPTIONS = ("type", "model", "partial_images")
LONGEST_PROMPT = 4000
FUNCTION = ToolFunction(
    ABILITY,
    "Make a picture. The user sees it; say what it shows in the prompt.",
    {
        "type": "object",
        "properties": {"prompt": {"type": "string", "description": "What the picture shows, and its style."}},
        "required": ["prompt"],
        "additionalProperties": False,
    },
    strict=True,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in base64, still unfinished or not; `options` are those really used."""

    base64: str
    options: Json
    is_partial: bool = False


class ImageEngine(Protocol):
    """Makes a picture of words."""

    def paint(self, prompt: str, options: Json, partial_images: int) -> AsyncGenerator[Picture]:
        """At most so many unfinished pictures, then the picture; raises `UnsupportedParameter` by the option's name."""
        ...


class Lender(Protocol):
    """Knows deployments and lends their engines; `smalt.models.Models` does."""

    def deployments(self) -> Sequence[Deployment]:
        """Every deployment."""
        ...

    def find(self, name: str) -> Deployment:
        """The deployment behind a name or alias; raises `ModelNotFound`."""
        ...

    def lease(self, name: str, ability: type[T]) -> AbstractAsyncContextManager[T]:
        """Lend the engine of a deployment for a while."""
        ...


class ImageGeneration:
    """The tool `image_generation` of one request."""

    def __init__(self, models: Lender, tool: Json) -> None:
        self.models = models
        self.deployment = _painter(models, tool.get("model"))
        self.options = {name: tool[name] for name in tool if name not in NOT_OPTIONS and tool[name] is not None}
        self.partial_images = int(tool.get("partial_images") or 0)
        self._question = ""

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Remember what was asked for."""
        del output
        self._question = last_question(items)

    def functions(self) -> Sequence[ToolFunction]:
        """The one function."""
        return [FUNCTION]

    def begin(self, function: str, output: Output) -> "ImageGenerationCall":
        """Begin a call and its item."""
        del function
        begun = output.begin("ig_", {"type": "image_generation_call", "status": "in_progress", "result": None})
        begun.emit("response.image_generation_call.in_progress")
        return ImageGenerationCall(self, begun)

    async def close(self) -> None:
        """Nothing to let go of."""

    def prompt(self, arguments: Json) -> str:
        """What is to be painted; the user's own words when the model wrote none."""
        return (words_of(arguments.get("prompt")) or self._question)[:LONGEST_PROMPT]


class ImageGenerationCall:
    """One call."""

    def __init__(self, tool: ImageGeneration, item: OutputItem) -> None:
        self.item: OutputItem | None = item
        self._begun = item
        self._tool = tool
        self._arguments = ""
        self._partial = 0

    def add(self, arguments: str) -> None:
        """Take more of the arguments."""
        self._arguments += arguments

    async def run(self) -> Outcome:
        """Make the picture; an engine that fails is an outcome."""
        prompt = self._tool.prompt(read_arguments(self._arguments))
        self._begun.emit("response.image_generation_call.generating")
        try:
            picture = await self._painted(prompt)
        except ApiError as error:
            return Outcome(f"The picture could not be made: {error.message}", {"status": "failed", "result": None})
        if picture is None:
            return Outcome("No picture was made.", {"status": "failed", "result": None})
        self._begun.emit("response.image_generation_call.completed")
        item = {"status": "completed", "result": picture.base64, "revised_prompt": prompt, **_shown(picture)}
        return Outcome("The picture was made, and the user sees it. Do not make it again.", item)

    async def _painted(self, prompt: str) -> Picture | None:
        """The finished picture; unfinished ones are events."""
        tool = self._tool
        finished: Picture | None = None
        async with (
            tool.models.lease(tool.deployment, ImageEngine) as engine,
            aclosing(engine.paint(prompt, tool.options, tool.partial_images)) as pictures,
        ):
            async for picture in pictures:
                if picture.is_partial:
                    self._show(picture)
                else:
                    finished = picture
        return finished

    def _show(self, picture: Picture) -> None:
        self._begun.emit(
            "response.image_generation_call.partial_image",
            partial_image_index=self._partial,
            partial_image_b64=picture.base64,
            **_shown(picture),
        )
        self._partial += 1


def _shown(picture: Picture) -> Json:
    return {name: picture.options[name] for name in SHOWN if picture.options.get(name) is not None}


def _painter(models: Lender, wanted: str | None) -> str:
    """The deployment that makes images: the one that the tool names, or else the first."""
    able = [one.name for one in models.deployments() if ABILITY in one.abilities]
    named = able[:1] if wanted is None else [models.find(wanted).name] if able else []
    if named and named[0] in able:
        return named[0]
    advice = f"Name one of: {', '.join(able)}." if able else "This server has none; leave the tool out."
    raise InvalidRequest(
        f"The tool '{ABILITY}' needs a model that makes images. {advice}",
        param="tools",
        code="image_generation_not_available",
    )
