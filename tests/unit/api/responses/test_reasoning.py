"""What a request says about thinking, and thoughts that travel sealed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.api.responses.reasoning import check_sealed, sealed, settled, thought_of, unsealed
from smalt.core.errors import InvalidRequest


@given(st.text())
def test_a_sealed_thought_is_opened_as_it_was(thought: str):
    assert unsealed(sealed(thought)) == thought


@pytest.mark.parametrize("text", ["", "gAAAAAB", "smt1", "smt1!!!", sealed("I think.")[:-6], "smt1" + "QUJD"])
def test_what_was_sealed_elsewhere_or_damaged_is_not_opened(text: str):
    assert unsealed(text) is None


def test_a_thought_that_swells_when_it_is_opened_is_refused():
    assert unsealed(sealed("x" * (9 * 2**20))) is None


def test_a_request_with_foreign_thoughts_is_refused_by_their_place():
    own = {"type": "reasoning", "summary": [], "encrypted_content": sealed("Hm.")}
    check_sealed([own, {"type": "reasoning", "summary": [], "encrypted_content": None}])
    with pytest.raises(InvalidRequest) as refusal:
        check_sealed([own, {**own, "encrypted_content": "gAAAAAB"}])
    assert (refusal.value.param, refusal.value.code) == ("input[1].encrypted_content", "invalid_encrypted_content")


def test_a_thought_is_its_text_or_what_is_sealed_or_its_summary():
    summary = [{"type": "summary_text", "text": "Short."}]
    item = {"type": "reasoning", "summary": summary, "encrypted_content": sealed("Long."), "content": []}
    assert thought_of({**item, "content": [{"type": "reasoning_text", "text": "Whole."}]}) == "Whole."
    assert thought_of(item) == "Long."
    assert thought_of({**item, "encrypted_content": None}) == "Short."


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (None, {"effort": None, "summary": None}),
        ({"effort": "low", "summary": "auto"}, {"effort": "low", "summary": "auto"}),
        ({"generate_summary": "concise"}, {"effort": None, "summary": "concise"}),
        ({"mode": "standard"}, {"effort": None, "summary": None}),
    ],
)
def test_every_field_is_shown_and_the_older_name_of_one_counts(asked: Any, shown: Any):
    assert settled(asked) == shown


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"mode": "pro"}, "reasoning.mode"),
        ({"summary": "auto", "generate_summary": "concise"}, "reasoning.generate_summary"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(asked: Any, param: str):
    with pytest.raises(InvalidRequest) as refusal:
        settled(asked)
    assert refusal.value.param == param
