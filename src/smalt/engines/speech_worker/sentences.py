"""Cuts a text into the pieces that are spoken one after the other: sentences, or less of a long one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

MOST_CHARACTERS = 220
"""A longer sentence is cut, at its clauses where it has some."""

FEW_CHARACTERS = 40
"""A shorter sentence is spoken together with its neighbour: alone it sounds hurried."""

FIRST_CHARACTERS = (24, 90)
"""The first piece, from a clause of at least so many characters when its sentence has more than so many."""

SENTENCE_PAUSE = 0.3
CLAUSE_PAUSE = 0.12
PARAGRAPH_PAUSE = 0.6
WRAPPED_CHARACTERS = 45
"""A line at least this long, with no mark at its end, may go on in the next; a shorter one is a line of its own."""

PARAGRAPH = re.compile(r"\s*\n\s*\n\s*|[\f\v\u2029]+")
# Marks that look like others are written by their numbers: quotes and dashes (20xx), full-width marks (30xx, FFxx).
CLOSERS = r"\"'\u2019\u201d\u00bb)\]\u300d\u300f"
SENTENCE_END = re.compile(rf"[.!?\u2026]++[{CLOSERS}]*(?=\s)|[\u3002\uff01\uff1f\uff61]+[{CLOSERS}]*")
CLAUSE_END = re.compile(rf"[,;:\u2013\u2014][{CLOSERS}]*(?=\s)|[\u3001\uff0c\uff1b\uff1a]|\s[-\u2013\u2014](?=\s)")
OPENERS = "([{\"'\u2018\u201c\u00ab"
STOP = re.compile(r"(?<=\w)\.(?=\s+\w)")
SPACE = re.compile(r"\s+")
MARK = re.compile(r"[^\w\s]+")

TITLES = "Mr Mrs Ms Mx Dr Drs Prof St Mt Ft Sr Jr Gen Col Capt Lt Sgt Rev Hon Gov Sen Rep Pres Sra Srta Mme Mlle"
SHORTENED = "No Nos Nr Fig Figs Vol p pp ch vs etc cf ca approx dept Inc Ltd Co Corp Bros Ave Blvd Rd bzw"
MONTHS = "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
ABBREVIATIONS = frozenset(f"{TITLES} {SHORTENED} {MONTHS}".lower().split())
INITIALS = re.compile(r"[^\W\d_](\.[^\W\d_])*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text to be spoken at once, and the seconds of silence between it and the next."""

    text: str
    pause: float


def cut(text: str) -> list[Piece]:
    """The pieces of a text, in order; the first is short, so that something is heard soon."""
    pieces = [piece for paragraph in PARAGRAPH.split(text) for piece in _paragraph(paragraph)]
    return [*_quick_start(pieces[0]), *pieces[1:]] if pieces else []


def without_short_stops(text: str) -> str:
    """The text without the full stops that only shorten a word: nobody pauses there."""
    return STOP.sub(lambda stop: "" if _is_shortened(text[: stop.start()]) else stop[0], text)


def _paragraph(paragraph: str) -> Iterator[Piece]:
    sentences = [part for line in _lines(paragraph) for sentence in _sentences(line) for part in _parts(sentence)]
    merged = _with_neighbours(sentences)
    for index, piece in enumerate(merged):
        yield Piece(piece.text, PARAGRAPH_PAUSE) if index == len(merged) - 1 else piece


def _lines(paragraph: str) -> list[str]:
    """The lines that are lines of their own; those of a sentence broken to some width are joined again."""
    lines = [line.strip() for line in paragraph.splitlines()]
    if not lines:
        return []
    joined = [lines[0]]
    for before, line in pairwise(lines):
        goes_on = not before.endswith((".", "!", "?", ":")) and len(before) >= WRAPPED_CHARACTERS
        if goes_on or line[:1].islower():
            joined[-1] += " " + line
        else:
            joined.append(line)
    return [line for line in joined if line]


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for end in SENTENCE_END.finditer(line):
        if _ends_sentence(line[start : end.end()], line[end.end() :].lstrip()):
            yield line[start : end.end()].strip()
            start = end.end()
    if rest := line[start:].strip():
        yield rest


def _ends_sentence(before: str, after: str) -> bool:
    if after[:1].islower():
        return False
    return not before.endswith(".") or before.endswith("..") or not _is_shortened(before[:-1])


def _is_shortened(before: str) -> bool:
    """Whether a full stop only shortens the word before it."""
    words = before.split()[-1:]
    last = words[0].lstrip(OPENERS) if words else ""
    return last.lower() in ABBREVIATIONS or (last != "I" and INITIALS.fullmatch(last) is not None)


def _parts(sentence: str) -> Iterator[Piece]:
    """A sentence, or nearly equal parts of one that is too long."""
    rest = sentence
    while len(rest) > MOST_CHARACTERS:
        wanted = ceil(len(rest) / ceil(len(rest) / MOST_CHARACTERS))
        at, pause = _cut_near(rest, wanted)
        yield Piece(rest[:at].strip(), pause)
        rest = rest[at:].strip()
    if rest:
        yield Piece(rest, SENTENCE_PAUSE)


def _cut_near(text: str, wanted: int) -> tuple[int, float]:
    """Where to cut, near `wanted`: behind a clause, else a word, else a mark inside a word, else anywhere."""
    for pattern, pause in ((CLAUSE_END, CLAUSE_PAUSE), (SPACE, 0.0), (MARK, 0.0)):
        ends = [found.end() for found in pattern.finditer(text, 0, MOST_CHARACTERS)]
        near = [end for end in ends if end >= wanted // 2 and text[:end].strip() and end < len(text)]
        if near:
            return min(near, key=lambda end: abs(end - wanted)), pause
    return wanted, 0.0


def _with_neighbours(pieces: list[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        before = merged[-1] if merged else None
        if before is not None and _belong_together(before, piece):
            merged[-1] = Piece(f"{before.text} {piece.text}", piece.pause)
        else:
            merged.append(piece)
    return merged


def _belong_together(before: Piece, piece: Piece) -> bool:
    is_short = min(len(before.text), len(piece.text)) < FEW_CHARACTERS
    return is_short and len(before.text) + len(piece.text) < MOST_CHARACTERS // 2 and _has_mark(before.text)


def _has_mark(text: str) -> bool:
    """Whether a synthesizer hears that something ends here; lines without a mark keep to themselves."""
    return not text[-1:].isalnum()


def _quick_start(piece: Piece) -> Iterator[Piece]:
    least, most = FIRST_CHARACTERS
    ends = (found.end() for found in CLAUSE_END.finditer(piece.text))
    at = next((end for end in ends if least <= end <= len(piece.text) - least), None)
    if len(piece.text) <= most or at is None:
        yield piece
    else:
        yield Piece(piece.text[:at].strip(), CLAUSE_PAUSE)
        yield Piece(piece.text[at:].strip(), piece.pause)
