"""What a deployment with the engine `image_moderation` may choose."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smalt.core.errors import EngineFailed
from smalt.engines.protocols import Deployment


class ImageModerationOptions(BaseModel):
    """The options with their defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(default=1, ge=1)
    """Threads that look at one picture together."""

    frames: int = Field(default=8, ge=1)
    """Most frames of an animation that are looked at, spread evenly from the first to the last."""

    max_pixels: int = Field(default=64_000_000, ge=1)
    """Most pixels of a picture."""

    max_animation_frames: int = Field(default=2000, ge=1)
    """Most frames of an animation: each is read, however small it is."""

    max_animation_pixels: int = Field(default=512_000_000, ge=1)
    """Most pixels of all frames of an animation together, for each has to be decoded."""


def checked_options(deployment: Deployment) -> ImageModerationOptions:
    """Read a deployment's options; one that is unknown or out of range is named."""
    try:
        return ImageModerationOptions.model_validate(dict(deployment.options))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        known = ", ".join(sorted(ImageModerationOptions.model_fields))
        raise EngineFailed(
            f"Deployment {deployment.name}: the engine image_moderation cannot use its options ({wrong}); "
            f"it knows {known}."
        ) from error


def read_options(options: Mapping[str, Any]) -> ImageModerationOptions:
    """Read the options of a worker's spec, leaving the weights and what was for the process."""
    known = ImageModerationOptions.model_fields
    return ImageModerationOptions(**{name: value for name, value in options.items() if name in known})
