"""Answers with any OpenAI-compatible server, reached by URL."""

from smalt.engines.upstream.engine import UpstreamEngine

__all__ = ["UpstreamEngine"]
