"""Writes texts in one way before they are cut into words, whatever their language."""

import re
import unicodedata

MARKS = re.compile("[\u0300-\u036f]+")
# Scripts that put no spaces between words (Han, kana, Thai, Lao, Burmese, Khmer), and Hangul, whose words have endings.
UNSPACED = re.compile(
    "["
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f"
    "]+"
)
WORD = re.compile(r"[^\W_]+")


def searchable(text: str) -> str:
    """The text in one way of writing: accents folded, and pairs of characters for words where no spaces part them."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", MARKS.sub("", unicodedata.normalize("NFKD", text)))
    return UNSPACED.sub(_pairs, folded)


def words_of(text: str) -> list[str]:
    """The words of a text in order, in small letters."""
    return WORD.findall(searchable(text).lower())


def _pairs(run: re.Match[str]) -> str:
    characters = run[0]
    if len(characters) == 1:
        return f" {characters} "
    pairs = (characters[start : start + 2] for start in range(len(characters) - 1))
    return f" {' '.join(pairs)} "
