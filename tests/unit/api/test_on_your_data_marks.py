"""Marks of an answer are true: those of no document go, and a sentence that a document bears out gets its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from smalt.api.chat.on_your_data.marks import Marks
from smalt.retrieval.data_sources import Document

BICYCLES = "Company bicycles stand in the cellar. The key hangs at the reception."
LIBRARY = "The library opens on Tuesday and Thursday from nine to four."


def document(content: str) -> Document:
    return Document(key=content, content=content, score=1.0, measure="words")


def marked(answer: str, question: str = "Where are the bicycles?", size: int = 3) -> str:
    marks = Marks([document(BICYCLES), document(LIBRARY)], question)
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    return "".join(marks.take(piece) for piece in pieces) + marks.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("They stand in the cellar [doc1].", "They stand in the cellar [doc1]."),
        ("They stand in the cellar. [doc1]", "They stand in the cellar. [doc1]"),
        ("They stand in the cellar [doc7].", "They stand in the cellar."),
        ("They stand in the cellar. [doc0] Really.", "They stand in the cellar. Really."),
        ("In the cellar [doc1, doc2]. Yes.", "In the cellar [doc1][doc2]. Yes."),
        ("In the cellar [doc1][doc9][doc2].", "In the cellar [doc1][doc2]."),
        ("In the cellar 【doc1】.", "In the cellar [doc1]."),
        ("A list [1], a [link](x) and [docs] stay.", "A list [1], a [link](x) and [docs] stay."),
        ("It ends within [do", "It ends within [do"),
        ("Version 3.5 of it. Is a.b one?", "Version 3.5 of it. Is a.b one?"),
    ],
)
def test_marks_of_no_document_go_and_the_others_stay(said: str, told: str, size: int):
    assert marked(said, size=size) == told


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_sentence_that_a_document_bears_out_gets_its_mark(size: int):
    said = "The key hangs at the reception. I like tea with much sugar! The library opens on Tuesday from nine to four"
    told = (
        "The key hangs at the reception [doc1]. I like tea with much sugar! "
        "The library opens on Tuesday from nine to four [doc2]"
    )
    assert marked(said, size=size) == told


def test_each_line_of_a_list_is_judged_alone():
    said = "- the key hangs at the reception\n- the moon is made of green cheese\n"
    told = "- the key hangs at the reception [doc1]\n- the moon is made of green cheese\n"
    assert marked(said) == told


def test_what_only_repeats_the_question_gets_no_mark():
    assert "[doc" not in marked("The company bicycles stand in the cellar.", "Do company bicycles stand in the cellar?")


def test_once_the_model_marks_nothing_is_added():
    said = "They stand in the cellar [doc1]. The key hangs at the reception."
    assert marked(said) == said


def test_a_short_sentence_gets_no_mark():
    assert marked("The cellar. The reception.") == "The cellar. The reception."


def test_code_gets_no_marks():
    said = "```\nthe key hangs at the reception\n```\n"
    assert marked(said, size=2) == said


@given(some.text(alphabet="ab .!?\n[]doc12,【】`", max_size=60), some.integers(1, 9))
def test_how_an_answer_is_cut_into_pieces_does_not_matter(answer: str, size: int):
    assert marked(answer, size=size) == marked(answer, size=1000)


@given(some.text(max_size=80))
def test_an_answer_without_documents_only_loses_marks(answer: str):
    marks = Marks([], "question")
    told = marks.take(answer) + marks.finish()
    assert told == answer or "doc" in answer.lower()
