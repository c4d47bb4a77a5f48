"""Texts as they are said: without markup and pictures, and in English with money, years and addresses in words."""

import re
import unicodedata

# What is bounded here takes quadratic time otherwise, and a text may be as long as a chat model's answer.
FENCE = re.compile(r"^[^\S\n]*(```|~~~).*$", re.MULTILINE)
LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\([^)\s]{0,500}(?:\s+\"[^\"\n]{0,300}\")?\)")
LINE_START = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[*+\-\u2022][ \t]+)", re.MULTILINE)
RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", re.MULTILINE)
EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3}|~~)(?=\S)(.{1,1000}?)(?<=\S)\1(?![\w*])", re.DOTALL)
CODE = re.compile(r"(?<!`)`+([^`\n]+)`+")

FIRST_PICTURE = 0x2190
"""Signs before this one (degrees, copyright) are said; arrows, boxes and emoji after it are not."""

PICTURE_JOINERS = frozenset("\ufe0f\ufe0e\u20e3")
LINE_BREAKS = frozenset("\n\u2028\u2029")

ADDRESS = re.compile(r"\b(?:https?://|www\.)[^\s<>\"]+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
HOST = re.compile(r"\b[a-z][\w-]*(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|io|dev|ai|app|co|eu|uk|de|fr)\b", re.IGNORECASE)
SAID_MARKS = {
    "://": " ",
    ".": " dot ",
    "/": " slash ",
    "@": " at ",
    "-": " dash ",
    "_": " underscore ",
    "?": " question mark ",
    "&": " and ",
    "=": " equals ",
    "#": " hash ",
    ":": " colon ",
    "+": " plus ",
    "%": " percent ",
}
ADDRESS_MARK = re.compile("|".join(map(re.escape, SAID_MARKS)))

MONEY = re.compile(
    r"([$\u20ac\u00a3])\s?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d\d?))?(?:\s?(thousand|million|billion|trillion|[kMB])\b)?"
)
CURRENCIES = {"$": ("dollar", "cent"), "\u20ac": ("euro", "cent"), "\u00a3": ("pound", "pence")}
SCALES = {"k": "thousand", "M": "million", "B": "billion"}
YEAR = re.compile(r"(?<![\d.,:/$\u20ac\u00a3])\b(1[1-9]|20)(\d\d)(s?)\b(?![\d:/%]|[.,]\d)")
DECADES = (
    *("hundreds", "tens", "twenties", "thirties", "forties"),
    *("fifties", "sixties", "seventies", "eighties", "nineties"),
)
CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)(?=\s?[ap]\.?m\b|\b)(?!:)", re.IGNORECASE)
SPAN = re.compile(r"(?<=\d)\s?[-\u2013]\s?(?=\d+(?!\S*-))")
SHORT = {"e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "approx.": "approximately"}
SHORTENED = re.compile(rf"\b(?:{'|'.join(map(re.escape, SHORT))})(?=[\s,;:)]|$)")
UNITS = {
    "km/h": "kilometers per hour",
    "mph": "miles per hour",
    "km": "kilometers",
    "kg": "kilograms",
    "cm": "centimeters",
}
UNIT = re.compile(rf"(?<=\d)\s?({'|'.join(UNITS)})\b")


def plain(text: str) -> str:
    """The text without Markdown, emoji and signs that nobody hears."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for pattern, kept in ((FENCE, ""), (RULE, ""), (LINK, r"\1"), (LINE_START, ""), (EMPHASIS, r"\2"), (CODE, r"\1")):
        text = pattern.sub(kept, text)
    return "".join(map(_said, text))


def in_english_words(text: str) -> str:
    """The text with words for what espeak-ng would read sign by sign: addresses, money, years, times."""
    text = SHORTENED.sub(lambda found: SHORT[found[0]], text)
    text = ADDRESS.sub(_address, text)
    text = HOST.sub(_address, text)
    text = MONEY.sub(_money, text)
    text = CLOCK.sub(_clock, text)
    text = YEAR.sub(_year, text)
    text = UNIT.sub(lambda found: f" {UNITS[found[1]]}", text)
    return SPAN.sub(" to ", text)


def _said(character: str) -> str:
    if character in LINE_BREAKS:
        return character
    category = unicodedata.category(character)
    if category in {"Cc", "Zs"}:
        return " "
    is_picture = ord(character) >= FIRST_PICTURE and category in {"So", "Sk", "Cn", "Co"}
    return "" if is_picture or category == "Cf" or character in PICTURE_JOINERS else character


def _address(found: re.Match[str]) -> str:
    address = re.sub(r"^(?:https?://)", "", found[0], flags=re.IGNORECASE)
    said = address.rstrip(".,;:!?)/")
    end = address[len(said) :].strip("/")
    return ADDRESS_MARK.sub(lambda mark: SAID_MARKS[mark[0]], said) + end


def _money(found: re.Match[str]) -> str:
    sign, whole, part, scale = found.groups()
    one, hundredth = CURRENCIES[sign]
    if scale:
        number = f"{whole}.{part}" if part else whole
        return f"{number} {SCALES.get(scale, scale)} {one}s"
    said = f"{whole} {one}" + ("" if whole == "1" else "s")
    if not part or not int(part):
        return said
    count = int(part.ljust(2, "0"))
    return f"{said} and {count} {hundredth}" + ("s" if count != 1 and hundredth == "cent" else "")


def _clock(found: re.Match[str]) -> str:
    hours, minutes = int(found[1]), found[2]
    if minutes == "00":
        return f"{hours} o'clock" if hours <= 12 else f"{hours} hundred"  # noqa: PLR2004 the face of a clock
    return f"{hours} oh {int(minutes)}" if minutes.startswith("0") else f"{hours} {minutes}"


def _year(found: re.Match[str]) -> str:
    century, rest, decade = found.groups()
    if decade:
        return f"{century} {_decade(rest)}"
    if century == "20" and rest < "10":
        return found[0]
    if rest == "00":
        return f"{century} hundred"
    return f"{century} oh {int(rest)}" if rest < "10" else f"{century} {rest}"


def _decade(rest: str) -> str:
    return DECADES[int(rest[0])] if rest.endswith("0") else f"{rest}s"
