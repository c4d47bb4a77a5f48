"""What a moderation model says of texts and pictures: scores made into flags, for the endpoint and for answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from smalt.core.errors import ApiError, InvalidRequest, ModelNotFound, NotInstalled
from smalt.engines.protocols import ImageModerationEngine, ModerationEngine, Scores
from smalt.models import Models
from smalt.safety.thresholds import HALF, thresholds

InputType = Literal["text", "image"]

CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "sexual",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm/intent",
    "self-harm/instructions",
    "self-harm",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""OpenAI's categories, in its order."""

SEEN_IN_PICTURES: Final = frozenset(
    {"sexual", "self-harm", "self-harm/intent", "self-harm/instructions", "violence", "violence/graphic"}
)
"""The categories that OpenAI's document lets pictures have."""


class ModerationBlocked(InvalidRequest):
    """The request asked for its input to be refused when it is flagged, and it is (400)."""

    default_code = "moderation_blocked"

    def __init__(self, outcome: Mapping[str, Any], *, param: str) -> None:
        super().__init__(
            f"The input was flagged ({', '.join(flagged_categories(outcome))}), and moderation.policy.input asks for "
            "it to be blocked then. Change the input, or ask for the mode score.",
            param=param,
        )


@dataclass(frozen=True)
class Judgement:
    """What a model found in one input; `input_types` has the kinds of input that each score rests on."""

    model: str
    scores: Mapping[str, float]
    input_types: Mapping[str, Sequence[InputType]]

    @property
    def categories(self) -> dict[str, bool]:
        """Every category, and whether it is flagged."""
        return {name: score >= flag_threshold(name) for name, score in self.scores.items()}

    def facts(self) -> dict[str, Any]:
        """What every shape of a result has."""
        return {
            "flagged": any(self.categories.values()),
            "categories": self.categories,
            "category_scores": dict(self.scores),
            "category_applied_input_types": {name: list(types) for name, types in self.input_types.items()},
        }

    def body(self) -> dict[str, Any]:
        """The reference's `ModerationResultBody`."""
        return {"type": "moderation_result", "model": self.model, **self.facts()}


class Moderator:
    """Asks moderation models, by the names that requests give them."""

    def __init__(self, models: Models, image_model: str) -> None:
        self._models = models
        self._image_model = image_model

    def check(self, model: str, *, param: str = "moderation.model") -> None:
        """Raise `InvalidRequest` or `ModelNotFound` for what is no moderation model here, before anything else runs."""
        try:
            deployment = self._models.find(model)
        except ModelNotFound as error:
            raise ModelNotFound(error.message, param=param) from error
        # One without any lacks its packages, which whoever leases it is told.
        if deployment.abilities and "moderation" not in deployment.abilities:
            raise InvalidRequest(
                f"The moderation operation does not work with the specified model, {model}. {self._offer()}",
                param=param,
                code="OperationNotSupported",
            )

    async def judge(self, model: str, texts: Sequence[str]) -> list[Judgement]:
        """What the model says of each text."""
        name = self.shown_name(model)
        async with self._models.lease(model, ModerationEngine) as engine:
            return [merged(name, [scores], ()) for scores in await engine.moderate(texts)]

    async def judge_together(self, model: str, texts: Sequence[str], images: Sequence[bytes] = ()) -> Judgement:
        """What models say of texts and pictures as one input: the highest score of each category."""
        read: Sequence[Scores] = ()
        if texts:
            async with self._models.lease(model, ModerationEngine) as engine:
                read = await engine.moderate(texts)
        seen = await self._see(model, images) if images else ()
        return merged(self.shown_name(model), read, seen)

    async def outcome(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """One side of a chat completion's `moderation`: a result for every text, or what went wrong."""
        try:
            judgements = await self.judge(model, texts)
        except ApiError as error:
            return failure(error)
        results = [judgement.body() for judgement in judgements]
        return {"type": "moderation_results", "model": self.shown_name(model), "results": results}

    async def result(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """One side of a response's `moderation`: one result for all the texts, or what went wrong."""
        try:
            return (await self.judge_together(model, texts)).body()
        except ApiError as error:
            return failure(error)

    def shown_name(self, model: str) -> str:
        """The name that results carry: an alias as it was asked for, else the deployment's own model."""
        return model if model in self._models.aliases() else self._models.find(model).model

    async def _see(self, model: str, images: Sequence[bytes]) -> Sequence[Scores]:
        """What the model itself says of pictures, or the one of the settings where it has no eyes."""
        has_eyes = "image_moderation" in self._models.find(model).abilities
        try:
            async with self._models.lease(model if has_eyes else self._image_model, ImageModerationEngine) as engine:
                return await engine.moderate_images(images)
        except ModelNotFound as error:
            raise NotInstalled(
                f"No model here judges pictures: content_filter.image_model names '{self._image_model}', which does "
                "not exist. Name a deployment with the ability image_moderation there, or set starter = true."
            ) from error

    def _offer(self) -> str:
        able = [one.name for one in self._models.deployments() if "moderation" in one.abilities]
        return f"Choose one of: {', '.join(able)}." if able else "No model here can do it."


def flagged_categories(outcome: Mapping[str, Any]) -> list[str]:
    """What is flagged in what `Moderator.outcome` or `Moderator.result` says; nothing in a failure."""
    results: Iterable[Mapping[str, Any]] = outcome.get("results", [outcome])
    flags: list[Mapping[str, bool]] = [result.get("categories", {}) for result in results]
    return [name for name in CATEGORIES if any(flag.get(name) for flag in flags)]


def merged(model: str, read: Sequence[Scores], seen: Sequence[Scores]) -> Judgement:
    """One judgement of texts and pictures: the highest score of each category, and where it may come from."""
    pictured = [{name: score for name, score in scores.items() if name in SEEN_IN_PICTURES} for scores in seen]
    scores = {name: max((one.get(name, 0.0) for one in (*read, *pictured)), default=0.0) for name in CATEGORIES}
    types = {name: _types(name, is_read=bool(read), pictured=pictured) for name in CATEGORIES}
    return Judgement(model, scores, types)


def failure(error: ApiError) -> dict[str, Any]:
    """The reference's `ModerationErrorBody`."""
    return {"type": "error", "code": error.code or error.type, "message": error.message}


def flag_threshold(category: str) -> float:
    """From which score on a category is flagged."""
    return thresholds().get(category, {}).get("flag", HALF)


def _types(name: str, *, is_read: bool, pictured: Sequence[Scores]) -> tuple[InputType, ...]:
    kinds: tuple[tuple[InputType, bool], ...] = (("text", is_read), ("image", any(name in one for one in pictured)))
    return tuple(kind for kind, applies in kinds if applies)
