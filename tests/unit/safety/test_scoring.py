"""How scores are asked for, once."""

from contextlib import asynccontextmanager

import pytest

from smalt.core.errors import EngineFailed, NotInstalled
from smalt.engines.protocols import ChatDelta
from smalt.safety.guard import Guard, read_verdict
from smalt.safety.scoring import AT_ONCE, OVERLAP, PIECE, REMEMBERED, Remembered, Scorer, highest, pieces_of


class Engine:
    """Scores a text by what it has; says what a guard would."""

    def __init__(self):
        self.calls = []
        self.asked = []

    async def moderate(self, texts):
        self.calls.append(list(texts))
        return [{"hate": 0.9 if "hate" in text else 0.1} for text in texts]

    async def moderate_images(self, images):
        self.calls.append(list(images))
        return [{"sexual": 0.8} for _ in images]

    async def chat(self, body):
        self.asked.append([(message.role, message.content) for message in body.messages])
        for piece in ("uns", "afe\n", "S1,S10") if "bad" in self.asked[-1][-1][1] else ("\n\nsafe",):
            yield ChatDelta(content=piece)


class Lender:
    """Lends one engine under every name but `missing`."""

    def __init__(self):
        self.engine = Engine()

    @asynccontextmanager
    async def lease(self, name, ability):
        del ability
        if name == "missing":
            raise NotInstalled("its weights are missing")
        yield self.engine


@pytest.fixture
def models():
    return Lender()


def scorer(models, image_model="eyes", guard=None):
    return Scorer(models, model="judge", image_model=image_model, guard=guard)


async def test_what_was_judged_before_is_not_judged_again(models):
    judge = scorer(models)
    assert await judge.texts(["one", "with hate", "one"]) == {"hate": 0.9}
    assert await judge.texts(["one"]) == {"hate": 0.1}
    assert await judge.texts(["with hate", "new", " "]) == {"hate": 0.9}
    assert models.engine.calls == [["one", "with hate"], ["new"]]
    assert await judge.texts([]) == {}


async def test_half_a_character_hides_nothing(models):
    assert await scorer(models).texts(["\ud800 is broken", "with hate"]) == {"hate": 0.9}
    assert models.engine.calls == [["? is broken", "with hate"]]


async def test_a_long_text_goes_in_pieces(models):
    text = "word " * 10_000 + "hate"
    assert await scorer(models).texts([text]) == {"hate": 0.9}
    assert all(sum(map(len, call)) <= AT_ONCE for call in models.engine.calls)
    assert len(models.engine.calls) > 1


def test_pieces_overlap_and_leave_nothing_out():
    text = "".join(f"{number} " for number in range(10_000)) + "x" * 3 * PIECE
    pieces = list(pieces_of(text))
    assert all(len(piece) <= PIECE for piece in pieces)
    assert pieces[0] + "".join(piece[OVERLAP:] for piece in pieces[1:]) == text
    assert list(pieces_of("short")) == ["short"]


async def test_pictures_are_judged_where_a_model_can(models):
    assert await scorer(models).images([b"one", b"one"]) == {"sexual": 0.8}
    assert models.engine.calls == [[b"one"]]
    assert await scorer(models, image_model=None).images([b"one"]) == {}
    assert await scorer(models, image_model="missing").images([b"one"]) == {}


async def test_a_guard_is_asked_beside(models):
    judge = scorer(models, guard=Guard(models, "guard"))
    assert await judge.texts(["bad"]) == {"hate": 1.0, "violence": 1.0, "illicit/violent": 1.0}
    assert await judge.texts(["good"]) == {"hate": 0.1}
    assert await judge.texts(["bad"], question="why?") == {"hate": 1.0, "violence": 1.0, "illicit/violent": 1.0}
    assert models.engine.asked == [
        [("user", "bad")],
        [("user", "good")],
        [("user", "why?"), ("assistant", "bad")],
    ]


@pytest.mark.parametrize(
    ("said", "scores"),
    [
        ("safe", {}),
        ("\n\nSafe\n", {}),
        ("unsafe\nS11", {"self-harm": 1.0}),
        ("unsafe\nS4", {"sexual/minors": 1.0, "sexual": 1.0}),
        ("unsafe\nS5,S8", {}),
    ],
)
def test_a_verdict_becomes_scores(said, scores):
    assert read_verdict(said) == scores


@pytest.mark.parametrize("said", ["", "I think that it is fine", "safety first"])
def test_what_is_no_verdict_is_a_failure(said):
    with pytest.raises(EngineFailed, match="guard model"):
        read_verdict(said)


def test_the_oldest_is_forgotten():
    remembered = Remembered()
    for number in range(REMEMBERED + 1):
        remembered.find(b"0")
        remembered.keep(b"%d" % number, {})
    assert remembered.find(b"0") == {}
    assert remembered.find(b"1") is None


def test_the_highest_score_counts():
    assert highest([{"hate": 0.1, "sexual": 0.3}, {"hate": 0.2}]) == {"hate": 0.2, "sexual": 0.3}
