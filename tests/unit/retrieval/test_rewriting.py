"""Rewriting queries: padding goes, keywords stay, and a model's nonsense is not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.retrieval.rewriting import sensible, unpadded


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("Could you please tell me what the capital of France is?", "what the capital of France is?"),
        ("Hello, I was wondering how to reset my password. Thanks!", "how to reset my password."),
        ("Hi there, do you know what time it opens?", "what time it opens?"),
        ("please tell me how it works", "how it works"),
        ("Tell me more about photosynthesis", "photosynthesis"),
        ("I'd like to know how I can cancel my order, please", "how I can cancel my order"),
        ("Können Sie mir bitte sagen, wie ich mein Passwort ändere?", "wie ich mein Passwort ändere?"),
        ("Ich wollte fragen, ob Hunde Schokolade essen dürfen", "ob Hunde Schokolade essen dürfen"),
        ("Pourriez-vous me dire comment installer Django s'il vous plaît ?", "comment installer Django"),
        ("¿Podrías decirme cuál es el horario, por favor?", "cuál es el horario"),
    ],
)
def test_conversation_s_padding_is_taken_off(query: str, rest: str):
    assert unpadded(query) == rest


@pytest.mark.parametrize(
    "query",
    [
        "python asyncio timeout",
        "error code 0x80070005",
        "hi fi speakers",
        "so long and thanks for all the fish",
        "show me the money",
        "give me liberty",
        "will smith",
        "tell tale heart",
        "please",
        "thanks",
        "can you eat raw potatoes",
        "what is a vector store",
        "please-release-me album",
        "also sprach zarathustra",
        "merci beaucoup translation",
        "how does a hash join work",
    ],
)
def test_a_query_of_keywords_is_not_changed(query: str):
    assert unpadded(query) == query


@given(st.text(max_size=80))
def test_something_is_always_left_and_it_is_part_of_the_query(query: str):
    rest = unpadded(query)
    assert rest in query
    assert bool(rest) is bool(query.strip())


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("reset password\n", "reset password"),
        ('"reset password"', "reset password"),
        ("Query: reset password", "reset password"),
        ("", None),
        ("Sure!\n\nreset password", None),
        ("the weather in Paris", None),
        ("reset password " * 40, None),
    ],
)
def test_a_model_s_answer_counts_when_it_is_one_line_about_the_query(answer: str, kept: str | None):
    assert sensible(answer, "how do I reset my password") == kept
