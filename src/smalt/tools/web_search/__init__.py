"""The tool `web_search`: asks a search service that the operator chose."""

from smalt.tools.web_search.client import WebClient
from smalt.tools.web_search.tool import WebSearch

__all__ = ["WebClient", "WebSearch"]
