"""What a search answers: the service's JSON, with its annotations as far as the client wants them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import Request

from smalt.api.search_service.documents import document, key_of
from smalt.api.search_service.indexes import Index
from smalt.api.search_service.passages import best_passage, highlighted_passages, marked, terms_of
from smalt.api.search_service.request import MOST_PAGE, Plan
from smalt.api.search_service.searching import Result, Results
from smalt.http.answers import Json
from smalt.http.call import call_of
from smalt.retrieval.search import Search

METADATA = re.compile(r"odata\.metadata=(none|minimal|full)", re.IGNORECASE)
MARKS = ("<em>", "</em>")
FULL_COVERAGE = 100.0
DIGITS = 7


class ODataAnswer(Json):
    """JSON with the content type that says how much metadata is in it."""

    def __init__(self, content: Mapping[str, Any], request: Request, *, context: str, status_code: int = 200) -> None:
        level = metadata_level(request)
        shown = dict(content) if level == "none" else {"@odata.context": context, **content}
        super().__init__(
            shown,
            status_code,
            media_type=f"application/json; odata.metadata={level}; odata.streaming=true; charset=utf-8",
        )


def metadata_level(request: Request) -> str:
    """How much metadata the client accepts."""
    match = METADATA.search(request.headers.get("accept", ""))
    return match[1].lower() if match else "minimal"


def address_of(request: Request) -> str:
    """This server as the client calls it."""
    return f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"


def index_address(request: Request, index: str) -> str:
    """An index as the client calls it."""
    return f"{address_of(request)}/indexes('{quote(index, safe='')}')"


class SearchAnswer:
    """The answer to one search."""

    def __init__(self, search: Search, index: Index, plan: Plan, results: Results) -> None:
        self._search = search
        self._index = index
        self._plan = plan
        self._results = results
        semantic = plan.semantic
        self._terms = terms_of(semantic.query if semantic else plan.words.words if plan.words else "")

    async def body(self, request: Request) -> dict[str, Any]:
        """The whole of it."""
        plan, results = self._plan, self._results
        body: dict[str, Any] = {}
        if plan.has_count:
            body["@odata.count"] = results.total
        if plan.has_coverage:
            body["@search.coverage"] = FULL_COVERAGE
        if plan.semantic is not None and plan.semantic.answers:
            body["@search.answers"] = await self._answers()
        following = self._next_page()
        if following is not None:
            body["@search.nextPageParameters"] = following
        body["value"] = [self._value(result) for result in results.page]
        if following is not None:
            version = quote(call_of(request.scope).api_version or "", safe="")
            address = index_address(request, self._index.name)
            body["@odata.nextLink"] = f"{address}/docs/search.post.search?api-version={version}"
        return body

    def _value(self, result: Result) -> dict[str, Any]:
        plan = self._plan
        value: dict[str, Any] = {"@search.score": round(self._score(result), DIGITS)}
        if result.again is not None:
            value["@search.rerankerScore"] = round(result.again, DIGITS)
        if plan.highlights and (passages := highlighted_passages(result.found.text, self._terms, plan.marks)):
            value["@search.highlights"] = {"content": passages}
        if plan.semantic is not None and plan.semantic.has_captions:
            value["@search.captions"] = [self._caption(result)]
        return value | document(result.found, self._index.fields, plan.select)

    def _score(self, result: Result) -> float:
        """The score as the service tells it: of one vector alone 1 / (1 + distance), which clients reckon with."""
        is_vector_alone = self._plan.words is None and self._plan.semantic is None and len(self._plan.neighbours) == 1
        return 1 / (2 - result.score) if is_vector_alone else result.score

    def _caption(self, result: Result) -> dict[str, str]:
        passage = best_passage(result.found.text, self._terms)
        return {"text": passage, "highlights": self._marked(passage)}

    def _marked(self, passage: str) -> str:
        """The passage with its words marked, or nothing where marks were not asked for or there is nothing to mark."""
        assert self._plan.semantic is not None
        shown = marked(passage, self._terms, MARKS)
        return shown if self._plan.semantic.marks_captions and shown != passage else ""

    async def _answers(self) -> list[dict[str, Any]]:
        """The best passages of the best documents that are close enough to the query in meaning."""
        semantic = self._plan.semantic
        assert semantic is not None
        best = self._results.page[: semantic.answers]
        passages = [best_passage(result.found.text, self._terms) for result in best]
        if not passages:
            return []
        scores = await self._search.closeness(self._index.store, semantic.query, passages)
        found = [
            {
                "key": key_of(result.found),
                "text": passage,
                "highlights": self._marked(passage),
                "score": round(score, DIGITS),
            }
            for result, passage, score in zip(best, passages, scores, strict=True)
            if score >= semantic.threshold
        ]
        return sorted(found, key=lambda answer: -float(str(answer["score"])))

    def _next_page(self) -> dict[str, Any] | None:
        """The request for what follows, when the client wants all and there is more."""
        plan = self._plan
        top = plan.request.get("top")
        if not plan.is_open_ended or not self._results.has_more:
            return None
        rest = {} if top is None else {"top": top - MOST_PAGE}
        return {**plan.request, "skip": plan.skip + plan.top, **rest}


def listed(definitions: Sequence[Mapping[str, Any]], select: str | None) -> list[dict[str, Any]]:
    """Definitions with only the properties that `$select` names."""
    names = {name.strip() for name in (select or "*").split(",") if name.strip()}
    if not names or "*" in names:
        return [dict(one) for one in definitions]
    return [{name: value for name, value in one.items() if name in names} for one in definitions]
