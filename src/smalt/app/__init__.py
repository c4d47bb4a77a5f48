"""Puts the rooms together from settings; the only place that knows them all."""

from smalt.app.server import app_from_environment, create_app

__all__ = ["app_from_environment", "create_app"]
