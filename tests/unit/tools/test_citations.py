"""Citations: the same whole or in pieces, marks taken out, sentences attributed to what bears them out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handbook import PAGES
from smalt.tools.citations import Annotator
from smalt.tools.protocols import Source

Json = dict[str, Any]

FILES = [
    Source(
        {"type": "file_citation", "file_id": f"file-{page['id']}", "filename": page["filepath"]},
        page["content"],
        f"[doc{number}]",
    )
    for number, page in enumerate(PAGES, start=1)
]
TRAVEL, HOLIDAYS, BICYCLES = FILES[:3]
WEB = [
    Source({"type": "url_citation", "url": page["url"], "title": page["title"]}, page["content"], f"[web{number}]")
    for number, page in enumerate(PAGES, start=1)
]
PLOT = Source(
    {"type": "container_file_citation", "container_id": "cntr_1", "file_id": "cfile_1", "filename": "plot.png"}
)


def annotated(text: str, sources: Sequence[Source], size: int | None = None) -> tuple[str, list[Json]]:
    """What comes out for a text that goes in whole, or in pieces of a size."""
    annotator = Annotator(sources)
    step = size or max(1, len(text))
    pieces = [annotator.add(text[start : start + step]) for start in range(0, len(text), step)]
    pieces.append(annotator.finish())
    return "".join(piece.text for piece in pieces), [one for piece in pieces for one in piece.annotations]


def cited(text: str, sources: Sequence[Source] = FILES) -> list[tuple[str, str]]:
    """The end of what stands before each file citation, and the file."""
    shown, found = annotated(text, sources)
    return [(shown[max(0, one["index"] - 10) : one["index"]], one["filename"]) for one in found]


def test_a_sentence_without_a_mark_is_cited_behind_its_full_stop():
    text = "Hotels are paid up to 140 euros per night. Every employee has 28 days of holiday a year!"
    assert cited(text) == [("per night.", "travel.md"), ("ay a year!", "holidays.md")]


def test_what_no_source_says_is_not_cited():
    assert cited("The cafeteria serves pizza with mushrooms on Fridays. It is delicious and cheap.") == []
    assert cited("I could not find anything about that in the documents, sorry.") == []


def test_a_short_sentence_is_not_cited():
    assert cited("28 days.") == []


def test_marks_leave_the_text_and_become_citations():
    shown, found = annotated("Book second class [doc1]. Holidays expire in March. [doc2]", FILES)
    assert shown == "Book second class. Holidays expire in March."
    assert [(one["filename"], shown[: one["index"]]) for one in found] == [
        ("travel.md", "Book second class"),
        ("holidays.md", shown),
    ]


@pytest.mark.parametrize(
    "mark", ["[doc2]", "[Doc2]", "[doc 2]", "【doc2】", "[ doc2 ]", "[DOC2][doc2]", "[doc2] [doc2]"]
)
def test_a_model_writes_marks_its_own_way(mark: str):
    shown, found = annotated(f"They expire soon {mark}.", FILES)
    assert shown == "They expire soon."
    assert [one["filename"] for one in found] == ["holidays.md"]


@pytest.mark.parametrize("mark", ["[doc1][doc3]", "[doc1, doc3]", "[doc1,3]", "[doc1; doc 3]", "[doc1] [doc3]"])
def test_several_marks_are_several_citations(mark: str):
    shown, found = annotated(f"Both say so {mark}.", FILES)
    assert shown == "Both say so."
    assert [(one["filename"], one["index"]) for one in found] == [("travel.md", 11), ("bicycles.md", 11)]


def test_a_mark_of_nothing_goes_without_a_trace():
    assert annotated("They expire soon [doc99].", FILES) == ("They expire soon.", [])


def test_a_wrong_mark_is_put_right():
    text = "Hotels are paid up to 140 euros a night [doc2]."
    assert cited(text) == [("os a night", "travel.md")]


def test_a_mark_is_believed_when_the_words_decide_nothing():
    assert cited("Man darf sich eines einen Tag lang leihen [doc3].") == [("ang leihen", "bicycles.md")]


def test_each_part_of_a_sentence_has_its_own_mark():
    text = "Hotels are paid up to 140 euros a night [doc1], and everybody has 28 days of holiday [doc2]."
    assert cited(text) == [("os a night", "travel.md"), ("of holiday", "holidays.md")]


def test_a_mark_in_the_place_of_a_name_becomes_the_name():
    shown, found = annotated("According to [doc1], hotels are paid up to 140 euros a night.", FILES)
    assert shown == "According to travel.md, hotels are paid up to 140 euros a night."
    assert [(one["filename"], one["index"]) for one in found] == [("travel.md", len(shown))]


def test_a_mark_before_a_line_belongs_to_the_line():
    shown, found = annotated("Well:\n[doc2] They expire soon.\n[doc3] Borrow them.", FILES)
    assert shown == "Well:\nThey expire soon.\nBorrow them."
    assert [(one["filename"], shown[: one["index"]].splitlines()[-1]) for one in found] == [
        ("holidays.md", "They expire soon."),
        ("bicycles.md", "Borrow them."),
    ]


def test_a_mark_alone_on_the_last_line_belongs_to_what_is_before():
    shown, found = annotated("They expire soon.\n\n[doc2]", FILES)
    assert (shown, [(one["filename"], one["index"]) for one in found]) == (
        "They expire soon.\n\n",
        [("holidays.md", len("They expire soon."))],
    )


def test_a_url_citation_spans_its_sentence():
    shown, found = annotated("Good news. Everybody has 28 days of holiday a year [web2]. Bye.", WEB)
    (one,) = found
    assert shown[one["start_index"] : one["end_index"]].endswith("Everybody has 28 days of holiday a year")
    assert (one["url"], one["title"]) == ("https://intranet.example/holidays", "Holidays")


@pytest.mark.parametrize("name", ["sandbox:/mnt/data/plot.png", "/mnt/data/plot.png", "plot.png"])
def test_a_container_s_file_is_cited_where_its_name_is(name: str):
    shown, found = annotated(f"Here it is: [the plot]({name}). And again {name}.", [PLOT])
    (one,) = found
    assert shown[one["start_index"] : one["end_index"]] == name
    assert one["start_index"] == shown.index(name)


def test_a_container_s_file_that_is_never_named_is_cited_at_the_end():
    shown, found = annotated("I drew what you asked for.", [PLOT])
    assert [(one["start_index"], one["end_index"]) for one in found] == [(len(shown), len(shown))]


@pytest.mark.parametrize(
    "text",
    [
        '{"rows": [1, 2], "docs": ["doc1"]}',
        "```python\nrow[doc1] = holiday[doc 2]\n```\n",
        "A [link](https://example.org) and [docs] and [x] and [document one].",
        "  - indented\n\n\ttext with  two blanks ",
    ],
)
def test_what_is_no_mark_stays_as_it_is(text: str):
    assert annotated(text, FILES)[0] == text


def test_code_is_not_cited():
    assert cited("```\nEverybody has 28 days of holiday a year.\n```\n") == []


def test_abbreviations_and_numbers_do_not_end_a_sentence():
    text = "Hotels are paid up to 140.00 euros a night, e.g. in Berlin. Dr. Smith likes cake and tea with milk."
    assert [end for end, _ in cited(text)] == ["in Berlin."]


def test_a_sentence_goes_on_over_a_wrapped_line_and_ends_with_its_paragraph():
    wrapped = "Hotels are paid up\nto 140 euros\na night"
    assert cited(f"{wrapped}\n\nand so on") == [("os\na night", "travel.md")]
    assert cited(f"- {wrapped}\n- Everybody has 28 days of holiday a year") == [
        ("os\na night", "travel.md"),
        ("day a year", "holidays.md"),
    ]


def test_a_few_words_before_a_sentence_are_not_part_of_it():
    shown, found = annotated("Well. Every employee has 28 days of holiday a year.", WEB)
    assert [shown[one["start_index"] : one["end_index"]] for one in found] == [shown.removeprefix("Well. ")]


def test_scripts_without_spaces_have_sentences_too():
    sources = [
        Source({"type": "file_citation", "file_id": "f", "filename": "japan"}, "図書館は火曜日と木曜日に開いています。")
    ]
    assert cited("図書館は火曜日に開いています。猫が好きです。", sources) == [("曜日に開いています。", "japan")]


def test_without_sources_a_text_passes_unchanged():
    assert annotated("Anything [doc1] goes.", []) == ("Anything [doc1] goes.", [])


SAID = "Hotels are paid up to 140 euros a night everybody has 28 days of holiday year according in"
PIECES = [
    *[". ", "! ", "\n", " ", "  ", "\n\n", "- ", "e.g. ", "```", "\n```\n", "plot.png", "sandbox:/mnt/data/plot.png"],
    *["[doc1]", "[doc2]", " [doc 9]", "【doc3】", "[doc", "[", "]", "[1]", "[doc1, doc2]", "[d", "。", "ä", "[web1]"],
]
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = st.lists(st.sampled_from([*SAID.split(), *PIECES]), max_size=40).map("".join)


@PATIENT
@given(TEXTS, st.integers(1, 7))
def test_pieces_make_no_difference(text: str, size: int):
    sources = [*FILES, WEB[0], PLOT]
    assert annotated(text, sources, size) == annotated(text, sources)


@PATIENT
@given(TEXTS)
def test_places_are_in_the_text_and_in_order_of_what_they_cite(text: str):
    shown, found = annotated(text, [*FILES, WEB[0], PLOT])
    for one in found:
        start, end = one.get("start_index", 0), one.get("end_index", one.get("index"))
        assert 0 <= start <= end <= len(shown)
