"""Tells which models of the catalog this installation can run, and what the others need."""

from collections.abc import Iterator

from smalt.core.errors import NotInstalled
from smalt.core.settings import Settings
from smalt.engines.registry import engine_class
from smalt.models.catalog import Catalog
from smalt.models.pack import Pack


def lacking_engines(settings: Settings, catalog: Catalog) -> dict[str, str]:
    """The engines that deployments name and that cannot be loaded, each with what to do about it."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(entry.deployment.engine for entry in catalog.entries.values()):
        try:
            engine_class(name, third_party=settings.engines.entry_points)
        except NotInstalled as error:
            found[name] = error.message
    return found


def models_of(engine: str, catalog: Catalog) -> list[str]:
    """The deployments that an engine answers for."""
    return [name for name, entry in catalog.entries.items() if entry.deployment.engine == engine]


def usable_packs(settings: Settings, catalog: Catalog) -> Iterator[Pack]:
    """The packs of the models that can be run here, each once; the others' weights would lie about for nothing."""
    lacking = lacking_engines(settings, catalog)
    entries = [entry for entry in catalog.entries.values() if entry.deployment.engine not in lacking]
    yield from {pack.name: pack for entry in entries for pack in entry.packs}.values()
