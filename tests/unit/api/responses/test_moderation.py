"""The request's `moderation`: both sides are scored, and held back where the policy says block."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from responding import LookTool, Story, called, planned, said, told
from smalt.api.moderating import ModerationBlocked, Moderator
from smalt.core.errors import EngineFailed
from smalt.core.settings import DeploymentSettings, Settings
from smalt.engines.protocols import ChatDelta
from smalt.models import Models
from smalt.schemas.vocabulary import check_answer
from smalt.tools.protocols import Outcome

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(16)
GRAVE = "[[moderate violence=0.99]]"


@pytest.fixture
async def moderator(tmp_path: Path) -> AsyncGenerator[Moderator]:
    deployments = {
        "judge": DeploymentSettings(engine="echo", abilities=["moderation"], model="judge-1"),
        "eyes": DeploymentSettings(engine="echo", abilities=["image_moderation"]),
        "broken": DeploymentSettings(engine="echo", abilities=["moderation"], options={"fail_after": 0}),
    }
    models = Models(Settings(data_dir=tmp_path, starter=False, deployments=deployments))
    yield Moderator(models, "eyes")
    await models.close()


def wish(model: str = "judge", **modes: str) -> dict[str, Any]:
    return {"model": model, "policy": {side: {"mode": mode} for side, mode in modes.items()}}


def flags(story: Story) -> dict[str, bool]:
    check_answer("AzureResponse", story.response)
    return {side: result["flagged"] for side, result in story.response["moderation"].items()}


async def test_both_sides_are_scored(moderator: Moderator):
    plan = planned(moderator=moderator, input=f"Hello {GRAVE}", moderation={"model": "judge"})
    story = await told(plan, said("Good day to you"))
    assert story.events[0]["response"]["moderation"] is None
    assert flags(story) == {"input": True, "output": False}
    result = story.response["moderation"]["input"]
    assert (result["type"], result["model"], result["category_scores"]["violence"]) == (
        "moderation_result",
        "judge-1",
        0.99,
    )
    assert result["category_applied_input_types"]["violence"] == ["text"]
    assert story.text == "Good day to you"


async def test_pictures_are_scored_with_the_words_beside_them(moderator: Moderator):
    marked = b64encode(PICTURE + b"[[moderate sexual=0.9]]").decode()
    parts = [
        {"type": "input_text", "text": GRAVE},
        {"type": "input_image", "image_url": f"data:image/png;base64,{marked}"},
    ]
    plan = planned(moderator=moderator, input=[{"role": "user", "content": parts}], moderation={"model": "judge"})
    found = (await told(plan, said("Good day"))).response["moderation"]["input"]
    assert {name for name, flagged in found["categories"].items() if flagged} == {"sexual", "violence"}
    assert found["category_applied_input_types"]["sexual"] == ["text", "image"]


async def test_what_is_only_scored_is_answered_and_not_asked_of_the_engine(moderator: Moderator):
    plan = planned(moderator=moderator, moderation=wish(input="score", output="score"))
    story = await told(plan, said(f"So {GRAVE}"))
    assert flags(story) == {"input": False, "output": True}
    assert story.response["status"] == "completed"
    assert story.engine.asked[0].moderation is None


async def test_a_flagged_input_is_refused_if_that_is_asked_for(moderator: Moderator):
    plan = planned(moderator=moderator, input=GRAVE, moderation=wish(input="block"))
    with pytest.raises(ModerationBlocked) as refusal:
        await told(plan, said("never"))
    assert (refusal.value.status, refusal.value.param) == (400, "input")
    assert "violence" in refusal.value.message


async def test_a_flagged_answer_is_never_shown_if_that_is_asked_for(moderator: Moderator):
    plan = planned(moderator=moderator, moderation=wish(output="block"))
    story = await told(plan, [ChatDelta(reasoning_content="Hm"), *said(f"Here it is {GRAVE}")])
    assert flags(story) == {"input": False, "output": True}
    assert story.response["output"] == []
    assert (story.response["status"], story.response["incomplete_details"]) == (
        "incomplete",
        {"reason": "content_filter"},
    )
    assert "Here" not in str(story.events)
    assert story.response["usage"]["output_tokens"] == 5


async def test_an_answer_that_is_not_flagged_is_shown_whole(moderator: Moderator):
    story = await told(planned(moderator=moderator, moderation=wish(output="block")), said("Good day"))
    assert (story.text, story.response["status"]) == ("Good day", "completed")
    assert flags(story) == {"input": False, "output": False}


async def test_a_flagged_call_is_not_made_if_that_is_asked_for(moderator: Moderator):
    tool = LookTool(Outcome)
    plan = planned([tool], moderator=moderator, moderation=wish(output="block"))
    story = await told(plan, called(("look", GRAVE)), said("never"))
    assert not tool.looked
    assert flags(story)["output"]


async def test_a_failure_is_told_where_nothing_hangs_on_it(moderator: Moderator):
    story = await told(planned(moderator=moderator, moderation={"model": "broken"}), said("Good day"))
    check_answer("AzureResponse", story.response)
    assert [side["type"] for side in story.response["moderation"].values()] == ["error", "error"]
    assert story.text == "Good day"


async def test_nothing_that_must_be_judged_leaves_unjudged(moderator: Moderator):
    with pytest.raises(EngineFailed):
        await told(planned(moderator=moderator, moderation=wish("broken", input="block")), said("never"))
    with pytest.raises(EngineFailed):
        await told(planned(moderator=moderator, moderation=wish("broken", output="block")), said("never"))


async def test_in_the_background_a_refused_input_fails_the_response(moderator: Moderator):
    plan = planned(moderator=moderator, input=GRAVE, background=True, moderation=wish(input="block"))
    story = await told(plan, said("never"))
    assert story.types == ["created", "queued", "in_progress", "error", "failed"]
    assert (story.events[3]["code"], story.response["error"]["code"]) == ("moderation_blocked", "invalid_prompt")
    check_answer("AzureResponse", story.response)
