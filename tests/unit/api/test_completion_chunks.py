"""What a text completion's chunks look like, and that the whole text is what they spell."""

from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smalt.api.completions.chunks import CompletionStamper
from smalt.api.completions.folding import CompletionFold
from smalt.core.errors import EngineFailed
from smalt.engines.protocols import CompletionDelta, CompletionEvent, Serving, TokenLogprob, TopLogprob, Usage
from smalt.schemas.completions import CreateCompletionRequest
from smalt.schemas.vocabulary import check_answer


def stamped(*events: CompletionEvent, **fields: Any) -> list[dict[str, Any]]:
    body = CreateCompletionRequest.model_validate({"model": "m", "prompt": "abc", "stream": True, **fields})
    stamper = CompletionStamper(body, model="m")
    chunks = [chunk for event in events for chunk in stamper.stamp(event)] + stamper.finish()
    for chunk in chunks:
        check_answer("CreateCompletionResponse", chunk)
    return chunks


def folded(*events: CompletionEvent, **fields: Any) -> dict[str, Any]:
    fold = CompletionFold()
    for chunk in stamped(*events, stream=False, **fields):
        fold.add(chunk)
    answer = fold.answer()
    check_answer("CreateCompletionResponse", answer)
    return answer


def scored(token: str, logprob: float = -0.5, *, top: bool = True) -> TokenLogprob:
    return TokenLogprob(token, logprob, None, (TopLogprob(token, logprob, None),) if top else ())


def end(choice: int = 0) -> CompletionDelta:
    return CompletionDelta(choice, finish_reason="stop")


def test_a_stream_says_what_answered_and_has_usage_only_when_asked():
    events = (Serving("real", "fp_1"), CompletionDelta(text="Hi"), end(), Usage(1, 2))
    chunks = stamped(*events)
    assert {(chunk["id"], chunk["model"], chunk["system_fingerprint"]) for chunk in chunks} == {
        (chunks[0]["id"], "real", "fp_1")
    }
    assert not any("usage" in chunk for chunk in chunks)
    asked = stamped(*events, stream_options={"include_usage": True})
    assert [chunk["usage"] and chunk["usage"]["total_tokens"] for chunk in asked] == [None, None, 3]


def test_log_probabilities_are_four_lists_whose_offsets_count_from_the_start_of_the_prompt():
    events = (CompletionDelta(text="de", logprobs=(scored("de"),)), CompletionDelta(text="f", logprobs=(scored("f"),)))
    logprobs = folded(*events, end())["choices"][0]["logprobs"]
    assert logprobs == {
        "tokens": ["de", "f"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"de": -0.5}, {"f": -0.5}],
        "text_offset": [3, 5],
    }


def test_an_echoed_prompt_begins_at_zero_with_a_token_that_has_no_probability():
    events = (CompletionDelta(text="abc", logprobs=(scored("abc", nan, top=False),)),)
    more = CompletionDelta(text="d", logprobs=(scored("d"),))
    logprobs = folded(*events, more, end(), echo=True)["choices"][0]["logprobs"]
    assert logprobs["token_logprobs"] == [None, -0.5]
    assert logprobs["top_logprobs"] == [None, {"d": -0.5}]
    assert logprobs["text_offset"] == [0, 3]


def test_each_choice_counts_from_its_own_prompt():
    pieces = [CompletionDelta(choice, "x", (scored("x", top=False),)) for choice in range(4)]
    ends = [end(choice) for choice in range(4)]
    choices = folded(*pieces, *ends, prompt=["a", "abcd"], n=2)["choices"]
    assert [choice["logprobs"]["text_offset"] for choice in choices] == [[1], [1], [4], [4]]
    assert choices[0]["logprobs"]["top_logprobs"] is None


def test_a_text_without_a_finish_reason_is_the_engines_failure():
    with pytest.raises(EngineFailed, match="finish reason"):
        stamped(CompletionDelta(text="Hi"))


@given(st.lists(st.tuples(st.integers(0, 2), st.text(max_size=5)), max_size=12))
def test_the_whole_text_is_what_the_chunks_spell(pieces: list[tuple[int, str]]):
    deltas = [CompletionDelta(choice, text, (scored(text),)) for choice, text in pieces]
    answer = folded(*deltas, end(0), end(1), end(2), Usage(1, 1), n=3, best_of=3, logprobs=1)
    for choice in answer["choices"]:
        texts = [text for place, text in pieces if place == choice["index"]]
        assert choice["text"] == "".join(texts)
        assert (choice["logprobs"] or {"tokens": []})["tokens"] == texts
    assert answer["usage"]["total_tokens"] == 2
