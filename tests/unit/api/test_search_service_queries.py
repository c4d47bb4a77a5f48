"""The simple query syntax, and the passages that captions are made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.api.search_service.passages import best_passage, highlighted_passages, marked, terms_of
from smalt.api.search_service.simple_query import read_query, stem
from smalt.core.errors import InvalidRequest

TEXT = "The inn has a heated pool. Wi-Fi is free in all rooms, and parking costs nothing."


@pytest.mark.parametrize(
    ("query", "mode", "fits"),
    [
        ("pool", "any", True),
        ("bar pool", "any", True),
        ("bar pool", "all", False),
        ("heating + pools", "any", True),
        ("pool + bar", "any", False),
        ("pool -bar", "any", True),
        ("pool -parking", "any", False),
        ("bar | pool", "all", True),
        ('"heated pool"', "any", True),
        ('"pool heated"', "any", False),
        ('-"free in all" pool', "any", False),
        ("(bar | wi-fi) + rooms", "any", True),
        ("wi-fi", "all", True),
        ("C++ | pool", "any", True),
        ("pool - bar", "all", False),
        ("pool) room", "all", True),
        (r"pool \-bar", "all", False),
    ],
)
def test_the_operators_decide_what_fits(query: str, mode: str, fits: bool):
    read = read_query(query, mode)  # type: ignore[arg-type]
    assert read.fits(TEXT) is (fits or read.tree is None)


def test_words_that_must_not_be_there_are_not_looked_for():
    assert read_query("pool -bar (room | sea) + -view", "any").words == "pool room sea"


@pytest.mark.parametrize("query", ["-pool", "()", '""', "+", "| |"])
def test_a_query_without_a_word_to_find_is_refused(query: str):
    with pytest.raises(InvalidRequest, match="asks for no word"):
        read_query(query, "any")


@given(st.text(max_size=40), st.sampled_from(["any", "all"]))
def test_any_text_is_read_or_refused(text: str, mode: str):
    refusal = None
    try:
        read_query(text, mode).fits(TEXT)  # type: ignore[arg-type]
    except InvalidRequest as error:
        refusal = error
    assert refusal is None or refusal.param == "search"


def test_brackets_without_end_are_refused():
    with pytest.raises(InvalidRequest, match="brackets"):
        read_query("(" * 1000 + "a", "any")


@pytest.mark.parametrize("words", ["run runs running", "plan planned planning", "policy policies", "story stories"])
def test_forms_of_a_word_have_one_stem(words: str):
    assert len({stem(word) for word in words.split()}) == 1


def test_the_best_passage_has_most_of_the_words():
    assert (
        best_passage(TEXT, terms_of("is the parking free?")) == "Wi-Fi is free in all rooms, and parking costs nothing."
    )
    assert best_passage(TEXT, terms_of("elephants")) == "The inn has a heated pool."


def test_a_passage_is_never_long():
    assert all(len(passage) <= 400 for passage in [best_passage("word " * 1000, terms_of("word"))])


def test_marks_stand_around_every_form_of_a_word():
    assert marked("Pools and a pool.", terms_of("pool"), ("<em>", "</em>")) == "<em>Pools</em> and a <em>pool</em>."


def test_highlights_are_the_sentences_with_words_in_them():
    assert highlighted_passages(TEXT, terms_of("pool"), ("[", "]")) == ["The inn has a heated [pool]."]
    assert highlighted_passages(TEXT, terms_of("zebra"), ("[", "]")) == []
