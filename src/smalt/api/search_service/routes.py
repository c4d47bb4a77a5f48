"""Azure AI Search's query side over vector stores: /indexes and the documents in them."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Query, Request, Response

from smalt.api.dependencies import DatabaseDep, SearchDep
from smalt.api.search_service.answers import ODataAnswer, SearchAnswer, address_of, index_address, listed
from smalt.api.search_service.documents import document, read_key, selected_fields
from smalt.api.search_service.indexes import Index, Indexes
from smalt.api.search_service.request import from_query, planned
from smalt.api.search_service.searching import Searching
from smalt.core.errors import InvalidRequest, NotFound, PermissionDenied
from smalt.http.call import Mount
from smalt.http.dependencies import CurrentCall
from smalt.http.routing import Router
from smalt.retrieval.protocols import Hit
from smalt.retrieval.search import read_found
from smalt.schemas.search_service import SearchRequest

router = Router(tags=["search_service"])

ONLY: frozenset[Mount] = frozenset({"search"})
READ_ONLY = (
    "Indexes are vector stores, and are only read here. Make them with POST /openai/v1/vector_stores, and fill them "
    "with POST /openai/v1/vector_stores/{vector_store_id}/files."
)
Select = Annotated[str | None, Query(alias="$select")]


async def indexes_of(call: CurrentCall, database: DatabaseDep, search: SearchDep) -> Indexes:
    """The indexes that the caller sees."""
    return Indexes(database, search, call.caller.project)


IndexesDep = Annotated[Indexes, Depends(indexes_of)]


async def named_index(index: str, indexes: IndexesDep) -> Index:
    """The index that the path names."""
    return await indexes.find(unquote(index))


IndexDep = Annotated[Index, Depends(named_index)]


@router.get("/indexes", mounts=ONLY, include_in_schema=False, operation_id="listSearchIndexes")
async def list_indexes(request: Request, indexes: IndexesDep, select: Select = None) -> Response:
    """Return every index of the caller's project."""
    names = await indexes.names()
    context = f"{address_of(request)}/$metadata#indexes"
    if select is not None and {name.strip() for name in select.split(",")} == {"name"}:
        return ODataAnswer({"value": [{"name": name} for name in names]}, request, context=context)
    found = [await indexes.definition(await indexes.find(name), address_of(request)) for name in names]
    return ODataAnswer({"value": listed(found, select)}, request, context=context)


@router.get("/indexes/{index}", mounts=ONLY, include_in_schema=False, operation_id="getSearchIndex")
async def get_index(request: Request, indexes: IndexesDep, index: IndexDep) -> Response:
    """Return an index's fields and configurations."""
    definition = await indexes.definition(index, address_of(request))
    answer = ODataAnswer(definition, request, context=f"{address_of(request)}/$metadata#indexes/$entity")
    answer.headers["etag"] = definition["@odata.etag"]
    return answer


@router.get("/indexes/{index}/search.stats", mounts=ONLY, include_in_schema=False, operation_id="getSearchIndexStats")
@router.get("/indexes/{index}/stats", mounts=ONLY, include_in_schema=False, operation_id="getSearchIndexStatsPlain")
async def get_statistics(request: Request, indexes: IndexesDep, index: IndexDep) -> Response:
    """Return how many documents an index has and what they take."""
    taken = sum(file.usage_bytes for file in index.files)
    vectors = index.documents * await indexes.dimensions(index) * 2
    counts = {"documentCount": index.documents, "storageSize": taken, "vectorIndexSize": vectors}
    return ODataAnswer(
        counts, request, context=f"{address_of(request)}/$metadata#Microsoft.Azure.Search.V2026_04_01.IndexStatistics"
    )


@router.get("/indexes/{index}/docs/$count", mounts=ONLY, include_in_schema=False, operation_id="countSearchDocuments")
async def count_documents(index: IndexDep) -> Response:
    """Return how many documents an index has, as text."""
    return Response(str(index.documents), media_type="text/plain")


