"""Puts the rooms together from settings; the only place that knows them all."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smalt.app.server import app_from_environment, create_app

__all__ = ["app_from_environment", "create_app"]


def __getattr__(name: str) -> Any:
    """Import the server when it is asked for: the runner of jobs does without FastAPI."""
    if name in __all__:
        from smalt.app import server

        return getattr(server, name)
    raise AttributeError(name)
