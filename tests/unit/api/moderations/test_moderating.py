"""Scores become flags, and the shapes that answers have."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smalt.api.moderating import (
    CATEGORIES,
    SEEN_IN_PICTURES,
    ModerationBlocked,
    Moderator,
    flag_threshold,
    flagged_categories,
    merged,
)
from smalt.core.errors import EngineFailed, InvalidRequest, ModelNotFound, NotInstalled
from smalt.engines.protocols import Deployment, ImageModerationEngine
from smalt.schemas.vocabulary import check_answer

LOUD = {"violence": 1.0, "harassment": 0.999}


class Told:
    """Models that score as they are told; the texts and pictures that they were asked about are kept."""

    def __init__(self, texts: Mapping[str, Any] | Exception, pictures: Mapping[str, float] | None = None) -> None:
        self.texts = texts
        self.pictures = pictures
        self.asked: list[str] = []

    def find(self, name: str) -> Deployment:
        name = self.aliases().get(name, name)
        if name not in {"judge", "judge-2", "chat"}:
            raise ModelNotFound(f"The model '{name}' does not exist.")
        abilities = {
            "judge": {"moderation"},
            "judge-2": {"moderation", "image_moderation"},
            "chat": {"chat_completion"},
        }
        return Deployment(name, "told", f"{name}-model", frozenset(abilities[name]))

    def deployments(self) -> list[Deployment]:
        return [self.find(name) for name in ("judge", "chat")]

    def aliases(self) -> dict[str, str]:
        return {"omni-moderation-latest": "judge"}

    @asynccontextmanager
    async def lease(self, name: str, ability: type) -> AsyncIterator[Any]:
        self.asked.append(name)
        if ability is ImageModerationEngine and self.pictures is None:
            raise ModelNotFound("There is none.")
        yield self

    async def moderate(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        if isinstance(self.texts, Exception):
            raise self.texts
        return [self.texts.get(text, {}) for text in texts]

    async def moderate_images(self, images: Sequence[bytes]) -> list[Mapping[str, float]]:
        return [self.pictures or {} for _ in images]


def moderator(told: Told) -> Moderator:
    return Moderator(told, "eyes")  # pyright: ignore[reportArgumentType] - all that a moderator asks of models


def test_every_category_has_a_score_and_a_flag_at_its_threshold() -> None:
    judgement = merged("judge", [{name: flag_threshold(name) for name in CATEGORIES[::2]}], ())
    assert [name for name, flag in judgement.categories.items() if flag] == list(CATEGORIES[::2])
    assert set(judgement.scores) == set(CATEGORIES)
    assert judgement.facts()["flagged"]


def test_what_no_model_knows_scores_nothing_and_is_not_flagged() -> None:
    facts = merged("judge", [{"jailbreak": 1.0, "profanity": 1.0}], ()).facts()
    assert set(facts["category_scores"].values()) == {0.0}
    assert not facts["flagged"]


def test_together_the_highest_score_counts_and_both_kinds_of_input_are_told() -> None:
    judgement = merged("judge", [{"violence": 0.2}, {"violence": 0.4, "hate": 0.3}], [{"violence": 0.3, "sexual": 0.1}])
    assert (judgement.scores["violence"], judgement.scores["hate"], judgement.scores["sexual"]) == (0.4, 0.3, 0.1)
    assert judgement.input_types["violence"] == ("text", "image")
    assert judgement.input_types["hate"] == ("text",)
    assert judgement.input_types["self-harm"] == ("text",)


def test_a_picture_alone_says_nothing_of_categories_that_only_words_have() -> None:
    judgement = merged("judge", (), [dict.fromkeys(CATEGORIES, 0.9)])
    assert {name for name, types in judgement.input_types.items() if types} == SEEN_IN_PICTURES
    assert judgement.scores["hate"] == 0.0
    assert judgement.scores["violence"] == 0.9


async def test_a_side_of_a_chat_completion_has_a_result_for_every_text() -> None:
    outcome = await moderator(Told({"loud": LOUD})).outcome("omni-moderation-latest", ["calm", "loud"])
    check_answer("ChatCompletionModerationResults", outcome)
    assert outcome["model"] == "omni-moderation-latest"
    assert [result["flagged"] for result in outcome["results"]] == [False, True]
    assert flagged_categories(outcome) == ["harassment", "violence"]


async def test_a_side_of_a_response_has_one_result_for_all_texts() -> None:
    result = await moderator(Told({"loud": LOUD})).result("judge", ["calm", "loud"])
    check_answer("ModerationResultBody", result)
    assert (result["model"], result["flagged"]) == ("judge-model", True)
    assert flagged_categories(result) == ["harassment", "violence"]


async def test_a_failure_is_told_in_place_of_results() -> None:
    told = moderator(Told(EngineFailed("It broke.", code="broken")))
    failure = {"type": "error", "code": "broken", "message": "It broke."}
    assert await told.outcome("judge", ["a"]) == await told.result("judge", ["a"]) == failure
    check_answer("ChatCompletionModerationError", failure)
    assert flagged_categories(failure) == []


def test_a_model_that_does_not_moderate_is_refused_before_anything_runs() -> None:
    told = moderator(Told({}))
    told.check("omni-moderation-latest")
    with pytest.raises(InvalidRequest, match="Choose one of: judge") as refusal:
        told.check("chat")
    assert refusal.value.param == "moderation.model"
    with pytest.raises(ModelNotFound) as refusal:
        told.check("nobody", param="model")
    assert refusal.value.param == "model"


async def test_pictures_are_seen_by_the_model_itself_or_by_that_of_the_settings() -> None:
    told = Told({}, pictures={"sexual": 1.0})
    assert (await moderator(told).judge_together("judge", [], [b"picture"])).facts()["flagged"]
    assert (await moderator(told).judge_together("judge-2", [], [b"picture"])).facts()["flagged"]
    assert told.asked == ["eyes", "judge-2"]


async def test_where_nothing_judges_pictures_the_setting_is_named() -> None:
    with pytest.raises(NotInstalled, match=r"content_filter\.image_model"):
        await moderator(Told({})).judge_together("judge", ["a"], [b"picture"])


async def test_a_blocked_input_names_what_is_flagged() -> None:
    result = await moderator(Told({"loud": LOUD})).result("judge", ["loud"])
    blocked = ModerationBlocked(result, param="input")
    assert (blocked.status, blocked.code, blocked.param) == (400, "moderation_blocked", "input")
    assert "harassment, violence" in blocked.message
