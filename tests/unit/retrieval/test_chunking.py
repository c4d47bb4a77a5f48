"""How documents are cut: whole, in order, in chunks of the right size that overlap by the right number of tokens."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smalt.engines.protocols import TokenStarts
from smalt.retrieval.chunking import ChunkSizes, chunks_of
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import Chunk, Passage
from smalt.retrieval.tokens import ApproximateTokens

TOKENS = ApproximateTokens()
WORDS = st.text("ab日é\U0001f600", min_size=1, max_size=12) | st.text("x", min_size=90, max_size=400)
SPACES = st.sampled_from([" ", " ", " ", "\n", ". ", "\n\n", "", "。", "\t"])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=80).map(lambda pairs: "".join(map("".join, pairs)))
PLACES = st.tuples(st.none() | st.integers(1, 3), st.none() | st.sampled_from(["A", "A > B"]))


OTHERS = {
    **dict.fromkeys("abx", ascii_lowercase),
    "日": "".join(map(chr, range(0x4E00, 0x4F00))),
    "é": "éèêëíìïóòöúùüñç",
    "\U0001f600": "".join(map(chr, range(0x1F600, 0x1F640))),
}


def without_repeats(texts: list[tuple[str, tuple[int | None, str | None]]]) -> list[Passage]:
    """Passages whose letters are drawn anew, so that a chunk of them hardly fits in two places."""
    draw = Random(1)
    return [Passage("".join(draw.choice(OTHERS.get(one, one)) for one in text), *place) for text, place in texts]


PASSAGES = st.lists(st.tuples(TEXTS, PLACES), max_size=6).map(without_repeats)
SIZES = st.integers(10, 200).flatmap(lambda most: st.builds(ChunkSizes, st.just(most), st.integers(0, most // 2)))


class GreedyLetters:
    """Tokens that depend on what stands before them, as those of many models do: a word without a space has more."""

    async def token_starts(self, texts: Sequence[str]) -> list[TokenStarts]:
        found = await TOKENS.token_starts(texts)
        return [_with_one_more(text, tokens) for text, tokens in zip(texts, found, strict=True)]


def _with_one_more(text: str, tokens: TokenStarts) -> TokenStarts:
    if len(text) < 2 or text[0].isspace() or not tokens.starts or 1 in tokens.starts:
        return tokens
    starts, begins = tokens.starts[:], bytearray(tokens.begins_word)
    starts.insert(1, 1)
    begins.insert(1, 0)
    return TokenStarts(starts, bytes(begins))


async def cut(passages: Sequence[Passage], sizes: ChunkSizes, tokens=TOKENS) -> list[Chunk]:
    return [chunk async for chunk in chunks_of(passages, tokens, sizes)]


async def count(text: str, tokens=TOKENS) -> int:
    [found] = await tokens.token_starts([text])
    return len(found.starts)


def spans(document: str, chunks: Sequence[Chunk], *, are_halves: bool = False) -> list[tuple[int, int]]:
    """Where chunks lie in a document; fails unless they cover it in order, but for white space.

    After a chunk that had to be halved, the next may begin a little before its second half, because of the overlap.
    """
    found, covered, start = list[tuple[int, int]](), 0, 0
    for chunk in chunks:
        # A short text may fit in several places: the last one counts that leaves nothing out.
        latest = len(document) - len(document[covered:].lstrip())
        start = document.rfind(chunk.text, 0 if are_halves else start, latest + len(chunk.text))
        assert start >= 0, "text was left out, or changed"
        covered = max(covered, start + len(chunk.text))
        found.append((start, start + len(chunk.text)))
    assert not document[covered:].strip(), "the end was left out"
    return found


@pytest.mark.parametrize("tokens", [TOKENS, GreedyLetters()])
@settings(max_examples=60)
@given(passages=PASSAGES, sizes=SIZES)
async def test_chunks_cover_the_document_in_order_and_none_is_too_long(tokens, passages, sizes):
    document = "".join(passage.text for passage in passages)
    try:
        chunks = await cut(passages, sizes, tokens)
    except DocumentRefused:
        assert not document.strip()
        return
    spans(document, chunks, are_halves=tokens is not TOKENS)
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        assert chunk.tokens == await count(chunk.text, tokens) <= sizes.most
    assert chunks == await cut(passages, sizes, tokens), "the same document gives the same chunks"


@settings(max_examples=30)
@given(words=st.integers(100, 3000), most=st.integers(20, 200), share=st.floats(0, 0.5))
async def test_the_overlap_is_what_was_asked_for_or_a_little_less(words, most, share):
    overlap = int(most * share)
    document = " ".join(f"w{number:04}" for number in range(words))
    chunks = await cut([Passage(document)], ChunkSizes(most, overlap))
    places = spans(document, chunks)
    for (_, end), (start, _) in pairwise(places):
        shared = await count(document[start:end]) if start < end else 0
        assert overlap - overlap // 4 <= shared <= overlap


async def test_plain_words_fill_their_chunks():
    document = " ".join(["word"] * 1000)
    chunks = await cut([Passage(document)], ChunkSizes(100, 50))
    assert {chunk.tokens for chunk in chunks} == {100}
    assert len(chunks) == 19


async def test_a_chunk_ends_with_a_sentence_when_one_ends_nearby():
    document = "Smalt is ground from blue cobalt glass. " * 100
    chunks = await cut([Passage(document)], ChunkSizes(100, 50))
    assert all(chunk.text.endswith(".") for chunk in chunks)
    assert all(chunk.text.startswith("Smalt") for chunk in chunks)


async def test_a_paragraph_is_a_better_end_than_a_sentence():
    document = "\n\n".join(f"{n} one two three. {n} four five six. {n} seven eight nine." for n in range(60))
    chunks = await cut([Passage(document)], ChunkSizes(200, 0))
    assert all(document[end : end + 2] in {"\n\n", ""} for _, end in spans(document, chunks))


async def test_chunks_know_the_page_and_the_headings_where_they_begin():
    passages = [Passage("first " * 150, 1, "A"), Passage("second " * 150, 2, "A > B")]
    chunks = await cut(passages, ChunkSizes(100, 0))
    assert {(chunk.page, chunk.heading) for chunk in chunks if "first" in chunk.text[:6]} == {(1, "A")}
    assert {(chunk.page, chunk.heading) for chunk in chunks if "second" in chunk.text[:7]} == {(2, "A > B")}


async def test_a_word_without_an_end_is_cut():
    document = "x" * 100_000
    chunks = await cut([Passage(document)], ChunkSizes(100, 0))
    assert "".join(chunk.text for chunk in chunks) == document
    assert max(chunk.tokens for chunk in chunks) <= 100


async def test_text_without_words_is_refused():
    with pytest.raises(DocumentRefused, match="holds no words"):
        await cut([Passage(" \n ")], ChunkSizes(100, 0))


@pytest.mark.parametrize(
    ("text", "tokens"), [("Hello, world!", 4), ("internationalisation", 4), ("日本語 text", 4), ("", 0), ("a-b", 3)]
)
async def test_tokens_are_counted_by_letters_where_the_model_does_not_tell(text, tokens):
    assert await count(text) == tokens
