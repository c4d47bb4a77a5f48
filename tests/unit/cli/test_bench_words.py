"""The texts that benchmarks send."""

import re
from itertools import islice

from smalt.cli.bench.words import passages, sentences


def test_passages_have_their_length_and_never_come_twice():
    texts = list(islice(passages(20), 200))
    assert {len(text.split()) for text in texts} == {20}
    assert len(set(texts)) == 200


def test_sentences_are_whole_and_can_be_read_aloud():
    texts = list(islice(sentences(40), 5))
    assert len(texts) == 5
    for text in texts:
        assert 40 <= len(text.split()) < 80
        assert re.fullmatch(r"[A-Z][A-Za-z ,.-]+\.", text)
