"""The tool `web_search` of one request: the model's query goes to the search service, pages with marks come back."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from smalt.core.errors import ApiError, InvalidRequest
from smalt.core.settings import WebSearchSettings
from smalt.tools.arguments import read_arguments
from smalt.tools.conversation import SOURCES, kept, last_question
from smalt.tools.passages import Passage, Passages
from smalt.tools.protocols import Json, Outcome, Output, OutputItem, ToolFunction
from smalt.tools.queries import QUERY, query_of
from smalt.tools.web_search.backends import WebPage, WebQuery, pages_of, question_of
from smalt.tools.web_search.client import WebClient

SIZES: Mapping[str, tuple[int, int]] = {"low": (3, 4_000), "medium": (5, 8_000), "high": (10, 16_000)}
"""Pages and bytes that the model is told, by `search_context_size`."""
PLACE = ("city", "region", "country", "timezone")


class WebSearch:
    """Searches for one request; 400 when the server has no search service."""

    def __init__(self, settings: WebSearchSettings, client: WebClient, tool: Json) -> None:
        _check(settings, tool)
        self._settings = settings
        self._client = client
        self._results, room = SIZES[tool.get("search_context_size") or "medium"]
        self._location = cast("Json", tool.get("user_location") or {})
        filters = cast("Json", tool.get("filters") or {})
        self._domains = [_domain(one) for one in filters.get("allowed_domains") or ()]
        self._passages = Passages("web", room)
        self._question = ""

    async def prepare(self, output: Output, items: Sequence[Json]) -> None:
        """Remember what was asked, and which marks are given out."""
        del output
        self._passages.go_on_behind(items)
        self._question = last_question(items)

    def functions(self) -> Sequence[ToolFunction]:
        """The one function; it tells the model where the user is, for queries that depend on it."""
        place = ", ".join(str(self._location[name]) for name in PLACE if self._location.get(name))
        near = f" The user is near: {place}." if place else ""
        return [
            ToolFunction(
                "web_search",
                "Search the web for what is new, or for facts that you are not sure of. Behind what you take from a "
                f"page, write its mark, such as [web1].{near}",
                {
                    "type": "object",
                    "properties": {"query": QUERY},
                    "required": ["query"],
                    "additionalProperties": False,
                },
            )
        ]

    def begin(self, function: str, output: Output) -> "WebSearchCall":
        """Begin a call and its item."""
        del function
        item: Json = {"type": "web_search_call", "status": "in_progress", "action": {"type": "search", "query": ""}}
        begun = output.begin("ws_", item)
        begun.emit("response.web_search_call.in_progress")
        return WebSearchCall(self, begun)

    async def close(self) -> None:
        """Nothing to let go of: the connections are the server's."""

    def query(self, arguments: Json) -> str:
        """What a call searches for."""
        return query_of(arguments, self._question)

    async def find(self, text: str) -> list[WebPage]:
        """What the service finds; `SearchFailed` when it does not answer."""
        country = self._location.get("country")
        query = WebQuery(text, self._results, self._domains, country)
        answer = await self._client.ask(question_of(self._settings, query), self._settings.timeout_seconds)
        return pages_of(self._settings, query, answer)

    def outcome(self, query: str, pages: Sequence[WebPage]) -> Outcome:
        """What the model reads, and what the client may see."""
        text, sources = self._passages.told([_passage(page) for page in pages])
        action = _action(query, [page.url for page in pages])
        return Outcome(text, {"status": "completed", "action": action, SOURCES: kept(sources)}, sources)


class WebSearchCall:
    """One call."""

    def __init__(self, tool: WebSearch, item: OutputItem) -> None:
        self.item: OutputItem | None = item
        self._begun = item
        self._tool = tool
        self._arguments = ""

    def add(self, arguments: str) -> None:
        """Take more of the arguments."""
        self._arguments += arguments

    async def run(self) -> Outcome:
        """Search; a service that fails is an outcome."""
        query = self._tool.query(read_arguments(self._arguments))
        self._begun.emit("response.web_search_call.searching")
        try:
            pages = await self._tool.find(query)
        except ApiError as error:
            return Outcome(f"The search failed: {error.message}.", {"status": "failed", "action": _action(query, [])})
        self._begun.emit("response.web_search_call.completed")
        return self._tool.outcome(query, pages)


def _action(query: str, urls: Sequence[str]) -> Json:
    return {"type": "search", "query": query, "sources": [{"type": "url", "url": url} for url in urls]}


def _passage(page: WebPage) -> Passage:
    annotation = {"type": "url_citation", "url": page.url, "title": page.title}
    return Passage(f"{page.title} ({page.url})", page.text or page.title, annotation)


def _domain(text: Any) -> str:
    return str(text).lower().removeprefix("https://").removeprefix("http://").strip("/").removeprefix("*.")


def _check(settings: WebSearchSettings, tool: Json) -> None:
    """Refuse what cannot be honoured."""
    if not settings.is_set:
        wanted = "web_search.url" if settings.backend == "searxng" else "web_search.api_key"
        raise InvalidRequest(
            f"This server has no search service for the tool '{tool['type']}'. Leave the tool out; or set {wanted} in "
            "the server's settings: the address of a SearXNG, or the key of another service.",
            param="tools",
            code="web_search_not_configured",
        )
    if tool.get("external_web_access") is False:
        raise _unsupported("external_web_access", "False", "Every search asks the live web.")
    if "image" in (tool.get("search_content_types") or ()):
        raise _unsupported("search_content_types", "'image'", "Pages are found by their text.")


def _unsupported(field: str, value: str, reason: str) -> InvalidRequest:
    message = f"Unsupported value: '{field}' of a web search does not support {value}. {reason}"
    return InvalidRequest(message, param="tools", code="unsupported_value")
