"""Servers that speak the APIs of Azure AI Search, Elasticsearch and Pinecone, and really search what they hold."""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from handbook import PAGES, bm25, cosine, topic_vector, words
from loopback import web_service

Json = dict[str, Any]
KEY = "key-of-the-search-service"
TEXTS = ("title", "content")


@dataclass
class SearchService:
    """Where a service is, what it was asked, and what it holds."""

    url: str = ""
    asked: list[tuple[str, Json]] = field(default_factory=list)
    records: list[Json] = field(default_factory=list)
    fail_on: Callable[[Json], int | None] = lambda _body: None
    """The status to fail with, for a test of failures."""


def handbook_records(embed: Callable[[str], Sequence[float]] = topic_vector) -> list[Json]:
    return [{**page, "content_vector": list(embed(page["content"]))} for page in PAGES]


def text_of(record: Json) -> str:
    return " ".join(str(record.get(name, "")) for name in TEXTS)


def fault(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"code": "", "message": message}}, status=status)


@contextmanager
def azure_search(records: list[Json] | None = None, *, keys: Sequence[str] = (KEY,)) -> Iterator[SearchService]:
    """The index `handbook`; the last of several keys may search and not read the definition."""
    service = SearchService(records=handbook_records() if records is None else records)

    async def handle(request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else {}
        service.asked.append((request.path, body))
        if refusal := azure_refusal(service, keys, request, body):
            return refusal
        if request.method == "GET":
            return web.json_response(azure_definition(service.records))
        try:
            return web.json_response({"value": azure_hits(service.records, body)})
        except (KeyError, ValueError) as error:
            return fault(400, f"The request is invalid. Details: {error}")

    with web_service(handle) as service.url:
        yield service


def azure_refusal(service: SearchService, keys: Sequence[str], request: web.Request, body: Json) -> web.Response | None:
    sent = request.headers.get("api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
    if sent not in keys or (len(keys) > 1 and sent == keys[-1] and request.method == "GET"):
        return fault(403, f"The key {sent} is not allowed.")
    if "api-version" not in request.query:
        return fault(400, "api-version is missing")
    if not request.path.startswith("/indexes('handbook')"):
        return fault(404, "The index was not found.")
    status = service.fail_on(body)
    return fault(status, "out of order") if status else None


def azure_definition(records: list[Json]) -> Json:
    vector = {"name": "content_vector", "type": "Collection(Edm.Single)", "dimensions": 5, "retrievable": True}
    size = len(records[0]["content_vector"]) if records else 5
    texts = [{"name": name, "type": "Edm.String", "retrievable": True, "key": name == "id"} for name in PAGES[0]]
    return {"name": "handbook", "fields": [*texts, {**vector, "dimensions": size}]}


def azure_hits(records: list[Json], body: Json) -> list[Json]:
    kept = [record for record in records if azure_filter(body.get("filter"), record)]
    rankings: list[dict[str, float]] = []
    if body.get("search"):
        scores = bm25(body["search"], [text_of(record) for record in kept])
        rankings.append({one["id"]: score for one, score in zip(kept, scores, strict=True) if score > 0})
    for asked in body.get("vectorQueries", []):
        if any(name not in kept[0] for name in asked["fields"].split(",")):
            raise ValueError(f"Unknown field in {asked['fields']}")
        wanted = topic_vector(asked["text"]) if asked["kind"] == "text" else asked["vector"]
        found = sorted(((1 / (2 - cosine(wanted, one["content_vector"])), one["id"]) for one in kept), reverse=True)
        rankings.append({name: score for score, name in found[: asked["k"]]})
    scores_by_id = rankings[0] if len(rankings) == 1 else fused(rankings)
    by_id = {one["id"]: one for one in kept}
    top = sorted(scores_by_id, key=lambda name: -scores_by_id[name])[: body["top"]]
    hits = [{"@search.score": scores_by_id[name], **selected(by_id[name], body.get("select"))} for name in top]
    if body.get("queryType") == "semantic":
        if body.get("semanticConfiguration") != "default":
            raise ValueError("No semantic configuration has this name.")
        for hit, name in zip(hits, top, strict=True):
            asked_words = set(words(body["search"]))
            hit["@search.rerankerScore"] = 4 * len(asked_words & set(words(text_of(by_id[name])))) / len(asked_words)
    return hits


def azure_filter(text: str | None, record: Json) -> bool:
    if not text:
        return True
    match = re.fullmatch(r"(\w+) (eq|ne) '([^']*)'", text)
    if match is None:
        raise ValueError(f"Invalid expression: {text}")
    return (record[match[1]] == match[3]) == (match[2] == "eq")


def selected(record: Json, names: str | None) -> Json:
    return {name: record[name] for name in names.split(",")} if names else record


def fused(rankings: list[dict[str, float]]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, name in enumerate(sorted(ranking, key=lambda one: -ranking[one]), start=1):
            scores[name] = scores.get(name, 0.0) + 1 / (60 + place)
    return scores


@contextmanager
def elasticsearch(*, key_id: str = "reader") -> Iterator[SearchService]:
    """The index `handbook` behind an API key."""
    service = SearchService(records=handbook_records())
    secret = base64.b64encode(f"{key_id}:{KEY}".encode()).decode()

    async def handle(request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else {}
        service.asked.append((request.path, body))
        if request.headers.get("Authorization") != f"ApiKey {secret}":
            reason = f"unable to authenticate with {request.headers.get('Authorization')}"
            return web.json_response({"error": {"type": "security_exception", "reason": reason}}, status=401)
        if not request.path.startswith("/handbook/"):
            error = {"type": "index_not_found_exception", "reason": "no such index"}
            return web.json_response({"error": error}, status=404)
        if request.path.endswith("/_mapping"):
            kinds = {name: {"type": "text"} for name in PAGES[0]} | {"content_vector": {"type": "dense_vector"}}
            return web.json_response({"handbook-1": {"mappings": {"properties": kinds}}})
        return web.json_response({"hits": {"hits": elastic_hits(service.records, body)}})

    with web_service(handle) as service.url:
        yield service


def elastic_hits(records: list[Json], body: Json) -> list[Json]:
    if "knn" in body:
        asked = body["knn"]
        builder = asked.get("query_vector_builder", {}).get("text_embedding")
        wanted = topic_vector(builder["model_text"]) if builder else asked["query_vector"]
        assert builder is None or builder["model_id"] == "topics"
        scores = [(1 + cosine(wanted, one[asked["field"]])) / 2 for one in records]
    else:
        match = body["query"]["multi_match"]
        texts = [" ".join(str(one[name]) for name in match["fields"]) for one in records]
        scores = bm25(match["query"], texts)
    ranked = sorted(zip(scores, records, strict=True), key=lambda pair: -pair[0])[: body["size"]]
    return [{"_index": "handbook-1", "_id": one["id"], "_score": s, "_source": one} for s, one in ranked if s > 0]


@contextmanager
def pinecone() -> Iterator[SearchService]:
    """An index that is also its own control plane, and says so."""
    service = SearchService(records=handbook_records())

    async def handle(request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else {}
        service.asked.append((request.path, body))
        if request.headers.get("Api-Key") != KEY:
            return web.json_response({"error": {"message": "Invalid API Key", "status": 401}}, status=401)
        if request.path == "/indexes/handbook":
            spec = {"serverless": {"cloud": "aws", "region": "eu-west-1"}}
            return web.json_response({"name": "handbook", "host": service.url, "spec": spec})
        if request.path != "/query":
            return web.json_response({"error": {"message": "not found"}}, status=404)
        return web.json_response({"matches": pinecone_matches(service.records, body), "namespace": ""})

    with web_service(handle) as service.url:
        yield service


def pinecone_matches(records: list[Json], body: Json) -> list[Json]:
    scored = [(cosine(body["vector"], one["content_vector"]), one) for one in records]
    top = sorted(scored, key=lambda pair: -pair[0])[: body["topK"]]
    metadata = [{name: value for name, value in one.items() if name != "content_vector"} for _, one in top]
    return [
        {"id": one["id"], "score": score, **({"metadata": told} if body["includeMetadata"] else {})}
        for (score, one), told in zip(top, metadata, strict=True)
    ]