@router.post("/indexes/{index}/docs/search", mounts=ONLY, include_in_schema=False, operation_id="searchDocumentsPost")
@router.post(
    "/indexes/{index}/docs/search.post.search", mounts=ONLY, include_in_schema=False, operation_id="searchDocuments"
)
async def search_documents(
    request: Request,
    body: SearchRequest,
    indexes: IndexesDep,
    index: IndexDep,
    database: DatabaseDep,
    search: SearchDep,
) -> Response:
    """Return the documents that fit best."""
    plan = planned(body, index)
    results = await Searching(database, search, indexes, index, plan).results()
    content = await SearchAnswer(search, index, plan, results).body(request)
    shown = "*" if body.select is None else ",".join(plan.select)
    context = f"{index_address(request, index.name)}/$metadata#docs({shown})"
    return ODataAnswer(content, request, context=context)


@router.get("/indexes/{index}/docs", mounts=ONLY, include_in_schema=False, operation_id="searchDocumentsGet")
async def search_documents_by_query(
    request: Request, indexes: IndexesDep, index: IndexDep, database: DatabaseDep, search: SearchDep
) -> Response:
    """Return the documents that fit best; the query of the URL says what the body of a POST would."""
    body = from_query(request.query_params)
    return await search_documents(request, body, indexes, index, database, search)


@router.get("/indexes/{index}/docs/search.suggest", mounts=ONLY, include_in_schema=False, operation_id="suggestGet")
@router.post("/indexes/{index}/docs/suggest", mounts=ONLY, include_in_schema=False, operation_id="suggestPlain")
@router.post("/indexes/{index}/docs/search.post.suggest", mounts=ONLY, include_in_schema=False, operation_id="suggest")
@router.get(
    "/indexes/{index}/docs/search.autocomplete", mounts=ONLY, include_in_schema=False, operation_id="completeGet"
)
@router.post("/indexes/{index}/docs/autocomplete", mounts=ONLY, include_in_schema=False, operation_id="completePlain")
@router.post(
    "/indexes/{index}/docs/search.post.autocomplete", mounts=ONLY, include_in_schema=False, operation_id="complete"
)
async def suggest(index: IndexDep) -> Response:
    """Refuse: an index of a vector store has no suggester."""
    raise InvalidRequest(
        f"The index '{index.name}' has no suggester. Search for whole words instead.", param="suggesterName"
    )


@router.get("/indexes/{index}/docs/{key}", mounts=ONLY, include_in_schema=False, operation_id="getSearchDocument")
async def get_document(
    request: Request, index: IndexDep, key: str, database: DatabaseDep, select: Select = None
) -> Response:
    """Return one document by its key."""
    shown = selected_fields(select, index.fields)
    named = read_key(unquote(key))
    owner = next((file for file in index.files if named is not None and file.file_id == named[0]), None)
    if owner is not None and named is not None:
        hit = Hit(owner.sequence, named[1], 1.0)
        found = await database.read(lambda connection: read_found(connection, index.store.sequence, [hit]))
        if found:
            context = f"{index_address(request, index.name)}/$metadata#docs(*)/$entity"
            return ODataAnswer(document(found[0], index.fields, shown), request, context=context)
    raise NotFound(f"The index '{index.name}' has no document with the key '{unquote(key)}'.", param="key")


@router.post("/indexes", mounts=ONLY, include_in_schema=False, operation_id="createSearchIndex")
@router.operation("PUT", "/indexes/{index}", mounts=ONLY, include_in_schema=False, operation_id="putSearchIndex")
@router.delete("/indexes/{index}", mounts=ONLY, include_in_schema=False, operation_id="deleteSearchIndex")
@router.post("/indexes/{index}/docs/index", mounts=ONLY, include_in_schema=False, operation_id="indexDocumentsPlain")
@router.post("/indexes/{index}/docs/search.index", mounts=ONLY, include_in_schema=False, operation_id="indexDocuments")
async def write_index() -> Response:
    """Refuse: vector stores are made and filled elsewhere."""
    raise PermissionDenied(READ_ONLY)
