"""Finds the deployment that is measured, with its weights on this disk."""

from smalt.cli.options import read_settings
from smalt.cli.pulling import showing_progress
from smalt.engines.protocols import Deployment
from smalt.models.catalog import Catalog


def on_disk(name: str) -> Deployment:
    """The deployment of a name or alias by the user's own settings; its weights are fetched if need be."""
    settings = read_settings()
    with showing_progress() as watch:
        return Catalog(settings).find(name).fetched(settings, watch)
