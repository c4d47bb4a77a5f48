"""Writes a few texts of the test part, which tests/real/moderation/test_attacks.py judges with the shipped heads."""

import gzip
import hashlib
import json
from pathlib import Path

import attacks_data
from attacks_data import Example

PATH = Path(__file__).resolve().parents[2] / "tests" / "real" / "moderation" / "attacks-held-out.jsonl.gz"
MOST = {
    ("s-labs", 1): 60,
    ("s-labs", 0): 60,
    ("own", 0): 40,
    ("agentdojo", 1): 40,
    ("agentdojo", 0): 40,
    ("neuralchemy in documents", 1): 40,
    ("agent-injection-bench", 1): 40,
    ("agent-injection-bench", 0): 10,
}
"""How many of a source and label are taken of each head; what has longer texts, or terms of its own, stays out."""


def main() -> None:
    """Take the first of each kind, in the order of their digests."""
    left = {(head, *kind): most for kind, most in MOST.items() for head in ("jailbreak", "indirect_attack")}
    test = [one for one in attacks_data.examples() if one.part == "test"]
    taken: list[Example] = []
    for one in sorted(test, key=lambda one: hashlib.sha256(one.text.encode()).digest()):
        kind = (one.head, one.source, one.label)
        if left.get(kind, 0) > 0:
            left[kind] -= 1
            taken.append(one)
    lines = [
        json.dumps({"head": one.head, "label": one.label, "source": one.source, "text": one.text}, ensure_ascii=False)
        for one in taken
    ]
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
    print(f"{len(lines)} texts")


if __name__ == "__main__":
    main()
