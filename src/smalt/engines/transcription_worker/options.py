"""What a deployment with the engine `faster_whisper` may choose."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smalt.core.errors import EngineFailed
from smalt.engines.cores import available_cores
from smalt.engines.protocols import Deployment


class WhisperOptions(BaseModel):
    """The options with their defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["cpu", "cuda", "auto"] = "cpu"
    compute_type: str = "auto"
    """One of CTranslate2's, such as int8 or float32; "auto" is the quickest that the device has."""

    threads: int = Field(default=0, ge=0)
    """Threads that hear one window; 0 is one for each core."""

    parallel: int = Field(default=1, ge=1)
    """Windows that are heard at once, each with so many threads."""

    beam_size: int = Field(default=5, ge=1)
    best_of: int = Field(default=5, ge=1)
    """Candidates at a temperature above 0."""

    condition_on_previous_text: bool = True
    """Whether what was heard last leads the model in the next window."""

    voice_threshold: float = Field(default=0.35, ge=0, le=1)
    """How probable a voice must be for a stretch of sound to be heard at all."""

    max_hours: float | None = Field(default=None, gt=0)

    @property
    def cores(self) -> int:
        """Threads for one window."""
        return self.threads or available_cores()


def checked_options(deployment: Deployment) -> WhisperOptions:
    """Read a deployment's options; one that is unknown or out of range is named."""
    try:
        return WhisperOptions.model_validate(dict(deployment.options))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        known = ", ".join(sorted(WhisperOptions.model_fields))
        raise EngineFailed(
            f"Deployment {deployment.name}: the engine faster_whisper cannot use its options ({wrong}); "
            f"it knows {known}."
        ) from error


def read_options(options: Mapping[str, Any]) -> WhisperOptions:
    """Read the options of a worker's spec, leaving the weights and what was for the process."""
    return WhisperOptions(**{name: value for name, value in options.items() if name in WhisperOptions.model_fields})
