"""What every index of chunks keeps, whatever is behind it."""

import asyncio

import numpy as np
import pytest

from indexed_stores import DIMENSIONS, IndexedStore, asking, packed, vector_of
from smalt.retrieval.protocols import ChunkIndex
from smalt.schemas.vector_stores import ComparisonFilter, CompoundFilter

ANIMALS = ["the cat sleeps on the sofa", "a dog chases the red ball", "parrots repeat what people say"]
PLANTS = ["roses need water and sun", "the old oak loses its leaves", "moss grows on the north side"]


def where(kind: str, key: str, value: object) -> ComparisonFilter:
    return ComparisonFilter.model_validate({"type": kind, "key": key, "value": value})


COMPARISONS = [
    (where("eq", "year", 2020), "b"),
    (where("eq", "year", 2020.0), "b"),
    (where("ne", "year", 2020), "acde"),
    (where("gt", "year", 2020), "c"),
    (where("gte", "year", 2020), "bc"),
    (where("lt", "year", 2020), "a"),
    (where("lte", "year", 2020), "ab"),
    (where("in", "year", [2019, 2021.5]), "ac"),
    (where("nin", "year", [2019, 2021.5]), "bde"),
    (where("eq", "name", 'it\'s "quoted" %_'), "a"),
    (where("eq", "name", "日本"), "b"),
    (where("gt", "name", "m"), "bc"),
    (where("eq", "done", value=True), "a"),
    (where("eq", "done", value=False), "b"),
    (where("eq", "done", 1), "c"),
    (where("eq", "done", "true"), "d"),
    (where("ne", "done", value=True), "bcde"),
    (where("in", "done", [True, "true"]), "ad"),
    (where("gt", "year", "2000"), ""),
    (where("eq", "nothing", "x"), ""),
    (where("ne", "nothing", "x"), "abcde"),
    (where("eq", "a key with ' and \"", 1), "e"),
]
WORDS = [
    ("Der Bär frisst Honig", "bar"),
    ("A cafe\u0301 in Paris", "CAFÉ"),
    ("\ufb01ne \uff46ullwidth letters", "fullwidth"),
    ("東京は日本の首都です", "首都"),
    ("서울은 대한민국의 수도이다", "대한민국"),
    ("กรุงเทพมหานครเป็นเมืองหลวง", "เมือง"),
    ("Ёлка стоит в углу", "елка"),
    ("\u0397 \u0391θήνα είναι πόλη", "αθηνα"),  # noqa: RUF001 Greek
    ("snake_case.value(argument)", "argument"),
]
QUERIES = [
    '"',
    "AND OR NOT",
    "(((",
    "x:y:z",
    "*",
    "field:[1 TO",
    "\\",
    "'; DROP TABLE chunks; --",
    "😀",
    " ",
    "\u0301",
    "a" * 5000,
    "!&|",
    "<->",
    "word " * 3000,
]


