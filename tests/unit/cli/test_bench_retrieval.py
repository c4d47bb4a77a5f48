"""The sets that search is measured with, made of small archives of the same form, and how hits are counted."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from smalt.cli.bench.retrieval import _fits, chunk_sizes, ndcg  # pyright: ignore[reportPrivateUsage]
from smalt.cli.bench.retrieval_sets import Question, attack, django
from smalt.core.errors import InvalidRequest

SIGNALS = """
=======
Signals
=======

.. _guarding:

Preventing duplicate signals
============================

Give each receiver a dispatch uid.

Sending signals
===============

Call send.
"""
CACHE = """
Cache
=====

See how to :ref:`guard your signals <guarding>`, and :ref:`Preventing duplicate signals <guarding>`.
"""


@pytest.fixture
def guides(tmp_path: Path) -> Path:
    archive = tmp_path / "docs.tar.gz"
    with tarfile.open(archive, "w:gz") as bundle:
        for name, text in {"topics/signals.txt": SIGNALS, "topics/cache.txt": CACHE, "releases/1.0.txt": CACHE}.items():
            info = tarfile.TarInfo(f"django-5.2.1/docs/{name}")
            info.size = len(text.encode())
            bundle.addfile(info, io.BytesIO(text.encode()))
    return archive


def test_links_in_other_words_become_questions_about_their_section(guides: Path):
    made = django(guides)
    assert [(one.text, one.document) for one in made.questions] == [("guard your signals", "topics/signals.txt")]
    question = made.questions[0]
    text = next(one.text for one in made.documents if one.name == question.document)
    section = text[question.start : question.end]
    assert section.startswith("Preventing duplicate signals")
    assert "dispatch uid" in section
    assert "Call send" not in section


def test_the_words_of_a_link_do_not_answer_it_and_release_notes_are_not_searched(guides: Path):
    documents = {one.name: one.text for one in django(guides).documents}
    assert set(documents) == {"topics/signals.txt", "topics/cache.txt"}
    assert "guard" not in documents["topics/cache.txt"]


def test_procedures_lose_names_and_find_the_technique_they_were_filed_under(tmp_path: Path):
    archive = tmp_path / "attack.whl"
    technique = {"stix_id": "attack-pattern--1", "name": "Keylogging", "description": "Logging keys.(Citation: X)"}
    link = {
        "stix_id": "relationship--1",
        "relationship_type": "uses",
        "target_ref": "attack-pattern--1",
        "description": "[Duke](https://x) has recorded what its victims typed for weeks.(Citation: Y)",
    }
    gone = {
        **link,
        "stix_id": "relationship--2",
        "revoked": True,
        "description": "Something else, long enough to be kept.",
    }
    cut = {**link, "stix_id": "relationship--3", "description": "A note that its package has cut short somewhere..."}
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("data/a.json", json.dumps({"attack_patterns": [technique]}))
        bundle.writestr("data/b.json", json.dumps({"_metadata": {}, "relationships": [link, gone, cut]}))
    made = attack(archive)
    assert [one.text for one in made.documents] == ["Keylogging\nLogging keys."]
    assert [one.text for one in made.questions] == ["it has recorded what its victims typed for weeks."]


@pytest.mark.parametrize(
    ("fits", "gain"), [([True], 1.0), ([False, False, True, True], 0.5), ([False] * 10 + [True], 0.0)]
)
def test_the_gain_is_that_of_the_first_hit_among_ten(fits: list[bool], gain: float):
    assert ndcg(fits) == pytest.approx(gain)


def test_a_chunk_fits_when_it_holds_half_of_the_section_or_lies_half_in_it():
    document = "intro " * 10 + "the section that answers " * 4 + "outro " * 10
    start = document.index("the section")
    question = Question("?", "page", start, start + 100)
    whole = document.replace(" ", "")
    section = document[start : start + 100].replace(" ", "")

    def fits(name: str, text: str) -> bool:
        result = {"filename": name, "content": [{"type": "text", "text": text}]}
        return next(_fits(question, [result], {"0.txt": "page", "1.txt": "other"}, {"page": whole}, section))

    assert fits("0.txt", document[start - 20 : start + 60])
    assert fits("0.txt", "section that\nanswers the")
    assert not fits("0.txt", "intro intro intro")
    assert not fits("1.txt", document[start : start + 100])


def test_chunk_sizes_are_read_or_refused():
    assert (chunk_sizes("256/64"), chunk_sizes(None)) == ((256, 64), None)
    with pytest.raises(InvalidRequest, match="SIZE/OVERLAP"):
        chunk_sizes("256")
