"""What every engine that judges texts or pictures keeps, whichever model it runs."""

import asyncio
from typing import ClassVar

import pytest

from pictures import encoded, photo, plain
from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import ImageModerationEngine, ModerationEngine, Scores

CATEGORIES = {
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
    *("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors"),
    *("violence", "violence/graphic"),
}
SEEN = {"sexual", "violence", "violence/graphic", "self-harm", "self-harm/intent", "self-harm/instructions"}
DETECTED = {"jailbreak", "indirect_attack", "profanity"}

HARMLESS = "The recipe asks for two eggs, some flour and a pinch of salt."


def close(one: Scores, other: Scores) -> bool:
    return one.keys() == other.keys() and all(abs(one[name] - other[name]) < 0.01 for name in one)


class ModerationEngineSuite:
    """What every `ModerationEngine` keeps."""

    stands_out: ClassVar[float] = 0.2
    """How much a harmful sentence adds among many harmless ones."""

    violent: str = "I will beat him until he bleeds and then I will kill him."

    @pytest.fixture
    def engine(self) -> ModerationEngine:
        raise NotImplementedError

    async def test_every_text_has_probabilities_by_openais_categories(self, engine: ModerationEngine):
        judged = await engine.moderate([HARMLESS, self.violent, HARMLESS])
        assert len(judged) == 3
        for scores in judged:
            assert CATEGORIES <= scores.keys() <= CATEGORIES | DETECTED
            assert all(0 <= score <= 1 for score in scores.values())

    async def test_the_order_is_that_of_the_texts(self, engine: ModerationEngine):
        harmless, violent, again = await engine.moderate([HARMLESS, self.violent, HARMLESS])
        assert violent["violence"] > harmless["violence"] + 0.2
        assert close(harmless, again)

    async def test_a_text_scores_the_same_alone(self, engine: ModerationEngine):
        (alone,) = await engine.moderate([self.violent])
        together = await engine.moderate([HARMLESS, self.violent])
        assert close(alone, together[1])

    async def test_a_harmful_sentence_counts_wherever_it_stands(self, engine: ModerationEngine):
        long = f"{HARMLESS}\n" * 30
        quiet, loud = await engine.moderate([long, f"{long}{self.violent}\n{long}"])
        assert loud["violence"] > quiet["violence"] + self.stands_out

    async def test_a_text_without_words_scores_nothing(self, engine: ModerationEngine):
        empty, violent, blank = await engine.moderate(["", self.violent, "\n  \n"])
        assert not any(empty.values())
        assert not any(blank.values())
        assert violent["violence"] > 0.2

    async def test_no_texts_have_no_scores(self, engine: ModerationEngine):
        assert list(await engine.moderate([])) == []

    async def test_any_script_and_any_sign_can_be_judged(self, engine: ModerationEngine):
        texts = ["Привет, как дела?", "今日は天気がいいですね。", "🙂" * 50, "\0\x1b[0m", "x" * 3000]
        assert len(await engine.moderate(texts)) == 5

    async def test_many_can_ask_at_once(self, engine: ModerationEngine):
        answers = await asyncio.gather(*(engine.moderate([HARMLESS, self.violent]) for _ in range(5)))
        assert all(close(one, other) for answer in answers for one, other in zip(answer, answers[0], strict=True))


class ImageModerationEngineSuite:
    """What every `ImageModerationEngine` keeps."""

    @pytest.fixture
    def engine(self) -> ImageModerationEngine:
        raise NotImplementedError

    async def test_every_picture_has_probabilities_of_what_can_be_seen(self, engine: ImageModerationEngine):
        pictures = [photo(), *(encoded(plain(), form) for form in ("PNG", "WEBP", "GIF"))]
        judged = await engine.moderate_images(pictures)
        assert len(judged) == 4
        for scores in judged:
            assert scores
            assert scores.keys() <= SEEN
            assert all(0 <= score <= 1 for score in scores.values())

    async def test_harmless_pictures_score_low(self, engine: ImageModerationEngine):
        for scores in await engine.moderate_images([photo(), encoded(plain(), "PNG")]):
            assert max(scores.values()) < 0.2

    async def test_no_pictures_have_no_scores(self, engine: ImageModerationEngine):
        assert list(await engine.moderate_images([])) == []

    async def test_what_is_no_picture_is_refused_by_its_number(self, engine: ImageModerationEngine):
        with pytest.raises(InvalidRequest, match="Picture 2") as refusal:
            await engine.moderate_images([encoded(plain(), "PNG"), b"%PDF-1.7 is no picture"])
        assert refusal.value.param == "input"
        assert refusal.value.code == "invalid_image_format"
