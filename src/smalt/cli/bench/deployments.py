"""Finds the deployment that is measured, with its weights on this disk."""

from smalt.core.settings import load_settings
from smalt.engines.protocols import Deployment
from smalt.models.catalog import Catalog
from smalt.models.progress import Silent


def on_disk(name: str) -> Deployment:
    """The deployment of a name or alias by the user's own settings; its weights are fetched if need be."""
    settings = load_settings()
    return Catalog(settings).find(name).fetched(settings, Silent())
