"""Reading an answer in pieces gives the same as reading it whole."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smalt.engines.llama_cpp.logprobs import Ledger, entries
from smalt.engines.llama_cpp.stops import StopWatch
from smalt.engines.llama_cpp.thinking import ThoughtReader
from smalt.engines.llama_cpp.tool_calls import JsonObjectEnd, ToolCallReader

SMALL = st.text("abc", max_size=12)


def cut(text, places):
    """The text in pieces, cut at the places."""
    edges = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(edges)]


PLACES = st.lists(st.integers(0, 200), max_size=30)


def watched(pieces, stops):
    watch = StopWatch(stops)
    text = "".join(watch.feed(piece) for piece in pieces)
    return text + watch.close(), watch.is_over


@given(SMALL, st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4), PLACES)
@example("abc", ["abc", "b"], [1, 2])
def test_a_stop_text_is_found_whatever_the_pieces(text, stops, places):
    whole = watched([text], stops)
    assert watched(cut(text, places), stops) == whole
    said, is_over = whole
    assert is_over == any(stop in text for stop in stops)
    assert text.startswith(said)
    assert not any(stop in said for stop in stops)


def test_text_is_passed_on_as_soon_as_it_cannot_begin_a_stop_text():
    watch = StopWatch(["END"])
    assert [watch.feed(piece) for piece in ("a", "bE", "N", "x", "E")] == ["a", "b", "", "ENx", ""]
    assert watch.close() == "E"


def called(pieces, *, is_cut=False, names=("add", "now")):
    reader = ToolCallReader(names)
    said, calls = "", {}
    for piece in pieces:
        more, deltas = reader.feed(piece)
        said += more
        for delta in deltas:
            call = calls.setdefault(delta.index, {"name": delta.name, "id": delta.id, "arguments": ""})
            call["arguments"] += delta.arguments
    return said + reader.close(is_cut=is_cut), [(call["name"], call["arguments"]) for call in calls.values()]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"\\{}[]<>é', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k{"', max_size=3), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text('k{"}', max_size=3), JSON_VALUES, max_size=3)
CALLS = st.lists(st.tuples(st.sampled_from(["add", "now"]), ARGUMENTS), max_size=3)


def spelled(calls, separator="\n"):
    return separator.join(
        f'<tool_call>\n{{"name": "{name}", "arguments": {json.dumps(arguments)}}}\n</tool_call>'
        for name, arguments in calls
    )


@given(st.text("ab <", max_size=12), CALLS, PLACES)
def test_calls_are_found_whatever_the_pieces(said, calls, places):
    text = said + spelled(calls)
    result = called(cut(text, places))
    assert result == called([text])
    assert result[1] == [(name, json.dumps(arguments)) for name, arguments in calls]
    assert result[0] == (said.rstrip() if calls else said)


@given(st.text('<tool_ca>/{"name": add,rguments}\n', max_size=60), PLACES)
@example('<tool_call>{"name": "add", "arguments": {}} </tool_call> more', [5])
@example('<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>', [20])
def test_nothing_that_is_said_depends_on_the_pieces(text, places):
    assert called(cut(text, places)) == called([text])


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>\nadd(1, 2)\n</tool_call>",
        '<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "add", "arguments": [1]}\n</tool_call>',
        "<tool_call> is how a call begins",
    ],
)
def test_what_does_not_become_a_call_is_said(text):
    assert called(list(text)) == (text, [])


def test_the_beginning_of_a_call_that_was_cut_off_is_not_said():
    assert called(['Well.\n<tool_call>\n{"name": "ad'], is_cut=True) == ("Well.", [])


@pytest.mark.parametrize("begun", ["\n", "\n<", "\n<tool_call", "\n<tool_call>\n{"])
def test_the_beginning_of_another_call_that_was_cut_off_is_not_said(begun):
    call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert called(list(call + begun), is_cut=True) == ("", [("now", "{}")])


def test_arguments_that_were_cut_off_are_passed_on():
    assert called(['<tool_call>\n{"name": "add", "arguments": {"a": 1'], is_cut=True) == ("", [("add", '{"a": 1')])


def test_arguments_come_as_soon_as_they_are_there():
    reader = ToolCallReader(["add"])
    reader.feed('<tool_call>\n{"name": "add", "arguments":')
    first = reader.feed(' {"a')[1]
    assert [(delta.name, delta.arguments) for delta in first] == [("add", ""), (None, '{"a')]
    assert [delta.arguments for delta in reader.feed('": "}"')[1]] == ['": "}"']


@given(ARGUMENTS, st.text("}]x", max_size=5), PLACES)
def test_the_end_of_an_object_is_found(value, rest, places):
    text = json.dumps(value)
    end = JsonObjectEnd()
    taken = "".join(piece[: end.find(piece)] for piece in cut(text, places))
    assert taken == text
    assert end.is_over
    whole = JsonObjectEnd()
    assert whole.find(text + rest) == len(text)


def thought(pieces, *, is_open):
    reader = ThoughtReader(is_open=is_open)
    read = [reader.feed(piece) for piece in pieces] + [reader.close()]
    return "".join(part[0] for part in read), "".join(part[1] for part in read)


@given(st.text("ab<\n", max_size=10), st.text("ab<\n", max_size=10), st.booleans(), PLACES)
def test_thoughts_and_answers_are_told_apart_whatever_the_pieces(idea, answer, is_open, places):
    text = ("" if is_open else "<think>") + f"{idea}</think>{answer}"
    result = thought(cut(text, places), is_open=is_open)
    assert result == (idea.lstrip("\n"), answer.lstrip("\n"))


@given(st.text("thin<k>ab", max_size=12), PLACES)
def test_an_answer_without_a_thought_is_said_whole(text, places):
    if not text.startswith("<think>"):
        assert thought(cut(text, places), is_open=False) == ("", text)


def test_a_thought_that_was_cut_off_is_still_a_thought():
    assert thought(["Hmm", "m </thi"], is_open=True) == ("Hmmm </thi", "")


def entry(token):
    return {"token": token, "bytes": list(token.encode()), "logprob": -1e30, "top_logprobs": []}


def test_entries_wait_for_their_text():
    ledger = Ledger()
    ledger.add(entries([entry("Hé"), entry("l"), entry("lo!")], 0))
    assert [found.token for found in ledger.take("Hé")] == ["Hé"]
    assert [found.token for found in ledger.take("llo")] == ["l", "lo!"]
    assert ledger.take("!") == ()


def test_an_impossible_token_has_the_logprob_that_openai_sends():
    assert entries([entry("a")], 0)[0].logprob == -9999.0
