"""The speakers of a Piper voice by their names: its own, and those that a deployment adds."""

from collections.abc import Mapping
from typing import Any

from smalt.core.errors import EngineFailed, UnsupportedValue

DEFAULT = "default"


class Speakers:
    """Names to speakers' numbers; `added` are names for other names or numbers, such as alloy = "joe"."""

    def __init__(self, config: Mapping[str, Any], added: Mapping[str, str | int]) -> None:
        self._count = max(1, int(config["num_speakers"]))
        self._own = _own_names(config, self._count)
        self._added = {name.lower(): self._meant(name, value) for name, value in added.items()}

    def number(self, name: str) -> int:
        """The speaker behind a name or a number in digits; upper and lower case are one."""
        found = self._added.get(name.lower())
        found = self._find(name) if found is None else found
        if found is None:
            raise UnsupportedValue(f"Unknown voice '{name}'. Choose one of: {', '.join(self._names())}.", param="voice")
        return found

    def _find(self, name: str) -> int | None:
        if name.isdecimal() and int(name) < self._count:
            return int(name)
        return self._own.get(name.lower())

    def _meant(self, name: str, value: str | int) -> int:
        found = self._find(str(value))
        if found is None:
            raise EngineFailed(
                f"The option voices of the engine piper says {name} = {value!r}; the speakers of this voice are "
                f"{', '.join(self._own)}{f', and 0 to {self._count - 1}' if self._count > 1 else ''}."
            )
        return found

    def _names(self) -> list[str]:
        numbers = [f"0 to {self._count - 1}"] if self._count > 1 else []
        return [*self._added, *self._own, *numbers]


def _own_names(config: Mapping[str, Any], count: int) -> dict[str, int]:
    default = int(config.get("default_speaker_id", 0))
    names = {str(name).lower(): int(number) for name, number in config.get("speaker_id_map", {}).items()}
    if count == 1 and (name := config.get("dataset")):
        names[str(name).lower()] = default
    return {DEFAULT: default, **names}
