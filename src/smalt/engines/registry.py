"""Finds an engine's class by name, through entry points, so that nothing is imported before it is needed."""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from smalt.core.errors import MissingExtra, NotInstalled
from smalt.engines.audio import SpeechEngine, TranscriptionEngine
from smalt.engines.extras import DISTRIBUTION, install_command, missing_packages
from smalt.engines.protocols import (
    ChatEngine,
    CompletionEngine,
    EmbeddingEngine,
    Engine,
    ImageModerationEngine,
    ModerationEngine,
)

GROUP: Final = "smalt.engines"

ABILITIES: Final = {
    "chat_completion": ChatEngine,
    "completion": CompletionEngine,
    "embeddings": EmbeddingEngine,
    "audio_transcription": TranscriptionEngine,
    "audio_speech": SpeechEngine,
    "moderation": ModerationEngine,
    "image_moderation": ImageModerationEngine,
}
"""The reference's word for each ability, and the protocol an engine has it by."""


def engine_names(*, third_party: bool = True) -> list[str]:
    """The names of all engines of this installation, sorted."""
    return sorted(_entry_points(third_party=third_party))


def engine_class(name: str, *, third_party: bool = True) -> type[Engine]:
    """The class of an engine; raises `NotInstalled` for a name nobody has, `MissingExtra` for lack of packages."""
    found = _entry_points(third_party=third_party).get(name)
    if found is None:
        raise NotInstalled(
            f"There is no engine '{name}' here. There are: {', '.join(engine_names(third_party=third_party))}. Correct "
            "the deployment's engine, or install the package that brings it."
        )
    try:
        loaded = found.load()
    except ImportError as error:
        raise _lacking(found, error) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Engine)):
        raise NotInstalled(f"The engine '{name}' ({found.value}) is not a subclass of smalt.engines.protocols.Engine.")
    _ask_for_extra(loaded)
    return loaded


def abilities_of(engine: type[Engine]) -> frozenset[str]:
    """What an engine can do, in the reference's words."""
    return frozenset(word for word, protocol in ABILITIES.items() if issubclass(engine, protocol))


def _entry_points(*, third_party: bool) -> dict[str, EntryPoint]:
    """Every engine by name; our own wins over another package's of the same name."""
    ours, others = _installed(tuple(sys.path))
    return {**(others if third_party else {}), **ours}


@cache
def _installed(_places: tuple[str, ...]) -> tuple[dict[str, EntryPoint], dict[str, EntryPoint]]:
    """Our engines and those of other packages; found once, since looking through all packages takes 20 ms."""
    ours: dict[str, EntryPoint] = {}
    others: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        (ours if _is_ours(point) else others)[point.name] = point
    return ours, others


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == DISTRIBUTION


def _lacking(point: EntryPoint, error: ImportError) -> NotInstalled:
    module = error.name or str(error)
    if _is_ours(point):
        return MissingExtra(module, extra="local")
    package = point.dist.name if point.dist else point.value
    return NotInstalled(f"The engine '{point.name}' of {package} cannot be loaded: {error}. Install what it needs.")


def _ask_for_extra(engine: type[Engine]) -> None:
    if engine.extra and (missing := missing_packages(engine.extra)):
        raise NotInstalled(
            f"The engine {engine.__name__} needs {', '.join(missing)}. Install with: {install_command(engine.extra)}"
        )
