"""What every table of `smalt.toml` is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of `smalt.toml`; a field nobody knows is an error, so that a typing slip is seen."""

    model_config = ConfigDict(extra="forbid")
