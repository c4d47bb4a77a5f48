"""Web search: the services it can ask, what the model reads, and what happens without a service or an answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from handbook import PAGES, bm25
from loopback import web_service
from smalt.core.errors import InvalidRequest
from smalt.core.settings import WebSearchSettings
from smalt.tools.citations import Annotator
from smalt.tools.web_search import WebClient, WebSearch
from tool_runs import Called, call, user

Json = dict[str, Any]
Answer = Callable[[str], Json]
HOLIDAYS = "https://intranet.example/holidays"


@dataclass
class Service:
    """A search service on loopback, and what it was asked."""

    url: str = ""
    asked: list[Json] = field(default_factory=list)
    status: int = 200
    answer: Callable[[str], Any] = dict
    delay: float = 0


def found(query: str) -> list[Json]:
    scores = bm25(query, [f"{page['title']} {page['content']}" for page in PAGES])
    ranked = sorted(zip(scores, PAGES, strict=True), key=lambda pair: -pair[0])
    return [page for score, page in ranked if score > 0]


def searxng(query: str) -> Json:
    results = [
        {"url": page["url"], "title": page["title"], "content": page["content"], "engine": "e"} for page in found(query)
    ]
    return {"query": query, "number_of_results": 0, "results": results, "suggestions": []}


def brave(query: str) -> Json:
    results = [
        {"url": page["url"], "title": page["title"], "description": f"<strong>{page['content'][:40]}</strong>&amp;",
         "extra_snippets": [page["content"]]}
        for page in found(query)
    ]  # fmt: skip
    return {"type": "search", "query": {"original": query}, "web": {"type": "search", "results": results}}


def tavily(query: str) -> Json:
    return {"query": query, "results": [{**page, "score": 0.9} for page in found(query)], "response_time": 0.1}


@contextmanager
def service(answer: Answer) -> Iterator[Service]:
    made = Service(answer=answer)

    async def handle(request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else {}
        made.asked.append({**request.query, **body, "path": request.path, "headers": dict(request.headers)})
        await asyncio.sleep(made.delay)
        if made.status in {301, 302}:
            return web.Response(status=made.status, headers={"Location": f"{made.url}/elsewhere"})
        query = str(made.asked[-1].get("q") or made.asked[-1].get("query"))
        return web.json_response(made.answer(query.split(" site:", maxsplit=1)[0]), status=made.status)

    with web_service(handle) as made.url:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[WebClient]:
    made = WebClient()
    yield made
    await made.close()


@pytest.fixture
def searx() -> Iterator[Service]:
    with service(searxng) as made:
        yield made


def settings(of: Service, **fields: Any) -> WebSearchSettings:
    return WebSearchSettings(url=of.url, **fields)


async def searched(
    of: WebSearchSettings, client: WebClient, arguments: Any = None, *items: Json, **fields: Any
) -> Called:
    tool = WebSearch(of, client, {"type": "web_search_preview", **fields})
    written = {"query": "days of holiday a year"} if arguments is None else arguments
    return await call(tool, written, items, schema="WebSearchToolCallItemResource")


async def test_a_searxng_is_asked_and_its_pages_are_told(searx: Service, client: WebClient):
    called = await searched(settings(searx), client)
    assert called.types == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    assert called.item["status"] == "completed"
    assert called.item["action"]["query"] == "days of holiday a year"
    assert called.item["action"]["sources"][0] == {"type": "url", "url": HOLIDAYS}
    asked = searx.asked[0]
    assert (asked["path"], asked["q"], asked["format"]) == ("/search", "days of holiday a year", "json")
    first = called.outcome.sources[0]
    assert (first.mark, first.annotation) == ("[web1]", {"type": "url_citation", "url": HOLIDAYS, "title": "Holidays"})
    assert f"[web1] Holidays ({HOLIDAYS})\nEverybody has 28 days of holiday a year." in called.outcome.text


async def test_what_the_model_says_of_a_page_is_cited(searx: Service, client: WebClient):
    sources = (await searched(settings(searx), client)).outcome.sources
    annotator = Annotator(sources)
    said = annotator.add("Well. Every employee has 28 days of holiday a year.")
    (one,) = [*said.annotations, *annotator.finish().annotations]
    assert (one["url"], one["start_index"], one["end_index"]) == (HOLIDAYS, 6, 51)


async def test_brave_is_asked_with_its_key_and_read_without_its_markup(client: WebClient):
    with service(brave) as made:
        place = {"type": "approximate", "country": "de"}
        called = await searched(settings(made, backend="brave", api_key="secret"), client, user_location=place)
    asked = made.asked[0]
    assert (asked["headers"]["X-Subscription-Token"], asked["country"], asked["count"]) == ("secret", "DE", "5")
    text = called.outcome.sources[0].text
    assert "<strong>" not in text
    assert text.startswith("Everybody has 28 days of holiday a year.&\n")


async def test_brave_without_web_pages_has_found_nothing(client: WebClient):
    with service(lambda _: {"type": "search", "query": {}}) as made:
        called = await searched(settings(made, backend="brave", api_key="secret"), client)
    assert (called.item["status"], called.item["action"]["sources"]) == ("completed", [])
    assert "Nothing was found" in called.outcome.text


async def test_tavily_is_asked_with_its_key_and_the_domains(client: WebClient):
    with service(tavily) as made:
        called = await searched(
            settings(made, backend="tavily", api_key="secret"),
            client,
            filters={"allowed_domains": ["https://Intranet.example/"]},
        )
    asked = made.asked[0]
    assert asked["headers"]["Authorization"] == "Bearer secret"
    assert (asked["query"], asked["max_results"], asked["include_domains"]) == (
        "days of holiday a year",
        5,
        ["intranet.example"],
    )
    assert called.outcome.sources[0].annotation["url"] == HOLIDAYS


async def test_only_allowed_domains_are_told(searx: Service, client: WebClient):
    urls = [
        "https://a.example.org/1",
        "https://notexample.org/2",
        "https://example.org/3",
        "ftp://example.org/4",
        "junk",
    ]
    searx.answer = lambda _: {"results": [{"url": url, "title": "t", "content": url} for url in [*urls, *urls]]}
    called = await searched(settings(searx), client, filters={"allowed_domains": ["example.org"]})
    assert [one["url"] for one in called.item["action"]["sources"]] == [urls[0], urls[2]]
    assert searx.asked[0]["q"].endswith(" site:example.org")
    called = await searched(settings(searx), client)
    assert [one["url"] for one in called.item["action"]["sources"]] == urls[:3]


@pytest.mark.parametrize(("size", "pages"), [("low", 3), ("medium", 5), ("high", 10), (None, 5)])
async def test_the_context_size_says_how_much_is_read(searx: Service, client: WebClient, size: str | None, pages: int):
    texts = [f"{number} {'word ' * 500}" for number in range(20)]
    searx.answer = lambda _: {
        "results": [{"url": f"https://e.org/{text[:2].strip()}", "title": "t", "content": text} for text in texts]
    }
    called = await searched(settings(searx), client, search_context_size=size)
    assert len(called.item["action"]["sources"]) == pages
    assert len(called.outcome.text) < 18_000


async def test_the_model_is_told_where_the_user_is(searx: Service, client: WebClient):
    place = {"type": "approximate", "city": "Graz", "country": "AT", "region": None, "timezone": None}
    (function,) = WebSearch(settings(searx), client, {"type": "web_search", "user_location": place}).functions()
    assert function.description.endswith("The user is near: Graz, AT.")


async def test_the_user_s_question_stands_in_for_a_query_that_is_none(searx: Service, client: WebClient):
    called = await searched(settings(searx), client, "{", user("holiday days"))
    assert called.item["action"]["query"] == searx.asked[0]["q"] == "holiday days"


@pytest.mark.parametrize(
    ("query", "asked"),
    [("web_search", "How many days of holiday are there?"), ("holiday law", "holiday law")],
)
async def test_the_question_is_searched_for_when_a_query_has_nothing_of_it(
    searx: Service, client: WebClient, query: str, asked: str
):
    called = await searched(settings(searx), client, {"query": query}, user("How many days of holiday are there?"))
    assert called.item["action"]["query"] == asked


@pytest.mark.parametrize(
    ("of", "setting"),
    [
        (WebSearchSettings(), "web_search.url"),
        (WebSearchSettings(api_key="k"), "web_search.url"),  # type: ignore[arg-type]
        (WebSearchSettings(backend="brave"), "web_search.api_key"),
        (WebSearchSettings(backend="tavily", url="http://127.0.0.1"), "web_search.api_key"),
    ],
)
def test_without_a_service_the_tool_is_refused_and_the_setting_named(of: WebSearchSettings, setting: str):
    with pytest.raises(InvalidRequest, match=f"set {setting} in") as caught:
        WebSearch(of, WebClient(), {"type": "web_search_preview"})
    assert (caught.value.status, caught.value.param) == (400, "tools")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"external_web_access": False}, "external_web_access"),
        ({"search_content_types": ["image"]}, "search_content_types"),
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: Json, named: str):
    with pytest.raises(InvalidRequest, match=named):
        WebSearch(WebSearchSettings(url="http://127.0.0.1:1"), WebClient(), {"type": "web_search", **fields})


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "search.formats"), (401, "web_search.api_key"), (429, "too often"), (302, "redirect"), (500, "status 500")],
)
async def test_a_service_that_refuses_is_a_failed_call(searx: Service, client: WebClient, status: int, reason: str):
    searx.status = status
    called = await searched(settings(searx, api_key="secret"), client)
    assert called.item["status"] == "failed"
    assert called.item["action"] == {"type": "search", "query": "days of holiday a year", "sources": []}
    assert reason in called.outcome.text
    assert "secret" not in called.outcome.text
    assert "web_search_call.completed" not in called.types
    assert len(searx.asked) == 1


@pytest.mark.parametrize("answer", [{"hits": []}, [], "text", {"results": "none"}])
async def test_an_answer_of_another_kind_is_a_failed_call(searx: Service, client: WebClient, answer: Any):
    searx.answer = lambda _: answer
    called = await searched(settings(searx), client)
    assert called.item["status"] == "failed"


async def test_a_service_that_is_not_there_is_a_failed_call(client: WebClient):
    called = await searched(WebSearchSettings(url="http://127.0.0.1:1"), client)
    assert called.item["status"] == "failed"
    assert "cannot be reached" in called.outcome.text


async def test_a_service_that_is_too_slow_is_a_failed_call(searx: Service, client: WebClient):
    searx.delay = 0.5
    called = await searched(settings(searx, timeout_seconds=0.2), client)
    assert "did not answer within 0.2 seconds" in called.outcome.text
