"""Searches vector stores for a model: queries in, passages with marks out."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from smalt.core.errors import ApiError, InvalidRequest
from smalt.retrieval.protocols import Found, SearchQuery
from smalt.retrieval.search import Search
from smalt.schemas.vector_stores import VectorStoreSearchRankingOptions, VectorStoreSearchRequest
from smalt.tools.arguments import read_arguments
from smalt.tools.conversation import SOURCES, kept, last_question
from smalt.tools.passages import MOST_TOLD_BYTES, Passage, Passages
from smalt.tools.protocols import Json, Outcome, Output, OutputItem, ToolFunction
from smalt.tools.queries import QUERY, queries_of

NAME = "file_search"
FUNCTION = ToolFunction(
    NAME,
    "Search the user's files. Use it whenever they may hold the answer; what it finds is more certain than memory. "
    "Behind what you take from a passage, write its mark, such as [doc1].",
    {
        "type": "object",
        "properties": {"query": QUERY},
        "required": ["query"],
        "additionalProperties": False,
    },
)


class FileSearch:
    """The tool `file_search` of one request; `room_bytes` bounds what one call tells the model.

    `param` is the tool's path in the request.
    """

    def __init__(
        self, search: Search, project: str, tool: Json, param: str = "tools", *, room_bytes: int = MOST_TOLD_BYTES
    ) -> None:
        self._search = search
        self._project = project
        self._stores: Sequence[str] = list(dict.fromkeys(tool.get("vector_store_ids") or ()))
        if not self._stores:
            raise wrong("vector_store_ids", "Name at least one vector store.")
        self._query = query_of(tool)
        self._passages = Passages("doc", room_bytes)
        self._question = ""
        self._param = f"{param}.vector_store_ids"

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Make sure that every store is there: `NotFound` for one that is not, 400 for one that has expired."""
        del output
        for store in self._stores:
            try:
                await self._search.open(self._project, store)
            except ApiError as error:
                error.param = self._param
                raise
        self._passages.go_on_behind(items)
        self._question = last_question(items)

    def functions(self) -> Sequence[ToolFunction]:
        """The one function."""
        return [FUNCTION]

    def begin(self, function: str, output: Output) -> "FileSearchCall":
        """Begin a call and its item."""
        del function
        item: Json = {"type": "file_search_call", "status": "in_progress", "queries": [], "results": None}
        begun = output.begin("fs_", item)
        begun.emit("response.file_search_call.in_progress")
        return FileSearchCall(self, begun)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def find(self, queries: Sequence[str]) -> list[Found]:
        """What all stores have, best first, each passage once."""
        asked = replace(self._query, queries=queries)
        found = await asyncio.gather(*(self._search.search(self._project, store, asked) for store in self._stores))
        merged: dict[tuple[str, str], Found] = {}
        for one in sorted((one for several in found for one in several), key=lambda one: -one.score):
            merged.setdefault((one.file_id, one.text), one)
        return list(merged.values())[: asked.limit]

    def queries(self, arguments: Json) -> list[str]:
        """What a call searches for."""
        return queries_of(arguments, self._question)

    def outcome(self, queries: Sequence[str], found: Sequence[Found]) -> Outcome:
        """What the model reads of what was found, and what the client may see."""
        text, sources = self._passages.told([_passage(one) for one in found])
        results = [_result(one) for one in found]
        item = {"status": "completed", "queries": list(queries), "results": results, SOURCES: kept(sources)}
        return Outcome(text, item, sources)


class FileSearchCall:
    """One call."""

    def __init__(self, tool: FileSearch, item: OutputItem) -> None:
        self.item: OutputItem | None = item
        self._begun = item
        self._tool = tool
        self._arguments = ""

    def add(self, arguments: str) -> None:
        """Take more of the arguments."""
        self._arguments += arguments

    async def run(self) -> Outcome:
        """Search; a store that was deleted meanwhile, or an engine that fails, is an outcome."""
        queries = self._tool.queries(read_arguments(self._arguments))
        self._begun.emit("response.file_search_call.searching")
        try:
            found = await self._tool.find(queries)
        except ApiError as error:
            item = {"status": "failed", "queries": queries, "results": []}
            return Outcome(f"The search failed: {error.message}", item)
        self._begun.emit("response.file_search_call.completed")
        return self._tool.outcome(queries, found)


def query_of(tool: Json) -> SearchQuery:
    """The search that the fields of a tool ask for, without queries; 400 for a field that makes none."""
    given = {"filters": tool.get("filters"), "ranking_options": tool.get("ranking_options")}
    if (most := tool.get("max_num_results")) is not None:
        given["max_num_results"] = most
    try:
        asked = VectorStoreSearchRequest.model_validate({"query": NAME, **given})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise wrong(str(fault["loc"][0]), f"{fault['msg']}.") from error
    ranking = asked.ranking_options or VectorStoreSearchRankingOptions()
    weights = ranking.hybrid_search
    return SearchQuery(
        queries=(),
        limit=asked.max_num_results,
        filter=asked.filters,
        score_threshold=ranking.score_threshold,
        ranker=ranking.ranker,
        vector_weight=weights.embedding_weight if weights else None,
        text_weight=weights.text_weight if weights else None,
    )


def wrong(field: str, advice: str) -> InvalidRequest:
    """The refusal of a field of the tool."""
    return InvalidRequest(f"Invalid '{field}' of the tool {NAME}. {advice}", param="tools", code="invalid_value")


def _passage(found: Found) -> Passage:
    page = None if found.page is None else f"page {found.page}"
    heading = ", ".join(filter(None, (found.filename, page, found.heading)))
    return Passage(heading, found.text, {"type": "file_citation", "file_id": found.file_id, "filename": found.filename})


def _result(found: Found) -> Json:
    return {
        "attributes": dict(found.attributes),
        "file_id": found.file_id,
        "filename": found.filename,
        "score": found.score,
        "text": found.text,
    }
