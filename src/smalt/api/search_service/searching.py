"""Runs the plan of a search: asks the index for each part, blends, ranks again, and fetches one page."""

from dataclasses import dataclass, replace
from struct import pack
from typing import Any

from smalt.api.search_service.documents import row_of
from smalt.api.search_service.indexes import Index, Indexes
from smalt.api.search_service.request import SCORE, Neighbours, Plan
from smalt.core.errors import InvalidRequest
from smalt.retrieval.closeness import Key, read_closeness
from smalt.retrieval.index.fusion import CANDIDATES, blend
from smalt.retrieval.protocols import Found, Hit, IndexQuery
from smalt.retrieval.search import Search, read_found
from smalt.store.database import Database

MOST_COUNTED = 1000
"""How far matches of words are counted, put in another order than by score, or checked for operators."""
MOST_RANKED_AGAIN = 50
MOST_RERANKER_SCORE = 4.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document's place in the results; `again` is its score by semantic ranking, in 0..4."""

    key: Key
    score: float
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A document that was found, with its scores."""

    found: Found
    score: float
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """One page of what was found, how many there are in all, and whether more follow."""

    page: list[Result]
    total: int
    has_more: bool


class Searching:
    """One search in one index."""

    def __init__(self, database: Database, search: Search, indexes: Indexes, index: Index, plan: Plan) -> None:
        self._database = database
        self._search = search
        self._indexes = indexes
        self._index = index
        self._plan = plan

    async def results(self) -> Results:
        """Run it."""
        plan = self._plan
        if plan.words is None and not plan.neighbours and plan.semantic is None:
            ranked, total = self._all(plan.skip, plan.top), self._matching()
        else:
            ranked, total = await self._ranked()
            ranked = ranked[plan.skip : plan.skip + plan.top]
        hits = [Hit(*one.key, one.score) for one in ranked]
        found = await self._database.read(
            lambda connection: read_found(connection, self._index.store.sequence, hits) if hits else []
        )
        places = {one.key: one for one in ranked}
        page = [_result(one, places[one.file, one.position]) for one in found]
        return Results(page, total, has_more=total > plan.skip + plan.top)

    async def _ranked(self) -> tuple[list[Ranked], int]:
        """All that is found, as far as it is looked for, best first."""
        by_words = await self._by_words()
        sides = [(scores, 1.0) for scores in by_words]
        for neighbours, vector in zip(self._plan.neighbours, await self._vectors(), strict=True):
            scores = await self._near(vector, neighbours.count)
            sides.append((scores, neighbours.weight))
        blended = blend(sides)
        ranked = [Ranked(key, score) for key, score in sorted(blended.items(), key=lambda one: (-one[1], one[0]))]
        if not sides:
            ranked = self._all(0, MOST_RANKED_AGAIN)
        if self._plan.semantic is not None:
            ranked = await self._ranked_again(ranked[:MOST_RANKED_AGAIN], by_words[0] if by_words else {})
        elif self._plan.order:
            ranked = self._ordered(ranked)
        return ranked, len(ranked)

    async def _by_words(self) -> list[dict[Key, float]]:
        """What words find; no side at all when the search has no words."""
        words = self._plan.words
        if words is None:
            return []
        is_deep = words.tree is not None or self._plan.has_count or bool(self._plan.order)
        limit = max(MOST_COUNTED if is_deep else CANDIDATES, self._plan.skip + self._plan.top + 1)
        store = self._index.store
        query = IndexQuery(store.sequence, store.version, limit, "text", texts=(words.words,), files=self._plan.files)
        if words.tree is None:
            hits = await self._search.hits(query)
            return [{(hit.file, hit.position): hit.score for hit in hits}]
        found = await self._search.find(store, query)
        return [{(one.file, one.position): one.score for one in found if words.fits(one.text)}]

    async def _near(self, vector: bytes, count: int) -> dict[Key, float]:
        """What is nearest to a vector."""
        store, files = self._index.store, self._plan.files
        first = files if self._plan.filters_first else None
        hits = await self._search.hits(
            IndexQuery(store.sequence, store.version, count, "semantic", vectors=(vector,), files=first)
        )
        return {(hit.file, hit.position): hit.score for hit in hits if files is None or hit.file in files}

    async def _vectors(self) -> list[bytes]:
        """A vector of unit length for each vector query; all texts are embedded in one call."""
        asked = self._plan.neighbours
        texts = [one.source for one in asked if isinstance(one.source, str)]
        made = iter(await self._search.embed(self._index.store, texts) if texts else [])
        return [
            next(made) if isinstance(one.source, str) else await self._given(one, place)
            for place, one in enumerate(asked)
        ]

    async def _given(self, neighbours: Neighbours, place: int) -> bytes:
        numbers = neighbours.source
        assert not isinstance(numbers, str)
        dimensions = await self._indexes.dimensions(self._index)
        if len(numbers) != dimensions:
            raise InvalidRequest(
                f"The vector of vectorQueries[{place}] has {len(numbers)} dimensions, and the field 'contentVector' "
                f"has {dimensions}. Embed the query with the model '{self._index.store.embedding_model}'.",
                param=f"vectorQueries[{place}].vector",
            )
        length = sum(number * number for number in numbers) ** 0.5
        if not length:
            raise InvalidRequest(
                "A vector of nothing but zeros is near to nothing.", param=f"vectorQueries[{place}].vector"
            )
        return pack(f"<{dimensions}f", *(number / length for number in numbers))

    async def _ranked_again(self, ranked: list[Ranked], by_words: dict[Key, float]) -> list[Ranked]:
        """The same by semantic ranking: meaning and words together, over the full vectors, as a score in 0..4."""
        assert self._plan.semantic is not None
        vector = (await self._search.embed(self._index.store, [self._plan.semantic.query]))[0]
        keys = [one.key for one in ranked]
        meaning = await self._database.read(lambda connection: read_closeness(connection, keys, vector))
        blended = blend([(meaning, 1.0), (by_words, 1.0)] if by_words else [(meaning, 1.0)])
        again = [replace(one, again=MOST_RERANKER_SCORE * blended.get(one.key, 0.0)) for one in ranked]
        return sorted(again, key=lambda one: -(one.again or 0.0))

    def _ordered(self, ranked: list[Ranked]) -> list[Ranked]:
        """The same in the order that was asked for."""
        rows = {file.sequence: row_of(file, self._index.fields) for file in self._index.files}
        for order in reversed(self._plan.order):
            ranked = sorted(
                ranked,
                key=lambda one: _sort_key(
                    one.score if order.name == SCORE else rows.get(one.key[0], {}).get(order.name)
                ),
                reverse=order.is_descending,
            )
        return ranked

    def _all(self, skip: int, count: int) -> list[Ranked]:
        """Documents without any ranking, in the order of their files, or as was asked for."""
        files = [file for file in self._index.files if self._plan.files is None or file.sequence in self._plan.files]
        rows = {file.sequence: row_of(file, self._index.fields) for file in files} if self._plan.order else {}
        for order in reversed([one for one in self._plan.order if one.name != SCORE]):
            files.sort(key=lambda file: _sort_key(rows[file.sequence].get(order.name)), reverse=order.is_descending)
        found: list[Ranked] = []
        for file in files:
            wanted = range(min(skip, file.chunks), min(skip + count - len(found), file.chunks))
            found += [Ranked((file.sequence, position), 1.0) for position in wanted]
            skip = max(skip - file.chunks, 0)
        return found

    def _matching(self) -> int:
        files = self._plan.files
        return sum(file.chunks for file in self._index.files if files is None or file.sequence in files)


def _result(found: Found, ranked: Ranked) -> Result:
    return Result(found, ranked.score, ranked.again)


def _sort_key(value: Any) -> tuple[bool, Any]:
    """What is missing comes before everything else, as the service has it."""
    return (value is not None, value if value is not None else 0)
