"""A deterministic engine for tests: it says back what it is told."""

from smalt.engines.echo.engine import EchoEngine

__all__ = ["EchoEngine"]
