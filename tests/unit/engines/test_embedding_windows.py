"""How inputs become windows of tokens."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from smalt.core.errors import ContextLengthExceeded, InvalidRequest
from smalt.engines.embedding_worker.windows import WindowCutter

CLS, SEP = 1, 2
WORDS = {"[UNK]": 0, "[CLS]": CLS, "[SEP]": SEP, "a": 3, "one": 4, "two": 5, "three": 6}


@pytest.fixture(scope="module")
def cutter(tmp_path_factory: pytest.TempPathFactory) -> WindowCutter:
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=20)
    path: Path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return WindowCutter(str(path), window_tokens=10, max_input_tokens=100)


def test_text_is_tokenized_without_the_tokens_that_the_model_adds(cutter: WindowCutter):
    assert cutter.tokenize(["one two", [6, 6], "three one two one"]) == [[4, 5], [6, 6], [6, 4, 5, 4]]


def test_every_window_has_the_special_tokens_around_it(cutter: WindowCutter):
    (window,) = cutter.cut([[4, 5]])
    assert (window.index, window.ids, window.weight) == (0, [CLS, 4, 5, SEP], 2)


def test_a_long_input_is_cut_in_windows_of_like_length(cutter: WindowCutter):
    assert [window.weight for window in cutter.cut([[4] * 9])] == [5, 4]


@given(st.lists(st.lists(st.integers(3, 6), min_size=1, max_size=100), max_size=5))
def test_no_token_is_lost_and_no_window_is_too_long(cutter: WindowCutter, tokens: list[list[int]]):
    windows = cutter.cut(tokens)
    assert all(len(window.ids) <= 10 for window in windows)
    for index, ids in enumerate(tokens):
        assert [token for window in windows if window.index == index for token in window.ids[1:-1]] == ids


def test_text_of_nothing_but_space_is_a_window_too(cutter: WindowCutter):
    (window,) = cutter.cut(cutter.tokenize([" "]))
    assert (window.ids, window.weight) == ([CLS, SEP], 1)


@pytest.mark.parametrize("nothing", ["", []])
def test_an_empty_input_is_refused_by_its_place(cutter: WindowCutter, nothing: str | list[int]):
    with pytest.raises(InvalidRequest, match="input 1 is an empty"):
        cutter.tokenize(["one", nothing])


@pytest.mark.parametrize("token", [-1, 7])
def test_an_unknown_token_is_named(cutter: WindowCutter, token: int):
    with pytest.raises(InvalidRequest, match=f"Invalid token in prompt: {token} in input 0") as refusal:
        cutter.tokenize([[3, token]])
    assert refusal.value.param == "input"


@pytest.mark.parametrize("long", ["one " * 101, [4] * 101])
def test_an_input_that_is_too_long_is_told_its_length(cutter: WindowCutter, long: str | list[int]):
    with pytest.raises(ContextLengthExceeded, match="maximum context length is 100 tokens, however you requested 101"):
        cutter.tokenize([long])


def test_the_starts_of_tokens_tell_where_words_begin(cutter: WindowCutter):
    starts, nothing = (np.frombuffer(one, "<u4") for one in cutter.starts(["one  two three", ""]))
    assert (starts & 0x7FFF_FFFF).tolist() == [0, 5, 9]
    assert (starts >> 31).tolist() == [1, 1, 1]
    assert nothing.tolist() == []
