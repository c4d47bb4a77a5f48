"""Whether a text speaks of somebody under age: words, school years, and ages below 18."""

import re
from typing import Final

_UNITS: Final = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_AGE: Final = rf"(?:[1-9]|1[0-7]|{_UNITS.replace(' ', '|')})"

_MINORS: Final = re.compile(
    r"\b(?:child(?:ren)?|kids?|kiddies?|minors?|under-?age(?:d)?|teen(?:s|age|aged|agers?)?|pre-?teens?|toddlers?|infants?"
    r"|bab(?:y|ies)\s+(?:girl|boy)s?|school-?\s?(?:girl|boy|child)\w*|little\s+(?:girl|boy|sister|brother)s?"
    r"|young\s+(?:girl|boy)s?|loli\w*|shota\w*|juveniles?|pubescent|prepubescent|kindergart\w+|pupils?"
    r"|(?:elementary|primary|middle|junior high)[\s-]+school\w*"
    r"|(?:first|second|third|fourth|fifth|sixth|seventh|eighth)[\s-]+grader?s?"
    rf"|{_AGE}[\s-]*(?:years?|yrs?)[\s-]*olds?|{_AGE}\s*y/?o|aged?\s+(?:of\s+)?{_AGE}(?!\s*(?:%|years?\s+ago))\b"
    rf"|(?:i'?m|i\s+am|she'?s|he'?s|(?:she|he)\s+(?:is|was)|turned|only|just)\s+{_AGE}(?=\s*(?:[.,;!?]|and|but|$)))\b",
    re.IGNORECASE,
)


def means_minors(text: str) -> bool:
    """Whether a minor is meant, as far as words tell."""
    return _MINORS.search(text) is not None