class ChunkIndexSuite:
    """A test module gives the fixtures `store` (an empty vector store) and `index` over the same database."""

    async def found(self, index: ChunkIndex, store: IndexedStore, text: str, **fields: object) -> list[tuple[int, int]]:
        hits = await index.search(asking(store.number, store.version, text, **fields))
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        for hit in hits:
            assert all(score is None or 0 <= score <= 1 for score in (hit.vector_score, hit.text_score))
        return [(hit.file, hit.position) for hit in hits]

    async def test_an_empty_store_has_no_hits(self, index: ChunkIndex, store: IndexedStore) -> None:
        assert await self.found(index, store, "cat") == []

    async def test_a_store_that_never_was_has_no_hits(self, index: ChunkIndex) -> None:
        assert await index.search(asking(987654, 0, "cat")) == []

    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "text"])
    async def test_every_mode_finds_what_fits_first(self, index: ChunkIndex, store: IndexedStore, mode: str) -> None:
        animals, plants = await store.put(ANIMALS), await store.put(PLANTS)
        assert (await self.found(index, store, "a dog with a ball", mode=mode))[0] == (animals, 1)
        assert (await self.found(index, store, "old oak leaves", mode=mode))[0] == (plants, 1)

    async def test_a_hybrid_search_tells_both_scores(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        best, *_ = await index.search(asking(store.number, store.version, ANIMALS[0]))
        assert best.position == 0
        assert best.vector_score == pytest.approx(1.0, abs=0.02)
        assert best.text_score

    async def test_only_the_side_that_found_a_chunk_scores_it(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        semantic = await index.search(asking(store.number, store.version, "cat", mode="semantic"))
        text = await index.search(asking(store.number, store.version, "cat", mode="text"))
        assert {hit.text_score for hit in semantic} == {None}
        assert [(hit.position, hit.vector_score) for hit in text] == [(0, None)]
        assert text[0].score == text[0].text_score

    async def test_vector_scores_are_cosines(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS + PLANTS)
        wanted = vector_of("the cat and the moss")
        hits = await index.search(asking(store.number, store.version, vectors=[packed(wanted)], mode="semantic"))
        assert len(hits) == 6
        for hit in hits:
            cosine = float(wanted @ vector_of((ANIMALS + PLANTS)[hit.position]))
            assert hit.vector_score == pytest.approx(max(0.0, cosine), abs=0.01)

    async def test_several_queries_find_the_best_of_each(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS + PLANTS)
        texts = [ANIMALS[2], PLANTS[2]]
        vectors = [packed(vector_of(text)) for text in texts]
        for mode in ("semantic", "text", "hybrid"):
            hits = await index.search(
                asking(store.number, store.version, texts=texts, vectors=vectors, mode=mode, limit=2)
            )
            assert {hit.position for hit in hits} == {2, 5}, mode

    async def test_a_later_file_is_found_at_its_version(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        assert len(await self.found(index, store, "oak")) == 3
        plants = await store.put(PLANTS)
        assert (await self.found(index, store, "old oak leaves"))[0] == (plants, 1)

    async def test_a_removed_file_is_never_found(self, index: ChunkIndex, store: IndexedStore) -> None:
        animals, plants = await store.put(ANIMALS), await store.put(PLANTS)
        assert len(await self.found(index, store, "the cat and the oak")) == 6
        await store.remove(animals)
        assert {file for file, _ in await self.found(index, store, "the cat and the oak")} == {plants}
        for mode in ("semantic", "text"):
            found = await self.found(index, store, "the cat and the oak", mode=mode)
            assert {file for file, _ in found} == {plants}

    async def test_what_was_removed_and_purged_is_never_found(self, index: ChunkIndex, store: IndexedStore) -> None:
        animals, plants = await store.put(ANIMALS), await store.put(PLANTS)
        assert len(await self.found(index, store, "cat")) == 6
        await store.remove(animals)
        await store.purge()
        assert {file for file, _ in await self.found(index, store, "the cat")} == {plants}

    async def test_files_that_are_not_completed_are_not_found(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS, status="in_progress")
        await store.put(ANIMALS, status="failed")
        assert await self.found(index, store, "cat") == []

    async def test_one_store_never_finds_what_is_in_another(self, index: ChunkIndex, store: IndexedStore) -> None:
        other = await IndexedStore(store.database).make()
        mine, theirs = await store.put(ANIMALS), await other.put(ANIMALS)
        assert {file for file, _ in await self.found(index, store, "cat")} == {mine}
        assert {file for file, _ in await self.found(index, other, "cat")} == {theirs}

    async def test_changed_attributes_count_at_once(self, index: ChunkIndex, store: IndexedStore) -> None:
        file = await store.put(ANIMALS, {"colour": "red"})
        red = where("eq", "colour", "red")
        assert len(await self.found(index, store, "cat", filter=red)) == 3
        await store.describe(file, {"colour": "blue"})
        assert await self.found(index, store, "cat", filter=red) == []
        assert len(await self.found(index, store, "cat", filter=where("eq", "colour", "blue"))) == 3

    async def test_comparisons(self, index: ChunkIndex, store: IndexedStore) -> None:
        files = await self.described(store)
        told = [await self.named(index, store, files, filter_) for filter_, _ in COMPARISONS]
        assert told == [expected for _, expected in COMPARISONS]

    async def test_filters_nest(self, index: ChunkIndex, store: IndexedStore) -> None:
        both = CompoundFilter(type="and", filters=[where("gte", "year", 2020), where("lt", "name", "z")])
        either = CompoundFilter(type="or", filters=[both, where("eq", "done", value=True)])
        without = CompoundFilter(type="and", filters=[either, where("ne", "year", 2019)])
        assert await self.named(index, store, await self.described(store), without) == "c"

    async def described(self, store: IndexedStore) -> dict[int, str]:
        """Add files with attributes of every kind; returns their names."""
        return {
            await store.put(ANIMALS, attributes): name
            for name, attributes in {
                "a": {"year": 2019, "name": 'it\'s "quoted" %_', "done": True},
                "b": {"year": 2020, "name": "日本", "done": False},
                "c": {"year": 2021.5, "name": "nil", "done": 1},
                "d": {"done": "true"},
                "e": {"a key with ' and \"": 1},
            }.items()
        }

    async def named(
        self,
        index: ChunkIndex,
        store: IndexedStore,
        files: dict[int, str],
        filter_: ComparisonFilter | CompoundFilter,
    ) -> str:
        """The names of the files that a filter lets through, the same in every mode."""
        told = set[str]()
        for mode in ("semantic", "text", "hybrid"):
            found = await self.found(index, store, "the cat", mode=mode, filter=filter_, limit=50)
            told.add("".join(sorted({files[file] for file, _ in found})))
        (names,) = told
        return names

    async def test_named_files_only(self, index: ChunkIndex, store: IndexedStore) -> None:
        first, second, third = [await store.put(ANIMALS, {"n": n}) for n in range(3)]
        found = await self.found(index, store, "cat", files=frozenset({first, third, 999_999}))
        assert {file for file, _ in found} == {first, third}
        found = await self.found(index, store, "cat", files=frozenset({second}), filter=where("eq", "n", 0))
        assert found == []
        assert await self.found(index, store, "cat", files=frozenset()) == []

    async def test_words_of_any_language_are_found(self, index: ChunkIndex, store: IndexedStore) -> None:
        for text, query in WORDS:
            other = await IndexedStore(store.database).make()
            await other.put(["something else altogether", text, "また別の文", "другой текст"])
            assert (await self.found(index, other, query, mode="text"))[0][1] == 1, query

    async def test_no_query_is_a_fault(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        for query in QUERIES:
            assert await self.found(index, store, query, mode="text") == [], query[:20]
            assert len(await self.found(index, store, query)) == 3, query[:20]

    async def test_a_huge_limit_gives_all_there_is(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        await store.put(PLANTS)
        assert len(await self.found(index, store, "cat", limit=100_000)) == 6
        assert len(await self.found(index, store, "cat", limit=1)) == 1

    async def test_vectors_of_another_size_are_left_out(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        await store.put(PLANTS, vectors=np.array([vector_of(text, DIMENSIONS // 2) for text in PLANTS]))
        found = await self.found(index, store, "the cat", mode="semantic")
        assert {position for _, position in found} == {0, 1, 2}
        assert len({file for file, _ in found}) == 1
        assert len(await self.found(index, store, "the oak", mode="text")) == 4

    async def test_a_file_without_chunks_is_no_fault(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put([], {"empty": True})
        assert await self.found(index, store, "cat") == []
        await store.put(ANIMALS)
        assert len(await self.found(index, store, "cat")) == 3

    async def test_what_was_forgotten_is_found_again_while_it_is_in_the_store(
        self, index: ChunkIndex, store: IndexedStore
    ) -> None:
        await store.put(ANIMALS)
        assert len(await self.found(index, store, "cat")) == 3
        await index.forget(store.number)
        await index.forget(store.number)
        assert len(await self.found(index, store, "cat")) == 3

    async def test_a_deleted_store_has_no_hits(self, index: ChunkIndex, store: IndexedStore) -> None:
        await store.put(ANIMALS)
        assert len(await self.found(index, store, "cat")) == 3
        await store.delete()
        await index.forget(store.number)
        assert await index.search(asking(store.number, 0, "cat")) == []

    async def test_searches_at_once_with_changes_between_see_their_versions(
        self, index: ChunkIndex, store: IndexedStore
    ) -> None:
        files: list[int] = []

        async def search(version: int, count: int) -> None:
            hits = await index.search(asking(store.number, version, "the cat", limit=1000))
            assert len({hit.file for hit in hits}) >= count

        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                files.append(await store.put(ANIMALS))
                group.create_task(search(store.version, len(files)))
