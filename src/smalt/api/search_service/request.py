"""What a client asks of an index, read and checked: a body, or the query of a GET, becomes a plan."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from smalt.api.search_service.documents import row_of, selected_fields
from smalt.api.search_service.fields import CONTENT_FIELD, VECTOR_FIELD, find_field, require_filterable
from smalt.api.search_service.filtering import condition
from smalt.api.search_service.indexes import CONFIGURATION, Index
from smalt.api.search_service.simple_query import SimpleQuery, read_query
from smalt.core.errors import InvalidRequest
from smalt.schemas.search_service import LegacyVector, SearchRequest, VectorizableTextQuery, VectorizedQuery

DEFAULT_TOP = 50
MOST_PAGE = 1000
DEFAULT_NEIGHBOURS = 50
DEFAULT_ANSWER_THRESHOLD = 0.7
MOST_ANSWERS = 10
SCORE = "search.score()"

REFUSED = {
    "facets": "Facets are not counted here. Leave 'facets' out, and count the values of a field in the results.",
    "scoring_profile": "The index has no scoring profiles. Leave 'scoringProfile' out; vectorQueries may have weights.",
    "scoring_parameters": "The index has no scoring profiles. Leave 'scoringParameters' out.",
    "semantic_max_wait": "A search is not cut short. Leave 'semanticMaxWaitInMilliseconds' out.",
}
LISTS = frozenset({"facet", "scoringParameter"})
RENAMED = {"facet": "facets", "scoringParameter": "scoringParameters"}
WHOLE_NUMBERS = frozenset({"top", "skip"})
CAPTIONS = re.compile(r"extractive(?:\|highlight-(?P<highlight>true|false))?", re.IGNORECASE)
ANSWERS = re.compile(
    r"extractive(?:[|,](?:count-(?P<count>\d{1,4})|threshold-(?P<threshold>\d*\.?\d+)))*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """One vector query: a vector, or a text that becomes one; `count` is how many it may find."""

    source: Sequence[float] | str
    count: int
    weight: float


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order: a field, or the score."""

    name: str
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Semantic:
    """What semantic ranking shall add."""

    query: str
    has_captions: bool
    marks_captions: bool
    answers: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A search that is fit to run. `files` are the sequences that the filter lets through; None for all."""

    words: SimpleQuery | None
    neighbours: Sequence[Neighbours]
    files: frozenset[int] | None
    filters_first: bool
    order: Sequence[Order]
    select: Sequence[str]
    skip: int
    top: int
    has_count: bool
    has_coverage: bool
    highlights: bool
    marks: tuple[str, str]
    semantic: Semantic | None
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The request as it came, for the next page."""
    is_open_ended: bool = False
    """Whether the client said no `top`, and so wants every page."""


def from_query(query: QueryParams) -> SearchRequest:
    """The request that the query of a GET makes; a `$` before a name changes nothing."""
    fields: dict[str, Any] = {}
    for given, value in query.multi_items():
        name = given.removeprefix("$")
        if name == "api-version":
            continue
        if name in LISTS:
            fields.setdefault(RENAMED[name], []).append(value)
        else:
            fields[name] = _typed(name, value)
    try:
        return SearchRequest.model_validate(fields)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found, body=fields) from error


def planned(body: SearchRequest, index: Index) -> Plan:
    """The plan of a request; raises `InvalidRequest` for every parameter that cannot be honoured."""
    _refuse(body)
    semantic = _semantic(body)
    top = DEFAULT_TOP if body.top is None else min(body.top, MOST_PAGE)
    return Plan(
        words=_words(body),
        neighbours=_neighbours(body),
        files=_files(body.filter, index),
        filters_first=body.vector_filter_mode != "postFilter",
        order=_order(body, index),
        select=selected_fields(body.select, index.fields),
        skip=body.skip or 0,
        top=top,
        has_count=body.count is True,
        has_coverage=body.minimum_coverage is not None,
        highlights=_highlights(body, index),
        marks=(_or_else(body.highlight_pre_tag, "<em>"), _or_else(body.highlight_post_tag, "</em>")),
        semantic=semantic,
        request=body.model_dump(by_alias=True, exclude_none=True),
        is_open_ended=body.top is None or body.top > MOST_PAGE,
    )


def _typed(name: str, value: str) -> Any:
    if name in WHOLE_NUMBERS and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    if name == "minimumCoverage" and re.fullmatch(r"-?\d+(\.\d*)?", value):
        return float(value)
    if name == "count" and value in ("true", "false"):
        return value == "true"
    return value


def _or_else(value: str | None, default: str) -> str:
    return default if value is None else value


def _refuse(body: SearchRequest) -> None:
    for name, message in REFUSED.items():
        if getattr(body, name):
            raise InvalidRequest(message, param=SearchRequest.model_fields[name].alias or name)
    if body.debug not in (None, "disabled"):
        raise InvalidRequest("There is no debug output. Leave 'debug' out.", param="debug")
    if body.query_type == "full":
        raise InvalidRequest(
            'The full Lucene syntax is not spoken here. Use queryType simple, which knows + | - "…" and brackets, and '
            "filter for what fields must be.",
            param="queryType",
        )


