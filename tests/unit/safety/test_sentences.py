"""Sentences are judged by themselves too, once each, so that harmless ones around a harmful one do not hide it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smalt.core.content_filter_settings import ContentFilterSettings, ContentPolicySettings, PromptPolicySettings
from smalt.engines.protocols import ChatDelta, Deployment
from smalt.safety.checking import PolicyChecks
from smalt.safety.judging import Judge
from smalt.safety.policies import Policies, Policy
from smalt.safety.prompts import Prompt, Said
from smalt.safety.scoring import Scorer
from smalt.safety.sentences import next_sentences, sentences_of
from smalt.safety.transcripts import Transcript

LIBRARY = "The library opens at nine and closes at four. Books are lent for six weeks to everybody. "
THREAT = "They will come and kill you all."
CAREFUL = PromptPolicySettings(jailbreak="off")


class Diluting:
    """Finds violence in a text of one sentence, and overlooks it beside others."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.beside = 0.01

    async def moderate(self, texts: Sequence[str]) -> list[dict[str, float]]:
        self.seen += texts
        return [{"violence": 0.99 if "kill" in text and len(text) < 2 * len(THREAT) else self.beside} for text in texts]

    @asynccontextmanager
    async def lease(self, name: str, ability: Any) -> AsyncIterator["Diluting"]:
        del name, ability
        yield self


class NoMaterial:
    """Protected material of which there is none."""

    async def results(self, texts: Sequence[str], wanted: Any) -> dict[str, Any]:
        del texts, wanted
        return {}


@pytest.fixture
def model() -> Diluting:
    return Diluting()


@pytest.fixture
def policy() -> Policy:
    settings = ContentFilterSettings(policies={"mine": ContentPolicySettings(prompts=CAREFUL)})
    deployment = Deployment("chat", "echo", "chat", frozenset(), {}, {}, content_filter="mine")
    found = Policies(settings).of(deployment, is_azure=True)
    assert found is not None
    return found


@pytest.fixture
def judge(model: Any) -> Judge:
    lists: Any = None
    return Judge(Scorer(model, model="judge", image_model=None), None, lists, NoMaterial(), passes=True)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("Short. Yes.", ["Short. Yes."]),
        ("A short one at the end is by itself. Go now.", ["A short one at the end is by itself.", "Go now."]),
        ("A sentence without an end of its own", ["A sentence without an end of its own"]),
        (LIBRARY, [one + "." for one in LIBRARY.strip().removesuffix(".").split(". ")]),
        (
            'He said: "Leave the house!" Then he went back to bed.',
            ['He said: "Leave the house!"', "Then he went back to bed."],
        ),
        ("Version 3.11 of the thing was released today", ["Version 3.11 of the thing was released today"]),
        (
            "A heading of this document\nand a line that follows it",
            ["A heading of this document", "and a line that follows it"],
        ),
        ("No. It is not as you say, my friend.", ["No. It is not as you say, my friend."]),
    ],
)
def test_sentences_and_lines_are_cut_and_short_ones_go_with_the_next(text: str, sentences: list[str]):
    assert sentences_of(text) == sentences


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["." * 1_000_000 + "x", "\n" * 1_000_000 + "x" * 30, "x" * 30 + " \n" * 1_000_000],
    ids=["dots", "lines first", "lines last"],
)
def test_marks_and_lines_without_end_are_cut_in_linear_time(text: str):
    assert sentences_of(text) == [text.strip()]


def test_a_sentence_is_told_once_it_has_ended():
    text = "It costs 3.50 euros to get in there. And then you may stay as long as you like"
    assert next_sentences(text[:12], 0, is_whole=False) == ([], 0)
    (first,), start = next_sentences(text, 0, is_whole=False)
    assert first == "It costs 3.50 euros to get in there."
    assert next_sentences(text, start, is_whole=False) == ([], start)
    assert next_sentences(text, start, is_whole=True) == (["And then you may stay as long as you like"], len(text))


def test_every_part_of_an_answer_tells_its_sentences_once():
    transcript = Transcript()
    transcript.add([ChatDelta(reasoning_content="I think about the library now. Then I ")])
    assert transcript.sentences(is_last=False) == ["I think about the library now."]
    transcript.add(
        [ChatDelta(reasoning_content="tell the man when it opens."), ChatDelta(content="The library opens at")]
    )
    assert transcript.sentences(is_last=False) == []
    transcript.add([ChatDelta(content=" nine every day")])
    assert transcript.sentences(is_last=True) == [
        "Then I tell the man when it opens.",
        "The library opens at nine every day",
    ]
    assert transcript.sentences(is_last=True) == []


