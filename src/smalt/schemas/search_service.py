"""The wire vocabulary of Azure AI Search's query side, as far as Smalt answers it over its vector stores."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from smalt.schemas.wire import Body, Request

MOST_SKIP = 100_000
MOST_TOP = 100_000
MOST_NEIGHBOURS = 1000
MOST_VECTOR_QUERIES = 10
MOST_TEXT = 32_766

Text = Annotated[str, Field(max_length=MOST_TEXT)]
Neighbours = Annotated[int, Field(ge=1, le=MOST_NEIGHBOURS)]
Weight = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Component = Annotated[float, Field(allow_inf_nan=False)]

FORBIDDING = ConfigDict(extra="forbid")
"""The service refuses parameters that it does not know, and so do we: one that changes nothing would mislead."""


class VectorizedQuery(Request):
    """Searches with a vector that the client made."""

    model_config = FORBIDDING

    kind: Literal["vector"]
    vector: Annotated[list[Component], Field(min_length=1)]
    fields: str | None = None
    k: Neighbours | None = None
    exhaustive: bool | None = None
    weight: Weight | None = None


class VectorizableTextQuery(Request):
    """Searches with the vector of a text, which is made here."""

    model_config = FORBIDDING

    kind: Literal["text"]
    text: Annotated[Text, Field(min_length=1)]
    fields: str | None = None
    k: Neighbours | None = None
    exhaustive: bool | None = None
    weight: Weight | None = None


VectorQuery = TypeAliasType(
    "VectorQuery", Annotated[VectorizedQuery | VectorizableTextQuery, Field(discriminator="kind")]
)


class LegacyVector(Request):
    """A vector as the first versions of the API wrote it."""

    model_config = FORBIDDING

    value: Annotated[list[Component], Field(min_length=1)]
    fields: str | None = None
    k: Neighbours | None = None


class SearchRequest(Body):
    """Asks an index for documents."""

    model_config = FORBIDDING

    search: Text | None = None
    search_mode: Annotated[Literal["any", "all"] | None, Field(alias="searchMode")] = None
    search_fields: Annotated[str | None, Field(alias="searchFields")] = None
    query_type: Annotated[Literal["simple", "full", "semantic"] | None, Field(alias="queryType")] = None
    filter: Text | None = None
    vector_queries: Annotated[
        list[VectorQuery] | None, Field(alias="vectorQueries", max_length=MOST_VECTOR_QUERIES)
    ] = None
    vectors: Annotated[list[LegacyVector] | None, Field(max_length=MOST_VECTOR_QUERIES)] = None
    vector_filter_mode: Annotated[Literal["preFilter", "postFilter"] | None, Field(alias="vectorFilterMode")] = None
    count: bool | None = None
    orderby: str | None = None
    select: str | None = None
    top: Annotated[int, Field(ge=0, le=MOST_TOP)] | None = None
    skip: Annotated[int, Field(ge=0, le=MOST_SKIP)] | None = None
    highlight: str | None = None
    highlight_pre_tag: Annotated[str | None, Field(alias="highlightPreTag")] = None
    highlight_post_tag: Annotated[str | None, Field(alias="highlightPostTag")] = None
    semantic_configuration: Annotated[str | None, Field(alias="semanticConfiguration")] = None
    semantic_query: Annotated[Text | None, Field(alias="semanticQuery")] = None
    semantic_error_handling: Annotated[Literal["partial", "fail"] | None, Field(alias="semanticErrorHandling")] = None
    answers: str | None = None
    captions: str | None = None
    minimum_coverage: Annotated[float | None, Field(alias="minimumCoverage", ge=0, le=100)] = None
    session_id: Annotated[str | None, Field(alias="sessionId")] = None
    scoring_statistics: Annotated[Literal["local", "global"] | None, Field(alias="scoringStatistics")] = None
    facets: list[str] | None = None
    scoring_profile: Annotated[str | None, Field(alias="scoringProfile")] = None
    scoring_parameters: Annotated[list[str] | None, Field(alias="scoringParameters")] = None
    semantic_max_wait: Annotated[Any, Field(alias="semanticMaxWaitInMilliseconds")] = None
    debug: str | None = None
