"""What an operator may say about an echo."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smalt.core.errors import InvalidRequest
from smalt.engines.protocols import Deployment


class EchoOptions(BaseModel):
    """The options of a deployment that says back what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int | None = Field(None, ge=1)
    """Exactly so many tokens for every answer in words, the message over and over."""
    delay_seconds: float = Field(0.0, ge=0)
    """Pause before every token."""
    fail_after: int | None = Field(None, ge=0)
    """Break after so many tokens."""
    context: int | None = Field(None, ge=1)
    """Most tokens of prompt and answer together; no limit when absent."""
    dimensions: int = Field(256, ge=1)
    """Numbers of an embedding."""


def read_options(deployment: Deployment) -> EchoOptions:
    """Check a deployment's options; a slip is told by field."""
    try:
        return EchoOptions.model_validate(dict(deployment.options))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(f"The options of deployment '{deployment.name}' are wrong: {faults}.") from None
