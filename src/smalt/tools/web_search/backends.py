"""How each kind of search service is asked, and what its answers mean."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any, cast
from urllib.parse import urlsplit

from smalt.core.settings import WebSearchSettings
from smalt.tools.protocols import Json
from smalt.tools.web_search.client import Question, SearchFailed

BRAVE_URL = "https://api.search.brave.com/res/v1/web/search"
TAVILY_URL = "https://api.tavily.com/search"
LONGEST_QUERY = 400
"""Characters that every service takes."""
COUNTRY_LENGTH = 2

TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class WebQuery:
    """What is searched for: only in these domains and those below them, if any are named."""

    text: str
    results: int
    domains: Sequence[str] = ()
    country: str | None = None


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page that was found, with what the service quotes of it."""

    url: str
    title: str
    text: str


def question_of(settings: WebSearchSettings, query: WebQuery) -> Question:
    """The HTTP request that asks the service of the settings."""
    return _QUESTIONS[settings.backend](settings, query)


def pages_of(settings: WebSearchSettings, query: WebQuery, answer: Json) -> list[WebPage]:
    """The pages in an answer, best first, each once; `SearchFailed` for an answer of another kind of service."""
    found: Any = answer
    for name in _RESULTS[settings.backend]:
        found = cast("Json", found).get(name) if isinstance(found, dict) else None
    if not isinstance(found, list):
        if settings.backend == "brave" and "web" not in answer and "type" in answer:
            return []
        raise SearchFailed(f"the search service's answer is not that of web_search.backend '{settings.backend}'")
    pages = [_page(cast("Json", one)) for one in cast("list[Any]", found) if isinstance(one, dict)]
    fitting = {page.url: page for page in reversed(pages) if _is_allowed(page.url, query.domains)}
    return list(reversed(fitting.values()))[: query.results]


def _searxng(settings: WebSearchSettings, query: WebQuery) -> Question:
    base = (settings.url or "").rstrip("/")
    url = base if base.endswith("/search") else f"{base}/search"
    key = settings.api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    return Question(url, {"q": _sited(query), "format": "json", "safesearch": "1"}, headers)


def _brave(settings: WebSearchSettings, query: WebQuery) -> Question:
    parameters = {"q": _sited(query), "count": str(query.results), "text_decorations": "false"}
    if query.country is not None and len(query.country) == COUNTRY_LENGTH:
        parameters["country"] = query.country.upper()
    return Question(settings.url or BRAVE_URL, parameters, {"X-Subscription-Token": _key(settings)})


def _tavily(settings: WebSearchSettings, query: WebQuery) -> Question:
    body: Json = {"query": query.text[:LONGEST_QUERY], "max_results": query.results}
    if query.domains:
        body["include_domains"] = list(query.domains)
    return Question(settings.url or TAVILY_URL, {}, {"Authorization": f"Bearer {_key(settings)}"}, body)


_QUESTIONS: Mapping[str, Callable[[WebSearchSettings, WebQuery], Question]] = {
    "searxng": _searxng,
    "brave": _brave,
    "tavily": _tavily,
}
_RESULTS: Mapping[str, Sequence[str]] = {"searxng": ["results"], "brave": ["web", "results"], "tavily": ["results"]}
"""Where the pages are in an answer."""


def _key(settings: WebSearchSettings) -> str:
    return settings.api_key.get_secret_value() if settings.api_key else ""


def _sited(query: WebQuery) -> str:
    sites = " OR ".join(f"site:{domain}" for domain in query.domains)
    return " ".join(filter(None, (query.text[: LONGEST_QUERY - len(sites) - 1], sites)))


def _page(found: Json) -> WebPage:
    quotes = [found.get("content"), found.get("description"), *(found.get("extra_snippets") or ())]
    text = "\n".join(dict.fromkeys(plain for quote in quotes if (plain := _plain(quote))))
    url = found.get("url") if isinstance(found.get("url"), str) else ""
    return WebPage(str(url), _plain(found.get("title")) or str(url), text)


def _plain(value: Any) -> str:
    return " ".join(unescape(TAG.sub("", value)).split()) if isinstance(value, str) else ""


def _is_allowed(url: str, domains: Sequence[str]) -> bool:
    """Whether it is a page of the web, and of one of the domains if any are named."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not host:
        return False
    return not domains or any(host == domain or host.endswith(f".{domain}") for domain in domains)