async def test_a_harmful_sentence_of_a_user_is_found_among_harmless_ones(judge: Judge, policy: Policy, model: Diluting):
    text = LIBRARY * 3 + THREAT + " " + LIBRARY
    found = await judge.prompt(Prompt((Said(text, "user"),)), policy)
    assert found["violence"] == {"filtered": True, "severity": "high"}
    assert len(model.seen) == len(set(model.seen))
    found = await judge.prompt(Prompt((Said(LIBRARY, "user"),)), policy)
    assert found["violence"] == {"filtered": False, "severity": "safe"}


async def test_what_is_one_sentence_is_judged_once(judge: Judge, policy: Policy, model: Diluting):
    await judge.prompt(Prompt((Said(f" {THREAT}\n", "user"),)), policy)
    assert model.seen == [f" {THREAT}\n"]


@pytest.mark.parametrize(("beside", "sentences"), [(0.001, 0), (0.01, 3)])
async def test_the_sentences_of_a_short_text_are_judged_where_the_whole_is_suspect(
    judge: Judge, policy: Policy, model: Diluting, beside: float, sentences: int
):
    model.beside = beside
    text = LIBRARY + THREAT
    found = await judge.prompt(Prompt((Said(text, "user"),)), policy)
    assert found["violence"]["filtered"] is bool(sentences)
    assert model.seen == [text, *sentences_of(text)[:sentences]]
    model.seen.clear()
    answer = PolicyChecks(policy, judge, tells=True, delivery="whole")
    ended = [event async for event in answer.watch(said(LIBRARY.upper() + THREAT))][-1]
    assert (ended.finish_reason == "content_filter") is bool(sentences)


async def said(text: str) -> AsyncIterator[ChatDelta]:
    yield ChatDelta(content=text)
    yield ChatDelta(finish_reason="stop")


@pytest.mark.parametrize(
    "said",
    [
        [ChatDelta(content=LIBRARY * 4 + THREAT)],
        [ChatDelta(reasoning_content=LIBRARY * 4 + THREAT), ChatDelta(content="The answer is yes")],
    ],
)
async def test_the_last_sentence_of_a_stream_is_judged_though_nothing_or_another_part_follows(
    judge: Judge, policy: Policy, model: Diluting, said: list[ChatDelta]
):
    """The stretch with its end left before it was known that the sentence was over."""
    model.beside = 0.001
    checks = PolicyChecks(policy, judge, tells=True, delivery="streamed")

    async def told() -> AsyncIterator[Any]:
        for delta in said:
            yield delta
        yield ChatDelta(finish_reason="stop")

    events = [event async for event in checks.watch(told())]
    assert events[-1].finish_reason == "content_filter"
    assert events[-1].judged["violence"]["severity"] == "high"
    assert THREAT in model.seen


async def test_a_last_sentence_that_is_harmless_adds_no_results_to_the_end(judge: Judge, policy: Policy):
    checks = PolicyChecks(policy, judge, tells=True, delivery="streamed")

    async def told() -> AsyncIterator[Any]:
        yield ChatDelta(content=LIBRARY * 4 + "All is well in here today.")
        yield ChatDelta(finish_reason="stop")

    events = [event async for event in checks.watch(told())]
    assert [event.judged is None for event in events] == [False, True]
    assert events[-1].finish_reason == "stop"


@pytest.mark.parametrize("delivery", ["streamed", "whole"])
async def test_a_harmful_sentence_of_an_answer_ends_it(judge: Judge, policy: Policy, delivery: Any):
    checks = PolicyChecks(policy, judge, tells=True, delivery=delivery)

    async def told() -> AsyncIterator[Any]:
        for word in (LIBRARY * 4 + THREAT + " " + LIBRARY * 8).split(" "):
            yield ChatDelta(content=word + " ")
        yield ChatDelta(finish_reason="stop")

    events = [event async for event in checks.watch(told())]
    assert events[-1].finish_reason == "content_filter"
    assert events[-1].judged["violence"]["severity"] == "high"
    said = "".join(event.content or "" for event in events)
    assert "kill you all" not in said
    assert (LIBRARY in said) == (delivery == "streamed")