def _words(body: SearchRequest) -> SimpleQuery | None:
    names = [name.strip() for name in (body.search_fields or "").split(",") if name.strip()]
    for name in names:
        if name != CONTENT_FIELD:
            raise InvalidRequest(
                f"The field '{name}' in the search field list is not searchable. Words are looked for in "
                f"'{CONTENT_FIELD}'.",
                param="searchFields",
            )
    text = (body.search or "").strip()
    return None if text in ("", "*") else read_query(text, body.search_mode or "any")


def _neighbours(body: SearchRequest) -> list[Neighbours]:
    queries = [*(body.vector_queries or ()), *(body.vectors or ())]
    return [_one_neighbours(query, place) for place, query in enumerate(queries)]


def _one_neighbours(query: VectorizedQuery | VectorizableTextQuery | LegacyVector, place: int) -> Neighbours:
    for name in (query.fields or VECTOR_FIELD).split(","):
        if name.strip() != VECTOR_FIELD:
            raise InvalidRequest(
                f"Unknown field '{name.strip()}' in vector field list. The vectors are in '{VECTOR_FIELD}'.",
                param=f"vectorQueries[{place}].fields",
            )
    count = query.k or DEFAULT_NEIGHBOURS
    if isinstance(query, LegacyVector):
        return Neighbours(query.value, count, 1.0)
    source = query.text if isinstance(query, VectorizableTextQuery) else query.vector
    return Neighbours(source, count, query.weight or 1.0)


def _files(text: str | None, index: Index) -> frozenset[int] | None:
    if text is None or not text.strip():
        return None
    fits = condition(text, index.fields)
    return frozenset(file.sequence for file in index.files if fits(row_of(file, index.fields)))


def _order(body: SearchRequest, index: Index) -> list[Order]:
    found: list[Order] = []
    for part in (body.orderby or "").split(","):
        words = part.split()
        if not words:
            continue
        direction = words[1].lower() if len(words) > 1 else "desc" if words[0] == SCORE else "asc"
        if len(words) > 2 or direction not in ("asc", "desc"):  # noqa: PLR2004 - a name and its direction
            raise InvalidRequest(f"Invalid orderby '{part.strip()}': write FIELD asc or FIELD desc.", param="orderby")
        if words[0] != SCORE:
            require_filterable(find_field(index.fields, words[0], param="orderby"), param="orderby")
        found.append(Order(words[0], direction == "desc"))
    if found and body.query_type == "semantic":
        raise InvalidRequest("queryType semantic has an order of its own. Leave 'orderby' out.", param="orderby")
    return found


def _highlights(body: SearchRequest, index: Index) -> bool:
    names = [name.strip().partition("-")[0] for name in (body.highlight or "").split(",") if name.strip()]
    for name in names:
        if not find_field(index.fields, name, param="highlight").is_searchable or name == VECTOR_FIELD:
            raise InvalidRequest(
                f"The field '{name}' cannot be highlighted. Only '{CONTENT_FIELD}' can.", param="highlight"
            )
    return bool(names)


def _semantic(body: SearchRequest) -> Semantic | None:
    if body.query_type != "semantic":
        for name in ("captions", "answers"):
            if getattr(body, name) not in (None, "none"):
                raise InvalidRequest(f"'{name}' needs queryType semantic.", param=name)
        return None
    if body.semantic_configuration not in (None, CONFIGURATION):
        raise InvalidRequest(
            f"The index has no semantic configuration '{body.semantic_configuration}'. It has '{CONFIGURATION}'.",
            param="semanticConfiguration",
        )
    query = (body.semantic_query or body.search or "").strip()
    if query in ("", "*"):
        raise InvalidRequest("queryType semantic needs words in 'search' or 'semanticQuery'.", param="search")
    captions = _option("captions", body.captions, CAPTIONS)
    answers = _option("answers", body.answers, ANSWERS)
    return Semantic(
        query,
        has_captions=captions is not None,
        marks_captions=captions is not None and (captions["highlight"] or "true").lower() == "true",
        answers=0 if answers is None else min(int(answers["count"] or 1), MOST_ANSWERS),
        threshold=float(answers["threshold"]) if answers and answers["threshold"] else DEFAULT_ANSWER_THRESHOLD,
    )


def _option(name: Literal["captions", "answers"], given: str | None, form: re.Pattern[str]) -> re.Match[str] | None:
    if given is None or given.lower() == "none":
        return None
    match = form.fullmatch(given.replace(" ", ""))
    if match is None:
        raise InvalidRequest(
            f"'{name}' cannot be '{given}'. Write none, or extractive, such as "
            f"{'extractive|highlight-false' if name == 'captions' else 'extractive|count-3'}.",
            param=name,
        )
    return match
