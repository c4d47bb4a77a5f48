"""Makes a client's file name harmless: one name without folders, and without characters that deceive."""

import unicodedata

LONGEST = 255
NAMELESS = "file"
# Marks that turn the direction of writing: with them `fdp.exe` can be made to look like `exe.pdf`.
DECEIVING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
# Control characters, halves of characters, line and paragraph separators.
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def safe_filename(name: str) -> str:
    """The last part of a path, cleaned and shortened from the middle so that its ending stays."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(one for one in last if one not in DECEIVING and unicodedata.category(one) not in UNPRINTABLE)
    cleaned = kept.strip()
    if not cleaned.strip("."):
        return NAMELESS
    stem, dot, ending = cleaned.rpartition(".")
    if len(cleaned) <= LONGEST:
        return cleaned
    if not stem or len(ending) > LONGEST // 2:
        return cleaned[:LONGEST]
    return stem[: LONGEST - len(ending) - 1] + dot + ending
