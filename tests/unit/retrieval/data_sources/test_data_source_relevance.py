"""Strictness decides which documents pass, and says why the others do not."""

import pytest

from handbook import PAGES
from smalt.core.errors import InvalidRequest
from smalt.retrieval.data_sources.mapping import Field, Fields, mapped, of_record, read
from smalt.retrieval.data_sources.protocols import Document, Query
from smalt.retrieval.data_sources.relevance import judged
from smalt.retrieval.data_sources.words import content_words, coverage
from smalt.schemas.on_your_data import FieldsMapping


def near(key: str, similarity: float) -> Document:
    return Document(key, key, score=(1 + similarity) / 2, measure="similarity", similarity=similarity)


def passed(documents: list[Document], strictness: int, top_n: int = 5, text: str = "q") -> list[str]:
    shown = judged([(Query(text), documents)], strictness=strictness, top_n_documents=top_n).shown
    return [one.document.key for one in shown]


@pytest.mark.parametrize(
    ("strictness", "keys"),
    [(1, ["a", "b", "c", "d", "e"]), (2, ["a", "b", "c", "d"]), (3, ["a", "b", "c"]), (4, ["a", "b"]), (5, ["a"])],
)
def test_the_stricter_the_fewer(strictness: int, keys: list[str]):
    found = [near("a", 0.6), near("b", 0.42), near("c", 0.33), near("d", 0.19), near("e", 0.05), near("f", -0.2)]
    assert passed(found, strictness, top_n=9) == keys


def test_what_shares_no_word_with_the_query_is_filtered_by_its_score():
    text = "When does the library open?"
    found = [Document(page["id"], page["content"], score=2.0, measure="words") for page in PAGES]
    judgement = judged([(Query(text), found)], strictness=3, top_n_documents=5)
    assert [one.document.key for one in judgement.shown] == ["library-0"]
    assert {one.filter_reason for one in judgement.documents[1:]} == {"score"}


def test_more_than_the_wanted_documents_are_filtered_by_rank():
    judgement = judged([(Query("q"), [near(name, 0.9) for name in "abc"])], strictness=1, top_n_documents=2)
    assert [one.filter_reason for one in judgement.documents] == [None, None, "rerank"]


def test_documents_that_were_ranked_again_are_judged_and_ordered_by_that():
    found = [
        Document("low", "x", score=9.0, measure="words", rerank_score=0.4),
        Document("high", "y", score=1.0, measure="words", rerank_score=2.4),
    ]
    judgement = judged([(Query("q"), found)], strictness=3, top_n_documents=5)
    assert [(one.document.key, one.filter_reason) for one in judgement.documents] == [("high", None), ("low", "rerank")]


def test_a_document_found_twice_is_one_with_both_queries_and_its_better_score():
    found = [(Query("one"), [near("a", 0.3), near("b", 0.9)]), (Query("two"), [near("a", 0.8)])]
    judgement = judged(found, strictness=3, top_n_documents=5)
    first, second = judgement.documents
    assert (first.document.key, first.queries) == ("b", ["one"])
    assert (second.document.key, second.queries) == ("a", ["one", "two"])
    assert second.document.similarity == 0.8
    assert second.filter_reason is None
    assert judgement.queries == ["one", "two"]


def test_words_are_told_apart_by_what_they_say():
    assert content_words("The library opens: opening hours!") == content_words("open Library opened the hour")
    assert coverage(content_words("opening hours"), content_words("It opens at these hours.")) == 1
    assert coverage(content_words("図書館の時間"), content_words("図書館は火曜日")) > 0.3
    assert coverage(content_words("bicycle"), content_words("library")) == 0


def test_fields_are_mapped_by_their_usual_names():
    names = ["id", "chunk", "Title", "url", "metadata_storage_name", "language"]
    fields = mapped(None, [*(Field(name) for name in names), Field("embedding", is_text=False, is_vector=True)])
    assert fields.content == ("chunk",)
    assert (fields.title, fields.url, fields.filepath) == ("Title", "url", "metadata_storage_name")
    assert fields.vectors == ("embedding",)


def test_all_texts_are_the_content_when_no_name_tells():
    fields = mapped(
        FieldsMapping(title_field="heading"), [Field("id"), Field("heading"), Field("alpha"), Field("beta")]
    )
    assert fields.content == ("alpha", "beta")


def test_a_record_is_read_along_the_mapping():
    record = {"a": {"b": "deep"}, "c.d": "dotted", "tags": ["x", "y"], "n": 7, "none": None, "chunk_id": 3}
    parts = read(record, Fields(("a.b", "c.d", "tags", "none"), separator=" | ", title="n"))
    assert parts.content == "deep | dotted | x\ny"
    assert (parts.title, parts.url, parts.chunk_id) == ("7", None, "3")


def test_a_record_alone_tells_its_fields():
    fields = of_record({"@search.score": 1.0, "_id": "x", "content": "text", "pages": 3})
    assert [(field.name, field.is_text) for field in fields] == [("content", True), ("pages", False)]


def test_an_error_of_a_source_is_an_error_of_the_request():
    from smalt.retrieval.data_sources.failures import DataSourceRefused, quoted

    assert issubclass(DataSourceRefused, InvalidRequest)
    assert quoted("say sesame " * 99, ["sesame"]).startswith("say *** say ***")
    assert len(quoted("x" * 999, [])) == 301
