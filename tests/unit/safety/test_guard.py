"""A guard judges beside the moderation model, and neither hides what the other finds."""

from contextlib import asynccontextmanager

import pytest

from smalt.core.content_filter_settings import ContentFilterSettings, ContentPolicySettings
from smalt.core.errors import EngineFailed, InvalidRequest, NotInstalled, Unavailable
from smalt.engines.protocols import ChatDelta, Deployment
from smalt.safety.guard import PIECE, Guard, NoVerdict, read_verdict
from smalt.safety.judging import Answer, Judge
from smalt.safety.policies import Policies
from smalt.safety.prompts import Prompt, Said
from smalt.safety.scoring import Scorer

CONTEXT = 2 * PIECE
"""Characters that the guard of these tests reads."""


class Engine:
    """Scores violence where a text has `kill`; guards as a text says."""

    def __init__(self):
        self.asked = []
        self.is_there = True

    async def moderate(self, texts):
        return [{"violence": 0.99 if "kill" in text else 0.01} for text in texts]

    async def chat(self, body):
        self.asked.append([(message.role, message.content) for message in body.messages])
        if not self.is_there:
            raise NotInstalled("its weights are missing")
        if sum(len(message.content) for message in body.messages) > CONTEXT:
            raise InvalidRequest("The prompt is longer than the context.")
        said = self.asked[-1][-1][1]
        verdict = ("I am sorry.",) if "odd" in said else ("uns", "afe\n", "S10") if "bad" in said else ("\n\nsafe",)
        for piece in verdict:
            yield ChatDelta(content=piece)


class Lender:
    """Lends one engine under every name."""

    def __init__(self):
        self.engine = Engine()

    @asynccontextmanager
    async def lease(self, name, ability):
        del name, ability
        yield self.engine


class NoMaterial:
    """Protected material of which there is none."""

    async def results(self, texts, wanted):
        del texts, wanted
        return {}


@pytest.fixture
def models():
    return Lender()


@pytest.fixture
def policy():
    settings = ContentFilterSettings(policies={"mine": ContentPolicySettings()})
    deployment = Deployment("chat", "echo", "chat", frozenset(), {}, {}, content_filter="mine")
    return Policies(settings).of(deployment, is_azure=True)


@pytest.fixture
def judged(models, policy):
    async def judged(*texts, passes=True):
        scorer = Scorer(models, model="judge", image_model=None)
        judge = Judge(scorer, Guard(models, "guard"), blocklists=None, protected=NoMaterial(), passes=passes)
        return await judge.prompt(Prompt(tuple(Said(text, "user") for text in texts)), policy)

    return judged


async def test_both_are_asked_and_the_worse_counts(models, policy, judged):
    found = await judged("bad kill")
    assert (found["hate"]["severity"], found["violence"]["severity"]) == ("high", "high")
    assert (await judged("good"))["hate"] == {"filtered": False, "severity": "safe"}
    judge = Judge(
        Scorer(models, model="judge", image_model=None), Guard(models, "guard"), None, NoMaterial(), passes=True
    )
    answer = Answer(["bad"], [], ["bad"], "bad", question="why?", documents=(), is_last=True)
    assert (await judge.answer(answer, policy))["hate"]["filtered"] is True
    assert models.engine.asked == [
        [("user", "bad kill")],
        [("user", "good")],
        [("user", "why?"), ("assistant", "bad")],
    ]


async def test_a_guard_without_a_verdict_hides_nothing(judged):
    found = await judged("odd kill", "bad")
    assert found["violence"] == {"filtered": True, "severity": "high"}
    assert found["hate"] == {"filtered": True, "severity": "high"}
    assert "neither safe nor unsafe" in found["error"]["message"]


async def test_a_guard_that_is_not_there_hides_nothing_and_is_asked_once(models, judged):
    models.engine.is_there = False
    found = await judged("kill", "good", "fine")
    assert found["violence"] == {"filtered": True, "severity": "high"}
    assert "weights are missing" in found["error"]["message"]
    assert len(models.engine.asked) == 1
    with pytest.raises(Unavailable, match="weights are missing"):
        await judged("good", passes=False)


async def test_a_long_text_is_shown_to_the_guard_in_pieces(models, judged):
    found = await judged("padding " * PIECE + "bad " + "padding " * PIECE)
    assert found["hate"]["severity"] == "high"
    assert "error" not in found
    assert all(len(asked[-1][1]) <= PIECE for asked in models.engine.asked)


async def test_the_end_of_a_long_question_is_shown_with_the_answer(models):
    guard = Guard(models, "guard")
    assert await guard.scores("bad", "x" * 2 * PIECE + " why?") == {"hate": 1.0}
    ((question, answer),) = models.engine.asked
    assert question[1].endswith("x why?")
    assert answer == ("assistant", "bad")


async def test_what_was_guarded_before_is_not_asked_again(models):
    guard = Guard(models, "guard")
    for _ in range(2):
        assert await guard.scores("bad") == {"hate": 1.0}
        assert await guard.scores("bad", "why?") == {"hate": 1.0}
    assert len(models.engine.asked) == 2


@pytest.mark.parametrize(
    ("said", "scores"),
    [
        ("safe", {}),
        ("\n\nSafe\n", {}),
        ("unsafe\nS11", {"self-harm": 1.0}),
        ("unsafe\nS4", {"sexual/minors": 1.0, "sexual": 1.0}),
        ("unsafe\nS1,S10", {"violence": 1.0, "illicit/violent": 1.0, "hate": 1.0}),
        ("unsafe\nS5,S8", {}),
    ],
)
def test_a_verdict_becomes_scores(said, scores):
    assert read_verdict(said) == scores


@pytest.mark.parametrize("said", ["", "I think that it is fine", "safety first"])
def test_what_is_no_verdict_is_a_failure(said):
    assert issubclass(NoVerdict, EngineFailed)
    with pytest.raises(NoVerdict, match="guard model"):
        read_verdict(said)
