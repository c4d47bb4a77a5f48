"""What a deployment with the engine `moderation` may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class ModerationOptions:
    """The options with their defaults; `model` and `tokenizer` are files."""

    model: str
    tokenizer: str
    max_characters: int = MOST_CHARACTERS
    """Most characters of the texts of one call together; as many as this take a core about 90 seconds."""


def read_options(options: Mapping[str, Any]) -> ModerationOptions:
    """Read the options of a worker's spec; `env` was for the process."""
    return ModerationOptions(**{name: value for name, value in options.items() if name != "env"})
