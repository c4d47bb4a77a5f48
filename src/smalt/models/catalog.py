"""Knows every model name: the deployments of the settings, those of the starter, and their aliases."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from smalt.core.errors import InvalidRequest, ModelNotFound, NotFound, NotInstalled
from smalt.core.settings import DeploymentSettings, Settings
from smalt.engines.protocols import Deployment
from smalt.engines.registry import abilities_of, engine_class, engine_names
from smalt.models.assembly import WrongDigest, digest_of
from smalt.models.pack import Pack, StarterDeployment, starter
from smalt.models.packs import is_installed, models_dir
from smalt.models.progress import Watch
from smalt.models.sources import PackSource, Source, parse_source


@dataclass(frozen=True)
class Entry:
    """A deployment with the sources of its weights."""

    deployment: Deployment
    sources: Mapping[str, Source]
    sha256: Mapping[str, str]

    @property
    def packs(self) -> list[Pack]:
        """The packs its weights come from."""
        found = {source.pack.name: source.pack for source in self.sources.values() if isinstance(source, PackSource)}
        return list(found.values())

    def is_installed(self, settings: Settings) -> bool:
        """Whether all weights are on this disk already, as far as can be told without asking anyone."""
        places = [source.expected(settings) for source in self.sources.values()]
        return all(is_installed(pack, models_dir(settings)) for pack in self.packs) and all(
            place is not None and place.exists() for place in places
        )

    def fetched(self, settings: Settings, watch: Watch) -> Deployment:
        """The deployment with all weights on this disk; fetches what is missing, which may take minutes."""
        weights = {role: str(self._fetch(role, settings, watch)) for role in self.sources}
        return replace(self.deployment, weights=weights)

    def _fetch(self, role: str, settings: Settings, watch: Watch) -> Path:
        path = self.sources[role].fetch(settings, watch)
        wanted = self.sha256.get(role, "").lower()
        if wanted and (found := digest_of(path, watch)) != wanted:
            raise WrongDigest(
                f"{path} has the SHA-256 {found}, but deployments.{self.deployment.name}.sha256.{role} is {wanted}. "
                "It is not used: correct the setting, or bring the right file."
            )
        return path


class Catalog:
    """Every model name and what stands behind it; raises `InvalidRequest` for settings that cannot be right."""

    def __init__(self, settings: Settings) -> None:
        self.entries: dict[str, Entry] = {}
        self.aliases: dict[str, str] = {}
        if settings.starter:
            self.entries.update({name: _starting(name, made) for name, made in starter().deployments.items()})
            self.aliases.update(starter().aliases)
        engines = engine_names(third_party=settings.engines.entry_points) if settings.deployments else []
        for name, made in settings.deployments.items():
            if made.engine not in engines:
                offer = ", ".join(engines)
                raise InvalidRequest(f"deployments.{name}.engine: there is no '{made.engine}' here, only {offer}.")
            self.entries[name] = _entry(name, made, settings)
        self.aliases.update(settings.aliases)
        self.aliases = {alias: name for alias, name in self.aliases.items() if alias not in self.entries}
        for alias, name in self.aliases.items():
            if name not in self.entries:
                raise InvalidRequest(f"aliases.{alias} names '{name}', which is none of: {', '.join(self.entries)}.")

    def find(self, name: str) -> Entry:
        """The entry of a deployment or alias; raises `ModelNotFound`, which lists what there is."""
        entry = self.entries.get(name) or self.entries.get(self.aliases.get(name, ""))
        if entry is None:
            raise ModelNotFound(f"The model '{name}' does not exist. {self._offer()}")
        return entry

    def _offer(self) -> str:
        if not self.entries:
            return "There is none: name one under [deployments] in smalt.toml, or set starter = true."
        also = f" Their aliases: {', '.join(self.aliases)}." if self.aliases else ""
        return f"There are: {', '.join(self.entries)}.{also}"


def _starting(name: str, made: StarterDeployment) -> Entry:
    deployment = Deployment(name, made.engine, name, made.abilities, created=made.created)
    return _with_weights(deployment, made.weights, {})


def _entry(name: str, made: DeploymentSettings, settings: Settings) -> Entry:
    connection = {"base_url": made.base_url, "api_key": made.api_key}
    options = {**made.options, **{key: value for key, value in connection.items() if value is not None}}
    deployment = Deployment(
        name,
        made.engine,
        made.model or name,
        _abilities(made, settings),
        options=options,
        content_filter=made.content_filter,
    )
    try:
        entry = _with_weights(deployment, made.weights, made.sha256)
    except (NotFound, InvalidRequest) as error:
        raise InvalidRequest(f"deployments.{name}.weights: {error.message}") from error
    return replace(entry, deployment=replace(entry.deployment, created=_created(entry, settings)))


def _abilities(made: DeploymentSettings, settings: Settings) -> frozenset[str]:
    """What the settings say, or what the engine has; an engine that lacks its packages says so when it is used."""
    if made.abilities is not None:
        return frozenset(made.abilities)
    try:
        return abilities_of(engine_class(made.engine, third_party=settings.engines.entry_points))
    except NotInstalled:
        return frozenset()


def _with_weights(deployment: Deployment, weights: Mapping[str, str], sha256: Mapping[str, str]) -> Entry:
    sources = {role: parse_source(text, role) for role, text in weights.items()}
    return Entry(replace(deployment, weights=dict(weights)), sources, sha256)


def _created(entry: Entry, settings: Settings) -> int:
    """When the newest weights were written; 0 for a model without any here."""
    places = [source.expected(settings) for source in entry.sources.values()]
    return max((int(place.stat().st_mtime) for place in places if place and place.exists()), default=0)
