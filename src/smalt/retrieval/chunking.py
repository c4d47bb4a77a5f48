"""Cuts documents into chunks of so many tokens that overlap by so many, where the text has its own breaks."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from smalt.engines.protocols import TokenCounter, TokenStarts
from smalt.retrieval.extraction.refusal import DocumentRefused
from smalt.retrieval.protocols import POSITION_BITS, Chunk, Passage

MOST_CHUNKS = 1 << POSITION_BITS
PASSAGES_AT_ONCE = 4
"""Passages whose tokens are asked for in one call."""

CHUNKS_AT_ONCE = 64
LONGEST_TOKEN = 16
"""Letters that count as one token at most: some tokenizers take a word of any length for one that they do not know."""

SECTION, PARAGRAPH, SENTENCE, LINE, WORD, NOWHERE = 5, 4, 3, 2, 1, 0
"""How good a place is to cut, best first."""

SENTENCE_ENDS = frozenset(".!?…。！？")  # noqa: RUF001 - full-width signs are meant
CLOSING = "\"'”’»)]"  # noqa: RUF001 - so are typographic quotes
LOOK_BACK = 8
"""A chunk may be shorter by this part of its size when the text breaks there."""

LOOK_AHEAD = 4
"""An overlap may be shorter by this part of its size when the text breaks there."""


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """Tokens of the embedding model: the most in a chunk, and how many the next one repeats."""

    most: int
    overlap: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk before its tokens are counted for certain."""

    text: str
    page: int | None
    heading: str | None


async def chunks_of(passages: Iterable[Passage], counter: TokenCounter, sizes: ChunkSizes) -> AsyncIterator[Chunk]:
    """The chunks of a document in order; raises `DocumentRefused` when there are too many, or none.

    The same passages always give the same chunks.
    """
    position = 0
    cutter = Cutter(sizes)
    remaining = iter(passages)
    while True:
        # In a thread, because reading and cutting take a while.
        batch = await asyncio.to_thread(list, islice(remaining, PASSAGES_AT_ONCE))
        tokens = await counter.token_starts([passage.text for passage in batch]) if batch else []
        pieces = await asyncio.to_thread(cutter.cut, batch, tokens)
        for start in range(0, len(pieces), CHUNKS_AT_ONCE):
            for chunk in await _counted(pieces[start : start + CHUNKS_AT_ONCE], counter, sizes.most):
                if position == MOST_CHUNKS:
                    raise DocumentRefused(
                        f"The document makes more than {MOST_CHUNKS} chunks. Split it, or choose larger chunks."
                    )
                yield replace(chunk, position=position)
                position += 1
        if not batch:
            break
    if not position:
        raise DocumentRefused("The document holds no words. Attach one that does.")


