"""What `smalt models` tells of models and packs, and how it brings them."""

from collections.abc import Sequence

from smalt.core.settings import Settings
from smalt.models.catalog import Catalog, Entry
from smalt.models.pack import Pack, starter
from smalt.models.packs import is_installed, models_dir, pull, pull_command, pull_starter
from smalt.models.progress import Watch


def offered(settings: Settings) -> list[dict[str, str | list[str]]]:
    """What there is to know of every model at a glance, in the order of the catalog."""
    catalog = Catalog(settings)
    return [
        {
            "model": name,
            "abilities": sorted(entry.deployment.abilities),
            "engine": entry.deployment.engine,
            "size": _size(entry),
            "installed": _installed(entry, settings),
            "aliases": _aliases(catalog, name),
        }
        for name, entry in catalog.entries.items()
    ]


def described(name: str, settings: Settings) -> dict[str, str]:
    """Everything there is to know of one model, alias or pack; raises `ModelNotFound`."""
    packs = starter().packs
    return _pack_facts(packs[name], settings) if name in packs else _model_facts(name, settings)


def bring(name: str, settings: Settings, watch: Watch) -> None:
    """Pull a model, an alias, a pack or the whole starter."""
    if name == "starter":
        pull_starter(settings, watch)
    elif pack := starter().packs.get(name):
        pull(pack, models_dir(settings), offline=settings.offline, watch=watch)
    else:
        Catalog(settings).find(name).fetched(settings, watch)


def packs_of(names: Sequence[str], settings: Settings) -> list[Pack]:
    """The packs that these names stand for, each once."""
    packs = starter().packs
    found: dict[str, Pack] = {}
    for name in names:
        if name == "starter":
            found.update(packs)
        else:
            chosen = [packs[name]] if name in packs else Catalog(settings).find(name).packs
            found.update({pack.name: pack for pack in chosen})
    return list(found.values())


def _size(entry: Entry) -> str:
    size = sum(pack.bytes for pack in entry.packs)
    return f"{size / 1e6:.0f} MB" if size else "-"


def _installed(entry: Entry, settings: Settings) -> str:
    if not entry.sources:
        return "-"
    return "yes" if entry.is_installed(settings) else "no"


def _aliases(catalog: Catalog, name: str) -> list[str]:
    return [alias for alias, target in catalog.aliases.items() if target == name]


def _model_facts(name: str, settings: Settings) -> dict[str, str]:
    catalog = Catalog(settings)
    entry = catalog.find(name)
    deployment = entry.deployment
    facts = {
        "model": deployment.name,
        "answers as": deployment.model,
        "abilities": ", ".join(sorted(deployment.abilities)),
        "engine": deployment.engine,
        "aliases": ", ".join(_aliases(catalog, deployment.name)) or "-",
        "size": _size(entry),
        "installed": _installed(entry, settings),
        **{f"{role} from": source for role, source in deployment.weights.items()},
    }
    for pack in entry.packs:
        facts.update(_pack_facts(pack, settings))
    return facts


def _pack_facts(pack: Pack, settings: Settings) -> dict[str, str]:
    folder = models_dir(settings)
    facts = {
        "pack": f"{pack.name}: {pack.title}",
        "purpose": pack.purpose,
        "licence": pack.licence,
        "installed": "yes" if is_installed(pack, folder) else f"no; run: {pull_command(pack)}",
    }
    for role, file in pack.files.items():
        came_from = ", ".join(f"{part.registry}:{part.package} {part.version}" for part in file.parts)
        rewritten = f", rewritten by {file.transform.kind}" if file.transform else ""
        facts |= {
            f"{role} file": f"{pack.path(folder, role)} ({file.bytes} bytes)",
            f"{role} made of": f"{came_from}{rewritten}",
            f"{role} sha256": file.sha256,
        }
    return facts
