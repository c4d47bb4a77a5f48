"""How scores are asked for, once."""

from contextlib import asynccontextmanager

import pytest

from smalt.core.errors import NotInstalled
from smalt.safety.scoring import AT_ONCE, OVERLAP, PIECE, REMEMBERED, Remembered, Scorer, highest, pieces_of


class Engine:
    """Scores a text by what it has."""

    def __init__(self):
        self.calls = []

    async def moderate(self, texts):
        self.calls.append(list(texts))
        return [{"hate": 0.9 if "hate" in text else 0.1} for text in texts]

    async def moderate_images(self, images):
        self.calls.append(list(images))
        return [{"sexual": 0.8} for _ in images]


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


def scorer(models, image_model="eyes"):
    return Scorer(models, model="judge", image_model=image_model)


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


async def test_a_text_and_a_picture_of_the_same_bytes_are_judged_apart(models):
    judge = scorer(models)
    assert await judge.texts(["GIF89a"]) == {"hate": 0.1}
    assert await judge.images([b"GIF89a"]) == {"sexual": 0.8}


def test_the_oldest_is_forgotten():
    remembered = Remembered()
    for number in range(REMEMBERED + 1):
        remembered.find(b"0")
        remembered.keep(b"%d" % number, {})
    assert remembered.find(b"0") == {}
    assert remembered.find(b"1") is None


def test_the_highest_score_counts():
    assert highest([{"hate": 0.1, "sexual": 0.3}, {"hate": 0.2}]) == {"hate": 0.2, "sexual": 0.3}
