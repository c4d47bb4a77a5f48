"""Natural text for prompts and inputs: the language reference that Python itself carries."""

import itertools
import re
from collections.abc import Iterator

WORD = re.compile(r"[A-Za-z]")
SENTENCE = re.compile(r"(?<![^ ])[A-Z][a-z]*(?: [a-z-]+,?){5,30}\.(?= |$)")


def passages(words: int) -> Iterator[str]:
    """Neighbouring pieces of prose of `words` words each, no two alike, without an end."""
    from pydoc_data.topics import topics

    prose = [word for text in topics.values() for word in text.split() if WORD.search(word)]
    for turn in itertools.count():
        # Each turn through the text starts one word later, so that no piece comes twice.
        for start in range(turn, len(prose) - words, words):
            yield " ".join(prose[start : start + words])


def sentences(words: int) -> Iterator[str]:
    """Texts of whole sentences that can be read aloud, of at least `words` words each, no two alike."""
    from pydoc_data.topics import topics

    paragraphs = [" ".join(part.split()) for text in topics.values() for part in text.split("\n\n") if part[:1] != " "]
    gathered: list[str] = []
    for sentence in dict.fromkeys(found for part in paragraphs for found in SENTENCE.findall(part)):
        gathered.append(sentence)
        text = " ".join(gathered)
        if len(text.split()) >= words:
            yield text
            gathered = []