class Cutter:
    """The text that is not cut yet, with its tokens; it begins where the next chunk does."""

    def __init__(self, sizes: ChunkSizes) -> None:
        self._most = max(1, sizes.most)
        self._overlap = max(0, min(sizes.overlap, sizes.most // 2))
        self._text = ""
        self._first = 0
        self._starts: list[int] = []
        self._begins_word = bytearray()
        # The tokens at which passages begin, and the passages.
        self._marks: list[int] = []
        self._passages: list[Passage] = []

    def cut(self, passages: Sequence[Passage], tokens: Sequence[TokenStarts]) -> list[Piece]:
        """Every piece whose end is known once these passages are there; no passages are the document's end."""
        for passage, starts in zip(passages, tokens, strict=True):
            self._add(passage, starts)
        found = list(self._pieces(is_last=not passages))
        self._forget()
        return found

    def _add(self, passage: Passage, tokens: TokenStarts) -> None:
        if not self._passages or self._is_elsewhere(passage):
            self._marks.append(len(self._starts))
            self._passages.append(Passage("", passage.page, passage.heading))
        offset = len(self._text)
        self._text += passage.text
        starts, begins_word = _without_long_ones(passage.text, tokens)
        self._starts += [offset + start for start in starts]
        self._begins_word += begins_word
        if self._starts:
            # What stands before the first token belongs to it.
            self._starts[0] = 0

    def _pieces(self, *, is_last: bool) -> Iterator[Piece]:
        while len(self._starts) - self._first > self._most:
            end = self._end()
            yield from self._piece(self._starts[end])
            self._first = self._next_start(end)
        if is_last and self._first < len(self._starts):
            yield from self._piece(len(self._text))
            self._first = len(self._starts)

    def _piece(self, end: int) -> Iterator[Piece]:
        text = self._text[self._starts[self._first] : end].strip()
        if text:
            place = self._passages[bisect_right(self._marks, self._first) - 1]
            yield Piece(text, place.page, place.heading)

    def _end(self) -> int:
        """The token before which the piece ends: the best break near its full size, the last of equals."""
        last = self._first + self._most
        nearest = range(last, last - max(1, self._most // LOOK_BACK) - 1, -1)
        end = max(nearest, key=self._break)
        if self._break(end) != NOWHERE:
            return end
        words = range(nearest.stop, last - self._most // 2, -1)
        return next((token for token in words if self._break(token) != NOWHERE), last)

    def _next_start(self, end: int) -> int:
        """The token with which the next piece begins: the best break in the first part of the overlap."""
        first = end - self._overlap
        return max(range(first, min(end, first + self._overlap // LOOK_AHEAD) + 1), key=self._break)

    def _break(self, token: int) -> int:
        """How good a place it is to cut before this token."""
        at = self._starts[token]
        before = self._text[max(0, at - 4) : at]
        kept = before.rstrip()
        white = before[len(kept) :]
        if self._is_heading(token):
            return SECTION
        if white.count("\n") > 1:
            return PARAGRAPH
        if white or kept[-1:] in "。！？":  # noqa: RUF001 - full-width signs are meant; no space follows them
            ends_sentence = kept.rstrip(CLOSING)[-1:] in SENTENCE_ENDS
            return SENTENCE if ends_sentence else LINE if "\n" in white else WORD
        return WORD if self._begins_word[token] else NOWHERE

    def _is_heading(self, token: int) -> bool:
        mark = bisect_right(self._marks, token) - 1
        return (
            mark > 0 and self._marks[mark] == token and self._passages[mark].heading != self._passages[mark - 1].heading
        )

    def _is_elsewhere(self, passage: Passage) -> bool:
        last = self._passages[-1]
        return (last.page, last.heading) != (passage.page, passage.heading)

    def _forget(self) -> None:
        """Forget what lies before the next piece."""
        first, self._first = self._first, 0
        at = self._starts[first] if first < len(self._starts) else len(self._text)
        self._text = self._text[at:]
        self._starts = [start - at for start in self._starts[first:]]
        del self._begins_word[:first]
        mark = max(0, bisect_right(self._marks, first) - 1)
        self._marks = [max(0, start - first) for start in self._marks[mark:]]
        del self._passages[:mark]


def _without_long_ones(text: str, tokens: TokenStarts) -> tuple[list[int], bytes]:
    """The tokens, those of very many letters divided."""
    starts, begins_word = list[int](), bytearray()
    if not tokens.starts:
        return starts, b""
    ends = [*tokens.starts[1:], len(text)]
    for start, end, begins in zip(tokens.starts, ends, tokens.begins_word, strict=True):
        starts.append(start)
        begins_word.append(begins)
        if end - start > LONGEST_TOKEN:
            more = range(start + LONGEST_TOKEN, start + len(text[start:end].rstrip()), LONGEST_TOKEN)
            starts += more
            begins_word += bytes(len(more))
    return starts, bytes(begins_word)


async def _counted(pieces: Sequence[Piece], counter: TokenCounter, most: int) -> list[Chunk]:
    """The pieces with their tokens counted as they stand; one that has too many after all is halved."""
    found: list[Chunk] = []
    tokens = await counter.token_starts([piece.text for piece in pieces])
    for piece, starts in zip(pieces, tokens, strict=True):
        halves = _halves(piece.text, starts) if len(starts.starts) > most else ()
        if halves:
            parts = [Piece(half, piece.page, piece.heading) for half in halves]
            found += await _counted(parts, counter, most)
        else:
            found.append(Chunk(0, piece.text, len(starts.starts), piece.page, piece.heading))
    return found


def _halves(text: str, tokens: TokenStarts) -> tuple[str, ...]:
    """A text cut before the word that is nearest to its middle; nothing when it has one token only."""
    middle = len(tokens.starts) // 2
    words = [index for index, begins in enumerate(tokens.begins_word) if begins and index]
    cut = tokens.starts[min(words, key=lambda index: abs(index - middle)) if words else middle]
    return tuple(part for part in (text[:cut].strip(), text[cut:].strip()) if part) if 0 < cut < len(text) else ()
